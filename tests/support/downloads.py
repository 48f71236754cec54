"""A server that does what a test tells it to, and what tests of downloads ask again and again."""

import contextlib
import hashlib
import http.server
import random
import re
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from pellucid.errors import InputError
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.download import download

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
