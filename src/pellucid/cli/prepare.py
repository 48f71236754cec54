"""`pellucid prepare`: text of any size becomes tokens on disk, once."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import make_parser, whole
from pellucid.shell import quoted

if TYPE_CHECKING:
    from types import TracebackType

LINE_SECONDS = 10.0  # between lines where there is no terminal to draw a bar in


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "prepare",
        "Tokenise text that may be larger than memory, once, into a folder that `pellucid train` maps into memory. "
        "Stopped at any moment, the same command goes on where it was.",
        "pellucid prepare stories.txt --out stories",
    )
    made.add_argument(
        "text",
        nargs="+",
        metavar="TEXT",
        help="files, folders, globs, http(s) addresses, or the named corpora shakespeare and tinyshakespeare",
    )
    made.add_argument("--out", required=True, metavar="FOLDER", help="where the tokens go")
    made.add_argument("--overwrite", action="store_true", help="replace what is prepared at --out")
    made.add_argument(
        "--tokenizer",
        default="auto",
        metavar="X",
        help="auto (default), char, bpe, a tokenizer.json, or a run whose tokenizer to use",
    )
    made.add_argument("--vocab-size", type=whole, metavar="N", help="tokens of a BPE vocabulary")
    made.add_argument("--seed", type=whole, default=0, metavar="N", help="of the split (%(default)s)")
    made.add_argument(
        "--dev-fraction",
        type=float,
        default=0.05,
        metavar="X",
        help="share of the training text that chooses the best weights; 0 trains on all (%(default)s)",
    )
    return made


def main(args: argparse.Namespace) -> None:
    console.say("Loading…")
    from pellucid.training.prepare import Observer, prepare

    with _Bar() as bar:
        state = prepare(
            args.text,
            args.out,
            tokenizer=args.tokenizer,
            vocab_size=args.vocab_size,
            seed=args.seed,
            dev_fraction=args.dev_fraction,
            overwrite=args.overwrite,
            observer=Observer(bar.note, bar.advanced),
        )
    record, tokens = state["record"], state["record"]["tokens"]
    console.say(
        f"Prepared {record['documents']:,} documents, {record['characters']:,} characters: "
        f"{tokens['train']:,} tokens to train on, {tokens['dev']:,} dev, {tokens['validation']:,} validation."
    )
    if state["unknown"]:
        console.say(
            f"{state['unknown']:,} characters are unknown to the tokenizer and became one unknown token."
        )
    console.next_step(f"pellucid train {quoted(args.out)}")
    kept = {
        name: record[name] for name in ("name", "fingerprint", "documents", "characters", "bytes", "tokens")
    }
    console.result(
        {"out": str(args.out), **kept, "unknown": state["unknown"], "tokenizer": record["tokenizer"]},
        args.json,
    )


class _Bar:
    """How far the work has come and how long it will take, in a terminal as a bar, else as a line now and then."""

    def __init__(self) -> None:
        import sys

        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:.0f}%  {task.fields[left]}"),
            console=self.console,
            refresh_per_second=5,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, left="")
        self.what = ""
        self.started = self.drawn = time.monotonic()
        self.start = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def note(self, message: str) -> None:
        from rich.text import Text

        self.console.print(Text(message))

    def advanced(self, what: str, done: int, total: int) -> None:
        from pellucid.training.report import duration

        now = time.monotonic()
        if (
            what != self.what
        ):  # the time left is judged by the speed since here, where a resume did not begin at 0
            self.what, self.started, self.start = what, now, done
        left = (now - self.started) * (total - done) / (done - self.start) if done > self.start else 0.0
        remaining = f"{duration(left)} left" if done > self.start else ""
        if self.console.is_terminal:
            self.bar.start()
            self.bar.update(self.task, description=what, total=total, completed=done, left=remaining)
        elif now - self.drawn >= LINE_SECONDS:
            self.drawn = now
            self.console.print(f"{what} {done / max(1, total):.0%}  {remaining}")
