"""What all routers of one server share: where the runs are, the loaded models, who decodes, who trains."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.server.errors import NotFound
from pellucid.server.limits import NAME
from pellucid.server.turnstile import Turnstile
from pellucid.training.run_folder import RUNS, RunFolder, is_run

if TYPE_CHECKING:
    from pellucid.server.jobs import Jobs
    from pellucid.server.models import Models
    from pellucid.server.scheduler import Scheduler

MOST_NAMED = 10  # runs, in a message


class RunsRoot:
    """The runs that may be named: those in one folder, and those given when the server started.

    A name from a request is only ever compared with names, or looked for as one folder's: it is never a path.

    Args:
        folder: usually `runs/`; it need not be there yet.
        given: runs that lie elsewhere; the first is the default.
    """

    def __init__(self, folder: Path = RUNS, given: list[RunFolder] | None = None) -> None:
        self.folder = folder.resolve()
        self.given = {run.name: run for run in given or []}

    def run(self, name: str | None = None) -> RunFolder:
        """The run of a name; with None, the default.

        Raises:
            NotFound: there is none.
        """
        if name is None:
            return self._default()
        if name in self.given and is_run(self.given[name].path):
            return self.given[name]
        if _is_plain(name) and is_run(self.folder / name):
            return RunFolder(self.folder / name)
        known = ", ".join(itertools.islice((run.name for run in self.all()), MOST_NAMED)) or "none"
        raise NotFound(f"there is no run called {name!r} here (it may have been deleted); there are: {known}")

    def all(self) -> Iterator[RunFolder]:
        """Every run there is."""
        yield from (run for run in self.given.values() if is_run(run.path))
        if self.folder.is_dir():
            for path in sorted(self.folder.iterdir()):
                if path.name not in self.given and _is_plain(path.name) and is_run(path):
                    yield RunFolder(path)

    def _default(self) -> RunFolder:
        """The first that was given; else the latest that has weights; else the latest."""
        for run in self.given.values():
            if is_run(run.path):
                return run
        newest = max(self.all(), key=_age, default=None)
        if newest is None:
            raise NotFound("there is no run here yet: train one first")
        return newest


def _is_plain(name: str) -> bool:
    """Whether a name can only be that of a folder right here."""
    return (
        0 < len(name) <= NAME
        and not name.startswith(".")
        and name.isprintable()
        and not any(letter in name for letter in '/\\:*?"<>|')
    )


def _age(run: RunFolder) -> tuple[bool, float]:
    try:
        return run.model_path.exists(), run.config_path.stat().st_mtime
    except OSError:  # deleted just now
        return False, 0.0


@dataclasses.dataclass
class House:
    """One server's parts.

    Args:
        runs: which runs may be named.
        models: loaded runs.
        scheduler: decodes for everybody.
        jobs: trainings and previews that were started from here.
        key: what a client must know; None where the server is for this machine alone.
        turnstile: bounds how many look into models at once.
        token: what the page sends along to change something; a stranger's page cannot read it.
        ending: set when the server is about to stop; streams that never end by themselves look at it.
    """

    runs: RunsRoot
    models: Models
    scheduler: Scheduler
    jobs: Jobs
    key: str | None = None
    turnstile: Turnstile = dataclasses.field(default_factory=Turnstile)
    token: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(24))
    ending: threading.Event = dataclasses.field(default_factory=threading.Event)

    def end(self) -> None:
        """The server is about to stop: streams shall end by themselves."""
        self.ending.set()
        self.scheduler.close()

    def close(self) -> None:
        """Stop what runs, and remove what only this server needed. May be called again."""
        self.end()
        self.jobs.close()
