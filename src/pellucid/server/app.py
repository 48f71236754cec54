"""The app: every router of the house behind one guard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import pellucid
from pellucid.server import (
    chat,
    chats,
    completions,
    errors,
    events,
    inspect,
    job_routes,
    openai,
    page,
    runs,
    session,
    uploads,
)
from pellucid.server.house import House

ROUTERS = (session, chat, openai, completions, inspect, runs, events, uploads, job_routes, chats, page)


def build_app(house: House) -> FastAPI:
    """The whole server as an ASGI app; it closes the house when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:  # in a thread: a training that saves must not keep the loop from hearing a second Ctrl-C
            await run_in_threadpool(house.close)

    # the pages that FastAPI offers of an API load their parts from elsewhere
    app = FastAPI(
        title="Pellucid", version=pellucid.__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    errors.install(app)
    for module in ROUTERS:
        app.include_router(module.routes(house))
    return app
