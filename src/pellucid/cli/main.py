"""`pellucid VERB …`: finds the verb, runs it, and turns what goes wrong into one sentence and an exit code.

Imports nothing heavy: help answers at once.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence

import pellucid
from pellucid.errors import InputError

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

VERBS = {
    "demo": "Shakespeare's plays to a trained model and a scene, in about two minutes",
    "train": "train a model on your text",
    "preview": "what a text holds, and what training on it would take: a dry run",
    "finetune": "teach a model to answer as someone in your chats, or to go on with another text",
    "prepare": "tokenise a text larger than memory once, for train to map",
    "import": "take over a published model, from a folder, a GGUF file or by name",
    "export": "a model in another program's format: Hugging Face's or llama.cpp's",
    "sample": "let a model write",
    "chat": "take turns with a model",
    "serve": "the page and the APIs: train, chat and look inside, in a browser",
    "eval": "score a model on a text: loss, perplexity, bits per byte",
    "audit": "what a model has memorised of its training text",
    "compare": "contenders trained alike, from the ladder of parts to any two configurations, noise told apart",
    "inspect": "the page's views as text or JSON",
    "trace": "a walk through one forward pass: every tensor, its shape, its cost, its line of code",
    "runs": "list, size and delete runs",
    "bench": "this machine's training speed, and its share of the matrix-product peak",
    "lesson": "a transformer to write yourself, piece by piece, with tests that say what is wrong",
    "doctor": "what this machine can do; with a model, the classic bugs looked for in it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _speak_utf8()
    # Threads of torch's GNU OpenMP spin while they wait. A thirtieth of its default costs nothing where cores are
    # free and halves the loss where other programs are busy (docs/LOG.md). Read when torch is first imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return DONE
    if arguments[0] in ("-V", "--version"):
        print(f"pellucid {pellucid.__version__}")
        return DONE
    verb, *rest = arguments
    if verb not in VERBS:
        return _complain(_unknown(verb), BAD_INPUT)
    return _run(verb, rest)


def _run(verb: str, arguments: list[str]) -> int:
    try:
        module = importlib.import_module(f"pellucid.cli.{verb}")
        return module.main(module.parser().parse_args(arguments)) or DONE
    except Exception as error:
        if "--debug" in arguments:
            raise
        return _complain(*_explain(error))
    except KeyboardInterrupt as interruption:  # training's own kind says where it was saved
        from pellucid.cli.console import speaks

        if not speaks():
            return INTERRUPTED
        print(file=sys.stderr)
        return _complain(str(interruption) or "interrupted", INTERRUPTED)


def _explain(error: Exception) -> tuple[str, int]:
    """One sentence for a person, and the exit code."""
    if isinstance(error, InputError):
        return str(error), BAD_INPUT
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            "the disk is full: free some space and go on with --resume; the last checkpoint is whole",
            FAILED,
        )
    if isinstance(error, BrokenPipeError):
        return "", FAILED
    if type(error).__module__.startswith("pellucid."):
        return str(error), FAILED
    return f"{type(error).__name__}: {error} (add --debug to see where)", FAILED


def _complain(message: str, code: int) -> int:
    if message:
        from pellucid.cli.console import printable, processes  # names of files and people are in it

        number, count = processes()
        who = "pellucid: " if number == 1 else f"pellucid: process {number} of {count}: "
        lines = (printable(line) for line in message.split("\n"))
        print(who + "\n".join(lines), file=sys.stderr)
    return code


def _speak_utf8() -> None:
    """Whatever a Windows console or a bare locale would choose, text goes out as UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")


def _help() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {job}" for verb, job in VERBS.items()]
    return "\n".join(
        [
            "Grow a small language model from your own words, on the machine you have, and see through it.",
            "",
            "usage: pellucid VERB …        pellucid VERB --help tells a verb's options",
            "",
            *lines,
            "",
            "Start with `pellucid demo`, or `pellucid train YOUR.txt`.",
        ]
    )


def _unknown(verb: str) -> str:
    import difflib

    near = difflib.get_close_matches(verb, VERBS, 1)
    return f"there is no verb {verb!r}" + (
        f": did you mean {near[0]!r}?" if near else f": choose one of {', '.join(VERBS)}"
    )
