"""Parquet tables: a document a row of the column that holds text; needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pellucid.errors import InputError
from pellucid.shell import install_extra
from pellucid.text.decoding import without_surrogates
from pellucid.text.documents import Document
from pellucid.text.readers.archive import MOST_RATIO, MOST_UNPACKED, SMALL, Budget
from pellucid.text.readers.extract import Extract, NotTextSource
from pellucid.text.readers.json_lines import CHAT_FIELDS, TEXT_FIELDS

BATCH = 64  # rows that are unpacked together


def read_parquet(data: bytes, name: str) -> Extract:
    """Reads a few rows at a time, and of them only the column of text.

    Raises:
        InputError: pyarrow is not installed; not a Parquet file, damaged, suspiciously large once unpacked, or without
            a column of text.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            f"{name} is a Parquet table, and reading those needs pyarrow: {install_extra('parquet')}"
        ) from None
    found, budget = Extract(), Budget(min(MOST_UNPACKED, max(SMALL, MOST_RATIO * len(data))))
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(data))
        column = _text_column(file.schema_arrow, name)
        for group in range(file.num_row_groups):
            rows = _rows(file.iter_batches(BATCH, row_groups=[group], columns=[column]), budget)
            for row, text in enumerate(rows, 1):
                if text is not None:
                    where = f"{name} group {group + 1} row {row}"
                    found.documents.append(Document(without_surrogates(text), where))
    except _TooMuch:
        raise InputError(
            f"{name} unpacks to more than {MOST_RATIO} times its size, or more than {MOST_UNPACKED >> 20:,} MiB, so it "
            "is not read: split it into several files, or give its text as .jsonl"
        ) from None
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{name} cannot be read as a Parquet table ({reason}): get it again") from None
    return found


class _TooMuch(Exception):
    """More came of a table than may be unpacked."""


def _rows(batches: Iterable[Any], budget: Budget) -> Iterator[str | None]:
    """The texts of batches of one column, as long as the budget lasts."""
    for batch in batches:
        budget.n_bytes -= batch.nbytes
        if budget.n_bytes < 0:
            raise _TooMuch
        yield from batch.column(0).to_pylist()


def _text_column(schema: Any, name: str) -> str:
    """`text`, `content` or `body`, or else the only column of strings."""
    from pyarrow import types

    strings = [
        field.name for field in schema if types.is_string(field.type) or types.is_large_string(field.type)
    ]
    for column in TEXT_FIELDS:
        if column in strings:
            return column
    if any(column in CHAT_FIELDS for column in schema.names):
        raise NotTextSource(
            f"{name} holds chats, not texts to train on: give their words in a column named text"
        )
    if len(strings) == 1:
        return strings[0]
    raise NotTextSource(
        f"{name} has {len(strings)} columns of text ({', '.join(strings[:5]) or 'none'}), and which to read is "
        f"not clear: name the right one {TEXT_FIELDS[0]}"
    )
