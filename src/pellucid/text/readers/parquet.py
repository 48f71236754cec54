"""Parquet tables: a document a row of the column that holds text; needs the extra `parquet`."""

from __future__ import annotations

from typing import Any

from pellucid.errors import InputError
from pellucid.text.decoding import without_surrogates
from pellucid.text.documents import Document
from pellucid.text.readers.extract import Extract, NotTextSource
from pellucid.text.readers.json_lines import CHAT_FIELDS, TEXT_FIELDS


def read_parquet(data: bytes, name: str) -> Extract:
    """Reads one row group after the other, and of each only the column of text.

    Raises:
        InputError: pyarrow is not installed; or not a Parquet file, damaged, or without a column of text.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(
            f"{name} is a Parquet table, and reading those needs pyarrow: pip install 'pellucid[parquet]'"
        ) from None
    found = Extract()
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(data))
        column = _text_column(file.schema_arrow, name)
        for group in range(file.num_row_groups):
            for row, text in enumerate(file.read_row_group(group, columns=[column]).column(0).to_pylist()):
                if text is not None:
                    where = f"{name} group {group + 1} row {row + 1}"
                    found.documents.append(Document(without_surrogates(text), where))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{name} cannot be read as a Parquet table ({reason}): get it again") from None
    return found


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
