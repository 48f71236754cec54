"""Several processes learn what one learns: gradients, weights, scores, and each window once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forking import all_done
from safetensors.torch import load_file

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.training.config import TrainConfig
from pellucid.training.forecast import check_memory, must_shard, training_memory
from pellucid.training.run_folder import RunFolder

LaunchAll = Callable[..., list[Any]]
STEPS = 6
MODEL = ["--n-layers", 2, "--n-heads", 2, "--d-model", 16, "--context-length", 16, "--dropout", 0]
RECIPE = ["--batch-size", 8, "--steps", STEPS, "--eval-every", 3, "--device", "cpu", "--precision", "float32"]
EXPERTS = ["--feedforward", "experts", "--n-experts", 4, "--experts-per-token", 2]
KINDS: dict[str, list[object]] = {
    "adamw": ["--optimizer", "adamw", "--ema", 0.9],
    "muon in parts": ["--accumulate", 2, "--tie-embeddings", "--x0-residual", "--value-residual"],
    "experts": [*EXPERTS, "--balance", "bias"],
}


def train(launch_all: LaunchAll, count: int, text: Path, out: Path, *more: object) -> RunFolder:
    command = ["train", text, *MODEL, *RECIPE, *more, "--out", out]
    all_done(launch_all(count, *command))
    return RunFolder(out)


def steps_of(run: RunFolder) -> list[dict[str, Any]]:
    return [record for record in run.metrics() if "loss" in record]


def assert_same_training(run: RunFolder, other: RunFolder) -> None:
    """Within 1e-5 a step."""
    assert len(steps_of(run)) == len(steps_of(other)) == STEPS
    for mine, theirs in zip(steps_of(run), steps_of(other), strict=True):
        close = 1e-5 * mine["step"]
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=close)
        assert mine["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=close)
        assert (mine["tokens"], mine["rate"]) == (theirs["tokens"], theirs["rate"])
        assert mine.get("expert_loads") == theirs.get("expert_loads")
    weights, others = (load_file(r.checkpoints.path(STEPS) / "model.safetensors") for r in (run, other))
    assert weights.keys() == others.keys()
    for name, weight in weights.items():
        assert torch.allclose(weight, others[name], rtol=0, atol=1e-5 * STEPS), name
    state, theirs = (load_file(r.checkpoints.path(STEPS) / "optimizer.safetensors") for r in (run, other))
    own = {name for name in theirs if not name.startswith("random/1/")}
    assert state.keys() == own
    assert {name: state[name].shape for name in own} == {name: theirs[name].shape for name in own}


@pytest.mark.parametrize("shard", ["no", "yes"])
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_one(
    kind: str,
    shard: str,
    alone: Callable[..., RunFolder],
    launch_all: LaunchAll,
    text_file: Path,
    tmp_path: Path,
):
    one = alone(*KINDS[kind])
    two = train(launch_all, 2, text_file, tmp_path / "two", *KINDS[kind], "--shard", shard)
    assert_same_training(one, two)
    scores = [[r for r in run.metrics() if "dev_loss" in r] for run in (one, two)]
    first, second = (each[0] for each in scores)  # of the same weights, so the same to the last bit
    assert first["dev_loss"] == second["dev_loss"]
    assert first["train_sample_loss"] == second["train_sample_loss"]
    ends = [run.journal.of("finished")[-1] for run in (one, two)]
    assert ends[0]["validation_loss"] == pytest.approx(ends[1]["validation_loss"], abs=1e-5 * STEPS)
    assert ends[0]["bigram_loss"] == ends[1]["bigram_loss"]
    assert two.samples_path.read_text().count("--- step") == len(scores[1]) == 3


@pytest.fixture(scope="module")
def _alone() -> dict[str, RunFolder]:
    return {}


@pytest.fixture
def alone(
    _alone: dict[str, RunFolder],
    launch_all: LaunchAll,
    text_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., RunFolder]:
    """The run of one process with some settings, trained once."""

    def get(*settings: object) -> RunFolder:
        key = repr(settings)
        if key not in _alone:
            _alone[key] = train(launch_all, 1, text_file, tmp_path_factory.mktemp("one") / "run", *settings)
        return _alone[key]

    return get


def test_a_loss_that_balances_experts_is_that_of_as_many_parts(
    alone: Callable[..., RunFolder], launch_all: LaunchAll, text_file: Path, tmp_path: Path
):
    """Each part of a batch has its own balance: two processes in two parts are one in four."""
    kind = [*EXPERTS, "--balance", "loss", "--balance-rate", 0.1]
    one = alone(*kind, "--accumulate", 4)
    two = train(launch_all, 2, text_file, tmp_path / "two", *kind, "--accumulate", 2)
    assert_same_training(one, two)
    balances = [[step["balance_loss"] for step in steps_of(run)] for run in (one, two)]
    assert balances[0] == pytest.approx(balances[1], rel=1e-4)


def test_processes_drop_different_activations(launch_all: LaunchAll, text_file: Path, tmp_path: Path):
    """As one process does within a batch."""
    run = train(launch_all, 2, text_file, tmp_path / "two", "--dropout", 0.5)
    state = load_file(run.checkpoints.path(STEPS) / "optimizer.safetensors")
    assert not torch.equal(state["random/cpu"], state["random/1/cpu"])


@pytest.mark.parametrize(("count", "accumulate"), [(2, 1), (2, 2), (4, 1)])
def test_every_token_is_learned_once_an_epoch(launch_all: LaunchAll, count: int, accumulate: int):
    processes = launch_all(count, 2, accumulate, call="together:ids")
    all_done(processes)
    from together import WINDOW, WINDOWS

    for epoch in json.loads(processes[0].out.read_text()):
        assert len(epoch) == count
        assert len({len(part) // WINDOW for part in epoch}) <= 2  # the last window of an epoch is shorter
        assert sorted(token for part in epoch for token in part) == list(range(WINDOW * WINDOWS - 1))


def test_what_processes_say_to_one_another(launch_all: LaunchAll):
    all_done(launch_all(3, call="together:talk"))


# ---------------------------------------------------------------------- one process


def test_one_process_needs_nothing_of_it(train_tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No module of torch.distributed is asked for anything."""
    import torch._dynamo  # torch's optimizers load it, and it asks for some
    import torch.distributed as dist

    class Untouched:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"torch.distributed.{name} was asked for")

    monkeypatch.setitem(sys.modules, "torch.distributed", Untouched())
    monkeypatch.setattr(torch, "distributed", Untouched())
    monkeypatch.setenv("WORLD_SIZE", "1")
    try:
        train_tiny(tmp_path / "run", steps=2)
    finally:
        monkeypatch.undo()
    assert not dist.is_initialized()


