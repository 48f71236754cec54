"""Trainings and previews started over HTTP: real processes on tiny texts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from patience import PATIENCE
from serving import TINY, Client, Events, serving, steps_of, until

from pellucid.cli.train import parser
from pellucid.errors import InputError
from pellucid.server import jobs
from pellucid.server import settings as page_settings
from pellucid.server.runs import last_step
from pellucid.server.settings import as_flags
from pellucid.training.run_folder import RunFolder

LONG = {"steps": 9900, "eval_every": 9900}  # longer than a test lasts, and every step is still recorded
needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that stops or kills")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path / "runs") as client:
        yield client


@pytest.fixture
def farm(live: Client, text_file: Path) -> str:
    """An upload."""
    return live.upload({"farm.txt": text_file.read_bytes()})


def begun(live: Client, job: dict[str, Any]) -> str:
    """The name of the run, as soon as it trains."""

    def name() -> Any:
        found = live.job(job["id"])
        assert found["state"] == "running", found
        return found["run"]

    run = until(name)
    until(lambda: live.run(run)["step"] > 2)
    return run


def process_of(live: Client, job: dict[str, Any]) -> int:
    return live.house.jobs.get(job["id"]).process.pid


def test_a_training_from_upload_through_pause_stop_and_resume(live: Client, farm: str, tmp_path: Path):
    job = live.train(farm, **LONG)
    assert (job["kind"], job["state"], job["run"], job["problem"]) == ("train", "running", None, None)
    assert job["source"] == {"upload": farm}
    assert LONG.items() <= job["settings"].items()
    run = begun(live, job)
    assert run == "farm-1"
    record = live.run(run)
    assert (record["state"], record["total_steps"], record["job"]) == ("training", LONG["steps"], job["id"])
    assert record["training"]["steps"] == LONG["steps"]
    assert record["steps"][-1] != "live"
    assert "live" in record["steps"]
    live.refused("POST", "/api/jobs", 409, "farm-1", "already", json={
        "kind": "train", "source": {"upload": farm}, "settings": TINY,
    })  # fmt: skip
    live.refused("DELETE", f"/api/runs/{run}", 409, "stop that first")
    live.refused("POST", f"/api/runs/{run}/control", 409, "already", json={"action": "resume"})

    watched = Events(live, f"/api/runs/{run}/events")
    live.ok("POST", f"/api/runs/{run}/control", json={"action": "pause"})
    at = watched.until("state", lambda state: state["state"] == "paused")["step"]
    assert any("Paused at step" in line for line in live.job(job["id"])["log"])
    live.ok("POST", f"/api/runs/{run}/control", json={"action": "resume"})
    watched.until("state", lambda state: state["state"] == "training" and state["step"] > at)
    stopped = live.ok("POST", f"/api/runs/{run}/control", json={"action": "stop"})
    assert stopped["state"] in ("training", "stopped")
    ended = live.ended(job["id"])
    assert ended["state"] == "cancelled"
    assert ended["problem"] is None
    state = watched.until("state", lambda state: state["state"] == "stopped")
    assert state["problem"] is None, "it was asked to stop, and saved"
    seen, steps = watched.leave(), live.run(run)["step"] + 100

    less = {"action": "resume", "settings": {"steps": steps}}
    again = live.ok("POST", f"/api/runs/{run}/control", json=less)
    resumed = Events(live, f"/api/runs/{run}/events", seen[-1][1])
    resumed.until("state", lambda state: state["state"] == "finished")
    ended = live.ended(again["job"])
    assert (ended["state"], ended["result"]["steps"]) == ("done", steps)
    assert steps_of([*seen, *resumed.leave()]) == list(range(1, steps + 1)), "lost or doubled"
    assert live.run(run)["validation_loss"] == ended["result"]["validation"]["loss"]
    live.refused("POST", f"/api/runs/{run}/control", 409, "not being trained", json={"action": "stop"})
    live.refused("POST", f"/api/runs/{run}/control", 409, "is finished", json={"action": "resume"})

    # the text went into the run, and goes with it
    live.ok("DELETE", f"/api/uploads/{farm}")
    assert (tmp_path / "runs" / run / "uploaded" / "farm.txt").is_file()
    live.ok("DELETE", f"/api/runs/{run}")
    assert live.ok("GET", "/api/runs") == {"runs": []}
    assert not list((tmp_path / "runs").rglob("farm.txt"))


def killed_between_checkpoints(process: int, run: RunFolder) -> int:
    """The last step of a training killed with steps after its checkpoint; 0 where it has none, and goes on."""
    os.kill(process, signal.SIGSTOP)
    saved, step = run.checkpoints.steps(), last_step(run)
    if saved and saved[-1] < step:
        os.kill(process, signal.SIGKILL)
        return step
    os.kill(process, signal.SIGCONT)
    return 0


@needs_signals
def test_a_killed_training_says_so_and_goes_on_where_it_was_saved(live: Client, farm: str, tmp_path: Path):
    job = live.train(farm, **LONG, checkpoint_every=100)
    run = begun(live, job)
    watched = Events(live, f"/api/runs/{run}/events")
    last = until(
        lambda: killed_between_checkpoints(process_of(live, job), RunFolder(tmp_path / "runs" / run))
    )
    until(lambda: watched.steps()[-1:] == [last])
    state = watched.until("state", lambda state: state["state"] == "stopped")
    assert state["problem"].startswith("the training was killed (SIGKILL)")
    assert "resuming goes on from step" in state["problem"]
    assert live.ended(job["id"])["problem"] == live.run(run)["problem"].split("; ")[0]
    assert live.ended(job["id"])["state"] == "failed"

    steps = live.run(run)["step"] + 100
    live.ok("POST", f"/api/runs/{run}/control", json={"action": "resume", "settings": {"steps": steps}})
    watched.until("state", lambda state: state["state"] == "finished")
    assert "reset" in {name for name, *_ in watched.got}, "the steps after the checkpoint were made again"
    assert watched.steps() == list(range(1, steps + 1))


def test_a_preview_gives_what_the_command_prints(live: Client, farm: str):
    body = {"kind": "preview", "source": {"upload": farm}, "settings": {"steps": 20, **TINY}}
    job = live.ok("POST", "/api/jobs", json=body)
    ended = live.ended(job["id"])
    assert ended["state"] == "done", ended
    assert (ended["result"]["name"], ended["result"]["tokenizer"]["kind"]) == ("farm", "char")
    assert ended["result"]["forecast"]["steps"] == 20
    assert ended["run"] is None
    assert (ended["source"], ended["settings"]) == (body["source"], body["settings"])
    assert live.ok("GET", "/api/jobs")["jobs"][0]["id"] == job["id"]


def test_a_text_that_cannot_be_read_is_told_plainly(live: Client, tmp_path: Path):
    upload = live.upload({"picture.txt": bytes(range(256)) * 40})
    ended = live.ended(live.train(upload, steps=20)["id"])
    assert (ended["state"], ended["run"], ended["result"]) == ("failed", None, None)
    assert "picture.txt" in ended["problem"]
    assert "Traceback" not in "\n".join(ended["log"])
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".server"], "nothing is left behind"
    live.ok("DELETE", f"/api/uploads/{upload}")


def test_a_cancelled_training_that_has_begun_is_saved(live: Client, farm: str):
    job = live.train(farm, **LONG)
    run = begun(live, job)
    live.ok("DELETE", f"/api/jobs/{job['id']}")
    assert live.ended(job["id"])["state"] == "cancelled"
    record = live.run(run)
    assert (record["state"], record["problem"]) == ("stopped", None)
    assert record["steps"][-1] == record["step"] > 2


class Frozen(subprocess.Popen[bytes]):
    """A process that does nothing until it is told to go on."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.send_signal(signal.SIGSTOP)
        # a signal that comes before the process has really stopped would end it
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


