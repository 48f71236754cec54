"""The walk through a forward pass as text for a terminal: tensors part by part, what T × T costs, the sums."""

from __future__ import annotations

import itertools
import shutil
import textwrap
from typing import Any

from pellucid.cli.drawing import label, sums, table
from pellucid.inspection.shapes import block_of
from pellucid.text.wording import plural, size

NARROW, WIDE = 100, 170  # columns; from WIDE on a tensor's numbers stand in its row, and its formula below
INDENT = "    "
LARGE = 10**9  # from here on the numbers of a row are shortened; sums never are
TOKENS_SHOWN = 32
COUNTED = (
    "FLOPs are two a weight and token of every product, and in attention those of the pairs that are seen."
)
SYMBOLS = {
    "B": "text at once",
    "T": "tokens",
    "C": "channels",
    "H": "heads",
    "K": "key/value heads",
    "D": "numbers a head",
    "F": "hidden channels",
    "V": "tokens of the vocabulary",
    "N": "tokens of all texts",
    "E": "experts",
    "k": "experts a token",
}

Row = dict[str, Any]


def walk(answer: dict[str, Any], context_length: int) -> str:
    """The walk for this terminal, 100 columns at least.

    Args:
        answer: of `pellucid.inspection.shapes.walk`; with "layer" it holds the rows of that block alone.
        context_length: of the model: T × T at more tokens is what a longer context would cost.
    """
    width = max(NARROW, shutil.get_terminal_size((NARROW, 24)).columns)
    legend = ", ".join(
        f"{symbol} = {value:,} {SYMBOLS[symbol]}" for symbol, value in answer["legend"].items()
    )
    lines = [*_wrapped(_tokens(answer["tokens"]), width), *_wrapped(legend, width), ""]
    lines += [*_tensors(answer, width), "", *_squares(answer["squares"], context_length, width), ""]
    said = [*sums(answer["totals"]), COUNTED]
    return "\n".join(lines + [line for each in said for line in _wrapped(each, width)])


def _tokens(tokens: list[Row]) -> str:
    """The first tokens with their ids."""
    shown = ", ".join(f"{label(token['text'])} {token['id']}" for token in tokens[:TOKENS_SHOWN])
    rest = f" and {len(tokens) - TOKENS_SHOWN:,} more" if len(tokens) > TOKENS_SHOWN else ""
    return f"{plural(len(tokens), 'token')}, each with its id: {shown}{rest}."


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)


# ---------------------------------------------------------------------- tensors


def _tensors(answer: dict[str, Any], width: int) -> list[str]:
    """Each part of the pass under its heading; blocks like an earlier one in a line."""
    rows = answer["rows"]
    cells = [_heading(width), *(_cells(row, width) for row in rows)]
    heading, *drawn = table(cells, "   rrrrr"[: len(cells[0])]).splitlines()
    sections = itertools.groupby(zip(rows, drawn, strict=True), lambda pair: block_of(pair[0]["name"]))
    blocks, alone = {block["block"]: block for block in answer["blocks"]}, "layer" in answer
    lines, like = [heading], list[Row]()
    for number, pairs in sections:
        if number is not None and blocks[number]["like"] != number and not alone:
            like.append(blocks[number])
            continue
        lines += _like(like, width)
        like = []
        lines += ["", _title(number, blocks, len(lines) == 1)]
        for row, line in pairs:
            lines += [line, *_said(row, width)]
    return lines + _like(like, width)


def _heading(width: int) -> list[str]:
    heading = ["tensor", "in symbols", "shape", "parameters", "FLOPs"]
    return [*heading, "mean", "deviation", "norm", "source"] if width >= WIDE else heading


def _cells(row: Row, width: int) -> list[str]:
    number = block_of(row["name"])
    cells = [
        row["name"] if number is None else row["name"].split(".", 2)[2],
        row["symbols"],
        "×".join(map(str, row["shape"])),
        _short(row["parameters"]),
        _short(row["flops"]),
    ]
    if width >= WIDE:
        cells += [_fact(row[name]) for name in ("mean", "std", "norm")] + [row["source"]]
    return cells


def _short(number: int) -> str:
    if not number:
        return ""
    return f"{number:,}" if number < LARGE else f"{number / LARGE:,.3f} G"


def _fact(value: float | None) -> str:
    """Three digits, with an exponent only where a number is very large or small."""
    if value is None:
        return ""
    return f"{float(f'{value:.3g}'):,g}" if abs(value) < 1e6 else f"{value:.3g}"


def _said(row: Row, width: int) -> list[str]:
    """What it is, and, where its row has no room for them, its numbers and its line of code."""
    if width >= WIDE:
        return _wrapped(f"{row['says']} ({row['formula']})", width, INDENT)
    names = {"mean": "mean", "std": "deviation", "norm": "norm"}
    facts = [f"{words} {_fact(row[name])}" for name, words in names.items() if row[name] is not None]
    return [
        *_wrapped(row["says"], width, INDENT),
        INDENT + " · ".join([", ".join(facts), row["source"]][not facts :]),
    ]


def _title(number: int | None, blocks: dict[int, Row], is_first: bool) -> str:
    if not blocks:
        return "From tokens to logits"
    if number is None:
        return "Before the blocks" if is_first else "After the blocks"
    return f"Block {number} of {len(blocks)}: {_costs(blocks[number])}"


def _costs(block: Row, times: int = 1) -> str:
    """The sums of a block, or of several like it."""
    each = f"{times:,} × {{:,}} = " if times > 1 else ""
    parameters, flops = block["parameters"], block["flops"]
    return (
        f"{plural(block['tensors'], 'tensor')}, {each.format(parameters)}{times * parameters:,} parameters, "
        f"{each.format(flops)}{times * flops:,} FLOPs"
    )


def _like(blocks: list[Row], width: int) -> list[str]:
    """A line for blocks that follow one another and are like an earlier one."""
    if not blocks:
        return []
    first, last = blocks[0], blocks[-1]
    which = (
        f"Block {first['block']} is"
        if first is last
        else f"Blocks {first['block']} to {last['block']} are each"
    )
    said = f"{which} like block {first['like']}: {_costs(first, len(blocks))}."
    return ["", *_wrapped(f"{said} Add --layer {first['block']} for its numbers.", width)]


# ---------------------------------------------------------------------- T × T


def _squares(squares: list[Row], context_length: int, width: int) -> list[str]:
    """A line a length: what the scores of one head and of all are, and as much again for the weights."""
    if not squares:
        return ["A bigram model has no attention: there is nothing of T × T numbers."]
    heading = ("T", "entries a head", "bytes a head", "heads of all layers", "entries in all", "bytes in all")
    rows = [
        (
            f"{each['tokens']:,}",
            f"{each['entries_a_head']:,}",
            size(each["bytes_a_head"]),
            f"{each['heads']:,}",
            f"{each['entries']:,}",
            size(each["bytes"]),
        )
        for each in squares
    ]
    said = (
        "Twice the tokens are four times the numbers. Scores are so many, and weights again; four bytes each. "
        "Fused kernels make them piece by piece and keep none, with the same work. This model reads "
        f"{context_length:,} tokens at most: more is what a longer context would cost."
    )
    return ["The attention matrix, T × T a head", table([heading, *rows], "rrrrrr"), *_wrapped(said, width)]
