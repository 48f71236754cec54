"""The view of tokens: how a tokenizer cuts a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.inspection.checks import checked_text
from pellucid.text.tokenizers.imported import ImportedTokenizer
from pellucid.text.tokenizers.tokenizer import ABOUT, Tokenizer
from pellucid.text.wording import plural

if TYPE_CHECKING:
    from pellucid.inspection.subject import Subject

MOST_SHOWN = 5000  # tokens


def cut(subject: Subject, text: str) -> dict[str, Any]:
    """A text's tokens, the first 5,000 of them, and what the vocabulary is.

    Raises:
        InputError: it is no text, or longer than a million characters.
    """
    tokenizer, text = subject.tokenizer, checked_text(text)
    ids = tokenizer.encode(text).tolist()
    notes = []
    if len(ids) > MOST_SHOWN:
        notes.append(f"Of {len(ids):,} tokens the first {MOST_SHOWN:,} are shown.")
    if unknown := sum(token == tokenizer.unknown for token in ids):
        notes.append(
            f"{plural(unknown, 'character')} of the text {'is' if unknown == 1 else 'are'} not in the vocabulary."
        )
    shown = ids[:MOST_SHOWN]
    return {
        "stamp": subject.stamp,
        "notes": notes,
        "kind": tokenizer.kind,
        "about": ABOUT[tokenizer.kind],
        "vocab_size": tokenizer.vocab_size,
        "symbols": tokenizer.n_symbols,
        "context_length": subject.config.context_length,
        "n_tokens": len(ids),
        "n_characters": len(text),
        "n_bytes": len(text.encode()),
        "tokens": [
            as_shown(tokenizer, id, *span)
            for id, span in zip(shown, spans(tokenizer, text, shown), strict=True)
        ],
        "shown": len(shown),
    }


def as_shown(tokenizer: Tokenizer, id: int, start: int, end: int) -> dict[str, Any]:
    """A token as answers have it; `start` and `end` count code points of the text."""
    return {"id": id, "text": tokenizer.token_text(id), "start": start, "end": end}


def spans(tokenizer: Tokenizer, text: str, ids: list[int]) -> list[tuple[int, int]]:
    """The characters (code points) of `text`, from and to, that each of its first tokens has a part in.

    Args:
        text: without lone surrogates.
        ids: what it encodes to, or the beginning of that.
    """
    if tokenizer.kind == "char":
        return [(i, i + 1) for i in range(len(ids))]
    if isinstance(tokenizer, ImportedTokenizer):
        return tokenizer.spans(text)[: len(ids)]
    # the characters that begin before each byte: a byte below 0x80 or above 0xBF begins one
    data = np.frombuffer(text.encode(), np.uint8)
    begun = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])
    ends = np.cumsum([len(tokenizer.token_bytes(id)) for id in ids], dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1]]) if len(ids) else ends
    # the byte a token starts with belongs to the character begun last when that byte is read
    first = begun[starts + 1] - 1 if len(ids) else starts
    return list(zip(first.tolist(), begun[ends].tolist(), strict=True))
