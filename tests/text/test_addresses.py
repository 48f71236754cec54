"""Addresses as sources: texts and pages on the web, from a real server."""

import contextlib
import http.server
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reading import refused

from pellucid.errors import InputError
from pellucid.text.documents import Document
from pellucid.text.sources import read
from pellucid.text.web import download as download_module
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.download import download

pytestmark = pytest.mark.usefixtures("place")


class Pages(http.server.BaseHTTPRequestHandler):
    """Every way a server answers, by path."""

    asked: dict[str, int]

    def do_GET(self) -> None:
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
            getattr(self, "page_" + self.path.strip("/").split(".")[0])()

    def answer(
        self, body: bytes, status: int = 200, kind: str = "text/plain", length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def page_book(self) -> None:
        self.answer("Once upon a time – 你好.\r\n".encode())

    def page_moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/book.txt")
        self.end_headers()

    def page_circle(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/circle")
        self.end_headers()

    def page_missing(self) -> None:
        self.answer(b"no", 404)

    def page_busy(self) -> None:
        self.answer(
            b"no" if self.asked[self.path] < 3 else b"at last", 503 if self.asked[self.path] < 3 else 200
        )

    def page_broken(self) -> None:
        self.answer(b"no", 500)

    def page_html(self) -> None:
        self.answer(b"<p>hello", kind="text/html; charset=utf-8")

    def page_hidden(self) -> None:
        self.answer(b"\n<!DOCTYPE HTML><title>x</title>")

    def page_cut(self) -> None:
        self.answer(b"only the beginn", length=1000)

    def page_stall(self) -> None:
        self.answer(b"and then ", length=1000)
        self.wfile.flush()
        self.rfile.read(1)  # until the client has had enough

    def page_announced(self) -> None:
        self.answer(b"x", length=10**12)

    def page_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100_000):
            self.wfile.write(b"x" * 1000)

    def page_binary(self) -> None:
        self.answer(b"\x89PNG\r\n")

    def page_nothing(self) -> None:
        self.answer(b"")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    Pages.asked = {}
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pages) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between tries, and no proxy to the server of this test."""
    monkeypatch.setattr(download_module, "PAUSE", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def cached_files() -> list[Path]:
    return [path for path in cache_dir().rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_an_address_is_fetched_once(server: str):
    lines = list[str]()
    before = Pages.asked.get("/book.txt", 0)
    corpus = read(f"{server}/book.txt", progress=lines.append)
    assert corpus.documents == (Document("Once upon a time – 你好.\n", f"{server}/book.txt"),)
    assert (corpus.name, corpus.notes) == ("book", ())
    assert lines == [f"fetching {server}/book.txt"]
    again = read(f"{server}/book.txt")
    assert again.documents == corpus.documents
    assert "delete" in again.notes[0]
    assert Pages.asked["/book.txt"] == before + 1


def test_redirections_are_followed(server: str):
    assert read(f"{server}/moved").documents[0].text.startswith("Once")


def test_a_busy_server_is_asked_again(server: str):
    lines = list[str]()
    assert read(f"{server}/busy", progress=lines.append).documents[0].text == "at last"
    assert lines[-1].endswith("(try 3 of 3)")


@pytest.mark.parametrize(
    ("page", "tries", "parts"),
    [
        ("missing", 1, ["404", "check the address"]),
        ("broken", 3, ["500", "browser"]),
        ("html", 1, ["HTML page", "text version"]),
        ("hidden", 1, ["HTML page"]),
        ("cut", 3, ["could not be fetched", "network"]),
        ("stall", 3, ["no answer within 0.2 s"]),
        ("circle", None, ["could not be fetched"]),
        ("announced", 1, ["larger than 50,000 bytes"]),
        ("endless", 1, ["larger than 50,000 bytes"]),
    ],
)
def test_addresses_that_fail_leave_nothing_behind(
    server: str, page: str, tries: int | None, parts: list[str]
):
    with pytest.raises(InputError) as caught:
        download(f"{server}/{page}", max_bytes=50_000, timeout=0.2 if page == "stall" else 60)
    assert all(part in str(caught.value) for part in [f"{server}/{page}", *parts]), caught.value
    assert cached_files() == []
    if tries is not None:
        end = time.monotonic() + 60
        while Pages.asked.get(f"/{page}", 0) < tries and time.monotonic() < end:
            time.sleep(0.01)  # the server may not have read yet what a client has given up
        assert Pages.asked[f"/{page}"] == tries


def test_an_address_of_something_else(server: str):
    refused(f"{server}/binary", f"{server}/binary is a PNG picture")
    refused(f"{server}/nothing.txt", "is empty")


def test_no_network():
    with pytest.raises(InputError, match="check the network"):
        download("http://127.0.0.1:9/x.txt", timeout=0.5)


def test_a_cache_that_cannot_be_written(server: str, monkeypatch: pytest.MonkeyPatch):
    Path("a-file").write_text("in the way")
    monkeypatch.setenv("PELLUCID_CACHE", str(Path("a-file").resolve()))
    with pytest.raises(InputError, match="PELLUCID_CACHE"):
        download(f"{server}/book.txt")


@pytest.mark.parametrize(
    ("platform", "variable", "value", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "/xdg", "/xdg/pellucid"),
        ("linux", "XDG_CACHE_HOME", "relative", "/home/me/.cache/pellucid"),
        ("linux", None, "", "/home/me/.cache/pellucid"),
        ("darwin", None, "", "/home/me/Library/Caches/pellucid"),
        ("win32", "LOCALAPPDATA", "/local", "/local/pellucid/Cache"),
        ("win32", None, "", "/home/me/AppData/Local/pellucid/Cache"),
        ("linux", "PELLUCID_CACHE", "/mine", "/mine"),
    ],
)
def test_where_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: str | None, value: str, expected: str
):
    for name in ("PELLUCID_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    if variable:
        monkeypatch.setenv(variable, value)
    assert cache_dir() == Path(expected)
