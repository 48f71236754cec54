"""Streaming gives the documents that reading whole files gives, wherever the chunks are cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text import streaming
from pellucid.text.documents import Fingerprint, count_bytes, fingerprint
from pellucid.text.parts import Reading, TrainingPieces, runs
from pellucid.text.sources import read
from pellucid.text.splits import PARTS, plan_splits, split
from pellucid.text.streaming import TextFile, cut_documents, take_inventory
from pellucid.text.tokenizers import byte_level
from pellucid.text.tokenizers.byte_level import PIECE, cut_at_seams, cut_stream

FRAGMENTS = ("\n", "\r\n", "\r", " ", "\t", "a", "é", "漢", "🚀", "\u2028", "once upon", "\n\n", "Ende.\n")
SEPARATORS = ("<|endoftext|>", "\n<|endoftext|>\n", "\r\n \t<|endoftext|> \r\n", "\n<|endoftext|", "<", "|>")
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)
separated = st.lists(st.sampled_from(FRAGMENTS + SEPARATORS), max_size=30).map("".join)
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Every file counts as large, and chunks are as small as a test says."""
    monkeypatch.setattr(streaming, "LARGE", 0)
    return monkeypatch


def streamed(path: Path) -> list[str]:
    """The documents of a file, put together from their chunks, each of which has the length it should."""
    found = take_inventory(path)
    assert isinstance(found.sources[0], TextFile)
    documents, chunks = list[str](), list[str]()
    for text, ends in found.chunks():
        chunks.append(text)
        assert ends or len(text) == streaming.CHUNK
        if ends:
            documents.append("".join(chunks))
            chunks = []
    assert not chunks
    assert [len(document) for document in documents] == found.lengths.tolist()
    assert sum(map(count_bytes, documents)) == found.n_bytes
    return documents


def same_as_read(path: Path) -> None:
    try:
        expected = [document.text for document in read(path).documents]
    except InputError as error:
        with pytest.raises(InputError) as caught:
            take_inventory(path)
        assert str(caught.value) == str(error)
        return
    assert streamed(path) == expected


@quick
@given(separated, st.integers(4, 40), st.integers(1, 40), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_any_chunk_size_gives_the_documents_of_the_whole_file(
    tmp_path: Path, tiny_chunks: pytest.MonkeyPatch, text: str, block: int, chunk: int, encoding: str
):
    tiny_chunks.setattr(streaming, "BLOCK", block)
    tiny_chunks.setattr(streaming, "CHUNK", chunk)
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding) or b"\n")
    same_as_read(path)


@quick
@given(st.binary(min_size=1, max_size=60), st.binary(max_size=6), st.integers(3, 50))
def test_any_bytes_are_decoded_as_the_whole_file_is(
    tmp_path: Path, tiny_chunks: pytest.MonkeyPatch, start: bytes, end: bytes, block: int
):
    tiny_chunks.setattr(streaming, "BLOCK", block)
    path = tmp_path / "text.txt"
    middle = "plain prose, and a café or two. ".encode() * 8
    path.write_bytes(start.replace(b"\0", b"\n") + middle + end.replace(b"\0", b""))
    same_as_read(path)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("naïve café ".encode("cp1252") * 50, "read as Windows-1252"),
        (b"\x81 na\xefve caf\xe9 " * 9, "read as Windows-1252; 9 byte sequences"),
        ("naïve café ".encode() * 50 + b"\xff", "read as UTF-8; 1 byte sequence"),
        ("words ".encode("utf-16"), "read as UTF-16"),
        ("words ".encode("utf-16") + b"\x00", "read as UTF-16; 1 byte sequence"),
        ("words ".encode("utf-32"), "read as UTF-32"),
    ],
)
def test_encodings_are_told_as_for_whole_files(
    tmp_path: Path, tiny_chunks: pytest.MonkeyPatch, data: bytes, note: str
):
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    same_as_read(path)
    assert take_inventory(path).notes == read(path).notes
    assert note in take_inventory(path).notes[0]


