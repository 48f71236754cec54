"""The page's views as text for a terminal: bars, shaded grids, tables."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from pellucid.cli.console import printable
from pellucid.text.wording import plural, size

if TYPE_CHECKING:
    import numpy as np

    from pellucid.inspection.frame import Frame

SHADES = " ░▒▓█"  # of weights from 0 to 1, each of a fifth
BLOCKS = " ▏▎▍▌▋▊▉"  # eighths of a character
BAR = 30  # characters
LABEL = 14
WIDEST_GRID = 100
STRONGEST = 3
NO_TERMINAL = (10_000, 24)  # a file is as wide as need be


def label(text: str) -> str:
    """A token so that its blanks and line ends can be seen, and no longer than a label."""
    shown = printable(text.replace(" ", "·").replace("\n", "↵").replace("\t", "→"))
    return shown if len(shown) <= LABEL else shown[: LABEL - 1] + "…"


def bar(share: float, width: int = BAR) -> str:
    """A bar of `width` characters where `share` is 1."""
    eighths = round(8 * width * max(0.0, min(share, 1.0)))
    return "█" * (eighths // 8) + BLOCKS[eighths % 8].strip()


def table(rows: Iterable[Sequence[str]], right: str = "") -> str:
    """Rows of cells in columns; `right` has an r for each column that is set to the right."""
    rows = [list(row) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    sides = right.ljust(len(widths))
    return "\n".join(
        "  ".join(
            padded(cell, width, side == "r") for cell, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in rows
    )


def padded(text: str, width: int, right: bool = False) -> str:
    """`text` in as many of a terminal's columns: 猫 takes two, an accent on the letter before it none."""
    blanks = " " * max(0, width - cell_len(text))
    return blanks + text if right else text + blanks


