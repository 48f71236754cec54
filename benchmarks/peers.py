"""What the benchmarks share: transformers' Llama of one of our shapes, and sides that are timed in turn."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.model.config import ModelConfig
from pellucid.training.machine import autocast, synchronize
from pellucid.training.optimizers import build_optimizers

CLIP, RATE = 1.0, 1e-4


def machine() -> str:
    """One line that says where and with what a benchmark ran."""
    return (
        f"{platform.system()} {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )


def whole_process(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> tuple[float, str]:
    """Seconds of a command from its start to its end, and what it printed.

    Raises:
        SystemExit: it failed; with what it said.
    """
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return seconds, done.stdout


def llama(config: ModelConfig) -> Any:
    """transformers' Llama of the same shape, in training mode; its weights are its own."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.d_model,
            intermediate_size=config.d_ff,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            num_key_value_heads=config.n_kv_heads,
            head_dim=config.head_dim,
            max_position_embeddings=config.context_length,
            rms_norm_eps=config.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
            tie_word_embeddings=config.tie_embeddings,
        )
    )


def training_step(
    model: nn.Module, loss: Callable[[], Tensor], ours: bool, device: str, precision: str
) -> Callable[[], None]:
    """A whole step with AdamW, gradients clipped: our optimizer, or torch's fused one, the default of their Trainer."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if ours:
        optimizer: Any = build_optimizers(model, "adamw", lr=RATE)
    else:
        optimizer = torch.optim.AdamW(trained, RATE, weight_decay=0.1, fused=True)

    def step() -> None:
        with autocast(device, precision):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(trained, CLIP)
        optimizer.step()
        for weight in trained:
            weight.grad = None
        synchronize(device)

    return step


class Elsewhere:
    """What `make(*arguments)` gives, called in a process of its own: nothing that our side sets helps or hinders it."""

    def __init__(self, make: Callable[..., Callable[[], object]], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        context.Process(
            target=_do_when_asked, args=(theirs, torch.get_num_threads(), make, *arguments), daemon=True
        ).start()

    def __call__(self) -> None:
        self._ours.send(None)
        self._ours.recv()


def _do_when_asked(
    asked: Connection, threads: int, make: Callable[..., Callable[[], object]], *arguments: object
) -> None:
    torch.set_num_threads(threads)
    do = make(*arguments)
    with contextlib.suppress(EOFError):  # the other side has all it wanted
        while True:
            asked.recv()
            do()
            asked.send(None)


def in_turn(
    sides: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of each side, one after the other, so that a drift of the machine meets all; `warm_up` do not count."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + warm_up):
        for name, do in sides.items():
            started = time.perf_counter()
            do()
            if repeat >= warm_up:
                found[name].append(time.perf_counter() - started)
    return found


def median_ratio(theirs: list[float], ours: list[float]) -> str:
    """How many times as fast ours is: the median of the pairs, and the worst."""
    pairs = [their / own for own, their in zip(ours, theirs, strict=True)]
    return f"{statistics.median(pairs):.2f} × ({min(pairs):.2f})"


def peak(dtype: torch.dtype, device: str = "cpu", sides: tuple[int, ...] = (2048, 4096)) -> float:
    """FLOP/s of the best of several products of square matrices."""
    best = 0.0
    for side in sides:
        a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
        for _ in range(3):
            synchronize(device)
            started = time.perf_counter()
            _ = a @ b
            synchronize(device)
            best = max(best, 2 * side**3 / (time.perf_counter() - started))
    return best
