"""One thread for everybody: what goes wrong for one goes wrong for that one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loops import finished
from patience import PATIENCE
from serving import until

from pellucid.api import load
from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.server.errors import Busy
from pellucid.server.house import RunsRoot
from pellucid.server.models import Models
from pellucid.server.scheduler import Scheduler, Stream

SHORT = SamplingOptions(max_tokens=40, ignore_eos=True, seed=1)
LONG = SamplingOptions(max_tokens=10**9, ignore_eos=True, seed=1)  # longer than any test lasts


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(most_running=3, most_waiting=2)
    yield made
    made.close()
    assert not any(thread is made._thread for thread in threading.enumerate())


@pytest.fixture
def engine(trained: Path) -> Engine:
    return load(trained / "farm-1", "cpu").engine()


@pytest.fixture
def other(trained: Path) -> Engine:
    return load(trained / "farm-1", "cpu", step=75).engine()


async def text_of(stream: Stream) -> str:
    return "".join([piece.text async for piece in stream.pieces()])


def test_models_take_turns(scheduler, engine, other):
    options = [SamplingOptions(max_tokens=30, seed=i, ignore_eos=True) for i in range(3)]
    alone = [
        made.generate("The", each)[0].text
        for made, each in zip((engine, other, engine), options, strict=True)
    ]
    assert alone[0] != alone[1]

    async def together() -> list[str]:
        streams = [
            scheduler.submit(made, made.draft("The", each))
            for made, each in zip((engine, other, engine), options, strict=True)
        ]
        return await asyncio.gather(*map(text_of, streams))

    assert finished(together()) == alone


def test_an_error_reaches_the_requests_of_its_model_alone(scheduler, engine, other, caplog):
    def fail(*_: object) -> None:
        raise RuntimeError("a cable was pulled")

    async def together() -> list[object]:
        good = scheduler.submit(engine, engine.draft("The", SHORT))
        handle = other.model.register_forward_pre_hook(fail)
        bad = [scheduler.submit(other, other.draft("The", LONG)) for _ in range(2)]
        results = await asyncio.gather(*map(text_of, [good, *bad]), return_exceptions=True)
        handle.remove()
        again = scheduler.submit(other, other.draft("The", SHORT))
        return [*results, await text_of(again)]

    good, *bad, again = finished(together())
    assert good == engine.generate("The", SHORT)[0].text
    assert again == other.generate("The", SHORT)[0].text
    assert [str(error) for error in bad] == ["a cable was pulled"] * 2
    assert scheduler.n_running == 0 and not scheduler._decodings


def test_places_and_the_queue_are_bounded_and_freed(scheduler, engine):
    async def crowd() -> None:
        running = [scheduler.submit(engine, engine.draft("The", LONG)) for _ in range(3)]
        pieces = [stream.pieces() for stream in running]
        await asyncio.gather(*(anext(each) for each in pieces))
        waiting = [scheduler.submit(engine, engine.draft("A", LONG)) for _ in range(2)]
        with pytest.raises(Busy):
            scheduler.submit(engine, engine.draft("The", LONG))
        waiting[0].cancel()
        last = scheduler.submit(engine, engine.draft("The", SamplingOptions(max_tokens=3, ignore_eos=True)))
        for stream in (*running, waiting[1]):
            stream.cancel()
        assert len(await text_of(last)) == 3
        assert waiting[0].draft.n_tokens == 0  # it was never begun

    finished(crowd())


def test_cancelling_takes_effect_at_the_next_token(scheduler, engine):
    async def leave() -> tuple[int, int]:
        stream = scheduler.submit(engine, engine.draft("The", LONG))
        pieces = stream.pieces()
        for _ in range(5):
            await anext(pieces)
        await pieces.aclose()
        n_tokens = stream.draft.n_tokens
        while scheduler.n_running:
            await asyncio.sleep(0.001)
        return n_tokens, stream.draft.n_tokens

    before, after = finished(leave())
    assert 5 <= before <= after <= before + 2


def test_closing_tells_whoever_still_waits(engine):
    scheduler = Scheduler(most_running=1)

    async def wait_for_the_end() -> list[BaseException | str]:
        streams = [scheduler.submit(engine, engine.draft("The", LONG)) for _ in range(3)]
        texts = asyncio.gather(*map(text_of, streams), return_exceptions=True)
        while not scheduler.n_running:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(scheduler.close)
        with pytest.raises(Busy):
            scheduler.submit(engine, engine.draft("The", LONG))
        return await texts

    results = finished(wait_for_the_end())
    assert all(isinstance(result, InputError) and "stopping" in str(result) for result in results)
    scheduler.close()


def test_a_reader_whose_loop_is_closed_is_let_go(scheduler, engine):
    async def begin() -> None:
        scheduler.submit(engine, engine.draft("The", LONG))

    finished(begin())
    until(lambda: scheduler.n_running + scheduler.n_waiting == 0)


def test_idle_it_does_nothing(scheduler, monkeypatch):
    """It waits to be told of something: it does not look again and again."""
    until(lambda: scheduler._changed._waiters)
    waits, wait = [], scheduler._changed.wait
    monkeypatch.setattr(scheduler._changed, "wait", lambda *limit: (waits.append(limit), wait(*limit)))
    time.sleep(0.3)
    assert waits == [] and scheduler._changed._waiters


def test_who_cannot_be_let_in_is_told_and_the_others_go_on(endless, monkeypatch):
    served = Models(RunsRoot(endless), "cpu").get()
    scheduler = Scheduler()
    options = SamplingOptions(max_tokens=5, seed=1)

    async def ask() -> None:
        with monkeypatch.context() as broken:
            broken.setattr(Engine, "decoding", lambda self: 1 / 0)
            refused = scheduler.submit(served.engine, served.engine.draft("x", options))
            with pytest.raises(ZeroDivisionError):
                [piece async for piece in refused.pieces()]
        stream = scheduler.submit(served.engine, served.engine.draft("x", options))
        assert [piece async for piece in stream.pieces()][-1].finish_reason

    try:
        finished(asyncio.wait_for(ask(), PATIENCE))
        assert scheduler.n_running == 0
    finally:
        scheduler.close()
