"""A proxy before a real server, which does to chosen answers what a bad network or an older server would."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

from patience import PATIENCE

PACE = 2e-4  # seconds between two bytes, so that they are not read together


class Forward(http.server.BaseHTTPRequestHandler):
    """Passes requests on, as if the page had asked the server itself; answers that nobody changes are passed back."""

    protocol_version = "HTTP/1.0"  # an answer ends where the connection does

    def do_GET(self) -> None:
        proxy = cast("Proxy", self.server)
        proxy.asked.append(self.path)
        if self.path in proxy.instead:
            return self.refuse(*proxy.instead[self.path])
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        behind = http.client.HTTPConnection(proxy.behind, timeout=PATIENCE)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in ("host", "origin", "connection")
        }
        with contextlib.suppress(OSError):  # the page had enough
            behind.request(self.command, self.path, body or None, headers)
            answer = behind.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            while piece := answer.read1(65536):
                self.give(piece, self.path in proxy.split)
        behind.close()
        return None

    do_POST = do_PUT = do_DELETE = do_GET

    def give(self, piece: bytes, split: bool) -> None:
        if not split:
            self.wfile.write(piece)
            return
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(len(piece)):
            self.wfile.write(piece[place : place + 1])
            time.sleep(PACE)

    def refuse(self, status: int, message: str, headers: dict[str, str]) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps({"error": {"message": message, "type": "busy"}}).encode())

    def log_message(self, *_: Any) -> None:
        pass


class Proxy(http.server.ThreadingHTTPServer):
    """Args: behind: host and port of the server."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Forward)
        self.behind = behind
        self.split: set[str] = set()  # paths whose answers come byte by byte
        self.instead: dict[str, tuple[int, str, dict[str, str]]] = {}  # status, message and headers by path
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextlib.contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    server = Proxy(url.removeprefix("http://"))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
