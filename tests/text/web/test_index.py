"""Where a package index keeps a file: the page of a project, as PEP 503 has it, on a real server."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from downloads import BODY, SHA256, Handler, Page, Server, good

from pellucid.errors import InputError
from pellucid.text.web import wheels as wheels_module
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.index import addresses
from pellucid.text.web.wheels import fetch_wheel

OTHER = hashlib.sha256(b"other").hexdigest()
Pip = Callable[..., list[str]]


@pytest.fixture
def server() -> Iterator[Server]:
    import threading

    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    """A program in the place of pip, which says how it is set up and downloads nothing."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))

    def set_up(**options: str) -> list[str]:
        said = [f"global.{name.replace('_', '-')}='{value}'" for name, value in options.items()]
        program = tmp_path / "pip.py"
        program.write_text(
            f"import sys\nif sys.argv[1] != 'config':\n    sys.exit('no way')\nprint({chr(10).join(said)!r})\n"
        )
        command = [sys.executable, str(program)]
        monkeypatch.setattr(wheels_module, "_installers", lambda: iter([command]))
        return command

    return set_up


def page(*links: str) -> Page:
    text = "".join(f'<a href="{link}" data-requires-python="&gt;=3.7">a file</a><br/>' for link in links)
    return good(f"<!DOCTYPE html><html><body>{text}</body></html>".encode(), None, Content_Type="text/html")


def test_the_file_of_that_hash(server: Server, pip: Pip):
    server.url("/two/x/", page(f"../../files/x-1.whl?a=1&amp;b=2#sha256={SHA256}", f"y.whl#sha256={OTHER}"))
    root = server.url("", page()).rstrip("/")
    server.url("/one/x/", page(f"z.whl#sha256={OTHER}", "without.whl"))
    command = pip(index_url=f"{root}/one/", extra_index_url=f"file:///nowhere {root}/gone {root}/two")
    server.url("/gone/x/", lambda handler, number: handler.start(404))
    assert list(addresses("x", SHA256, command)) == [f"{root}/files/x-1.whl?a=1&b=2"]
    assert list(addresses("x", "0" * 64, command)) == []


@pytest.mark.parametrize("options", [{"no_index": "true"}, {"index_url": "http://127.0.0.1:1/simple"}])
def test_no_index_gives_no_address(options: dict[str, str], pip: Pip):
    assert list(addresses("x", SHA256, pip(**options))) == []
    assert list(addresses("x", SHA256, [sys.executable, "-c", "raise SystemExit(1)"])) == []
    assert list(addresses("x", SHA256, ["/no/such/program"])) == []


def test_a_page_without_end_is_left(server: Server, pip: Pip, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pellucid.text.web.index.MOST_PAGE", 1000)
    link = f"x.whl#sha256={SHA256}"
    root = server.url("/x/", page(link, *["more"] * 100)).removesuffix("/x/")
    assert list(addresses("x", SHA256, pip(index_url=root))) == []


def test_a_download_that_is_cut_off_is_gone_on_with(
    server: Server, pip: Pip, monkeypatch: pytest.MonkeyPatch
):
    """In a second call, which may be of another process; the third finds it in the cache and asks nobody."""
    monkeypatch.setattr("pellucid.text.web.download.PAUSE", 0.0)
    server.url("/files/x.whl", good(cuts=(400_000, 0, 0, 0), Content_Type="application/octet-stream"))
    root = server.url("/x/", page(f"files/x.whl#sha256={SHA256}")).removesuffix("/x/")
    server.pages["/x/files/x.whl"] = server.pages["/files/x.whl"]
    pip(index_url=root)
    said: list[str] = []
    with pytest.raises(InputError, match="the same command goes on from there"):
        fetch_wheel("x", "1", SHA256, progress=said.append)
    path = fetch_wheel("x", "1", SHA256, progress=said.append)
    assert path.read_bytes() == BODY
    assert path.parent == cache_dir() / "wheels"
    ranges = [asked for asked in server.ranges if asked]
    assert ranges == ["bytes=400000-"] * len(ranges) and ranges
    n_asked = len(server.asked)
    assert fetch_wheel("x", "1", SHA256) == path
    assert len(server.asked) == n_asked
    assert not list((cache_dir() / "web").glob("*.part*"))


def test_another_file_than_the_page_says(server: Server, pip: Pip):
    def other(handler: Handler, number: int) -> None:
        handler.start(200, Content_Length=5)
        handler.wfile.write(b"other")

    server.url("/x/x.whl", other)
    root = server.url("/x/", page(f"x.whl#sha256={SHA256}")).removesuffix("/x/")
    pip(index_url=root)
    with pytest.raises(InputError, match="not the file expected"):
        fetch_wheel("x", "1", SHA256)
    assert not list((cache_dir() / "wheels").glob("*"))
