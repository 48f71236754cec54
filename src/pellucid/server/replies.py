"""Answers that go on while the model writes, and end it when the client leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

LEFT = 499  # nobody reads this status: the client has gone
Answer = TypeVar("Answer")


class Work(Protocol):
    """What is done for a request, as a Stream."""

    def cancel(self) -> None:
        """Stop it soon; nobody waits for it any more."""
        ...


class Left(Exception):
    """The client has gone."""


def data(value: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


class EventStream(StreamingResponse):
    """Server-sent events about one reply, which is no longer written once they cannot be sent."""

    def __init__(self, work: Work, events: AsyncIterator[str]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._work.cancel()


async def unless_gone(request: Request, work: Work, answer: Coroutine[Any, Any, dict[str, Any]]) -> Response:
    """The answer as JSON, unless the client leaves before it is whole: then the model stops."""
    try:
        return JSONResponse(await while_there(request, work, answer))
    except Left:
        return Response(status_code=LEFT)


async def while_there(request: Request, work: Work, answer: Coroutine[Any, Any, Answer]) -> Answer:
    """What `answer` gives.

    Raises:
        Left: the client left first; `work` was told to stop.
    """
    writing = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            return writing.result()
        raise Left
    finally:
        work.cancel()
        for task in (writing, leaving):
            task.cancel()
        await asyncio.gather(writing, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
