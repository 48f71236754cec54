"""`pellucid audit`: what a model has memorised of its training text, on one page."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import add_device, add_run, make_parser, whole
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.inspection.audit.report import Audit

LABEL = 12  # characters
PARTS = "canaries|extraction|verbatim|gap"


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "audit",
        "Measure what a model has memorised of its training text, in four ways, each beside text that was held out. "
        "gap: how much better it predicts its own text. extraction: how many passages it goes on with by heart. "
        "verbatim: how much of what it writes freely is copied. canaries: random codes are planted once, 4 and 16 "
        "times in a copy of the text, a copy of the model is trained on that, and the codes are looked for in it. The "
        "run itself is not changed; the page is kept in it as AUDIT.md and audit.json.",
        "pellucid audit book-1 --only extraction --only gap",
    )
    add_run(made)
    made.add_argument(
        "--only",
        action="append",
        default=[],
        metavar=PARTS,
        help="this part alone; may be given again (all four)",
    )
    made.add_argument(
        "--minutes",
        type=float,
        metavar="X",
        help="longest training of the copy with canaries; on a part of the text where all would take longer (5)",
    )
    made.add_argument(
        "--text",
        action="append",
        default=[],
        metavar="TEXT",
        help="the text it learned from, if that is no longer where it was; of an imported model, a text it may have "
        "read; may be given again",
    )
    made.add_argument(
        "--seed",
        type=whole,
        default=0,
        metavar="N",
        help="of codes, prefixes and what is written (%(default)s)",
    )
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    console.say("Loading…")
    from pellucid.cli.bar import TimedBar
    from pellucid.inspection.audit.audit import MINUTES, audit
    from pellucid.inspection.audit.report import record

    with TimedBar() as bar:
        found = audit(
            args.run,
            only=args.only,
            text=args.text or None,
            minutes=MINUTES if args.minutes is None else args.minutes,
            seed=args.seed,
            device=args.device or "auto",
            note=bar.note,
            progress=bar.advanced,
        )
    show(found)
    console.say(f"Kept in {found.run.audit_page_path} and {found.run.audit_path.name}.")
    console.result(record(found), args.json)
    console.next_step(f"pellucid eval {quoted(found.run.path)} OTHER.txt")


def show(found: Audit) -> None:
    """The page, as lines on stdout."""
    from pellucid.inspection.audit.report import rows

    for label, lines in rows(found):
        for number, line in enumerate(lines):
            print(f"{'' if number else label:<{LABEL}}{console.printable(line)}".rstrip())
