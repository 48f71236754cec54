"""Uploads stay inside their folder, inside their bounds, and go when they should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loops import finished
from serving import Client, serving

from pellucid.errors import InputError
from pellucid.server import uploads
from pellucid.server.uploads import safe_parts


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path / "runs") as client:
        yield client


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"book.txt": b"a"}, "book.txt"),
        ({"my book/part 1/one.txt": b"a", "my book/two.txt": b"b"}, "my book"),
        ({"one.txt": b"a", "two.txt": b"b"}, None),
        ({"日本 🦆.txt": b"a"}, "日本 🦆.txt"),
        ({"empty.txt": b""}, "empty.txt"),
    ],
)
def test_what_was_uploaded_is_there_as_it_was(live: Client, files: dict[str, bytes], source: str | None):
    upload = live.upload(files)
    found = live.house.jobs.uploads.source(upload)
    folder = found.parent if source else found
    assert files_in(folder) == files
    assert not source or found.name == source


def test_a_file_sent_again_replaces_the_first(live: Client):
    upload = live.upload({"a.txt": b"first and longer"})
    live.ok("PUT", f"/api/uploads/{upload}/a.txt", content=b"second")
    assert live.house.jobs.uploads.source(upload).read_bytes() == b"second"


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../../x", "/etc/x", "a//b", "a/", "./x", "a\\..\\x", "C:x", "c:/x", "a:b",
        "con", "CON.txt", "a/nul", "lpt1.txt", "a.", "a ", "a\0b", "a\rb", "x" * 201, "ä" * 101, "a/" * 21 + "b",
        "a/" * 320, "what?", "star*", ".part-1",
    ],
)  # fmt: skip
def test_no_path_leaves_the_upload_or_is_impossible_elsewhere(live: Client, path: str, tmp_path: Path):
    upload = live.ok("POST", "/api/uploads")["upload"]
    live.refused("PUT", f"/api/uploads/{upload}/{quote(path, safe='')}", 400, content=b"x")
    assert files_in(tmp_path) == {}


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_any_path_is_refused_or_stays_inside(path: str):
    try:
        parts = safe_parts(path)
    except InputError as error:
        assert "\n" not in str(error)
        return
    root = Path("/somewhere/else")
    inside = root.joinpath(*parts)
    assert inside.is_relative_to(root)
    assert inside.parts[len(root.parts) :] == tuple(parts)
    assert "/".join(parts) == path


def test_a_file_is_no_folder_and_a_folder_no_file(live: Client):
    upload = live.upload({"a": b"x", "b/c": b"y"})
    live.refused("PUT", f"/api/uploads/{upload}/a/d", 400, "cannot be kept", content=b"z")
    live.refused("PUT", f"/api/uploads/{upload}/b", 400, "cannot be kept", content=b"z")
    assert files_in(live.house.jobs.uploads.source(upload)) == {"a": b"x", "b/c": b"y"}


def test_bytes_are_bounded_announced_or_not(live: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "UPLOAD_BYTES", 1000)
    upload = live.upload({"a.txt": b"x" * 600})

    def unannounced() -> Iterator[bytes]:
        yield from [b"y" * 100] * 5

    for body in (b"y" * 401, unannounced()):
        live.refused("PUT", f"/api/uploads/{upload}/b.txt", 413, "at most", content=body)
    live.ok("PUT", f"/api/uploads/{upload}/b.txt", content=b"y" * 400)
    live.ok("PUT", f"/api/uploads/{upload}/a.txt", content=b"x" * 600)
    live.refused("PUT", f"/api/uploads/{upload}/a.txt", 413, "at most", content=b"x" * 601)
    assert files_in(live.house.jobs.uploads.source(upload)) == {"a.txt": b"x" * 600, "b.txt": b"y" * 400}


def test_files_and_uploads_are_counted(live: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "UPLOAD_FILES", 2)
    monkeypatch.setattr(uploads, "MOST_UPLOADS", 2)
    upload = live.upload({"a": b"", "b": b""})
    live.refused("PUT", f"/api/uploads/{upload}/c", 413, ".zip", content=b"")
    live.ok("PUT", f"/api/uploads/{upload}/a", content=b"again")
    other = live.ok("POST", "/api/uploads")["upload"]
    live.ok("PUT", f"/api/uploads/{upload}/a", content=b"used since")
    live.ok("POST", "/api/uploads")
    live.refused("DELETE", f"/api/uploads/{other}", 404, "no such upload")
    assert live.house.jobs.uploads.source(upload).is_dir()


def test_a_body_that_breaks_off_leaves_nothing(live: Client):
    async def broken() -> AsyncIterator[bytes]:
        yield b"some"
        raise RuntimeError("the client left")

    upload = live.upload({"a.txt": b"whole"})
    with pytest.raises(RuntimeError, match="left"):
        finished(live.house.jobs.uploads.put(upload, "b.txt", broken()))
    assert live.house.jobs.uploads.source(upload).name == "a.txt"


def test_removed_uploads_are_gone_and_unknown_ones_not_found(live: Client, tmp_path: Path):
    upload = live.upload({"a.txt": b"private"})
    assert files_in(tmp_path)
    live.ok("DELETE", f"/api/uploads/{upload}")
    assert files_in(tmp_path) == {}
    live.refused("DELETE", f"/api/uploads/{upload}", 404, "no such upload")
    live.refused("PUT", f"/api/uploads/{upload}/a.txt", 404, "no such upload", content=b"")
    live.refused("PUT", "/api/uploads/..%2f..%2fx/a.txt", 404, content=b"")
    empty = live.ok("POST", "/api/uploads")["upload"]
    body = {"kind": "preview", "source": {"upload": empty}}
    live.refused("POST", "/api/jobs", 400, "the upload is empty", json=body)


def test_uploads_go_when_the_server_ends(tmp_path: Path):
    with serving(tmp_path / "runs") as live:
        live.upload({"a.txt": b"private"})
    assert files_in(tmp_path) == {}
