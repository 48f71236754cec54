"""Downloads, against a real server that does everything a server can do wrong."""

import contextlib
import email.utils
import gzip
import hashlib
import http.server
import itertools
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.web import download as download_module
from pellucid.text.web import speed
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.download import cached_path, download
from pellucid.text.web.partial import Partial
from pellucid.text.web.transfer import without_credentials

BODY = random.Random(1).randbytes(300_000).hex().encode()
NEW_BODY = random.Random(2).randbytes(300_000).hex().encode()
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the page that the test has put at the path; remembers what was asked."""

    def do_GET(self) -> None:
        server = cast("Server", self.server)
        with server.lock:
            server.asked.append(dict(self.headers.items()) | {"path": self.path})
            number = sum(asked["path"] == self.path for asked in server.asked)
        with contextlib.suppress(OSError):  # the client had enough
            server.pages[self.path](self, number)

    def start(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


Page = Callable[[Handler, int], None]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.pages: dict[str, Page] = {}
        self.asked: list[dict[str, str]] = []

    def url(self, path: str, page: Page) -> str:
        self.pages[path] = page
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    @property
    def ranges(self) -> list[str | None]:
        """The `Range` of every request."""
        return [asked.get("Range") for asked in self.asked]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(running: Server) -> Server:
    running.pages.clear()
    running.asked.clear()
    return running


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no pauses between tries, and no proxy to the server of this test."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download_module, "PAUSE", 0.001)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the pauses are; none is made."""
    pauses = list[float]()
    monkeypatch.setattr(download_module.time, "sleep", pauses.append)
    return pauses


def kept_files() -> list[str]:
    return sorted(path.suffix for path in cache_dir().rglob("*") if path.is_file() and path.suffix != ".lock")


def refused(url: str, *parts: str, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        download(url, **options)
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message
    return message


def good(
    body: bytes = BODY,
    etag: str | None = '"v1"',
    cuts: tuple[int, ...] = (),
    ranges: bool = True,
    **more: object,
) -> Page:
    """A page as RFC 9110 has it; request *n* is cut off after `cuts[n]` bytes of its body."""

    def page(handler: Handler, number: int) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(asked[1]) if ranges and asked and handler.headers.get("If-Range") == etag else 0
        headers: dict[str, object] = {
            "Content_Type": "text/plain",
            "Content_Length": len(body) - start,
            **more,
        }
        if etag:
            headers["ETag"] = etag
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.start(206 if start else 200, **headers)
        end = start + cuts[number - 1] if number <= len(cuts) else None
        handler.wfile.write(body[start:end])

    return page


# ---------------------------------------------------------------------- going on


def test_a_cut_download_goes_on_where_it_was(server: Server):
    url = server.url("/a", good(cuts=(1000, 150_000)))
    assert download(url, sha256=SHA256, size=len(BODY)).read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000-", "bytes=151000-"]
    assert [asked.get("If-Range") for asked in server.asked] == [None, '"v1"', '"v1"']
    assert kept_files() == [""]


def test_a_later_call_goes_on(server: Server):
    url = server.url("/a", good(cuts=(1000, 1000, 1000)))
    refused(url, "could not be fetched", "check the network", "3 kB of it are kept", "goes on from there")
    assert kept_files() == [".json", ".part"]
    assert download(url).read_bytes() == BODY
    assert server.ranges[-1] == "bytes=3000-"
    assert kept_files() == [""]


def test_a_refusal_on_the_way_costs_nothing(server: Server):
    url = server.url("/a", good(cuts=(1000, 1000, 1000)))
    refused(url, "3 kB of it are kept")
    server.url("/a", lambda handler, _: handler.start(403, Content_Length=0))
    refused(url, "403")
    assert kept_files() == [".json", ".part"]
    server.url("/a", good())
    assert download(url).read_bytes() == BODY
    assert server.ranges[-1] == "bytes=3000-"


def test_no_room_on_the_way_costs_nothing(server: Server, monkeypatch: pytest.MonkeyPatch):
    url = server.url("/a", good(cuts=(1000, 1000, 1000)))
    refused(url, "3 kB of it are kept")
    usage = shutil.disk_usage(cache_dir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    refused(url, "1 kB are free")
    assert kept_files() == [".json", ".part"]


def test_getting_further_is_not_failing(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download_module, "FURTHER", 50_000)
    url = server.url("/a", good(cuts=(50_000,) * 9))
    assert download(url).read_bytes() == BODY
    assert len(server.asked) == 10


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 5000), max_size=2),
    length=st.integers(1, 9000),
    ranges=st.booleans(),
    etag=st.sampled_from(['"v1"', 'W/"v1"', None]),
)
def test_wherever_it_is_cut_the_bytes_are_the_same(
    server: Server, cuts: list[int], length: int, ranges: bool, etag: str | None
):
    server.asked.clear()
    body = BODY[:length]
    url = server.url("/a", good(body, etag, tuple(cuts), ranges))
    cached_path(url).unlink(missing_ok=True)
    assert download(url).read_bytes() == body
    assert kept_files() == [""]


