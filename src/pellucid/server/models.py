"""Loaded runs: read once, kept while there is room, and read again when their files change."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pellucid.api import LoadedRun, load
from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.inspection.subject import Subject
from pellucid.server.errors import Conflict, NotFound
from pellucid.server.house import RunsRoot
from pellucid.server.limits import LOADED_BYTES, LOADED_MODELS
from pellucid.training.checkpoints import MODEL
from pellucid.training.control import Control
from pellucid.training.run_folder import RunFolder, is_run

FRESH_SECONDS = 2.0  # a copy of a training's weights is not asked for more often
Step = int | str  # "best", "live", or the step of a checkpoint
Mark = tuple[tuple[int, int, int], ...]  # (inode, time of change in ns, bytes) of each file that was read


@dataclasses.dataclass(frozen=True)
class Served:
    """A loaded run as requests use it.

    Args:
        loaded: model and tokenizer.
        subject: looks into them.
        mark: which files these are.
        n_bytes: of the weights.
    """

    loaded: LoadedRun
    subject: Subject
    mark: Mark
    n_bytes: int

    @property
    def engine(self) -> Engine:
        """What writes with them."""
        return self.subject.engine

    @property
    def stamp(self) -> dict[str, Any]:
        """What says, in every answer, which weights it was computed from."""
        return self.subject.stamp


class Models:
    """The loaded runs of a server, by run and step; the least recently used go first.

    Args:
        runs: which there are.
        device: where to compute.
        most: models kept at once.
        most_bytes: of their weights together.
    """

    def __init__(
        self, runs: RunsRoot, device: str = "auto", most: int = LOADED_MODELS, most_bytes: int = LOADED_BYTES
    ) -> None:
        self.runs, self.device = runs, device
        self.most, self.most_bytes = most, most_bytes
        self._kept: OrderedDict[tuple[Path, Step], Served] = OrderedDict()
        self._table = threading.Lock()
        self._loading = threading.Lock()  # one at a time: two would take twice the memory for no gain

    def get(self, name: str | None = None, step: Step = "best") -> Served:
        """The run of that name at a step; with None, the default run. Takes a while when it is not loaded.

        Raises:
            NotFound: there is no such run.
            InputError: it has no such step, or is damaged.
        """
        folder = self.runs.run(name)
        if step == "live":
            fresh_copy(folder)
        key = (folder.path.resolve(), step)
        served = self._look_up(key, folder)
        if served is None:
            with self._loading:
                served = self._look_up(key, folder) or self._load(key, folder)
        return served

    def forget(self, folder: RunFolder) -> None:
        """Let go of a run that is about to be deleted."""
        path = folder.path.resolve()
        with self._table:
            for key in [key for key in self._kept if key[0] == path]:
                del self._kept[key]

    @property
    def n_loaded(self) -> int:
        return len(self._kept)

    def _look_up(self, key: tuple[Path, Step], folder: RunFolder) -> Served | None:
        """What is kept under `key`, unless its files have changed."""
        mark = _mark(folder, key[1])
        with self._table:
            served = self._kept.get(key)
            if served is None:
                return None
            if served.mark != mark:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return served

    def _load(self, key: tuple[Path, Step], folder: RunFolder) -> Served:
        step = key[1]
        mark = _mark(folder, step)
        try:
            loaded = load(folder.path, self.device, step)
            subject = Subject(loaded)
        except (
            InputError,
            OSError,
            SafetensorError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            if not is_run(folder.path):
                raise NotFound(f"the run {folder.name} is not there any more: it was deleted") from None
            if isinstance(error, InputError):
                raise
            raise Conflict(
                f"{folder.name} cannot be read ({error}): it is changing or damaged; try again, or another step"
            ) from None
        n_bytes = sum(weight.nbytes for weight in loaded.model.state_dict().values())
        served = Served(loaded, subject, mark, n_bytes)
        with self._table:
            self._kept[key] = served
            while len(self._kept) > 1 and self._too_many():
                self._kept.popitem(last=False)
        return served

    def _too_many(self) -> bool:
        n_bytes = sum(served.n_bytes for served in self._kept.values())
        return len(self._kept) > self.most or n_bytes > self.most_bytes


def fresh_copy(folder: RunFolder) -> None:
    """Ask the training that goes on in a run for a copy of its weights; wait only if there is none yet.

    Raises:
        InputError: no training goes on there, or a step takes very long.
    """
    control = Control(folder)
    try:
        age = time.time() - folder.live_path.stat().st_mtime
    except OSError:
        control.fetch_weights()
        return
    if age > FRESH_SECONDS and folder.in_use:
        control.want_weights()  # for the next request: this one gets what there is


def _mark(folder: RunFolder, step: Step) -> Mark:
    """What tells these files from others; raises NotFound when the run is gone."""
    files = {"best": folder.model_path, "live": folder.live_path}
    weights = folder.checkpoints.path(step) / MODEL if isinstance(step, int) else files.get(step)
    marks = []
    for path in (folder.config_path, folder.tokenizer_path, weights):
        try:
            status = path.stat() if path else None
        except OSError:
            status = None  # loading says what is missing
        marks.append((status.st_ino, status.st_mtime_ns, status.st_size) if status else (0, 0, 0))
    if not is_run(folder.path):
        raise NotFound(f"the run {folder.name} is not there any more: it was deleted")
    return tuple(marks)
