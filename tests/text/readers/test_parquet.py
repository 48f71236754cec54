"""Parquet: the column of text, row group by row group."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from pellucid.text.readers import NotTextSource, extract

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow, of the extra `parquet`, is not installed")


def table(columns: dict[str, list[Any]], **options: Any) -> bytes:
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file, **options)
    return file.getvalue()


def test_rows_are_documents():
    data = table(
        {"id": [1, 2, 3, 4], "title": list("abcd"), "text": ["one", None, "", "vier ä"]}, row_group_size=3
    )
    found = extract(data, "x.parquet")
    assert [(d.text, d.name) for d in found.documents] == [
        ("one", "x.parquet group 1 row 1"),
        ("vier ä", "x.parquet group 2 row 1"),
    ]
    assert found.n_empty == 1


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"body": ["b"], "content": ["c"]}, "c"),
        ({"story": ["s"], "n": [1]}, "s"),
        ({"story": pyarrow.array(["s"], pyarrow.large_string())}, "s"),
    ],
)
def test_which_column(columns: dict[str, Any], expected: str):
    assert extract(table(columns), "x.parquet").documents[0].text == expected


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"a": ["x"], "b": ["y"]}, "2 columns of text (a, b)"),
        ({"a": [1]}, "0 columns of text (none)"),
        ({"messages": [[{"role": "user", "content": "hi"}]], "id": ["x"]}, "chats"),
    ],
)
def test_no_clear_column(columns: dict[str, list[Any]], part: str):
    with pytest.raises(NotTextSource) as caught:
        extract(table(columns), "x.parquet")
    assert part in str(caught.value)


def test_damaged_tables(refused: Callable[..., None]):
    whole = table({"text": ["some text"] * 100})
    for data in (b"", b"PAR1", b"plain text", whole[:50], whole[:-20], whole[:20] + bytes(40) + whole[60:]):
        refused(data, "x.parquet")
    refused(table({"text": [None, ""]}), "x.parquet", "is empty")


def test_small_tables_that_become_huge_texts(refused: Callable[..., None]):
    data = table({"text": ["x" * 1_000_000] * 200}, compression="zstd")
    assert len(data) < 10_000
    refused(data, "x.parquet", "unpacks to more than 200 times its size")
    # small all the same
    assert len(extract(table({"text": ["x" * 100_000] * 9}), "x.parquet").documents) == 9


def test_without_pyarrow(refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    refused(b"PAR1", "x.parquet", 'pip install -e ".[parquet]"')
