"""`pellucid export`: a run in the format of other programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import add_run, make_parser
from pellucid.interop.formats import FORMATS
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.interop.comparison import Comparison


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "export",
        "Write a run in another program's format, exactly: the same tokens and the same logits, or a refusal that "
        "names the part of the model which has no twin there. Adapters are merged, and a chat template goes with the "
        "tokenizer. Where the program is installed it loads what was written, and the largest difference of a logit is "
        "told.",
        "pellucid export shakespeare-1 --to hf",
    )
    add_run(made)
    flag = made.add_argument
    flag(
        "--to",
        choices=tuple(FORMATS),
        default=next(iter(FORMATS)),
        help="; ".join(f"{name}: {format.about}" for name, format in FORMATS.items()),
    )
    flag("--out", metavar="PATH", help="where to; left out: exports/RUN-hf, or exports/RUN-TYPE.gguf")
    types = {name: format.types for name, format in FORMATS.items() if format.types}
    flag(
        "--type",
        choices=tuple(type for several in types.values() for type in several),
        help="; ".join(f"the numbers in {name}, left out: {several[0]}" for name, several in types.items()),
    )
    flag(
        "--step",
        default="best",
        metavar="best|N",
        help="its best weights, or those of a checkpoint (%(default)s)",
    )
    flag(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="load and compare what was written; left out: where the program for it is installed",
    )
    return made


def main(args: argparse.Namespace) -> None:
    console.say("Loading…")
    from pellucid.cli.bar import TimedBar
    from pellucid.interop.exporting import export, is_installed

    with TimedBar() as bar:
        done = export(
            args.run,
            args.to,
            args.out,
            step=int(args.step) if args.step.isdecimal() else args.step,
            type=args.type,
            check=args.check,
            progress=bar.note,
            advanced=bar.advanced,
        )
    console.say(f"Exported as {done.path} ({done.family}).")
    for note in done.notes:
        console.say(f"  Note: {note}.")
    checker, comparison = FORMATS[args.to].checker, done.comparison
    if comparison:
        _say_what_differs(comparison)
    elif args.check is False:
        console.say("Not compared with the run: --no-check.")
    elif not is_installed(checker):
        console.say(
            f"Not compared with the run, as {checker} is not installed here: `pip install {checker}`, and export again."
        )
    console.next_step(FORMATS[args.to].next_step.format(path=quoted(done.path)))
    shown = {"path": str(done.path), "format": done.format, "family": done.family, "notes": list(done.notes)}
    found = {name: getattr(comparison, name, None) for name in ("difference", "rounded", "bits_per_byte")}
    console.result({**shown, **found}, args.json)


def _say_what_differs(comparison: Comparison) -> None:
    """What was compared in the other program, and how far it is apart."""
    bits, rounded = comparison.bits_per_byte, comparison.rounded
    there = "" if bits is None and rounded is None else "in float32 "
    console.say(
        f"Compared by {comparison.with_} on {comparison.n_tokens:,} tokens: the same tokens, and {there}no "
        f"{comparison.of} differs by more than {comparison.difference:.1e} (above {comparison.tolerance:.0e} would "
        "be an error)."
    )
    if rounded is not None:
        console.say(
            f"As exported, by {rounded:.1e} at most: what flows through a matrix of 16 bits is rounded there, too."
        )
    if bits is not None:
        before, after = bits
        change = f"{after / before - 1:+.1%}"
        console.say(f"Bits per byte there: {before:.4f} in float32, {after:.4f} as exported ({change}).")
