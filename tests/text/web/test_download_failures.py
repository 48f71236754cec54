"""Downloads, against a real server that does everything a server can do wrong."""

import gzip
import itertools
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from downloads import BODY, SHA256, Handler, Page, Server, good, kept_files, refused
from hypothesis import given
from hypothesis import strategies as st

from pellucid.text.web import speed, transfer
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.download import download
from pellucid.text.web.transfer import without_credentials

# ---------------------------------------------------------------------- servers that are busy, broken or gone


@pytest.mark.parametrize(
    ("status", "retry_after", "least"),
    [
        (503, "7", 7),
        (429, "Thu, 01 Jan 2026 12:00:20 GMT", 20),
        (500, "soon", 0),
    ],
)
def test_a_busy_server_is_asked_later(
    server: Server,
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    retry_after: str,
    least: float,
):
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    clock = SimpleNamespace(now=lambda zone: noon.astimezone(zone))
    monkeypatch.setattr(transfer, "datetime", clock)

    def page(handler: Handler, number: int) -> None:
        if number > 2:
            return good()(handler, number)
        return handler.start(status, Retry_After=retry_after, Content_Length=0)

    lines = list[str]()
    url = server.url("/a", page)
    assert download(url, progress=lines.append).read_bytes() == BODY
    assert len(slept) == 2
    assert all(least <= pause < least + 6 for pause in slept)
    assert lines[0] == f"fetching {url}"
    assert re.fullmatch(rf"it answered {status} .+: asking again in \d+ s \(try 3 of 3\)", lines[2])


def test_a_server_that_asks_for_a_day_is_left_alone(server: Server, slept: list[float]):
    url = server.url("/a", lambda handler, _: handler.start(503, Retry_After="86400", Content_Length=0))
    refused(url, "it answered 503 Service Unavailable", "86,400 s")
    assert (len(server.asked), slept) == (1, [])


def reset(handler: Handler, _: int) -> None:
    handler.start(200, Content_Length=len(BODY))
    handler.wfile.write(BODY[:1000])
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def stall(handler: Handler, _: int) -> None:
    handler.start(200, Content_Length=len(BODY))
    handler.wfile.write(BODY[:1000])
    handler.wfile.flush()
    handler.rfile.read(1)  # until the client has had enough


def redirect(to: str) -> Page:
    return lambda handler, _: handler.start(302, Location=to, Content_Length=0)


@pytest.mark.parametrize(
    ("page", "tries", "parts"),
    [
        (good(etag=None, cuts=(1000,) * 3), 3, ["could not be fetched", "check the network", "browser"]),
        (reset, 3, ["could not be fetched"]),
        (stall, 3, ["no answer within 0.2 s"]),
        (lambda handler, _: handler.connection.close(), 3, ["could not be fetched"]),
        (lambda handler, _: handler.wfile.write(b"not HTTP at all\r\n\r\n"), 3, ["could not be fetched"]),
        (lambda handler, _: handler.start(404, Content_Length=0), 1, ["404 Not Found", "check the address"]),
        (lambda handler, _: handler.start(401, Content_Length=0), 1, ["401 Unauthorized"]),
        (lambda handler, _: handler.start(204), 1, ["204 No Content"]),
        (good(b""), 1, ["is empty"]),
        (redirect("/a"), 11, ["leads in a circle"]),
        (redirect("file:///etc/passwd"), 1, ["not http(s)"]),
        (redirect("ftp://127.0.0.1/a"), 1, ["not http(s)"]),
        (good(b"x" * 100_001), 1, ["larger than 100,000 bytes"]),
        (good(gzip.compress(b"x" * 100_001), Content_Encoding="gzip"), 1, ["larger than 100,000 bytes"]),
        (good(b"<html>not found", Content_Type="text/plain"), 1, ["is an HTML page"]),
        (good(b"sorry", Content_Type="text/html"), 1, ["is an HTML page"]),
        (good(b"x", Content_Encoding="br"), 1, ["packed as br"]),
        (good(b"not packed", Content_Encoding="gzip"), 3, ["could not be fetched"]),
    ],
)
def test_what_fails_leaves_nothing(server: Server, page: Page, tries: int, parts: list[str]):
    url = server.url("/a", page)
    timeout = 0.2 if page is stall else 30
    message = refused(
        url, url, *parts, timeout=timeout, max_bytes=100_000 if "larger" in parts[0] else 1 << 20
    )
    end = time.monotonic() + 60
    while len(server.asked) < tries and time.monotonic() < end:
        time.sleep(0.01)  # the server may not have read yet what a client has given up
    assert len(server.asked) == tries, message
    assert kept_files() == []


def test_a_web_page_where_one_will_do(server: Server):
    url = server.url("/a", good(b"<!doctype html><p>Hello", Content_Type="text/html"))
    assert download(url, html=True).read_bytes() == b"<!doctype html><p>Hello"


def test_a_packed_body_is_unpacked(server: Server):
    packed = gzip.compress(BODY)
    url = server.url("/a", good(packed, Content_Encoding="gzip", cuts=(1000,)))
    assert download(url, sha256=SHA256).read_bytes() == BODY
    assert server.ranges == [None, None]
    assert server.asked[0]["Accept-Encoding"] == "identity"


def test_no_network():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/book.txt"
        refused(url, f"{url} could not be fetched (", "check the network", "with a browser and give its path")
        refused(url, "check the network, or ask a friend", remedy="or ask a friend")


# ---------------------------------------------------------------------- what is expected