def test_a_date_will_do_but_a_weak_tag_will_not(server: Server):
    date = email.utils.formatdate(1e9, usegmt=True)

    def page(handler: Handler, number: int) -> None:
        handler.start(200, Content_Length=10, ETag='W/"v1"', **({"Last-Modified": date} if dated else {}))
        handler.wfile.write(b"0123" if number < 2 else b"0123456789")

    for dated in (True, False):
        server.asked.clear()
        url = server.url(f"/{dated}", page)
        assert download(url).read_bytes() == b"0123456789"
        assert server.asked[1].get("If-Range") == (date if dated else None)
        assert server.ranges[1] == ("bytes=4-" if dated else None)


def test_a_new_version_is_fetched_whole(server: Server):
    def page(handler: Handler, number: int) -> None:
        good(cuts=(5000,))(handler, number) if number == 1 else good(NEW_BODY, '"v2"')(handler, number)

    assert download(server.url("/a", page)).read_bytes() == NEW_BODY
    assert server.ranges == [None, "bytes=5000-"]


PARTS: dict[str, dict[str, object]] = {
    "another place": {"Content-Range": f"bytes 4999-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v1"'},
    "another size": {"Content-Range": f"bytes 5000-{len(BODY) - 11}/{len(BODY) - 10}"},
    "another version": {"Content-Range": f"bytes 5000-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v2"'},
    "packed": {"Content-Range": f"bytes 5000-{len(BODY) - 1}/{len(BODY)}", "Content-Encoding": "gzip"},
    "no place": {"ETag": '"v1"'},
    "nonsense": {"Content-Range": "bytes */*"},
}


@pytest.mark.parametrize("headers", PARTS.values(), ids=PARTS)
def test_a_part_that_does_not_fit_is_not_used(server: Server, headers: dict[str, object]):
    def page(handler: Handler, number: int) -> None:
        if number == 2:
            handler.start(206, **headers)
            handler.wfile.write(NEW_BODY[5000 : -10 if headers is PARTS["another size"] else None])
        else:
            good(cuts=(5000,))(handler, number)

    assert download(server.url("/a", page)).read_bytes() == BODY
    assert server.ranges == [None, "bytes=5000-", None]


def test_a_part_may_end_before_the_file(server: Server):
    def page(handler: Handler, number: int) -> None:
        if number == 2:
            handler.start(206, ETag='"v1"', Content_Range=f"bytes 5000-7999/{len(BODY)}", Content_Length=3000)
            handler.wfile.write(BODY[5000:8000])
        else:
            good(cuts=(5000,))(handler, number)

    assert download(server.url("/a", page)).read_bytes() == BODY
    assert server.ranges == [None, "bytes=5000-", "bytes=8000-"]


def test_a_part_out_of_range_is_asked_for_whole(server: Server):
    def page(handler: Handler, number: int) -> None:
        if number == 2:
            handler.start(416, Content_Range="bytes */10", Content_Length=0)
        else:
            good(cuts=(5000,))(handler, number)

    assert download(server.url("/a", page)).read_bytes() == BODY
    assert server.ranges == [None, "bytes=5000-", None]
    refused(
        server.url("/b", lambda handler, _: handler.start(416, Content_Length=0)), "416", "check the address"
    )
    refused(server.url("/c", lambda handler, _: handler.start(206, Content_Length=0)), "206")


def test_parts_that_do_not_make_the_file_are_fetched_anew(server: Server):
    """A server that keeps its tag while the file changes is found out by the checksum."""

    def page(handler: Handler, number: int) -> None:
        good(NEW_BODY, cuts=(5000,))(handler, number) if number == 1 else good()(handler, number)

    assert download(server.url("/a", page), sha256=SHA256).read_bytes() == BODY
    assert server.ranges == [None, "bytes=5000-", None]


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"validator": "v\\r\\nX: y", "total": 9}',
        '{"validator": 5, "total": null}',
        '{"validator": "\\"v1\\"", "total": "9"}',
        '{"validator": "\\"v1\\"", "total": 5}',
    ],
)
def test_a_spoilt_note_beside_a_part_is_ignored(server: Server, facts: str):
    url = server.url("/a", good())
    partial = Partial(cached_path(url))
    partial.path.parent.mkdir(parents=True)
    partial.path.write_bytes(b"wrong")
    partial.facts.write_text(facts)
    assert download(url).read_bytes() == BODY
    assert server.ranges == [None]