@needs_signals
def test_one_that_has_not_begun_leaves_nothing(
    live: Client, farm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    how = SimpleNamespace(Popen=Frozen, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(jobs, "subprocess", how)  # however late the wish to end comes, it has not begun
    job = live.train(farm, **LONG)
    try:
        live.ok("DELETE", f"/api/jobs/{job['id']}")
    finally:
        os.kill(process_of(live, job), signal.SIGCONT)
    assert live.ended(job["id"])["state"] == "cancelled"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".server"]


def test_a_server_that_ends_saves_its_trainings(text_file: Path, tmp_path: Path):
    with serving(tmp_path / "runs") as live:
        job = live.train(live.upload({"farm.txt": text_file.read_bytes()}), **LONG)
        run, process = begun(live, job), live.house.jobs.get(job["id"]).process
        said = live.said
    assert process.returncode == 130
    assert len(said) == 2
    assert said[1].startswith(f"{run}: stopped at step")
    assert f"--resume --out {tmp_path / 'runs' / run}" in said[1]
    folder = RunFolder(tmp_path / "runs" / run)
    assert folder.checkpoints.steps()[-1] == folder.metrics()[-1]["step"]
    assert not (tmp_path / "runs" / ".server").exists()


def test_what_a_job_says_does_not_hang_on_its_server(live: Client, farm: str):
    """No pipe that breaks when the server is killed."""
    job = live.train(farm, **LONG)
    begun(live, job)
    held = live.house.jobs.get(job["id"]).process
    assert held.stdout is None
    assert held.stderr is None
    if os.name == "posix":
        assert os.getpgid(held.pid) == held.pid, "Ctrl-C in the server's terminal is not for it"


def test_what_killed_servers_left_is_removed(tmp_path: Path):
    old, young = tmp_path / ".server" / "1-old", tmp_path / ".server" / "2-young"
    for folder in (old, young):
        (folder / "uploads").mkdir(parents=True)
    os.utime(old, (1, 1))
    from pellucid.server.scratch import Scratch

    other = Scratch(tmp_path)
    held = other.folder("jobs").parent
    os.utime(held, (1, 1))
    Scratch(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert held.exists(), "its server lives"
    other.close()
    assert not held.exists()


# ---------------------------------------------------------------------- bad requests


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "eval"}, ["kind"]),
        ({"source": {}}, ["corpus or an upload"]),
        ({"source": {"corpus": "lesson", "upload": "x"}}, ["corpus or an upload"]),
        ({"settings": {"stepz": 3}}, ["no setting 'stepz'"]),
        ({"settings": {"out": "elsewhere"}}, ["no setting 'out'"]),
        ({"settings": {"config": "/etc/passwd"}}, ["no setting 'config'"]),
        ({"settings": {"tokenizer": "/etc/passwd"}}, ["tokenizer", "choose auto"]),
        ({"settings": {"minutes": "2"}}, ["minutes must be a number"]),
        ({"settings": {"minutes": -1}}, ["above 0"]),
        ({"settings": {"bias": "yes"}}, ["bias must be true or false"]),
        ({"settings": {"preset": "nothing"}}, ["preset 'nothing' is unknown"]),
        ({"settings": {"sample_prompt": "a\0b"}}, ["sample_prompt"]),
        ({"settings": {"minutes": [1]}}, ["settings.minutes"]),
        ({"more": 1}, ["more"]),
    ],
)
def test_a_bad_order_is_refused_before_anything_starts(
    live: Client, change: dict[str, Any], words: list[str]
):
    body = {"kind": "train", "source": {"corpus": "lesson"}, "settings": {"steps": 3}, **change}
    live.refused("POST", "/api/jobs", 400, *words, json=body)
    assert live.ok("GET", "/api/jobs") == {"jobs": []}


