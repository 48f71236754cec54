"""Answers whose client has left: nobody writes on for it, however far the answer was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import Request
from loops import finished

from pellucid.server.replies import EventStream, Left, unless_gone, while_there

SCOPE: dict[str, Any] = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "headers": []}


class Work:
    """Counts how often it is told to stop."""

    n_cancelled = 0

    def cancel(self) -> None:
        self.n_cancelled += 1


async def leaves() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("n_heard", [0, 1])
def test_a_stream_stops_its_work_even_where_it_was_never_begun(n_heard):
    work, sent = Work(), []

    async def events() -> AsyncIterator[str]:
        for _ in range(n_heard):
            yield "data: 1\n\n"
        await never()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    async def receive() -> dict[str, Any]:
        while len(sent) < n_heard + 1:  # the answer's start is heard, too
            await asyncio.sleep(0)
        return await leaves()

    finished(EventStream(work, events())(SCOPE, receive, send))  # pyright: ignore[reportArgumentType]
    assert work.n_cancelled >= 1


def test_a_whole_answer_stops_its_work():
    async def ask() -> None:
        work = Work()
        with pytest.raises(Left):
            await while_there(Request(SCOPE, leaves), work, never())
        assert work.n_cancelled >= 1
        assert (await unless_gone(Request(SCOPE, leaves), work, never())).status_code == 499

    finished(ask())


def test_who_stays_is_answered():
    async def answer() -> dict[str, Any]:
        return {"a": 1}

    async def ask() -> bytes:
        return bytes((await unless_gone(Request(SCOPE, never), Work(), answer())).body)

    assert finished(ask()) == b'{"a":1}'


def test_what_goes_wrong_is_told():
    async def fail() -> dict[str, Any]:
        raise RuntimeError("a cable was pulled")

    async def ask() -> None:
        await unless_gone(Request(SCOPE, never), Work(), fail())

    with pytest.raises(RuntimeError, match="a cable was pulled"):
        finished(ask())