# ---------------------------------------------------------------------- processes


def process(url: str) -> subprocess.Popen[str]:
    program = (
        "import sys; from pellucid.text.web.download import download; "
        "print(download(sys.argv[1], progress=print))"
    )
    return subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_killed_and_taken_up_by_another_process(server: Server):
    over = threading.Event()

    def page(handler: Handler, number: int) -> None:
        if number > 1:
            return good()(handler, number)
        handler.start(200, Content_Length=len(BODY), ETag='"v1"')
        handler.wfile.write(BODY[:200_000])
        handler.wfile.flush()
        over.wait(30)
        return None

    url = server.url("/a", page)
    first = process(url)
    partial = Partial(cached_path(url))
    wait_for(lambda: partial.size > 100_000)
    first.kill()
    first.wait()
    over.set()
    came = partial.size
    second = process(url)
    assert Path(second.communicate()[0].splitlines()[-1]).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={came}-"]


def test_two_processes_fetch_it_once(server: Server):
    go = threading.Event()

    def page(handler: Handler, number: int) -> None:
        go.wait(30)
        good()(handler, number)

    url = server.url("/a", page)
    first = process(url)
    wait_for(lambda: len(server.asked) == 1)
    second = process(url)
    assert second.stdout
    assert second.stdout.readline() == f"waiting for another process, which is fetching {url}\n"
    go.set()
    told = [process.communicate()[0].splitlines()[-1] for process in (first, second)]
    assert told == [str(cached_path(url))] * 2
    assert cached_path(url).read_bytes() == BODY
    assert len(server.asked) == 1


# ---------------------------------------------------------------------- servers that are busy, broken or gone


@pytest.mark.parametrize(
    ("status", "retry_after", "least"),
    [
        (503, "7", 7),
        (429, lambda: email.utils.formatdate(time.time() + 20, usegmt=True), 15),
        (500, "soon", 0),
    ],
)
def test_a_busy_server_is_asked_later(
    server: Server, slept: list[float], status: int, retry_after: Any, least: float
):
    def page(handler: Handler, number: int) -> None:
        if number > 2:
            return good()(handler, number)
        text = retry_after if isinstance(retry_after, str) else retry_after()
        return handler.start(status, Retry_After=text, Content_Length=0)

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
    time.sleep(1)


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
            time.sleep(0.05)

    said = list[tuple[float, str]]()
    url = server.url("/tales/a.txt?key=1", page)
    monkeypatch.setattr(speed, "SECONDS", 0.15)
    download(url, progress=lambda line: said.append((time.monotonic(), line)))
    assert said[0][1] == f"fetching {url.replace('key=1', '…')}"
    assert len(said) > 1
    assert all(after[0] - before[0] > 0.14 for before, after in itertools.pairwise(said))
    number = r"[\d.]+"
    for _, line in said[1:]:
        assert re.fullmatch(rf"fetching a.txt: {number} of 600 kB, {number} [kM]B/s, \d+ s left", line), line


def test_lines_of_a_very_long_download_become_rare(monkeypatch: pytest.MonkeyPatch):
    now = 0.0
    monkeypatch.setattr(speed.time, "monotonic", lambda: now)
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
