"""Whatever the bytes and the name, reading gives documents or an InputError, and nothing else."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.readers import READERS, extract
from pellucid.text.sources import read, stream

SUFFIXES = [*READERS, "", ".py"]
STARTS = [
    b"",
    b"PK\x03\x04",
    b"%PDF-1.7\n",
    b"\x1f\x8b\x08",
    b"PAR1",
    b"<!DOCTYPE html>",
    b"{",
    b"[",
    b"---\n",
    b"\xff\xfe",
]


def attempt(data: bytes, name: str) -> None:
    try:
        found = extract(data, name)
    except InputError as error:
        assert name.removesuffix(".gz") in str(error)
        assert "\n" not in str(error)
    else:
        assert found.documents
        for document in found.documents:
            assert document.text.strip()
            document.text.encode("utf-8")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(st.sampled_from(STARTS), st.binary(max_size=400), st.sampled_from(SUFFIXES))
def test_junk(start: bytes, data: bytes, suffix: str):
    attempt(start + data, f"x{suffix}")


@pytest.mark.parametrize("seed", range(40))
def test_good_files_with_broken_bytes(seed: int, zipped: Callable[..., bytes]):
    draw = random.Random(seed)
    xml = '<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>text</w:t></w:r></w:p></w:body></w:document>'
    container = '<container><rootfile full-path="p.opf"/></container>'
    package = '<package><item id="a" href="a.html"/><itemref idref="a"/></package>'
    members = {
        "META-INF/container.xml": container,
        "p.opf": package,
        "a.html": "<p>text" * 20,
        "word/document.xml": xml,
    }
    archive = zipped(members | {"inner.zip": zipped({"a.txt": "text"}), "b.jsonl": '"a"\n{"text": "b"}'})
    for data, suffix in (
        (archive, ".zip"),
        (archive, ".epub"),
        (archive, ".docx"),
        (gzip.compress(archive), ".zip.gz"),
    ):
        broken = bytearray(data)
        for _ in range(draw.choice((1, 2, 10))):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        attempt(bytes(broken), f"x{suffix}")
        attempt(bytes(broken[: draw.randrange(len(broken))]), f"x{suffix}")


def test_documents_one_after_the_other(tmp_path: Path):
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    (tmp_path / "b.txt").write_bytes(b"\0")
    reading = stream(tmp_path)
    documents = iter(reading)
    assert next(documents).text == "a"
    assert reading.summary.n_files == 1
    (tmp_path / "c.txt").write_text("changed before it was read")
    assert [d.text for d in documents] == ["changed before it was read"]
    assert reading.summary.n_files == 2
    assert [name for name, _ in reading.summary.unreadable] == [f"{tmp_path.name}/b.txt"]
    (tmp_path / "c.txt").write_text("c")
    corpus = read(tmp_path)
    assert (corpus.name, corpus.notes) == (reading.name, reading.notes)
    assert corpus.unreadable == tuple(reading.summary.unreadable)
