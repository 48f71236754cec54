"""Downloads that are cut off go on, against a real server and in several processes."""

import email.utils
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from downloads import BODY, NEW_BODY, SHA256, Handler, Server, good, kept_files, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import PATIENCE

from pellucid.text.web import download as download_module
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.download import cached_path, download
from pellucid.text.web.partial import Partial

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


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
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
        f"print(download(sys.argv[1], progress=print, timeout={PATIENCE}))"
    )
    return subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
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
        over.wait(PATIENCE)
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
        go.wait(PATIENCE)
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
