"""A training as it goes on, as server-sent events: its records, its samples and its state.

Every event's id says how far the run's files were read. A client that comes back with the last id it saw gets what
came after it, once; where a resumed training has cut its records back, it gets `reset` and all of them again.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from pellucid.errors import InputError
from pellucid.server.errors import Busy
from pellucid.server.plain import plain
from pellucid.server.runs import DAMAGE, floor_of, last_record, problem_of, run_state, total_steps
from pellucid.server.tails import Lines, Place, Rewound, Samples
from pellucid.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pellucid.server.house import House

POLL_SECONDS = 0.25  # between two looks at the files of a run that is trained
IDLE_SECONDS = 1.0  # and of one that is not
STATE_SECONDS = 0.9  # between two looks at its state
REPEAT_SECONDS = 1.5  # after which a training's state is told again
ALIVE_SECONDS = 15.0  # after which a comment keeps a silent connection open
MOST_AT_ONCE = 2000  # records in one event
MOST_WATCHERS = 64
GOING_ON = ("training", "paused")

Event = tuple[str, Any]  # its name and data


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/api/runs", tags=["runs"])
    watching: set[object] = set()

    @router.get("/{run}/events", response_class=StreamingResponse)
    async def events(
        run: str,
        after: Annotated[str | None, Query(max_length=100)] = None,
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    ) -> StreamingResponse:
        """A training as it goes on, as server-sent events: its records, its samples, its state.

        Who comes back with the last id it saw (`Last-Event-ID`, or `after`) gets what came since.
        """
        folder = house.runs.run(run)
        if len(watching) >= MOST_WATCHERS:
            raise Busy(f"{MOST_WATCHERS} pages are watching already: close one")
        watch = Watch(folder, house.jobs, last_event_id or after)

        async def told() -> AsyncIterator[bytes]:
            watching.add(watch)
            try:
                async for piece in stream(watch, house.ending):
                    yield piece
            finally:
                watching.discard(watch)

        return StreamingResponse(
            told(),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


async def stream(watch: Watch, ending: threading.Event) -> AsyncIterator[bytes]:
    """The events of a run as bytes, until it is deleted, the server ends, or nobody listens."""
    spoke = time.monotonic()
    while True:
        events = await run_in_threadpool(watch.look)
        for name, data, place in events:
            body = json.dumps(plain(data), separators=(",", ":"))
            yield f"event: {name}\nid: {place}\ndata: {body}\n\n".encode()
            spoke = time.monotonic()
        if watch.gone or ending.is_set():
            return
        if time.monotonic() - spoke > ALIVE_SECONDS:
            yield b": still here\n\n"
            spoke = time.monotonic()
        if not watch.behind:
            await asyncio.sleep(POLL_SECONDS if watch.state in GOING_ON else IDLE_SECONDS)


class Watch:
    """One client's view of a run.

    Args:
        after: the id of the last event that the client has; None for a new one.
    """

    def __init__(self, folder: RunFolder, jobs: Any = None, after: str | None = None) -> None:
        self.folder, self.jobs = folder, jobs
        self.state = ""
        self.gone = False  # the run was deleted: nothing more will come
        self.behind = False  # there is more to read at once
        self._told: dict[str, Any] = {}  # of the state, last
        self._told_at = self._looked_at = -1e9
        self._last: dict[str, Any] | None = None  # the last record with a step
        self._facts_of: object = None
        self._facts: dict[str, Any] = {}
        self._problem_of: object = None
        self._problem_is: str | None = None
        self._must_reset = False
        self._begin_at(after)

    def _begin_at(self, after: str | None) -> None:
        places = [Place(), Place()]
        if after:
            try:
                places = [Place.parse(part) for part in after.split("-")]
                if len(places) != 2:
                    raise ValueError(after)
            except ValueError:  # of another version, or made up: whatever the client has is void
                places, self._must_reset = [Place(), Place()], True
        self._lines = Lines(self.folder.metrics_path, places[0])
        self._samples = Samples(self.folder.samples_path, places[1])

    @property
    def place(self) -> str:
        return f"{self._lines.place}-{self._samples.place}"

    # ------------------------------------------------------------------ what is new

    def look(self) -> list[tuple[str, Any, str]]:
        """What came since the last look: name, data and id of each event."""
        try:
            found = self._records() + self._new_samples()
        except Rewound:
            if self._is_gone():
                return [("state", self._state(), self.place)]
            self._begin_at(None)
            self._last = None
            self.behind, self._looked_at = True, -1e9
            return [("reset", {"reason": "the training goes on from an earlier step"}, self.place)]
        if self._must_reset:
            self._must_reset = False
            found.insert(0, ("reset", {"reason": "all of it from the beginning"}, "0.0-0.0"))
        return found + self._state_if_due(bool(found))

    def _records(self) -> list[tuple[str, Any, str]]:
        """Steps that come together in one event, evaluations each in its own."""
        found: list[tuple[str, Any, str]] = []
        steps: list[dict[str, Any]] = []
        samples, place = self._samples.place, self._lines.place

        def flush() -> None:
            if steps:
                name, data = ("steps", steps[:]) if len(steps) > 1 else ("step", steps[0])
                found.append((name, data, f"{place}-{samples}"))
                steps.clear()

        before = self._lines.place.position
        for after, record in self._lines.next():
            if "dev_loss" in record:
                flush()
                found.append(("evaluation", record, f"{after}-{samples}"))
            else:
                steps.append(record)
            place, self._last = after, record
            if len(steps) >= MOST_AT_ONCE:
                flush()
        flush()
        self.behind = self._lines.place.position - before > 1 << 19
        return found

    def _new_samples(self) -> list[tuple[str, Any, str]]:
        lines = self._lines.place
        return [("sample", sample, f"{lines}-{place}") for place, sample in self._samples.next()]

    # ------------------------------------------------------------------ the state

    def _state_if_due(self, news: bool) -> list[tuple[str, Any, str]]:
        now = time.monotonic()
        if now - self._looked_at < STATE_SECONDS:
            return []
        self._looked_at = now
        state = self._state()
        self.state = state["state"]
        marks = ("state", "total_steps", "problem", "floor")
        changed = any(state[name] != self._told.get(name) for name in marks)
        repeat = self.state in GOING_ON and now - self._told_at > REPEAT_SECONDS
        if not (changed or repeat or (news and state != self._told)):
            return []
        self._told, self._told_at = state, now
        return [("state", state, self.place)]

    def _state(self) -> dict[str, Any]:
        run = self.folder
        told: dict[str, Any] = {
            "state": "damaged",
            "step": 0,
            "total_steps": 0,
            "seconds_left": None,
            "problem": None,
            "floor": None,
        }
        last = self._last or last_record(run.metrics_path)
        told["step"] = last["step"] if last else 0
        if self._is_gone():
            return {**told, "state": "deleted", "problem": f"{run.name} was deleted"}
        try:
            facts = self._slow_facts()
        except DAMAGE as error:
            known = str(error) if isinstance(error, InputError) else f"{run.config_path} is damaged"
            return {**told, "problem": known}
        told["state"] = state = run_state(run)
        told["total_steps"] = facts["total_steps"]
        if state == "training":
            told["seconds_left"] = _seconds_left(last, facts["total_steps"], facts["minutes"])
        told["problem"] = self._problem(state)
        told["floor"] = facts["floor"] if state == "finished" else None
        return told

    def _problem(self, state: str) -> str | None:
        """Looked for again when something has changed: a run that has stopped may be watched for hours."""
        run = self.folder
        paths = (run.metrics_path, run.checkpoints.folder)
        of = (state, self._facts_of, *map(_version, paths), self.jobs and self.jobs.problem_of_run(run.path))
        if of != self._problem_of:
            self._problem_of, self._problem_is = of, problem_of(RunFolder(run.path), state, self.jobs)
        return self._problem_is

    def _is_gone(self) -> bool:
        """Whether the run was deleted; one that is being overwritten has no config.json for a moment."""
        self.gone = not self.folder.config_path.is_file() and not self.folder.in_use
        return self.gone

    def _slow_facts(self) -> dict[str, Any]:
        """What config, journal and floor.json say, read again when they change."""
        run = RunFolder(self.folder.path)
        version = [*map(_version, (run.config_path, run.path / "journal.jsonl", run.floor_path))]
        if version != self._facts_of:
            minutes = run.config()["training"].get("minutes") if run.config_path.is_file() else 0
            minutes = float(minutes) if isinstance(minutes, int | float) else 0.0
            self._facts = {"total_steps": total_steps(run), "minutes": minutes, "floor": floor_of(run)}
            self._facts_of = version
        return self._facts


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _seconds_left(last: dict[str, Any] | None, total: int, minutes: float) -> float | None:
    """By the clock that bounds the run, else by its speed so far."""
    if last is None or not isinstance(last.get("seconds"), int | float):
        return None
    if minutes:
        return round(max(0.0, 60 * minutes - last["seconds"]), 1)
    if not last["step"]:
        return None
    return round(max(0, total - last["step"]) * last["seconds"] / last["step"], 1)
