"""`pellucid chat`: its commands, what it saves, and the keys of a real terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
ON_THIS_TERMINAL = (  # and with Ctrl-C heard, which tests that run in the background of a shell would not hear
    "import fcntl, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGINT, signal.default_int_handler); from pellucid.cli.main import main; "
)


@pytest.fixture
def typed(cli: Cli, finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What `chat` does of lines that are typed."""

    def run(*lines: str, flags: tuple[object, ...] = ("--seed", 1)) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return cli("chat", "--max-tokens", 8, "--json", *flags)

    return run


def said(result: Any) -> list[tuple[str, str]]:
    assert result.code == 0, result.err
    return [(turn["speaker"], turn["text"]) for turn in json.loads(result.out.splitlines()[-1])["history"]]


def test_retry_answers_the_last_message_again_and_otherwise(typed: Callable[..., Any]):
    once, again = said(typed("The cat", flags=("--seed", 1))), said(typed("The cat", "/retry"))
    assert [speaker for speaker, _ in again] == ["YOU", "PELLUCID"]
    assert again[0] == once[0]
    assert again[1] != once[1]


def test_edit_takes_the_place_of_the_last_message_and_its_answer(typed: Callable[..., Any]):
    turns = said(typed("The cat", "The dog", "/edit The owl"))
    assert [text for speaker, text in turns if speaker == "YOU"] == ["The cat", "The owl"]
    assert len(turns) == 4


def test_saved_conversations_are_what_finetune_reads(typed: Callable[..., Any], cli: Cli, here: Path):
    flags = ("--system", "Be a farmer.", "--seed", 1)
    result = typed("The cat", "/save talk.jsonl", "The dog", "/save talk.jsonl", flags=flags)
    turns = said(result)
    assert result.err.count("Saved to talk.jsonl.") == 2
    first, second = map(json.loads, (here / "talk.jsonl").read_text(encoding="utf-8").splitlines())
    roles = ["system", "user", "assistant", "user", "assistant"]
    assert [message["role"] for message in second["messages"]] == roles
    assert [message["content"] for message in second["messages"][1:]] == [text for _, text in turns]
    assert first["messages"] == second["messages"][:3]
    told = json.loads(cli("preview", "talk.jsonl", "--json").out.splitlines()[-1])
    assert (told["format"], told["as"]["name"]) == ("messages", "assistant")


def test_quit_ends(typed: Callable[..., Any]):
    assert [speaker for speaker, _ in said(typed("The cat", "/quit", "The dog"))] == ["YOU", "PELLUCID"]


def test_a_model_has_the_name_of_whom_it_learned_to_answer_as(typed: Callable[..., Any], finished_run: Path):
    path = finished_run / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["template"], config["data"]["chats"] = "markers", {"as_name": "Bob"}
    path.write_text(json.dumps(config), encoding="utf-8")
    assert {speaker for speaker, _ in said(typed("The cat"))} <= {"YOU", "Bob"}
    assert "Bob: " in typed("The cat").out
    assert "Bert: " in typed("The cat", flags=("--name", "Bert")).out


def test_what_cannot_be_done_does_not_end_the_conversation(typed: Callable[..., Any], here: Path):
    result = typed(
        *("/retry", "/edit x", "/save talk.jsonl", "/nope", "/edit", "The cat"),
        *("/save missing/talk.jsonl", "/save ~nobody-here/talk.jsonl"),
    )
    assert [speaker for speaker, _ in said(result)] == ["YOU", "PELLUCID"]
    assert result.err.count("nothing was said yet") == 3
    assert result.err.count("/save FILE") == 2, "what commands there are"
    assert "missing/talk.jsonl cannot be written" in result.err
    assert "~nobody-here/talk.jsonl cannot be written" in result.err
    assert not (here / "talk.jsonl").exists()


def test_a_model_cannot_command_the_terminal():
    from pellucid.cli.console import harmless

    assert harmless("a\x1b[2J\x07\tb\n👩\u200d🚀") == "a\\x1b[2J\\x07\tb\n👩\u200d🚀"


class Terminal:
    """`pellucid chat` in a terminal of its own, whose keys are real."""

    def __init__(self, *arguments: object) -> None:
        self.master, slave = os.openpty()
        program = f"{ON_THIS_TERMINAL} sys.exit(main(['chat', *sys.argv[1:]]))"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self.shown = ""

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self) -> str:
        with contextlib.suppress(OSError):  # nothing new, or the end
            self.shown += os.read(self.master, 1 << 16).decode("utf-8", "replace").replace("\r\n", "\n")
        return self.shown

    def until(self, true: Callable[[str], Any], seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not true(self.read()):
            assert time.monotonic() < end, self.shown
            time.sleep(0.02)


@pytest.fixture
def terminal(finished_run: Path) -> Iterator[Terminal]:
    if os.name == "nt":
        pytest.skip("needs a pseudo-terminal")
    made = Terminal(finished_run, "--max-tokens", 100_000, "--ignore-eos")
    yield made
    made.process.kill()
    made.process.wait()
    os.close(made.master)


def test_ctrl_c_stops_the_reply_and_keeps_it_and_ctrl_d_ends(terminal: Terminal, here: Path):
    terminal.until(lambda shown: shown.endswith("YOU: "))
    assert "/help" in terminal.shown
    for asked in range(1, 20):  # until a reply is not over at once, as some are
        terminal.press("The cat\n")
        terminal.until(
            lambda shown, asked=asked: (
                shown.count("PELLUCID: ") == asked
                and (len(shown.rpartition("PELLUCID: ")[2]) > 30 or shown.endswith("YOU: "))
            )
        )
        if not terminal.shown.endswith("YOU: "):
            break
    terminal.press("\x03")
    terminal.until(lambda shown: shown.endswith("YOU: ") and " …\n" in shown)
    terminal.press("/save talk.jsonl\n")
    terminal.until(lambda shown: "Saved to talk.jsonl." in shown)
    reply = json.loads((here / "talk.jsonl").read_text(encoding="utf-8"))["messages"][-1]["content"]
    shown = terminal.shown.rpartition("PELLUCID: ")[2].partition(" …\n")[0].replace("^C", "")
    assert len(reply) > 20
    assert shown.strip().startswith(reply[:20])
    terminal.until(lambda shown: shown.endswith("YOU: "))
    terminal.press("\x04")
    assert terminal.process.wait(120) == 0
    terminal.until(lambda shown: "pellucid sample" in shown)
