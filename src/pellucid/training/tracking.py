"""A training's numbers for other programs that draw them: TensorBoard, wandb, trackio, or anything with two methods.

Only numbers are passed on: losses, speed, and the settings of model and recipe. No text is: no samples, no prompt, no
paths. Nothing leaves the machine by itself: TensorBoard and trackio keep what they hear here, and so does wandb unless
its own WANDB_MODE says "online".
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pellucid.errors import InputError
from pellucid.shell import install_extra
from pellucid.text.files import expand_home
from pellucid.training.files import read_json, write_json
from pellucid.training.observer import EvalReport, Observer, StepReport
from pellucid.training.ranks import Ranks
from pellucid.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pellucid.training.report import Outcome

TRACKERS = ("tensorboard", "wandb", "trackio")
PROJECT = "pellucid"
TEXTS = ("sample_prompt",)  # of a recipe


@runtime_checkable
class Sink(Protocol):
    """What numbers are passed on to."""

    def log(self, values: dict[str, float], step: int) -> None:
        """Keep numbers by name, such as "train/loss", as those of a step."""
        ...

    def close(self) -> None:
        """The training is over, or is stopped."""
        ...


Sinks = Sequence[str | Sink]


class TensorBoard:
    """Event files that `tensorboard --logdir` reads; from `step` on, what another try wrote is taken back."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step)

    def log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """What was logged is in the file: it outlives a kill, as the checkpoint does that is being written."""
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Logged:
    """wandb, trackio, or any module whose `init`, `log` and `finish` are theirs.

    A training that begins has a series of its own, whatever its name; one that is resumed goes on with its own. What
    it does again after a kill, from its last checkpoint on, trackio then has twice, with the same losses.

    Args:
        step: where the training begins.
        more: further arguments of `init`.
    """

    def __init__(self, module: Any, name: str, config: dict[str, Any], step: int, **more: Any) -> None:
        self._module = module
        with contextlib.redirect_stdout(sys.stderr):  # what they say is no result
            resume = "allow" if step else "never"
            module.init(project=PROJECT, name=name, config=config, resume=resume, **more)

    def log(self, values: dict[str, float], step: int) -> None:
        self._module.log(values, step=step)

    def close(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self._module.finish()


class Tracking(Observer):
    """Tells another observer everything, and sinks the numbers; a sink that fails is given up, not the training.

    Args:
        sinks: names of TRACKERS, opened when there is a run, or sinks.
        folder: where a tracker writes; default a folder in the run, and trackio's own place.
    """

    def __init__(self, observer: Observer, sinks: Sinks, folder: str | Path | None = None) -> None:
        self.observer = observer
        self._asked, self._folder = list(sinks), folder
        self._sinks: list[tuple[str, Sink]] = []

    def began(self, run: Path, step: int) -> None:
        self.observer.began(run, step)
        run_folder = RunFolder(run)
        for asked in self._asked:
            with self._giving_up(str(asked)):
                opened = (
                    open_tracker(asked, run_folder, step, self._folder) if isinstance(asked, str) else asked
                )
                self._sinks.append((asked if isinstance(asked, str) else type(asked).__name__, opened))
        # resuming takes back the evaluation of this step alone
        for record in run_folder.metrics() if step else ():
            if record["step"] == step and "loss" in record:
                values = {"train/loss": record["loss"], "perf/tokens_per_s": record["tokens_per_second"]}
                self._log(values, step, only="tensorboard")

    def planned(self, step: int, total_steps: int) -> None:
        self.observer.planned(step, total_steps)

    def stepped(self, report: StepReport) -> None:
        self.observer.stepped(report)
        self._log({"train/loss": report.loss, "perf/tokens_per_s": report.tokens_per_second}, report.step)

    def evaluated(self, report: EvalReport) -> None:
        self.observer.evaluated(report)
        if report.dev:
            self._log({"val/loss": report.dev.loss, "val/bpb": report.dev.bits_per_byte}, report.step)

    def sampled(self, step: int, text: str) -> None:
        self.observer.sampled(step, text)

    def saved(self, path: Path) -> None:
        self.observer.saved(path)
        for name, sink in list(self._sinks):
            if flush := getattr(sink, "flush", None):
                with self._giving_up(name, sink):
                    flush()

    def note(self, message: str) -> None:
        self.observer.note(message)

    def finished(self, outcome: Outcome) -> None:
        self.observer.finished(outcome)
        if scored := outcome.validation:
            self._log({"final/loss": scored.loss, "final/bpb": scored.bits_per_byte}, outcome.steps)

    def close(self) -> None:
        """Close every sink."""
        while self._sinks:
            name, sink = self._sinks.pop()
            with self._giving_up(name):
                sink.close()

    def _log(self, values: dict[str, float], step: int, only: str = "") -> None:
        for name, sink in list(self._sinks):
            if not only or name == only:
                with self._giving_up(name, sink):
                    sink.log(values, step)

    @contextlib.contextmanager
    def _giving_up(self, name: str, sink: Sink | None = None) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # another program's troubles are not the training's
            self._sinks = [pair for pair in self._sinks if pair[1] is not sink]
            self.note(f"{name} failed ({type(error).__name__}: {error}): no more is passed on to it.")


@contextlib.contextmanager
def tracked(
    observer: Observer, sinks: Sinks, ranks: Ranks, folder: str | Path | None = None
) -> Iterator[Observer]:
    """The observer with sinks beside it, which are closed in the end; of several processes the first one has them.

    Raises:
        InputError: there is no such tracker, or its package is missing.
    """
    refuse_trackers(sinks)
    if not sinks or not ranks.is_first:
        yield observer
        return
    tracking = Tracking(observer, sinks, folder)
    try:
        yield tracking
    finally:
        tracking.close()


def refuse_trackers(sinks: Sinks) -> None:
    """Raises: InputError for a tracker that is not known or not installed, or something that is no sink."""
    for sink in sinks:
        if not isinstance(sink, str):
            if not isinstance(sink, Sink):
                raise InputError(f"{type(sink).__name__} is no sink: it needs log(values, step) and close()")
        elif sink not in TRACKERS:
            raise InputError(f"there is no tracker {sink!r}: choose {', '.join(TRACKERS)}")
        elif importlib.util.find_spec(sink) is None:
            how = install_extra("tracking") if sink == "tensorboard" else f"pip install {sink}"
            raise InputError(f"--track {sink} needs the package {sink}: {how}")


def open_tracker(name: str, run: RunFolder, step: int, folder: str | Path | None = None) -> Sink:
    """The sink of a tracker, for a run that begins at `step`, 0 or where it is resumed."""
    place = expand_home(Path(folder)) if folder is not None else run.path / name
    if name == "tensorboard":
        return TensorBoard(place if folder is None else place / run.name, step)
    stored = run.config()
    recipe = {key: value for key, value in stored["training"].items() if key not in TEXTS}
    settings = {"model": stored["model"], "training": recipe, "pellucid": stored["pellucid"]}
    if name == "wandb":
        place.mkdir(parents=True, exist_ok=True)
        mode = os.environ.get("WANDB_MODE", "offline")
        module = importlib.import_module(name)
        # by itself it would take along what the terminal shows, samples among it, the command, who typed it, and what
        # is installed
        unasked = {"x_disable_stats": True, "x_disable_meta": True, "disable_git": True, "disable_code": True}
        unasked["x_save_requirements"] = False
        quiet = module.Settings(console="off", silent=True, **unasked)
        given = {"id": _identity(run.path / name, step), "dir": str(place), "mode": mode, "settings": quiet}
        return Logged(module, run.name, settings, step, **given)
    if folder is not None:  # else where `trackio show` looks
        os.environ["TRACKIO_DIR"] = str(place)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    unasked = {"auto_log_cpu": False, "auto_log_gpu": False}  # it would watch the machine, too
    return Logged(importlib.import_module(name), run.name, settings, step, **unasked)


def _identity(place: Path, step: int) -> str:
    """What a run is called wherever its parts come together: the same after each resume, and no other run's."""
    path = place / "pellucid.json"
    if not step or not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        write_json(path, {"id": uuid.uuid4().hex[:12]})
    return read_json(path)["id"]
