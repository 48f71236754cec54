"""Fine-tuning, killed and resumed: the bits of one that was never stopped; all weights, adapters, and mixed."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_chats import whatsapp

from pellucid.training.run_folder import RunFolder

STEPS = 24
Launch = Callable[..., Any]
BitsOf = Callable[[Path], Any]
WAYS: dict[str, tuple[object, ...]] = {
    "full": ("--mix", 0),
    "lora": ("--mix", 0, "--lora", "--rank", 2),
    "mixed": ("--mix", 0.3, "--names"),
    "mixed lora": ("--mix", 0.3, "--lora", "--rank", 2, "--ema", 0.9),
}


@pytest.fixture(scope="module")
def base(train_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "farm-1"
    train_tiny(path, steps=8, context_length=64, dropout=0.1)
    return path


@pytest.fixture(params=WAYS)
def command(request: pytest.FixtureRequest, base: Path, tmp_path: Path) -> list[object]:
    """A fine-tuning with dropout and accumulation that saves every other step."""
    chat = whatsapp(tmp_path / "chat.txt")
    return [
        *("finetune", base, chat, "--as", "Bob", *WAYS[request.param]),
        *("--steps", STEPS, "--batch-size", 4, "--accumulate", 2, "--window", 48, "--lr", 3e-3),
        *("--dropout", 0.1, "--checkpoint-every", 2, "--eval-every", 8, "--patience", 0),
        *("--precision", "float32", "--device", "cpu", "--out"),
    ]


@pytest.fixture
def straight(launch: Launch, command: list[object], tmp_path: Path, bits_of: BitsOf) -> Any:
    process = launch(*command, tmp_path / "straight")
    assert process.wait() == 0, process.messages()
    bits = everything(tmp_path / "straight", bits_of)
    assert bits[0].last == STEPS
    return bits


def everything(run: Path, bits_of: BitsOf) -> Any:
    """The bits of a run, and of the adapters beside them."""
    adapters = run / "adapter_model.safetensors"
    return bits_of(run), adapters.read_bytes() if adapters.exists() else b""


def resumed(launch: Launch, run: Path, **how: Any) -> Any:
    return launch("finetune", "--resume", "--out", run, **how)


def test_killed_at_random_moments(
    launch: Launch, command: list[object], straight: Any, tmp_path: Path, bits_of: BitsOf
):
    draw, run = random.Random(), tmp_path / "run"
    for first in (2, 9, 16):
        step = first + draw.randrange(4)
        late = {"hold_at": step + 3}  # it is killed there
        begun = (run / "config.json").exists()
        process = resumed(launch, run, **late) if begun else launch(*command, run, **late)
        process.until_step(run, step)
        time.sleep(draw.uniform(0, 0.02))
        process.send(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.messages()
    process = resumed(launch, run)
    assert process.wait() == 0, process.messages()
    assert everything(run, bits_of) == straight


def test_killed_at_the_writes_themselves(
    launch: Launch, command: list[object], straight: Any, tmp_path: Path, bits_of: BitsOf
):
    draw, run = random.Random(5), tmp_path / "run"
    for call in (3, 6, *(draw.randrange(7, 60) for _ in range(6))):
        begun = (run / "config.json").exists()
        process = resumed(launch, run, die_at=call) if begun else launch(*command, run, die_at=call)
        assert process.wait() in (-signal.SIGKILL, 0), process.messages()
    process = resumed(launch, run)
    assert process.wait() == 0, process.messages()
    assert everything(run, bits_of) == straight


def test_ctrl_c_saves_and_says_how_to_go_on(
    launch: Launch, command: list[object], straight: Any, tmp_path: Path, bits_of: BitsOf
):
    run = tmp_path / "run"
    process = launch(*command, run, hold_at=12)
    process.until_step(run, 7)
    process.send(signal.SIGINT)
    assert process.wait() == 130, process.messages()
    last = process.messages().strip().splitlines()[-1]
    assert f"pellucid finetune --resume --out {run}" in last or f"--resume --out {run}" in last
    assert 7 <= RunFolder(run).checkpoints.steps()[-1] < STEPS
    assert resumed(launch, run).wait() == 0
    assert everything(run, bits_of) == straight


def test_other_chats_and_a_missing_base_are_refused(
    launch: Launch, command: list[object], base: Path, tmp_path: Path
):
    run = tmp_path / "run"
    process = launch(*command, run, hold_at=10)
    process.until_step(run, 5)
    process.send(signal.SIGINT)
    assert process.wait() == 130, process.messages()
    before = {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()}
    chat = (tmp_path / "chat.txt").read_text()
    (tmp_path / "chat.txt").write_text(chat.replace("barn", "yard"))
    process = resumed(launch, run)
    assert process.wait() == 2, process.messages()
    assert "the chats are not what" in process.messages()
    (tmp_path / "chat.txt").write_text(chat)
    if "--lora" in command:
        moved = Path(shutil.move(base, tmp_path / "elsewhere"))
        process = resumed(launch, run)
        code = process.wait()
        shutil.move(moved, base)
        assert code == 2, process.messages()
        assert "is not at" in process.messages()
    assert {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()} == before
    assert resumed(launch, run).wait() == 0
