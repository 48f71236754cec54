"""The runs, as the page lists them: what each is, how far it has come, and what can be asked of its training."""

from __future__ import annotations

import datetime
import json
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from pellucid.errors import InputError
from pellucid.model.accounting import n_active_params, n_params
from pellucid.model.config import ModelConfig
from pellucid.server.errors import Conflict
from pellucid.server.plain import plain
from pellucid.server.settings import only_budgets
from pellucid.server.tails import HEADING
from pellucid.text.wording import plural
from pellucid.training.control import Control
from pellucid.training.conversations import learned_as
from pellucid.training.files import bytes_below, read_json
from pellucid.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pellucid.server.house import House

LAST_BYTES = 1 << 16  # of metrics.jsonl, in which its last whole line is looked for
# what reading damaged files raises
DAMAGE = (InputError, OSError, KeyError, TypeError, ValueError, AttributeError)


class Action(BaseModel):
    """What is asked of a training; `settings` may give a run that goes on another budget."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["pause", "resume", "stop"]
    settings: dict[str, int | float | None] = Field(default_factory=dict, max_length=5)


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/api/runs", tags=["runs"])

    @router.get("")
    def list_runs() -> dict[str, Any]:
        """All runs, the newest first."""
        records = [run_record(run, house.jobs) for run in house.runs.all()]
        return {"runs": sorted(records, key=lambda record: record["started"], reverse=True)}

    @router.get("/{run}")
    def one_run(run: str) -> dict[str, Any]:
        """One run, with its recipe and its last sample."""
        return run_record(house.runs.run(run), house.jobs, whole=True)

    @router.delete("/{run}")
    def delete(run: str) -> dict[str, Any]:
        """Delete the whole folder of a run."""
        folder = house.runs.run(run)
        delete_run(folder)
        house.models.forget(folder)
        return {"deleted": run}

    @router.post("/{run}/control")
    def control(run: str, asked: Action) -> dict[str, Any]:
        """Pause, resume or stop a training; gives the run as it is then."""
        folder = house.runs.run(run)
        act(folder, asked, house.jobs)
        return run_record(folder, house.jobs)

    return router


def act(folder: RunFolder, asked: Action, jobs: Any) -> None:
    """Do what was asked of a run.

    Raises:
        Conflict: its state does not allow it.
    """
    control, state = Control(folder), run_state(folder)
    if asked.action == "resume" and state == "paused":
        control.resume()
    elif asked.action == "resume" and state == "training" and control.pausing:
        control.resume()  # before the pause was reached
    elif asked.action == "resume" and state == "training":
        raise Conflict(f"{folder.name} is being trained already")
    elif asked.action == "resume" and state == "finished" and folder.imported:
        raise Conflict(f"{folder.name} was imported: there is no training to go on with")
    elif asked.action == "resume" and state == "finished" and not asked.settings:
        raise Conflict(f"{folder.name} is finished: say how many minutes or steps it is to have in all")
    elif asked.action == "resume":
        jobs.resume(folder, only_budgets(asked.settings))
    elif state not in ("training", "paused"):
        raise Conflict(f"{folder.name} is not being trained: it is {state}")
    elif asked.action == "pause":
        control.pause()
    else:
        control.stop()


def delete_run(run: RunFolder) -> None:
    """Remove a run and all that is in it, the text it was given through the page too.

    Raises:
        Conflict: it is being trained, or the system does not let it go.
    """
    if run.in_use:
        raise Conflict(f"{run.name} is being trained: stop that first")
    path = run.path.resolve()  # where a link lies in runs/, what it names goes too: that is the private text
    gone = path.with_name(f".deleted-{path.name}")
    try:
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)  # it is gone at once, for whoever looks
        if run.path.is_symlink():
            run.path.unlink()
        shutil.rmtree(gone)
    except OSError as error:
        raise Conflict(
            f"{run.name} cannot be deleted ({error.strerror}): is one of its files open?"
        ) from error


# ---------------------------------------------------------------------- what a run is


def run_record(folder: RunFolder, jobs: Any = None, whole: bool = False) -> dict[str, Any]:
    """RUN of the contract between server and page; `whole` adds the recipe and a sample. Never raises for damage."""
    run = RunFolder(folder.path)  # one that has nothing in memory yet
    record: dict[str, Any] = {
        "name": folder.name,
        "state": "damaged",
        "step": 0,
        "total_steps": 0,
        "started": _started(run),
        "bytes": bytes_below(run.path),
        "validation_loss": None,
        "bigram_loss": None,
        "floor": None,
        "steps": [],
        "model": None,
        "tokenizer": None,
        "data": None,
        "learned": None,
        "problem": None,
        "job": jobs.of_run(run.path) if jobs is not None else None,
    }
    try:
        _fill(record, run, jobs, whole)
    except DAMAGE as error:
        record["state"] = "training" if run.in_use else "damaged"
        known = str(error) if isinstance(error, InputError | OSError) else f"{run.config_path} is damaged"
        record["problem"] = known
    return plain(record)


def _fill(record: dict[str, Any], run: RunFolder, jobs: Any, whole: bool) -> None:
    config = run.config()
    model, data, training = ModelConfig.from_dict(config["model"]), config["data"], config["training"]
    record["model"] = {
        **model.to_dict(),
        "parameters": n_params(model),
        "active_parameters": n_active_params(model),
    }
    tokenizer = data["tokenizer"]
    record["tokenizer"] = {"kind": str(tokenizer["kind"]), "symbols": int(tokenizer["symbols"])}
    record["data"] = {
        "name": str(data["name"]),
        "characters": int(data["characters"]),
        "tokens": sum(map(int, data["tokens"].values())) if isinstance(data["tokens"], dict) else 0,
    }
    record["learned"] = _learned(config)
    if training.get("minutes"):
        record["minutes"] = float(training["minutes"])
    if whole:
        record["training"] = training
        record["sample"] = last_sample(run)
    finished = run.finished
    if finished:
        record["validation_loss"] = finished.get("validation_loss")
        record["bigram_loss"] = finished.get("bigram_loss")
        record["floor"] = floor_of(run)
    record["state"] = state = run_state(run)
    record["step"], record["total_steps"] = last_step(run), total_steps(run)
    checkpoints = run.checkpoints.steps()
    record["steps"] = [
        *(["best"] if run.model_path.exists() else []),
        *(["live"] if state in ("training", "paused") else []),
        *checkpoints,
    ]
    record["problem"] = problem_of(run, state, jobs)


def floor_of(run: RunFolder) -> dict[str, float] | None:
    """How far a run that learned from `tales` is above the best there can be, in bits a character; None of others.

    `level` is where that best lies among its losses, in nats a token.
    """
    try:
        found = read_json(run.floor_path, LAST_BYTES)
        bits = {name: float(found[name]) for name in ("floor", "gap", "error")}
        return {**bits, "level": float(found["floor_per_token"]) * math.log(2)}
    except DAMAGE:  # nothing else of the run hangs on it
        return None


def _learned(config: dict[str, Any]) -> dict[str, Any] | None:
    """How a run was taught to answer: its template, as whom, and what it was made from; None if it was not."""
    if not config.get("template"):
        return None
    base = config.get("base") or {}
    return {
        "template": str(config["template"]),
        "as": learned_as(config),
        "base": str(base["run"]) if base.get("run") else None,
        "private": bool(config.get("trained_on_private")),
    }


def run_state(folder: RunFolder) -> str:
    """One of training, paused, finished and stopped."""
    run = RunFolder(folder.path)
    if run.in_use:
        return "paused" if Control(run).paused else "training"
    try:
        done = run.finished or run.imported
    except InputError:  # of a damaged run, or one that is just being begun
        done = None
    return "finished" if done else "stopped"


def problem_of(run: RunFolder, state: str, jobs: Any) -> str | None:
    """Why a training that is not finished is not going on, where it did not end as it was asked to."""
    if state != "stopped":
        return None
    said = jobs.problem_of_run(run.path) if jobs is not None else None
    step, checkpoints = last_step(run), run.checkpoints.steps()
    newest = checkpoints[-1] if checkpoints else None
    if newest is None:
        lost = "nothing was saved yet, so resuming starts it from the beginning"
    elif step > newest:
        lost = f"resuming goes on from step {newest:,}, and the {plural(step - newest, 'step')} after it are made again"
    else:
        lost = f"resuming goes on from step {newest:,}: nothing is lost"
    if said:
        return f"{said}; {lost}"
    if newest is None or step > newest:
        return f"the training broke off at step {step:,} without saving (it was killed, or the machine stopped); {lost}"
    return None


def last_step(run: RunFolder) -> int:
    """The last step that metrics.jsonl tells of."""
    record = last_record(run.metrics_path)
    return int(record["step"]) if record else 0


def last_record(path: Path) -> dict[str, Any] | None:
    """The last whole line of a metrics.jsonl that has a step, without reading the file whole."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LAST_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return None
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), int):
            return record
    return None


def last_sample(run: RunFolder) -> str:
    """What the run wrote last while it learned, so that the page has a text of its kind to begin with; "" for none."""
    try:
        with run.samples_path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LAST_BYTES))
            text = file.read()
    except OSError:
        return ""
    headings = list(HEADING.finditer(text))
    last = text[headings[-1].end() :] if headings else b""
    return last.decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n\n")


def total_steps(run: RunFolder) -> int:
    """The steps of the plan that counts now; 0 where there is none yet."""
    plans = [entry for entry in run.journal.entries if entry["event"] in ("plan", "extension")]
    return int(plans[-1]["total_steps"]) if plans else 0


def _started(run: RunFolder) -> str:
    """ISO 8601, in UTC; of a run that is damaged, when its folder last changed."""
    for path in (run.config_path, run.path):
        try:
            seconds = path.stat().st_mtime
        except OSError:
            continue
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
    return ""
