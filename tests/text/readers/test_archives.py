"""Zip and gzip: read as folders and files are, and never unpacked beyond bounds."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pellucid.errors import InputError
from pellucid.text.readers import NotTextSource, archive, extract
from pellucid.text.sources import read

Zipped = Callable[..., bytes]


def test_what_is_in_an_archive(zipped: Zipped):
    inner = zipped({"deep/c.html": "<p>C</p>", "too-deep.zip": zipped({"x.txt": "X"})})
    data = zipped(
        {
            "b.txt": "B",
            "a/A.MD": "[[A]]",
            "a/.hidden.txt": "no",
            "__MACOSX/a/b.txt": "no",
            "picture.png": b"\x89PNG",
            "package.json": "{}",
            "bad.txt": b"\0",
            "inner.zip": inner,
            "..\\..\\up.txt": "up",
            "/etc/passwd.txt": "root",
            "folder/": "",
        }
    )
    found = extract(data, "all.zip")
    assert sorted((d.name, d.text) for d in found.documents) == [
        ("all.zip//etc/passwd.txt", "root"),
        ("all.zip/a/A.MD", "A"),
        ("all.zip/b.txt", "B"),
        ("all.zip/inner.zip/deep/c.html", "C\n"),
    ]
    assert found.n_files == 4
    assert found.left_alone == {"all.zip": [".json", ".png"]}
    assert [name for name, _ in found.unreadable] == ["all.zip/bad.txt", "all.zip/inner.zip/too-deep.zip"]
    assert "an archive in an archive in an archive" in found.unreadable[1][1]


def test_names_in_utf8_and_cp437():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("Käse.txt", "flagged")
        target.writestr("KaeseA.txt", "unflagged")
        target.writestr("KaseB.txt", "cp437")
    data = file.getvalue()
    data = data.replace(b"KaeseA.txt", "KäseA.txt".encode()).replace(
        b"KaseB.txt", "KäseB.txt".encode("cp437")
    )
    assert sorted(d.name for d in extract(data, "x.zip").documents) == [
        "x.zip/Käse.txt", "x.zip/KäseA.txt", "x.zip/KäseB.txt",
    ]  # fmt: skip


def test_an_archive_without_text(zipped: Zipped):
    for members in ({"a.png": b"\x89PNG", "b.jpg": b"\xff\xd8"}, {}, {"x.zip": zipped({"y.png": b""})}):
        with pytest.raises(NotTextSource, match=r"x\.zip holds no text"):
            extract(zipped(members), "x.zip")
    with pytest.raises(InputError, match=r"can be read\. x\.zip/a\.txt is not text"):
        extract(zipped({"a.txt": b"\0", "b.png": b""}), "x.zip")


def test_a_password(zipped: Zipped, refused: Callable[..., None]):
    data = bytearray(zipped({"a.txt": "secret"}))
    data[6] |= 1  # the flag, in the member's header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    refused(bytes(data), "x.zip", "password")


def test_bombs(zipped: Zipped, refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    bomb = zipped({"a.txt": b"a" * (4 << 20)})
    assert len(bomb) < 30_000
    refused(bomb, "x.zip", "times its size")
    refused(zipped({"b.zip": bomb}), "x.zip", "times its size")
    monkeypatch.setattr(archive, "MOST_UNPACKED", 100)
    found = extract(zipped({"a.txt": "a" * 60, "b.txt": "b" * 60, "c.txt": "c" * 30}), "x.zip")
    assert [d.name for d in found.documents] == ["x.zip/a.txt", "x.zip/c.txt"]
    assert "no more" in found.unreadable[0][1]
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    refused(zipped({f"{n}.txt": "text" for n in range(3)}), "x.zip", "holds 3 files")


def test_a_size_that_lies(zipped: Zipped, refused: Callable[..., None]):
    data = bytearray(zipped({"a.txt": b"a" * (4 << 20)}))
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, 100)  # the size unpacked, as the directory says
    refused(bytes(data), "x.zip", "CRC")


def test_damaged_archives(zipped: Zipped, refused: Callable[..., None]):
    whole = zipped({"a.txt": " ".join(str(n * n) for n in range(200))})
    for length in (0, 4, 40, len(whole) - 1):
        refused(whole[:length], "x.zip", "cannot be unpacked")
    refused(b"just text", "x.zip", "cannot be unpacked")
    spoilt = bytearray(whole)
    spoilt[40:60] = bytes(20)
    refused(bytes(spoilt), "x.zip", "x.zip/a.txt cannot be unpacked")
    odd = bytearray(whole)
    odd[8:10] = odd[odd.index(b"PK\x01\x02") + 10 :][:2] = b"\x63\0"
    odd[odd.index(b"PK\x01\x02") + 10] = 0x63
    refused(bytes(odd), "x.zip", "cannot be unpacked")


def test_gzip(refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    assert extract(gzip.compress(b"text"), "book.txt.gz").documents[0].text == "text"
    assert extract(gzip.compress(b'"text"'), "x.jsonl.gz").documents[0].text == "text"
    assert extract(gzip.compress(b"text") + gzip.compress(b" more"), "x.gz").documents[0].text == "text more"
    refused(gzip.compress(b"text")[:-3], "x.txt.gz", "cannot be unpacked")
    refused(b"plain", "x.txt.gz", "cannot be unpacked")
    with pytest.raises(InputError, match=r"x\.txt is empty"):
        extract(b"", "x.txt.gz")
    refused(gzip.compress(b"text"), "x.tar.gz", "archive in an archive")
    monkeypatch.setattr("pellucid.text.readers.MOST_BYTES", 1 << 20)
    refused(gzip.compress(bytes(2 << 20)), "x.txt.gz", "unpacks to more than 1 MiB")


def test_a_folder_with_archives(zipped: Zipped, tmp_path: Path):
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "a.zip").write_bytes(zipped({"a.txt": "A"}))
    (folder / "b.zip").write_bytes(zipped({"b.png": ""}))
    (folder / "c.zip").write_bytes(b"PK\x03\x04 cut short")
    (folder / "d.json").write_text("{}")
    (folder / "e.csv").write_text("a,b\n1,2\n")
    (folder / "f.epub").write_text("no book")
    corpus = read(folder)
    assert [d.name for d in corpus.documents] == ["books/a.zip/a.txt"]
    assert corpus.n_files == 1
    assert [name for name, _ in corpus.unreadable] == ["books/c.zip", "books/f.epub"]
    assert f"{folder}: 3 files of other kinds left alone (.csv, .json, .zip)" in corpus.notes
    assert any(note.startswith("skipped: books/f.epub cannot be unpacked") for note in corpus.notes)