def test_the_model_room_never_speaks_of_it():
    model = Path(__file__).parents[2] / "src/pellucid/model"
    assert not [path.name for path in model.glob("*.py") if "distributed" in path.read_text(encoding="utf-8")]


# ---------------------------------------------------------------------- what is refused


def test_a_batch_that_cannot_be_shared_out_is_refused(launch_all: LaunchAll, text_file: Path, tmp_path: Path):
    command = ["train", text_file, *MODEL, *RECIPE, "--batch-size", 9, "--out", tmp_path / "run"]
    processes = launch_all(2, *command)
    assert [process.wait() for process in processes] == [2, 2]
    assert (
        "a batch of 9 cannot be shared out evenly among 2 processes: give --batch-size 10"
        in processes[0].messages()
    )
    assert processes[1].messages() == ""
    assert not (tmp_path / "run").exists()


def test_shares_of_a_batch():
    config = TrainConfig(steps=1, batch_size=24, accumulate=2)
    assert [config.share_of(processes) for processes in (1, 2, 3, 4, 6, 12)] == [24, 12, 8, 6, 4, 2]
    with pytest.raises(InputError, match="among 5 processes, each in 2 parts: give --batch-size 30"):
        config.share_of(5)


def test_weights_are_shared_out_where_one_memory_is_too_small():
    model = ModelConfig(vocab_size=1000, n_layers=12, n_heads=8, d_model=512, context_length=128)
    config = TrainConfig(steps=1, batch_size=8)
    room = training_memory(model, config, processes=4)
    assert not must_shard(model, config, room, processes=4)
    assert must_shard(model, config, room - 1, processes=4)
    assert not must_shard(model, config, room - 1, processes=1)
    assert check_memory(model, config, room - 1, processes=4) < 0.6 * room
    with pytest.raises(InputError, match="GiB are free"):
        check_memory(model, TrainConfig(steps=1, batch_size=8, shard="no"), room - 1, processes=4)
    with pytest.raises(InputError, match="beside adapters cannot be shared out"):
        must_shard(model, TrainConfig(steps=1, shard="yes"), room, frozen=True, processes=4)
    with pytest.raises(InputError, match="--shard takes auto, yes, no, not 'maybe'"):
        TrainConfig(steps=1, shard="maybe")


def test_several_processes_without_torchrun_are_explained(text_file: Path, tmp_path: Path):
    from pellucid.training.distributed import processes

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", "4")
        patch.delenv("MASTER_ADDR", raising=False)
        with pytest.raises(InputError, match="start several processes with torchrun"), processes():
            pass


@pytest.mark.slow
def test_torchrun_starts_them(text_file: Path, tmp_path: Path):
    run = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "pellucid",
    ]
    command = ["train", text_file, *MODEL, *RECIPE, "--json", "--out", tmp_path / "run"]
    done = subprocess.run([*run, *map(str, command)], capture_output=True, text=True, timeout=590)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == STEPS
    assert done.stderr.count("Machine: 2 processes of 1 thread") == 1