@pytest.mark.parametrize("data", [b"\n \n", b"\0" * 10, b"text \0" * 100, b"%PDF-1.4 text", b"\x01" * 99])
def test_what_is_no_text_is_refused_in_the_same_words(
    tmp_path: Path, tiny_chunks: pytest.MonkeyPatch, data: bytes
):
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    same_as_read(path)


def test_books_are_read_whole_and_stripped(tmp_path: Path, tiny_chunks: pytest.MonkeyPatch):
    path = tmp_path / "book.txt"
    path.write_text(
        "Header\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n"
        + "Call me.\n" * 99
        + "*** END OF THE PROJECT GUTENBERG EBOOK X ***\nlicence\n"
    )
    found = take_inventory(path)
    assert [text for text, _ in found.chunks()] == ["Call me.\n" * 99]
    assert found.notes == read(path).notes


def test_a_folder_is_read_file_by_file_and_what_is_no_text_skipped(
    tmp_path: Path, tiny_chunks: pytest.MonkeyPatch
):
    for name, data in {"a.txt": b"one", "b.md": b"two", "c.txt": b"\0", "d.txt": b"three"}.items():
        (tmp_path / name).write_bytes(data)
    found = take_inventory(tmp_path)
    assert [text for text, _ in found.chunks()] == [document.text for document in read(tmp_path).documents]
    assert any("skipped" in note for note in found.notes)
    for name in ("a.txt", "b.md", "d.txt"):
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match="holds no text that can be read"):
        take_inventory(tmp_path)


def test_a_file_that_breaks_off_half_way_leaves_nothing_in_the_counts(
    tmp_path: Path, tiny_chunks: pytest.MonkeyPatch
):
    for name, value in {"CHUNK": 4, "BLOCK": 16, "MOST_BLANK": 50}.items():
        tiny_chunks.setattr(streaming, name, value)
    (tmp_path / "a.txt").write_text("sound")
    (tmp_path / "b.txt").write_text("a long document\n<|endoftext|>\n" + " " * 200)
    (tmp_path / "c.txt").write_text("sound as well")
    found = take_inventory(tmp_path)
    assert found.lengths.tolist() == [5, 13]
    assert found.long_bytes == {0: 5, 1: 13}
    assert found.n_bytes == 18
    assert len(list(Reading(found, plan_splits(found.lengths, seed=0)))) > 2


def test_notes_are_those_of_reading(tmp_path: Path, tiny_chunks: pytest.MonkeyPatch):
    folder = tmp_path / "books"
    (folder / "deep").mkdir(parents=True)
    stories = b"one\n<|endoftext|>\n\n<|endoftext|>\ntwo\n"
    for name, data in {
        "a.png": b"\x89PNG",
        "b.csv": b"1,2",
        "deep/c.txt": "café".encode("cp1252"),
        "deep/d.txt": b"\0",
        "e.jsonl": b'"x"\n""\n',
        "f.txt": stories,
    }.items():
        (folder / name).write_bytes(data)
    for sources in (folder, [folder / "f.txt", folder], str(folder / "deep" / "*")):
        corpus, found = read(sources), take_inventory(sources)
        assert [text for text, _ in found.chunks()] == [document.text for document in corpus.documents]
        assert found.notes == corpus.notes
    assert any(note.startswith("books/deep/c.txt: ") for note in take_inventory(folder).notes)
    assert any("2 files of other kinds left alone (.csv, .png)" in n for n in take_inventory(folder).notes)
    assert "left out 1 empty document" in take_inventory(folder / "e.jsonl").notes


def test_an_export_of_substack_beside_a_large_text(tmp_path: Path, tiny_chunks: pytest.MonkeyPatch):
    pages = {"1.first": "<p>Hello.</p>", "2.draft": "<p>not finished</p>"}
    table = "post_id,post_date,is_published,title\n1.first,2023,true,First\n2.draft,,false,Draft\n"
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts.csv").write_text(table)
    for name, page in pages.items():
        (tmp_path / "posts" / f"{name}.html").write_text(page)
    (tmp_path / "large.txt").write_text("large")
    corpus, found = read(tmp_path), take_inventory(tmp_path)
    assert [text for text, _ in found.chunks()] == ["First\n\nHello.\n", "large"]
    assert [document.text for document in corpus.documents] == ["First\n\nHello.\n", "large"]
    assert found.notes == corpus.notes
    assert {path.name for path in found.files} == {"posts.csv", "1.first.html", "2.draft.html", "large.txt"}