def test_another_file_than_expected_is_not_kept(server: Server):
    url = server.url("/a", good())
    refused(url, "is not the file expected", "SHA-256", sha256="0" * 64)
    refused(url, "is not the file expected", "it has 600,000 bytes, not 599,999", size=len(BODY) - 1)
    assert kept_files() == []

    def unannounced(handler: Handler, _: int) -> None:
        handler.start(200)
        handler.wfile.write(BODY)

    refused(server.url("/b", unannounced), "is not the file expected", size=7)
    assert kept_files() == []
    assert len(server.asked) == 3


def test_a_spoilt_copy_is_fetched_again(server: Server):
    url = server.url("/a", good())
    download(url, sha256=SHA256).write_bytes(b"spoilt")
    assert download(url).read_bytes() == b"spoilt"  # nobody said what it should be
    assert download(url, sha256=SHA256).read_bytes() == BODY
    assert len(server.asked) == 2


# ---------------------------------------------------------------------- the disk


def test_a_cache_that_cannot_be_written_but_holds_it(server: Server, monkeypatch: pytest.MonkeyPatch):
    url = server.url("/a", good())
    path = download(url)
    path.parent.chmod(0o500)
    path.chmod(0o400)
    try:
        assert download(url) == path
    finally:
        path.parent.chmod(0o700)
    monkeypatch.setenv("PELLUCID_CACHE", str(path / "in a file"))
    refused(url, "Nothing can be kept in", "PELLUCID_CACHE")
    assert len(server.asked) == 1


def test_no_room(server: Server, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage(cache_dir().parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    refused(server.url("/a", good()), "needs 600 kB, and 1 kB are free", "PELLUCID_CACHE")
    assert kept_files() == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up(server: Server):
    program = (
        "import sys, resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from pellucid.text.web.download import download\n"
        "try: download(sys.argv[1])\nexcept ValueError as error: print(error)"
    )
    command = [sys.executable, "-c", program, server.url("/a", good())]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Nothing can be kept in" in told
    assert "File too large" in told
    assert kept_files() == [".json", ".part"]
    assert len(server.asked) == 1
    assert download(server.url("/a", good()), sha256=SHA256).read_bytes() == BODY
    assert server.ranges == [None, "bytes=100000-"]


# ---------------------------------------------------------------------- what is said


def test_a_long_download_tells_how_far_it_is(server: Server, monkeypatch: pytest.MonkeyPatch):
    def page(handler: Handler, _: int) -> None:
        handler.start(200, Content_Length=len(BODY))
        for start in range(0, len(BODY), 60_000):
            handler.wfile.write(BODY[start : start + 60_000])
            handler.wfile.flush()

    now = 0.0

    def monotonic() -> float:
        """Every look at the clock takes a while."""
        nonlocal now
        now += 0.75
        return now

    said = list[tuple[float, str]]()
    url = server.url("/tales/a.txt?key=1", page)
    monkeypatch.setattr(speed, "time", SimpleNamespace(monotonic=monotonic))
    download(url, progress=lambda line: said.append((now, line)))
    assert said[0][1] == f"fetching {url.replace('key=1', '…')}"
    assert len(said) > 2
    assert all(after[0] - before[0] >= speed.SECONDS for before, after in itertools.pairwise(said))
    number = r"[\d.]+"
    for _, line in said[1:]:
        assert re.fullmatch(rf"fetching a.txt: {number} of 600 kB, {number} [kM]B/s, \d+ s left", line), line


def test_lines_of_a_very_long_download_become_rare(monkeypatch: pytest.MonkeyPatch):
    now = 0.0
    monkeypatch.setattr(speed, "time", SimpleNamespace(monotonic=lambda: now))  # not everybody's clock
    said = list[tuple[float, str]]()
    lines = speed.SpeedLines("big.txt", lambda line: said.append((now, line)), 10**9, 3 * 10**9)
    while now < 1000:
        now += 0.5
        lines.say(10**9 + int(now * 2e6))
    times = [time for time, _ in said]
    assert times[0] == 2
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(gap >= 2 for gap in gaps)
    assert gaps == sorted(gaps)
    assert len(said) < 80  # not 500
    assert said[0][1] == "fetching big.txt: 1.00 of 3.00 GB, 2.0 MB/s, 17 min left"


def test_credentials_are_not_shown(server: Server):
    page: Page = lambda handler, _: handler.start(404, Content_Length=0)  # noqa: E731
    url = server.url("/a?token=secret1", page).replace("http://", "http://me:secret2@")
    lines = list[str]()
    assert "secret" not in refused(url, "127.0.0.1", "/a?…", progress=lines.append)
    assert "secret" not in "".join(lines)
    assert server.asked[0]["Authorization"].startswith("Basic ")
    assert "secret" not in refused(
        "http://me:secret@3@host:port/x", "http://host:port/x is not a web address"
    )


@given(st.text("abc:@%&=.", min_size=3, max_size=20), st.text("xyz=&?/@", min_size=3, max_size=20))
def test_no_credentials_come_through(user: str, query: str):
    shown = without_credentials(f"https://{user}@host.org/path?{query}#part")
    assert shown == "https://host.org/path?…#part"


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://[::1",
        "http://a..b/",
        f"http://{'a' * 70}.invalid/",
        "http://xn--/",
        "http://a\0b/",
        "http://host:port/",
        "http://host:99999/",
        "file:///etc/passwd",
        "host/x",
        "",
    ],
)
def test_what_is_no_address(url: str):
    refused(url, "is not a web address")


# ---------------------------------------------------------------------- the surroundings


def test_a_proxy_is_used(server: Server, monkeypatch: pytest.MonkeyPatch):
    server.url("http://books.invalid/a", good())
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("NO_PROXY", "")
    assert download("http://books.invalid/a").read_bytes() == BODY


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/no/such/file"), ("HTTP_PROXY", "what://127.0.0.1")]
)
def test_surroundings_that_are_wrong(server: Server, monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    refused(server.url("/a", good()), "The network cannot be used as it is set up", name)
