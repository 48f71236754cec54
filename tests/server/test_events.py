"""A training told as events: everything once, whatever breaks off."""

from __future__ import annotations

import json
import math
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Client, Events, serving, steps_of, until

from pellucid.server import events
from pellucid.server.events import Watch
from pellucid.training.control import Control
from pellucid.training.run_folder import RunFolder


@pytest.fixture
def run(finished_run: Path) -> RunFolder:
    return RunFolder(finished_run)


@pytest.fixture
def live(finished_run: Path) -> Iterator[Client]:
    with serving(finished_run.parent) as client:
        yield client


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STATE_SECONDS", 0.0)


def all_of(watch: Watch) -> list[tuple[str, str, Any]]:
    """Everything that there is now, as (name, id, data)."""
    found: list[tuple[str, str, Any]] = []
    for _ in range(3):  # a last sample is told when nothing came after it
        found += [(name, place, data) for name, data, place in watch.look()]
    return found


def state_of(watch: Watch) -> dict[str, Any]:
    return [data for name, _, data in all_of(watch) if name == "state"][-1]


def test_a_new_watcher_is_told_all_in_order(run: RunFolder):
    got = all_of(Watch(run))
    assert steps_of(got) == list(range(1, 25))
    assert [data["step"] for name, _, data in got if name == "evaluation"] == [0, 8, 16, 24]
    samples = [data for name, _, data in got if name == "sample"]
    assert [sample["step"] for sample in samples] == [0, 8, 16, 24]
    written = run.samples_path.read_text(encoding="utf-8")
    assert "".join(f"--- step {s['step']} ---\n{s['text']}\n\n" for s in samples) == written
    states = [data for name, _, data in got if name == "state"]
    assert states[0] == {
        "state": "finished",
        "step": 24,
        "total_steps": 24,
        "seconds_left": None,
        "problem": None,
        "floor": None,
    }
    records = [
        record
        for name, _, data in got
        if name in ("step", "steps")
        for record in (data if name == "steps" else [data])
    ]
    assert records == [record for record in run.metrics() if "loss" in record]


def test_nothing_is_lost_or_doubled_at_any_break(run: RunFolder):
    """Whatever event was the last to arrive, its id gives the rest."""
    whole = [event for event in all_of(Watch(run)) if event[0] != "state"]
    for n_seen in range(1, len(whole) + 1):
        rest = all_of(Watch(run, after=whole[n_seen - 1][1]))
        assert [event for event in rest if event[0] != "state"] == whole[n_seen:], n_seen


def test_a_file_that_grows_byte_by_byte_is_told_once(run: RunFolder):
    """Torn last lines and samples are waited for, and connections break at random."""
    metrics, samples = run.metrics_path.read_bytes(), run.samples_path.read_bytes()
    expected = [event[::2] for event in all_of(Watch(run)) if event[0] in ("evaluation", "sample")]
    run.metrics_path.write_bytes(b"")
    run.samples_path.write_bytes(b"")
    draw, watch, got, last = random.Random(3), Watch(run), list[tuple[str, str, Any]](), None
    pieces = [(run.metrics_path, metrics), (run.samples_path, samples)]
    for path, content in pieces:
        start = 0
        while start < len(content):
            end = start + draw.randrange(1, 120)
            with path.open("ab") as file:
                file.write(content[start:end])
            start = end
            for name, data, place in watch.look():
                if name != "state":
                    got.append((name, place, data))
                    last = place
            if draw.random() < 0.3:
                watch = Watch(run, after=last)
    got += [event for event in all_of(watch) if event[0] != "state"]
    assert "reset" not in {name for name, *_ in got}
    assert steps_of(got) == list(range(1, 25))
    assert [event[::2] for event in got if event[0] in ("evaluation", "sample")] == expected


@pytest.mark.parametrize("connected", [True, False])
def test_a_rewound_run_is_told_anew(run: RunFolder, connected: bool):
    watch = Watch(run)
    last = all_of(watch)[-1][1]
    run.rewind_metrics(16)
    run.rewind_samples(16)
    for step in range(17, 30):  # further than before, and not the same
        run.append_metrics({"step": step, "seconds": step / 7, "loss": 1.5})
    got = all_of(watch if connected else Watch(run, after=last))
    assert got[0][0] == "reset"
    assert steps_of(got) == list(range(1, 30))


def test_a_run_resumed_where_it_was_stopped_goes_on_without_a_reset(run: RunFolder):
    run.rewind_metrics(20)
    watch = Watch(run)
    all_of(watch)
    run.rewind_metrics(20)  # writes the same bytes anew
    run.append_metrics({"step": 21, "seconds": 1.0, "loss": 1.5})
    assert next(event for event in all_of(watch) if event[0] != "state")[2]["step"] == 21


@pytest.mark.parametrize("made_up", ["x", "0.0", "ffffffffffff.0-0.0", "5.1-0.0", "0.0-0.0-0.0", "-", "é"])
def test_an_id_that_means_nothing_starts_from_the_beginning(run: RunFolder, made_up: str):
    got = all_of(Watch(run, after=made_up))
    assert got[0][0] == "reset"
    assert steps_of(got) == list(range(1, 25))