@pytest.mark.parametrize(
    "corpus", ["/etc/passwd", "nothing", "gutenberg:NUMBER", "https://example.com", "--out"]
)
def test_only_named_corpora_are_read(live: Client, corpus: str):
    live.refused(
        "POST", "/api/jobs", 404, "no corpus", json={"kind": "preview", "source": {"corpus": corpus}}
    )


@pytest.mark.parametrize("name", ["../x", "a/b", ".", "con", "x" * 61, "a\nb", ".hidden"])
def test_a_name_is_only_ever_a_folder_right_there(live: Client, farm: str, name: str, tmp_path: Path):
    answer = live.post(
        "/api/jobs", json={"kind": "train", "source": {"upload": farm}, "name": name, "settings": TINY}
    )
    assert answer.status_code in (400, 409), answer.text
    assert not list(tmp_path.glob("x*"))


def test_unknown_jobs_runs_and_uploads_are_not_found(live: Client):
    live.refused("GET", "/api/jobs/..%2f..", 404)
    live.refused("GET", "/api/jobs/0123", 404, "no such job")
    live.refused("DELETE", "/api/jobs/0123", 404, "no such job")
    live.refused("POST", "/api/runs/nothing/control", 404, "no run called", json={"action": "stop"})
    body = {"kind": "train", "source": {"upload": "0123"}, "settings": TINY}
    live.refused("POST", "/api/jobs", 404, "no such upload", json=body)


