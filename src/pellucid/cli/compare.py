"""`pellucid compare`: contenders trained alike, and which differences are more than noise."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pellucid.cli import console
from pellucid.cli.flags import add_device, make_parser, whole
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.inspection.compare.compare import Done
    from pellucid.inspection.compare.summary import Summary

SETTINGS: dict[str, tuple[Any, str]] = {
    "tokenizer": (str, "char, bpe, wordpiece, a tokenizer.json, or a run whose tokenizer to use"),
    "vocab-size": (whole, "tokens of a BPE or WordPiece vocabulary"),
    "context-length": (whole, "tokens they see at once"),
    "n-layers": (whole, "blocks"),
    "n-heads": (whole, "query heads a block"),
    "d-model": (whole, "channels a token"),
    "batch-size": (whole, "windows a step"),
    "lr": (float, "peak learning rate"),
}
SAMPLE = 110  # characters
SAMPLES_SHOWN = 20


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "compare",
        "Train contenders alike, score them on one text, and tell differences from noise: each is trained with several "
        "seeds. Without a name: the ladder from guessing to a transformer of today, a part a rung. One name is a "
        "ready-made set (--list). Two or more are any contenders: presets, rungs of the ladder, TOML recipes, or "
        "settings such as n_heads=8,d_model=128. Leaves comparisons/<name>-<n> with table, plot and samples.",
        "pellucid compare norms; pellucid compare rotary rotary,n_layers=8 --steps 1000",
    )
    made.add_argument("contenders", nargs="*", metavar="CONTENDER", help="a set, or two contenders or more")
    made.add_argument("--list", action="store_true", help="tell all sets, and the rungs of the ladder")
    made.add_argument(
        "--text",
        action="append",
        default=[],
        metavar="SOURCE",
        help="what they read: as for `train`; may be given again (shakespeare, or what the set is made for)",
    )
    made.add_argument("--steps", type=whole, metavar="N", help="steps each is trained (the set's own)")
    made.add_argument(
        "--minutes", type=float, metavar="X", help="minutes each is trained, in place of equal steps"
    )
    made.add_argument("--seeds", type=whole, metavar="N", help="trainings of each contender (3)")
    made.add_argument(
        "--out", metavar="FOLDER", help="the comparison's folder; default comparisons/<name>-<n>"
    )
    made.add_argument(
        "--resume",
        action="store_true",
        help="go on: what the folder (--out, or the latest) has is not trained again",
    )
    group = made.add_argument_group("settings that all have")
    for name, (kind, about) in SETTINGS.items():
        group.add_argument(f"--{name}", type=kind, metavar="N" if kind is whole else "X", help=about)
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    if args.list:
        tell_sets(args.json)
        return
    for name in ("steps", "minutes", "seeds"):
        if getattr(args, name) is not None and not getattr(args, name) > 0:
            raise InputError(f"--{name} must be above 0, not {getattr(args, name)}")
    console.say("Loading…")
    from pellucid.cli.bar import Bar
    from pellucid.inspection.compare.asked import Asked
    from pellucid.inspection.compare.compare import compare
    from pellucid.text.wording import duration

    names = [name.replace("-", "_") for name in SETTINGS]
    asked = Asked(
        tuple(args.contenders),
        tuple(args.text),
        args.steps or 0,
        args.minutes or 0.0,
        args.seeds or 0,
        {name: getattr(args, name) for name in names if getattr(args, name) is not None},
    )
    with Bar() as bar:

        def progress(what: str, done: float, left: float) -> None:
            if bar.is_due():
                bar.draw(what, f"{duration(left)} left", int(100 * done), int(100 * (done + left)))

        done = compare(
            asked,
            out=args.out,
            resume=args.resume,
            device=args.device or "auto",
            note=bar.note,
            progress=progress,
        )
    show(done)
    console.result({"folder": str(done.folder), **done.summary.record()}, args.json)
    console.next_step(*_next(done))


def show(done: Done) -> None:
    """The tables and a line of each sample, on stdout."""
    from pellucid.cli.drawing import table
    from pellucid.inspection.compare import report

    summary = done.summary
    console.write(f"\n{summary.comparison.name}: {report.heading(summary)}\n\n")
    console.write(table([report.HEADER, *report.cells(summary)], report.ALIGNED) + "\n\n")
    for note in report.notes(summary):
        console.write(note + "\n\n")
    if summary.extra:
        console.write(f"{summary.extra.title}\n\n")
        aligned = "l" + "r" * (len(summary.extra.header) - 1)
        console.write(table([summary.extra.header, *summary.extra.rows], aligned) + "\n\n")
    _show_samples(summary)
    console.say(f"Kept in {done.folder} (table.md, comparison.png, comparison.json, trainings.jsonl).")


def _show_samples(summary: Summary) -> None:
    shown = [(row.name, row.sample) for row in summary.rows if row.sample]
    for name, sample in shown[:SAMPLES_SHOWN]:
        line = console.printable(" ".join(sample.split()))[:SAMPLE]
        console.write(f"{name}: {line}\n")
    if shown:
        console.write("\n")


def tell_sets(as_json: bool) -> None:
    """Every set and every rung, with its sentence."""
    from pellucid.inspection.compare.asked import comparisons

    sets = comparisons()
    width = max(len(name) for name in (*sets, *(each.name for each in sets["ladder"].contenders)))
    for comparison in sets.values():
        names = ", ".join(each.name for each in comparison.contenders)
        console.write(f"{comparison.name:<{width}}  {comparison.about}\n{'':<{width}}  {names}\n")
    console.write("\nThe rungs of the ladder, each a contender by its name:\n\n")
    for rung in sets["ladder"].contenders:
        console.write(f"{rung.name:<{width}}  {rung.says}\n")
    console.result(
        {
            name: {"about": each.about, "contenders": [c.name for c in each.contenders]}
            for name, each in sets.items()
        },
        as_json,
    )
    console.next_step("pellucid compare norms", "pellucid compare")


def _next(done: Done) -> list[str]:
    folder = quoted(done.folder)
    more = f"pellucid compare --resume --out {folder} --seeds {done.summary.seeds + 2}"
    return [more, "pellucid compare --list"]
