"""The page's views as text for a terminal: bars, shaded grids, tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

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
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = right.ljust(len(widths))
    return "\n".join(
        "  ".join(
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in rows
    )


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
    lines = [
        f"{answer['total']:,} pairs counted in the training split; a row's shade is its share of what follows."
    ]
    width = max((len(label(row["text"])) for row in rows), default=0)
    heads = [label(row["text"])[:1] for row in rows]
    lines.append(" " * width + "  " + "".join(heads))
    for row, counts in zip(rows, answer["counts"], strict=True):
        cells = "".join(shade(count / max(1, row["count"])) for count in counts)
        lines.append(f"{label(row['text']):<{width}}  {cells}  {row['count']:,}")
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
    width = max(map(len, names))
    if len(names) <= WIDEST_GRID:
        lines.append(" " * width + "  " + "".join(name[:1] for name in names))
        lines += [
            f"{name:<{width}}  {_grid_row(weights[row], visible[row])}" for row, name in enumerate(names)
        ]
        lines.append("")
    rows = []
    for row, name in enumerate(names):
        keys = (-weights[row]).argsort(kind="stable")[:STRONGEST]
        strongest = [f"{key} {names[key]} {weights[row, key]:.3f}" for key in keys if visible[row, key]]
        rows.append((f"{row}", name, *strongest, *[""] * (STRONGEST - len(strongest))))
    return "\n".join(
        [*lines, table([("place", "query", "strongest keys: place, token, weight", "", ""), *rows], "r")]
    )


def _grid_row(weights: np.ndarray, visible: np.ndarray) -> str:
    return "".join(
        shade(weight) if seen else "╱" for weight, seen in zip(weights, visible, strict=True)
    ).rstrip()


def _way(header: dict[str, Any]) -> str:
    """How attention was computed, and what that does to the loss."""
    scale, mask, loss = header["scale"], header["mask"], header["loss"]
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
    total, measured = answer["totals"], answer["measured"]
    active = total["active_parameters"]
    some = f" ({active:,} of them active)" if active != total["parameters"] else ""
    trained = measured["training_tokens_per_second"]
    heading = ("tensor", "shape", "", "parameters", "FLOPs", "formula", "source")
    return "\n".join(
        [
            table([heading, *rows], "   rr"),
            "",
            ", ".join(f"{symbol} = {value:,}" for symbol, value in answer["legend"].items()),
            f"{total['parameters']:,} parameters{some}, {size(total['weights_bytes'])}; "
            f"{total['flops']:,} FLOPs for this prompt, {total['flops_per_token']:,} a token.",
            f"Key/value cache: {size(total['kv_bytes'])} for this prompt, "
            f"{size(total['kv_bytes_full'])} for a full context.",
            f"Measured here: reading {measured['prompt_tokens_per_second']:,.0f} tokens/s, writing "
            f"{measured['tokens_per_second']:,.0f}" + (f", training {trained:,.0f}." if trained else "."),
        ]
    )