# ---------------------------------------------------------------------- settings as flags


def test_every_setting_of_the_page_is_a_flag_of_train():
    values = {**dict.fromkeys(page_settings.SWITCHES, False), "plain": True}
    budgets = ("minutes", "epochs", "train_tokens")
    for name in sorted(page_settings.NAMES - set(budgets)):
        value = values.get(name, "auto" if name in page_settings.TEXTS else 1)
        flags = as_flags({name: value} if name != "tokenizer" else {name: "char"})
        args = parser().parse_args(["text", *flags])
        if name not in ("tokenizer", "preset"):
            assert getattr(args, name) == value, name


def test_values_cannot_become_flags():
    assert as_flags({"sample_prompt": "--overwrite", "minutes": 1e-05, "steps": None}) == [
        "--prompt=--overwrite",
        "--minutes=1e-05",
    ]
    assert as_flags({"plain": False, "qk_norm": True, "bias": False}) == ["--qk-norm", "--no-bias"]


def test_a_run_that_goes_on_keeps_its_recipe():
    with pytest.raises(InputError, match="keeps its lr"):
        page_settings.only_budgets({"minutes": 1, "lr": 0.1})


def test_a_moved_run_takes_its_uploaded_text_along(tmp_path: Path):
    from pellucid.training.data import own_sources

    moved = tmp_path / "elsewhere" / "uploaded"
    (moved / "book").mkdir(parents=True)
    (moved / "book" / "one.txt").touch()
    stored = [
        "/gone/runs/farm-1/uploaded/book",
        "/gone/runs/farm-1/uploaded/two.txt",
        "lesson",
        str(tmp_path),
    ]
    assert own_sources(stored, moved) == [str(moved / "book"), *stored[1:]]


@pytest.mark.slow
@needs_signals
def test_a_training_outlives_a_server_that_is_killed(tmp_path: Path, text_file: Path):
    command = [sys.executable, "-m", "pellucid", "serve", "--port", "0", "--no-browser"]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    address = next(found[0] for line in server.stderr if (found := re.search(r"http://[\d.:]+", line)))
    with Client(base_url=address, timeout=PATIENCE) as client:
        client.headers["X-Pellucid-Token"] = client.ok("GET", "/api/session")["token"]
        job = client.train(client.upload({"farm.txt": text_file.read_bytes()}), **LONG)
        run = RunFolder(tmp_path / "runs" / begun(client, job))
    server.kill()
    server.communicate()
    step = run.metrics()[-1]["step"]
    until(lambda: run.metrics()[-1]["step"] > step + 20)
    with serving(tmp_path / "runs") as live:
        assert live.run(run.name)["state"] == "training"
        body = {"kind": "train", "source": {"corpus": "lesson"}}
        live.refused("POST", "/api/jobs", 409, run.name, "from elsewhere", json=body)
        live.ok("POST", f"/api/runs/{run.name}/control", json={"action": "stop"})
        until(lambda: live.run(run.name)["state"] == "stopped")
        assert live.run(run.name)["problem"] is None
    assert run.checkpoints.steps()[-1] == run.metrics()[-1]["step"]


def test_live_weights_of_a_training_that_goes_on(live: Client, farm: str):
    job = live.train(farm, **LONG)
    run = begun(live, job)
    first = live.house.models.get(run, "live")
    assert first.stamp["kind"] == "live" and first.stamp["run"] == run and first.stamp["step"] > 0

    def newer() -> Any:
        found = live.house.models.get(run, "live")
        return found.stamp["step"] > first.stamp["step"] and found

    second = until(newer)
    pairs = zip(first.loaded.model.parameters(), second.loaded.model.parameters(), strict=True)
    assert any(not one.equal(other) for one, other in pairs)
    answer = live.ok("POST", "/api/inspect/next", json={"run": run, "step": "live", "text": "The"})
    assert answer["stamp"]["kind"] == "live" and answer["stamp"]["step"] >= second.stamp["step"]
    live.ok("DELETE", f"/api/jobs/{job['id']}")
    live.ended(job["id"])
    live.refused(
        "POST", "/api/inspect/next", 400, "best weights", json={"run": run, "step": "live", "text": ""}
    )
