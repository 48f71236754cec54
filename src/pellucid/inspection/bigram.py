"""The view of pairs: how often each token of the training split follows each other, as counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.inspection.checks import checked_number
from pellucid.inspection.subject import Subject
from pellucid.text.bigrams import PairCounts

MOST_ROWS = 512
MOST_FOLLOWERS = 30


def table(subject: Subject, row: int | None = None, size: int = 48) -> dict[str, Any]:
    """Counts of pairs among the `size` most frequent tokens, and all that follows one token.

    Args:
        row: the token whose followers are listed, the 30 most frequent ones.
        size: tokens of the table.

    Raises:
        InputError: the run has no counts, or a number is out of range.
    """
    counts, tokenizer = subject.pair_counts, subject.tokenizer
    checked_number("size", size, 1, MOST_ROWS)
    if row is not None:
        checked_number("row", row, 0, counts.vocab_size - 1, " for this vocabulary")
    frequent = np.argsort(-counts.tokens, kind="stable")[:size]
    frequent = frequent[counts.tokens[frequent] > 0]
    first, second = np.repeat(frequent, len(frequent)), np.tile(frequent, len(frequent))
    cells = counts.of_pairs(first, second).reshape(len(frequent), len(frequent))
    return {
        "stamp": subject.stamp,
        "notes": _notes(subject, counts),
        "total": counts.total,
        "vocab_size": counts.vocab_size,
        "rows": [
            {"id": id, "text": tokenizer.token_text(id), "count": int(counts.tokens[id])}
            for id in frequent.tolist()
        ],
        "counts": cells.tolist(),
        "row": None if row is None else _row(subject, counts, row),
    }


def _row(subject: Subject, counts: PairCounts, row: int) -> dict[str, Any]:
    followers, times = counts.row(row)
    total = int(times.sum())
    likeliest = np.argsort(-times, kind="stable")[:MOST_FOLLOWERS]
    show = subject.tokenizer.token_text
    return {
        "id": row,
        "text": show(row),
        "count": int(counts.tokens[row]),
        "followers": [
            {"id": id, "text": show(id), "count": count, "probability": count / total}
            for id, count in zip(followers[likeliest].tolist(), times[likeliest].tolist(), strict=True)
        ],
        "kinds": len(followers),
    }


def _notes(subject: Subject, counts: PairCounts) -> list[str]:
    tokens = subject.loaded.folder.config()["data"].get("tokens")
    there = tokens.get("train") if isinstance(tokens, dict) else None
    counted = int(counts.tokens.sum())
    if isinstance(there, int) and there > counted:
        return [f"Of the {there:,} tokens of the training split the first {counted:,} are counted."]
    return []
