"""Training speed of a few sizes, as tokens a second and as a share of the matrix-product peak."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch

from pellucid.model.accounting import flops_per_token, n_params
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model, next_token_loss
from pellucid.training.auto import FORWARD_AND_BACKWARD, LADDER
from pellucid.training.machine import Machine, attention_core, autocast, synchronize
from pellucid.training.optimizers import build_optimizers

VOCABULARY = 96
LARGEST_ON_CPU = 384  # d_model; wider models take minutes a step there


def measure(machine: Machine, repeats: int, plain: bool = False) -> Iterator[dict[str, Any]]:
    """One row for each size that `auto` may choose here: the median of `repeats` whole steps.

    The share's numerator is three forward passes (model/accounting.py); the optimizer is not counted.
    """
    for size in LADDER:
        if machine.device == "cpu" and size.d_model > LARGEST_ON_CPU:
            continue
        config = ModelConfig(
            VOCABULARY, size.context_length, size.n_layers, size.n_heads, d_model=size.d_model, qk_norm=True
        )
        seconds = _seconds_a_step(config, size.batch_size, machine, repeats, plain)
        tokens = size.batch_size * size.context_length
        flops = FORWARD_AND_BACKWARD * flops_per_token(config) * tokens
        yield {
            "layers": size.n_layers,
            "d_model": size.d_model,
            "context": size.context_length,
            "batch": size.batch_size,
            "parameters": n_params(config),
            "milliseconds": 1000 * seconds,
            "tokens_per_second": tokens / seconds,
            "share_of_peak": flops / seconds / machine.flops,
        }


def _seconds_a_step(config: ModelConfig, batch: int, machine: Machine, repeats: int, plain: bool) -> float:
    core = attention_core(machine.device, config.context_length, precision=machine.precision, plain=plain)
    model = build_model(config, core, plain).to(machine.device)
    optimizers = build_optimizers(model, "muon", lr=1e-3, precision=machine.precision)
    ids = torch.randint(config.vocab_size, (batch, config.context_length + 1), device=machine.device)
    laps = []
    for _ in range(repeats + 2):  # two to warm up
        synchronize(machine.device)
        started = time.perf_counter()
        model.zero_grad(set_to_none=True)
        with autocast(machine.device, machine.precision):
            logits = model(ids[:, :-1])
        next_token_loss(logits, ids[:, 1:]).backward()
        optimizers.step()
        synchronize(machine.device)
        laps.append(time.perf_counter() - started)
    return statistics.median(laps[2:])
