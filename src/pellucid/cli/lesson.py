"""`pellucid lesson`: a model to write oneself, and whether it is right."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import make_parser
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.inspection.lesson import PieceResult

ACTIONS = ("new", "check")
WIDTH = 100
NOTEBOOKS = Path(__file__).parents[3] / "docs" / "lessons"  # there in a checkout alone


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "lesson",
        "Write a transformer yourself, piece by piece. `new` makes a folder with its skeleton, bodies left out, and "
        "tests; `check` runs them and says of each piece whether it is right, not yet written, or wrong, and why. "
        "Without either: what lessons there are.",
        "pellucid lesson new my-model",
    )
    made.add_argument(
        "action", nargs="?", choices=ACTIONS, metavar="new|check", help="what to do; left out: a list"
    )
    made.add_argument(
        "folder",
        nargs="?",
        metavar="DIR",
        help="the lesson's folder; left out: the current one, to check. Its files are executed",
    )
    return made


def main(args: argparse.Namespace) -> int | None:
    if args.action == "new":
        return _new(args)
    if args.action == "check":
        return _check(args)
    _list(args)
    return None


def _new(args: argparse.Namespace) -> None:
    from pellucid.inspection.lesson import copy_skeleton
    from pellucid.text.files import expand_home

    if args.folder is None:
        raise InputError("no folder to write the lesson into: name one, as `pellucid lesson new my-model`")
    folder = expand_home(Path(args.folder))
    for path in copy_skeleton(folder):
        console.say(f"Wrote {path}")
    console.say(f"Begin with the README, and with piece 1 in {folder / 'model.py'}.")
    console.result({"folder": str(folder)}, args.json)
    console.next_step(f"pellucid lesson check {quoted(folder)}")


def _check(args: argparse.Namespace) -> int:
    """Print a line a piece; returns 0 where all but stretches are right, else 1."""
    import torch

    from pellucid.inspection.lesson import check_pieces
    from pellucid.text.files import expand_home

    folder = expand_home(Path(args.folder or "."))
    torch.set_num_threads(min(2, torch.get_num_threads()))  # small models gain nothing from more
    pieces: list[PieceResult] = []
    for piece in check_pieces(folder):
        pieces.append(piece)
        if not args.json:
            console.write(_line(piece) + "\n")
    may_wait = [piece for piece in pieces if piece.stretch and piece.verdict == "not yet"]
    left = [piece for piece in pieces if piece.verdict != "right" and piece not in may_wait]
    following = next((piece for piece in left if piece.verdict == "wrong"), left[0] if left else None)
    told = {"pieces": [piece.to_dict() for piece in pieces], "next": following.number if following else None}
    if following is None:
        console.say("All is right. This is a transformer, and you wrote it.")
        console.result(told, args.json)
        console.next_step(f"pellucid doctor {quoted(folder / 'model.py')}:Model")
        return 0
    does, done = ("To mend", "mended") if following.verdict == "wrong" else ("To write next", "written")
    n_right = sum(piece.verdict == "right" for piece in pieces)
    console.say(f"{n_right} of {len(pieces)} right. {does}: {following.number} {following.title}")
    console.result(told, args.json)
    where = f" {quoted(folder)}" if args.folder else ""
    console.next_step(f"pellucid lesson check{where}   (once it is {done})")
    return 1


def _line(piece: PieceResult) -> str:
    head = f"{piece.number:>2}  {piece.verdict.upper() if piece.verdict == 'wrong' else piece.verdict:<8} {piece.title}"
    said = console.printable(piece.said)
    if piece.verdict == "not yet":
        return f"{head}: {said}"
    indent = " " * 13
    return "\n".join([head, *textwrap.wrap(said, WIDTH, initial_indent=indent, subsequent_indent=indent)])


def _list(args: argparse.Namespace) -> None:
    notebooks = [(path, _title(path)) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    console.write(
        "A transformer to write yourself, from the embedding to the training loop: each piece with its formula\n"
        "and its paper, and tests that say what is wrong with it.\n"
        "  pellucid lesson new DIR      writes the skeleton, the tests and a README into DIR\n"
        "  pellucid lesson check DIR    says of each piece: right, not yet, or wrong and why\n"
    )
    if notebooks:
        console.write(f"\nLessons to read and to run, in {NOTEBOOKS}:\n")
    width = max((len(path.name) for path, _ in notebooks), default=0)
    for path, title in notebooks:
        console.write(f"  {path.name:<{width}}  {title}\n")
    told = [{"path": str(path), "title": title} for path, title in notebooks]
    console.result({"notebooks": told}, args.json)
    console.next_step("pellucid lesson new my-model", "pellucid trace --preset lesson")


def _title(notebook: Path) -> str:
    """The first heading of a notebook; its name where there is none."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, OSError):
        return notebook.stem
    lines = (line for cell in cells if cell["cell_type"] == "markdown" for line in cell["source"])
    return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), notebook.stem)
