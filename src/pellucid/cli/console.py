"""Where words go: prose and progress to stderr, results to stdout.

Of several processes that torchrun started the first one speaks for all; the others complain alone.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from typing import Any


def processes() -> tuple[int, int]:
    """This process's number among those of one training, from 1, and how many they are."""
    number, count = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    if not (number.isdecimal() and count.isdecimal() and int(count) > 1):
        return 1, 1
    return int(number) + 1, int(count)


def speaks() -> bool:
    """Whether this process speaks for all."""
    return processes()[0] == 1


def say(message: str = "") -> None:
    """Prose for a person."""
    if speaks():
        print(message, file=sys.stderr, flush=True)


def write(text: str) -> None:
    """A piece of a result, shown at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def next_step(*commands: str) -> None:
    """Name the next command to type, and others that could be."""
    for index, command in enumerate(commands):
        say(("Next:  " if index == 0 else "  or:  ") + command)


def next_steps(*commands: str) -> None:
    """Name commands to type one after the other."""
    for index, command in enumerate(commands):
        say(("Next:  " if index == 0 else "then:  ") + command)


def result(value: dict[str, Any], as_json: bool) -> None:
    """The command's result as one line of JSON, when asked for."""
    if as_json and speaks():
        print(json.dumps(value, ensure_ascii=False), flush=True)


def harmless(text: str) -> str:
    """What a model writes, without control characters but tabs and line ends; marks that join characters stay."""
    return "".join(c if unicodedata.category(c) != "Cc" or c in "\n\t" else printable(c) for c in text)


def printable(text: str) -> str:
    """`text` with control characters escaped, so that no text can command the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