def test_files_too_large_to_look_for_books_in(tmp_path: Path, tiny_chunks: pytest.MonkeyPatch):
    tiny_chunks.setattr(streaming, "MOST_BOOK", 10)
    path = tmp_path / "books.txt"
    path.write_text("*** START OF THE PROJECT GUTENBERG EBOOK X ***\nCall me.\n")
    found = take_inventory(path)
    assert isinstance(found.sources[0], TextFile)
    assert "headers and licences" in found.notes[0]


def test_documents_longer_than_memory_never_join(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "CHUNK", 1000)
    monkeypatch.setattr(streaming, "MOST_BLANK", 10_000)
    endless = ("word " * 100 for _ in range(1_000_000))
    chunks = cut_documents(endless, True, "endless")
    assert all(len(next(chunks)[0]) == 1000 for _ in range(100))
    with pytest.raises(InputError, match="blanks"):
        next(cut_documents((" " * 500 for _ in range(1_000_000)), False, "blank"))


@quick
@given(
    st.lists(st.lists(st.sampled_from(FRAGMENTS), min_size=1).map("".join), min_size=1, max_size=30),
    st.integers(1, 30),
    st.integers(0, 3),
)
def test_parts_and_fingerprints_are_those_of_the_whole_documents(
    tmp_path: Path, tiny_chunks: pytest.MonkeyPatch, documents: list[str], chunk: int, seed: int
):
    tiny_chunks.setattr(streaming, "CHUNK", chunk)
    path = tmp_path / "text.txt"
    path.write_bytes("\n<|endoftext|>\n".join(["first", *documents]).encode())
    corpus = read(path)
    expected = split(corpus.documents, seed=seed, dev_fraction=0.2)
    found = take_inventory(path)
    plan = plan_splits(found.lengths, seed=seed, dev_fraction=0.2)
    reading = Reading(found, plan)
    parts: list[list[str]] = [[], [], []]
    for part, chunks in runs(reading):
        parts[part].append("".join(chunks))
    assert parts == [[d.text for d in part] for part in (expected.train, expected.dev, expected.validation)]
    assert reading.corpus.hexdigest() == corpus.fingerprint
    prints = dict(zip(PARTS, (p.hexdigest() for p in reading.parts), strict=True))
    assert plan.record(prints) == expected.record
    assert "".join(TrainingPieces(found, plan)) == "".join(parts[0])


def test_text_that_changes_between_passes_is_noticed(tmp_path: Path, tiny_chunks: pytest.MonkeyPatch):
    path = tmp_path / "text.txt"
    path.write_text("some words\n<|endoftext|>\nothers\n")
    found = take_inventory(path)
    plan = plan_splits(found.lengths, seed=0)
    for changed in ("some words\n<|endoftext|>\n", "some words\n<|endoftext|>\nmore others\n", "a\n" * 9):
        path.write_text(changed)
        with pytest.raises(InputError, match="changed while it was read"):
            list(Reading(found, plan))


def test_pieces_do_not_hang_on_chunks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(byte_level, "LONGEST", 9000)
    draw = np.random.Generator(np.random.PCG64(0))
    text = "".join(draw.choice(["tree ", "x\n", "1234567 ", "漢字" * 9, "?! "], size=20_000))
    text += "7" * (PIECE + 9000 + 5) + " end of it " * 5000
    whole = list(cut_at_seams(text))
    assert "".join(whole) == text
    assert max(map(len, whole)) == PIECE + 9000
    for size in (177, 4096, 65_536, len(text)):
        chunks = (text[start : start + size] for start in range(0, len(text), size))
        assert list(cut_stream(chunks)) == whole
    assert all(list(cut_at_seams(piece)) == [piece] for piece in whole)


def test_a_fingerprint_grows_with_its_texts():
    grown = Fingerprint()
    for text in ("one", "zwölf"):
        data = text.encode()
        grown.begin(len(data))
        for byte in data:
            grown.add(bytes([byte]))
    assert grown.hexdigest() == fingerprint(["one", "zwölf"])