def test_numbers_that_are_not_finite_are_null(run: RunFolder):
    run.append_metrics({"step": 25, "dev_loss": None, "train_sample_loss": float("nan")})
    evaluations = [data for name, _, data in all_of(Watch(run)) if name == "evaluation"]
    assert evaluations[-1]["train_sample_loss"] is None


def test_a_long_backlog_comes_in_batches(run: RunFolder):
    with run.metrics_path.open("a") as file:
        for step in range(25, 20_000):
            file.write(json.dumps({"step": step, "seconds": 1.0, "loss": 2.0, "filling": "x" * 60}) + "\n")
    watch, got = Watch(run), list[tuple[str, str, Any]]()
    while not got or watch.behind:
        got += [(name, place, data) for name, data, place in watch.look()]
    assert steps_of(got) == list(range(1, 20_000))
    assert max(len(data) for name, _, data in got if name == "steps") <= 2000


def test_an_idle_look_reads_nothing(run: RunFolder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events, "STATE_SECONDS", 1e9)
    watch = Watch(run)
    all_of(watch)
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("it was read again"))
    laps = []
    for _ in range(100):
        began = time.perf_counter()
        assert watch.look() == []
        laps.append(time.perf_counter() - began)
    assert min(laps) < 0.005  # the best of them: others wait for a busy machine


# ---------------------------------------------------------------------- states


def test_a_training_and_its_pause_are_told(run: RunFolder):
    watch = Watch(run)
    holder = RunFolder(run.path)
    holder.lock()
    (run.path / "control").mkdir()
    assert state_of(watch)["state"] == "training"
    (run.path / "control" / "paused").touch()
    assert state_of(watch)["state"] == "paused"
    Control(run).clear()
    holder.unlock()
    assert state_of(watch)["state"] == "finished"


def test_a_run_that_broke_off_says_what_resuming_gives(run: RunFolder):
    journal = (run.path / "journal.jsonl").read_text().splitlines(keepends=True)
    (run.path / "journal.jsonl").write_text("".join(line for line in journal if '"finished"' not in line))
    shutil.rmtree(run.checkpoints.path(24))
    state = state_of(Watch(run))
    assert state["state"] == "stopped"
    assert "broke off at step 24" in state["problem"]
    assert "goes on from step 16, and the 8 steps after it" in state["problem"]


def test_how_far_it_is_above_a_known_floor_is_told_when_that_is_measured(run: RunFolder):
    watch = Watch(run)
    assert state_of(watch)["floor"] is None
    found = {"floor": 0.15, "gap": 0.03, "error": 0.001, "floor_per_token": 0.3}
    run.floor_path.write_text(json.dumps(found))
    told = state_of(watch)["floor"]
    assert told == {"floor": 0.15, "gap": 0.03, "error": 0.001, "level": pytest.approx(0.3 * math.log(2))}
    run.floor_path.write_text("[")
    assert state_of(Watch(run)) == state_of(Watch(run)) | {"state": "finished", "floor": None}


def test_a_damaged_run_says_so(run: RunFolder):
    run.config_path.write_text("{")
    state = state_of(Watch(run))
    assert state["state"] == "damaged"
    assert "config.json is damaged" in state["problem"]


def test_a_run_that_is_deleted_ends_its_stream(live: Client, run: RunFolder):
    watched = Events(live, f"/api/runs/{run.name}/events")
    watched.until("state", lambda state: state["state"] == "finished")
    assert live.ok("DELETE", f"/api/runs/{run.name}") == {"deleted": run.name}
    told = watched.until("state", lambda state: state["state"] == "deleted")
    assert told["problem"] == f"{run.name} was deleted"
    assert "reset" not in {name for name, *_ in watched.got}
    until(lambda: watched.ended)
    live.refused("GET", f"/api/runs/{run.name}/events", 404, "no run called")


def test_over_http_a_client_comes_back_by_its_last_id(live: Client, run: RunFolder):
    first = Events(live, f"/api/runs/{run.name}/events")
    first.until("sample", lambda sample: sample["step"] == 24)
    seen = first.leave()
    run.append_metrics({"step": 25, "seconds": 1.0, "loss": 2.0})
    last = next(place for name, place, _ in reversed(seen) if name == "sample")
    for again in (
        Events(live, f"/api/runs/{run.name}/events", last),
        Events(live, f"/api/runs/{run.name}/events?after={last}"),
    ):
        assert again.until("step", lambda record: record["step"] == 25)["loss"] == 2.0
        assert again.leave()[0][0] in ("step", "state")
        assert again.steps() == [25]


def test_too_many_watchers_are_sent_away(live: Client, run: RunFolder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(events, "MOST_WATCHERS", 1)
    first = Events(live, f"/api/runs/{run.name}/events")
    first.until("state", bool)
    live.refused("GET", f"/api/runs/{run.name}/events", 429, "close one")
    first.leave()
