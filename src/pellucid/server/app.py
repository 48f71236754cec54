"""The app: every router of the house behind one guard."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import AsyncIterator

from fastapi import FastAPI

import pellucid
from pellucid.server import errors
from pellucid.server.house import House

ROUTERS = (
    *("session", "chat", "openai", "inspect", "runs", "events", "uploads", "job_routes", "chats", "page"),
)


def build_app(house: House) -> FastAPI:
    """The whole server as an ASGI app; it closes the house when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        house.close()

    # the pages that FastAPI offers of an API load their parts from elsewhere
    app = FastAPI(
        title="Pellucid", version=pellucid.__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    errors.install(app)
    for name in ROUTERS:
        if importlib.util.find_spec(f"pellucid.server.{name}"):
            app.include_router(importlib.import_module(f"pellucid.server.{name}").routes(house))
    return app
