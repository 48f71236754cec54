"""The guard before everything else: who may ask, how much, and what browsers may do with the answer.

Plain ASGI, so that a client that leaves is noticed by those who answer it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from fastapi import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pellucid.server.errors import error_response
from pellucid.server.limits import ADDRESS_BYTES, BODY_BYTES, CHAT_BYTES, HEADER_BYTES, UPLOAD_BYTES

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("", "0.0.0.0", "::")
WITHOUT_KEY = ("/health",)
ENTER = "/enter"
TOKEN_HEADER = "x-pellucid-token"
READING = ("GET", "HEAD", "OPTIONS")
# they change nothing; a trailing / is a beginning
WITHOUT_TOKEN = ("/api/chat", "/api/chat/", "/api/inspect/")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'; img-src 'self' blob:",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclasses.dataclass(frozen=True)
class Hosts:
    """The names under which this server may be asked for.

    A stranger's web page can make its own name point to this machine (DNS rebinding) and read whatever is
    answered; it then asks under that name. A number cannot be made to point elsewhere. The port does not matter:
    `ssh -L` may have changed it.

    Args:
        bound: the address that the server listens on.
    """

    bound: str = "127.0.0.1"

    def allow(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = _name(host)
        if name is None:
            return False
        if name in LOOPBACK or name == self.bound.lower():
            return True
        if self.bound not in EVERYWHERE:
            return False
        return _is_number(name) or name in _own_names()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str | None:
    """The name in a Host header, without its port; None where that is no host."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # complains of what is no port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    own = socket.gethostname().lower()
    return {own, f"{own.split('.')[0]}.local"}


class Guard:
    """An ASGI app around another: what it refuses, the other never sees.

    Args:
        app: what answers.
        hosts: the names to be asked under.
        token: what a page sends along to change something.
        key: what a client must know to be answered at all, but for /health; None lets everyone in who gets here.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, token: str, key: str | None = None) -> None:
        self.app, self.hosts, self.token, self.key = app, hosts, token, key
        # a browser keeps this, not the key; one name a server, as cookies do not tell ports apart
        digest = hashlib.sha256(f"pellucid {key}".encode()).hexdigest()
        self.cookie_name, self.cookie = f"pellucid-{digest[:8]}", digest[8:]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = self._answer(scope)
        if answer is not None:
            await answer(scope, receive, _with_headers(send))
            return
        await self.app(scope, _bounded(receive, most_bytes(scope)), _with_headers(send))

    def _answer(self, scope: Scope) -> Response | None:
        """What the guard answers itself; None lets the request through."""
        path, method = scope["path"], scope["method"]
        headers = _Headers(scope["headers"])
        if (
            headers.n_bytes > HEADER_BYTES
            or len(scope["raw_path"]) + len(scope["query_string"]) > ADDRESS_BYTES
        ):
            return error_response(path, 431, "the request's address or headers are too long")
        host = headers.only("host")
        if host is None or not self.hosts.allow(host):
            return error_response(
                path, 403, "this server is not asked for under that name: use its own address"
            )
        if not _is_own(headers.all("origin"), scope["scheme"], host):
            return error_response(
                path, 403, "another web page asked for this, and only this server's own may"
            )
        if self.key is not None and path == ENTER and method == "GET":
            return self._enter(scope["query_string"])
        if not (path in WITHOUT_KEY or self._knows_key(headers)):
            return error_response(
                path,
                401,
                "a key is needed: open the address that `pellucid serve` printed, or send it as a bearer token",
                {"WWW-Authenticate": "Bearer"},
            )
        if _needs_token(path, method) and not _same(headers.only(TOKEN_HEADER) or "", self.token):
            return error_response(
                path, 403, "changing something needs the header X-Pellucid-Token, which /api/session tells"
            )
        length = headers.only("content-length")
        if length is not None and (not length.isdecimal() or int(length[:20]) > most_bytes(scope)):
            return error_response(path, 413, _too_large(most_bytes(scope)))
        return None

    def _enter(self, query: bytes) -> Response:
        """Give a browser that knows the key its cookie, and show it the page."""
        given = parse_qs(query.decode("latin-1")).get("key", [""])[0]
        if not _same(given, self.key or ""):
            return error_response(
                ENTER, 401, "that is not the key: open the address that `pellucid serve` printed"
            )
        response = RedirectResponse("/", 303)
        response.set_cookie(self.cookie_name, self.cookie, httponly=True, samesite="strict", path="/")
        return response

    def _knows_key(self, headers: _Headers) -> bool:
        if self.key is None:
            return True
        scheme, _, given = (headers.only("authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), self.key):
            return True
        # http.cookies would read nothing where another program of this machine has put an odd cookie beside ours
        cookies = map(cookie_parser, headers.all("cookie"))
        return any(_same(known.get(self.cookie_name, ""), self.cookie) for known in cookies)


class _Headers:
    """A request's headers, by name."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw = list(raw)
        self.n_bytes = sum(len(name) + len(value) for name, value in self.raw)

    def all(self, name: str) -> list[str]:
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self.raw if key.lower() == wanted]

    def only(self, name: str) -> str | None:
        """The value of a header that may be given once."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None


def most_bytes(scope: Scope) -> int:
    """How large the body of a request may be."""
    path, method = scope["path"], scope["method"]
    if path.startswith("/api/uploads/") and method == "PUT":
        return UPLOAD_BYTES
    if "/chats/" in path and method == "PUT":
        return CHAT_BYTES
    return BODY_BYTES


def _same(given: str, wanted: str) -> bool:
    """Compared in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _is_own(origins: list[str], scheme: str, host: str) -> bool:
    """Whether a request comes from this server's own page, or from no page at all."""
    return all(origin.lower() == f"{scheme}://{host}".lower() for origin in origins)


def _needs_token(path: str, method: str) -> bool:
    if method in READING or not path.startswith("/api/"):
        return False
    return not any(path.startswith(free) if free.endswith("/") else path == free for free in WITHOUT_TOKEN)


def _too_large(most: int) -> str:
    return f"the body is too large: {most >> 20} MiB are read at most"


def _bounded(receive: Receive, most: int) -> Receive:
    """`receive`, which breaks off a body that says nothing of its length and becomes too long."""
    n_bytes = 0

    async def receive_some() -> Message:
        nonlocal n_bytes
        message = await receive()
        if message["type"] == "http.request":
            n_bytes += len(message.get("body", b""))
            if n_bytes > most:
                raise HTTPException(413, _too_large(most))
        return message

    return receive_some


def _with_headers(send: Send) -> Send:
    """`send`, which tells browsers what they may do with every answer."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            extra = [
                (name.lower().encode(), value.encode())
                for name, value in HEADERS.items()
                if name.lower().encode() not in given
            ]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return send_with