def grid(
    names: Sequence[str], cells: Sequence[Sequence[str]], ends: Sequence[str] | None = None
) -> list[str]:
    """Lines of a table of single characters; every column has its whole name above it, written downwards.

    Args:
        names: of the rows and of the columns.
        cells: a row for each name; only as many columns are shown as fit the terminal, and what was left out is told.
        ends: what stands behind each row, set to the right.
    """
    ends = ends or [""] * len(names)
    letters = [_letters(name) for name in names]
    pitch = max((cell_len(letter) for name in letters for letter in name), default=1)
    side, behind = max(map(cell_len, names), default=0) + 2, max(map(cell_len, ends), default=0) + 2
    room = max(1, (shutil.get_terminal_size(NO_TERMINAL).columns - side - behind) // pitch)
    if len(names) * (pitch + 1) <= room * pitch:
        pitch += 1
    shown = letters[:room]
    lines = []
    for line in range(-max(map(len, shown), default=0), 0):
        heads = (name[line] if len(name) >= -line else "" for name in shown)
        lines.append((" " * side + "".join(padded(head, pitch) for head in heads)).rstrip())
    for name, row, end in zip(names, cells, ends, strict=True):
        drawn = "".join(padded(cell, pitch) for cell in row[: len(shown)])
        lines.append((padded(name, side) + drawn + padded(end, behind, right=True)).rstrip())
    if len(shown) < len(names):
        lines.append(
            f"The first {len(shown)} of {len(names)} columns: a wider terminal shows more, and --json all."
        )
    return lines


def _letters(text: str) -> list[str]:
    """What takes a place of its own in a terminal: letters with the accents that stand on them."""
    letters: list[str] = []
    for character in text:
        if letters and cell_len(character) == 0:
            letters[-1] += character
        else:
            letters.append(character)
    return letters


# ---------------------------------------------------------------------- the views


def tokens(answer: dict[str, Any]) -> str:
    """One line a token, after what the vocabulary is."""
    head = (
        f"{answer['about']}, {answer['vocab_size']:,} tokens. {plural(answer['n_characters'], 'character')}, "
        f"{plural(answer['n_bytes'], 'byte')}, {plural(answer['n_tokens'], 'token')}; "
        f"the model sees {answer['context_length']:,}."
    )
    rows = [
        (f"{place:,}", f"{token['id']:,}", label(token["text"]))
        for place, token in enumerate(answer["tokens"])
    ]
    return "\n".join([head, *([table([("place", "id", "token"), *rows], "rr")] if rows else [])])


def bigram(answer: dict[str, Any]) -> str:
    """The most frequent tokens against one another, shaded by their share of the row; then one row in full."""
    rows = answer["rows"]
    fifths = ", ".join(f"{SHADES[n]} from {n / len(SHADES):.0%}" for n in range(1, len(SHADES)))
    lines = [
        f"{answer['total']:,} pairs counted in the training split. A row is a token with its count, a column "
        f"what follows it; shaded is the share of the row: {fifths}.",
        "",
    ]
    lines += grid(
        [label(row["text"]) for row in rows],
        [
            [shade(count / max(1, row["count"])) for count in counts]
            for row, counts in zip(rows, answer["counts"], strict=True)
        ],
        [f"{row['count']:,}" for row in rows],
    )
    if row := answer["row"]:
        lines += [
            "",
            f"After {label(row['text'])} ({row['count']:,} times, {row['kinds']:,} different followers):",
        ]
        lines.append(
            table(
                (
                    (
                        label(each["text"]),
                        f"{each['count']:,}",
                        f"{each['probability']:.1%}",
                        bar(each["probability"]),
                    )
                    for each in row["followers"]
                ),
                " rr",
            )
        )
    return "\n".join(lines)


def shade(weight: float) -> str:
    return SHADES[min(int(weight * len(SHADES)), len(SHADES) - 1)]


def heads(frame: Frame, layer: int | None = None) -> str:
    """Every head as a small grid, or those of one layer: rows are queries, columns keys."""
    header, weights = frame.header, frame.arrays["weights"]
    lines = [_way(header)]
    if header["pooled"] > 1:
        lines.append(f"Each cell is the greatest of {header['pooled']} × {header['pooled']} weights.")
    wanted = range(header["layers"]) if layer is None else [layer]
    side = weights.shape[-1]
    across = max(1, (WIDEST_GRID + 2) // (max(side, 8) + 2))
    for each in wanted:
        for start in range(0, header["heads"], across):
            some = range(start, min(start + across, header["heads"]))
            lines += ["", "  ".join(f"{f'{each}.{head}':<{max(side, 8)}}" for head in some).rstrip()]
            for row in range(side):
                cells = ("".join(shade(w) for w in weights[each, head, row]) for head in some)
                lines.append("  ".join(f"{cell:<{max(side, 8)}}" for cell in cells).rstrip())
    return "\n".join(lines)


def head(frame: Frame) -> str:
    """One head: its grid where that fits a line, and the strongest three keys of each query."""
    header, weights = frame.header, frame.arrays["weights"]
    visible, names = frame.arrays["visible"], [label(token["text"]) for token in frame.header["tokens"]]
    shared = f", key/value head {header['kv_head']}" if header["kv_heads"] < header["heads"] else ""
    lines = [f"Layer {header['layer']}, head {header['head']}{shared}. {_way(header)}", ""]
    if len(names) <= WIDEST_GRID:
        lines += grid(names, [_grid_row(*row) for row in zip(weights, visible, strict=True)])
        lines += ["", "The strongest keys of each query, by place, token and weight:"]
    rows = []
    for row, name in enumerate(names):
        keys = (-weights[row]).argsort(kind="stable")[:STRONGEST]
        strongest = [
            cell
            for key in keys
            for cell in (f"{key}", names[key], f"{weights[row, key]:.3f}")
            if visible[row, key]
        ]
        rows.append((f"{row}", name, *strongest, *[""] * (3 * STRONGEST - len(strongest))))
    heading = ("place", "query", *["key", "token", "weight"] * STRONGEST)
    return "\n".join([*lines, table([heading, *rows], "r " + "r r" * STRONGEST)])


def _grid_row(weights: np.ndarray, visible: np.ndarray) -> list[str]:
    return [shade(weight) if seen else "╱" for weight, seen in zip(weights, visible, strict=True)]


def _way(header: dict[str, Any]) -> str:
    """How attention was computed, and what that does to the loss; of a model without attention, the loss alone."""
    scale, mask, loss = header["scale"], header["mask"], header["loss"]
    if not header["layers"]:
        return f"Loss {loss['nats']:.4f} nats over {plural(loss['n_tokens'], 'token')}." if loss else ""
    how = f"scores × {scale['value']:.4g}" + (
        f" (1/√{header['head_dim']})" if scale["kind"] == "sqrt" else ""
    )
    text = f"{how}, {'causal mask' if mask['kind'] == 'causal' else 'no mask'}"
    if loss is None:
        return f"{text}."
    text += f"; loss {loss['nats']:.4f} nats over {plural(loss['n_tokens'], 'token')}"
    if header["trained_this_way"]:
        return f"{text}."
    return (
        f"{text}, {loss['change']:+.4f} against {loss['trained_nats']:.4f} as trained. Not trained this way."
    )


def next_token(answer: dict[str, Any]) -> str:
    """Bars of the likeliest tokens, by the model itself and as drawn from; cut ones are marked."""
    lines = [
        f"Entropy {answer['entropy_bits']:.2f} bits, {answer['drawn_entropy_bits']:.2f} as drawn; "
        f"{answer['kept']:,} of {answer['vocab_size']:,} tokens kept."
    ]
    rows = [
        (
            f"{each['rank']}",
            label(each["text"]),
            f"{each['probability']:.2%}",
            f"{each['drawn']:.2%}" if each["kept"] else "cut",
            bar(each["drawn"]) if each["kept"] else "·" * max(1, round(BAR * each["probability"])),
        )
        for each in answer["candidates"]
    ]
    rest = answer["rest"]
    if rest["n"]:
        rows.append(("", f"{rest['n']:,} others", f"{rest['probability']:.2%}", f"{rest['drawn']:.2%}", ""))
    lines.append(table([("rank", "token", "model", "drawn", ""), *rows], "r rr"))
    if drawn := answer.get("draws"):
        lines += ["", f"Drawn {plural(drawn['n'], 'time')}:"]
        lines.append(table(((label(each["text"]), f"{each['count']:,}") for each in drawn["counts"]), " r"))
    return "\n".join(lines)


def shapes(answer: dict[str, Any]) -> str:
    """A line a tensor, then the sums and the speed."""
    rows = [
        (
            each["name"],
            "×".join(map(str, each["shape"])),
            each["symbols"],
            f"{each['parameters']:,}" if each["parameters"] else "",
            f"{each['flops']:,}" if each["flops"] else "",
            each["formula"],
            each["source"],
        )
        for each in answer["rows"]
    ]
    measured = answer["measured"]
    trained = measured["training_tokens_per_second"]
    heading = ("tensor", "shape", "", "parameters", "FLOPs", "formula", "source")
    return "\n".join(
        [
            table([heading, *rows], "   rr"),
            "",
            ", ".join(f"{symbol} = {value:,}" for symbol, value in answer["legend"].items()),
            *sums(answer["totals"]),
            f"Measured here: reading {measured['prompt_tokens_per_second']:,.0f} tokens/s, writing "
            f"{measured['tokens_per_second']:,.0f}" + (f", training {trained:,.0f}." if trained else "."),
        ]
    )


def sums(totals: dict[str, Any]) -> list[str]:
    """What all tensors together hold and cost, and the cache."""
    active = totals["active_parameters"]
    some = f" ({active:,} of them active)" if active != totals["parameters"] else ""
    return [
        f"{totals['parameters']:,} parameters{some}, {size(totals['weights_bytes'])}; "
        f"{totals['flops']:,} FLOPs for this prompt, {totals['flops_per_token']:,} a token.",
        f"Key/value cache: {size(totals['kv_bytes'])} for this prompt, "
        f"{size(totals['kv_bytes_full'])} for a full context.",
    ]
