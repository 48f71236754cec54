"""The page's files, as they lie in the package: nothing is built, and nothing comes from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Request, Response

import pellucid
from pellucid.server.errors import NotFound
from pellucid.server.house import House

WEB = Path(pellucid.__file__).parent / "web"
# Windows may say something else of .js, and a browser runs no module that is called plain text
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
ICON = "icon.svg"


def routes(house: House) -> APIRouter:
    """A route a file, listed now: a name in a request is never looked for on the disk."""
    router = APIRouter(include_in_schema=False)
    for path in sorted(WEB.rglob("*")):
        if path.suffix in TYPES and path.is_file():
            name = path.relative_to(WEB).as_posix()
            for address in ["/", "/index.html"] if name == "index.html" else [f"/{name}"]:
                router.add_api_route(address, _serve(path), methods=["GET", "HEAD"])
    return router


def _serve(path: Path) -> Callable[[Request], Response]:
    def serve(request: Request) -> Response:
        try:
            content = path.read_bytes()  # anew each time, so that whoever writes the page sees it
        except OSError:
            raise NotFound(f"{path.name} is not there any more: start the server again") from None
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        # kept, but asked for again; a browser asks for the icon at every change of the address
        kept = "max-age=3600" if path.name == ICON else "no-cache"
        headers = {"ETag": tag, "Cache-Control": kept}
        if request.headers.get("If-None-Match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=TYPES[path.suffix], headers=headers)

    return serve
