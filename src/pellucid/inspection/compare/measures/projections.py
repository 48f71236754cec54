"""One matrix for queries, keys and values, or three: the same values; and the time each takes, turn by turn.

Shapes: N rows of tokens, C d_model.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pellucid.inspection.compare.contender import Extra, Figures, Table
from pellucid.inspection.compare.measures.figures import mean
from pellucid.inspection.compare.trial import Trained
from pellucid.model.attention import Attention

REPEATS = 101
Project = Callable[[Tensor], tuple[Tensor, ...]]


def fused_and_separate(attention: Attention) -> tuple[Project, Project]:
    """Two ways from a token's channels (N, C) to its queries, keys and values, by the same weights.

    The three matrices are copies, each lying in one piece, as those of a layer of its own would.
    """
    keys = attention.n_kv_heads * attention.head_dim
    sizes = (attention.n_heads * attention.head_dim, keys, keys)
    weight, bias = attention.qkv.weight.detach().clone(), attention.qkv.bias
    weights = [part.clone() for part in weight.split(sizes)]
    biases = [None] * 3 if bias is None else [part.clone() for part in bias.detach().split(sizes)]
    for each in (weight, *weights):
        each.requires_grad_()

    def fused(x: Tensor) -> tuple[Tensor, ...]:
        return F.linear(x, weight, bias).split(sizes, dim=-1)

    def separate(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(F.linear(x, own, b) for own, b in zip(weights, biases, strict=True))

    return fused, separate


def _measure(trained: Trained) -> dict[str, Any]:
    config, attention = trained.trainer.config, _first_attention(trained)
    x = _inputs(trained, attention)
    ways = dict(zip(("fused", "separate"), fused_and_separate(attention), strict=True))
    with torch.no_grad():
        values = [way(x) for way in ways.values()]
    apart = max(float((a - b).abs().max()) for a, b in zip(*values, strict=True))
    size = max(float(each.abs().max()) for each in values[0])
    times: dict[str, list[float]] = {f"{way}_{what}": [] for way in ways for what in ("forward", "both")}
    for _ in range(REPEATS):
        for name, way in ways.items():
            forward, both = _time(way, x)
            times[f"{name}_forward"].append(forward)
            times[f"{name}_both"].append(both)
    medians = {name: 1e6 * statistics.median(laps) for name, laps in times.items()}
    return {"apart": apart, "largest": size, "rows": config.batch_size * trained.trial.window, **medians}


def _first_attention(trained: Trained) -> Attention:
    return next(module for module in trained.model.modules() if isinstance(module, Attention))


def _inputs(trained: Trained, attention: Attention) -> Tensor:
    """(N, C) what the first block's projection is given for the first batch."""
    model, seen = trained.model, list[Tensor]()
    hook = attention.qkv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    windows, _ = trained.trainer.windows.batch(0, trained.trainer.config.batch_size)[:2]
    with torch.no_grad():
        model(torch.from_numpy(windows).to(trained.machine.device))
    hook.remove()
    return seen[0].flatten(0, 1).float().requires_grad_()


def _time(way: Project, x: Tensor) -> tuple[float, float]:
    """Seconds of the forward pass, and of both passes."""
    began = time.perf_counter()
    out = way(x)
    forward = time.perf_counter() - began
    torch.autograd.backward(out, [torch.ones_like(each) for each in out])
    x.grad = None
    return forward, time.perf_counter() - began


def _table(figures: Figures) -> Table:
    rows = []
    for own in figures.values():
        for way in ("fused", "separate"):
            forward, both = (f"{mean(own, f'{way}_{what}'):.0f}" for what in ("forward", "both"))
            ratio = mean(own, f"{way}_both") / mean(own, "fused_both")
            apart = "" if way == "fused" else f"{max(each['apart'] for each in own):.1e}"
            rows.append((way, forward, both, f"{ratio:.2f}", apart))
    header = ("projection", "µs forward", "µs forward and backward", "times fused", "largest difference")
    return Table("One matrix or three, medians, float32, turn by turn", header, tuple(rows))


PROJECTIONS = Extra(_measure, _table)
