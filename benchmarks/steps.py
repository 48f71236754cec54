"""Training steps beside transformers': tokens a second at equal architecture and batch, and the share of the peak.

    python benchmarks/steps.py [--repeats 5] [--shapes small,medium,large,135m] [--threads 2]

Both sides are Llamas of one shape: forward pass, loss, backward pass, gradients clipped to 1, AdamW; theirs with the
fused AdamW of torch, the default of its Trainer, in a process of its own, since ours keeps its memory. Ours runs
as `pellucid train` would choose (which form of attention, for one), and with compiled blocks. The steps are taken in
turn; figures are medians, with the worst.

The share is of the matrix-product peak (the best of 2048³ and 4096³ in the same run): three forward passes' operations
(6N + causal attention), the optimizer not counted, over the time of the whole step, optimizer and all.

For SmolLM2's shape (135m) theirs is full fine-tuning, ours full and with adapters (LoRA of rank 8 on all layers).
bfloat16 is tried on both sides where it is not slower than float32 by itself.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import torch
from peers import Elsewhere, in_turn, llama, machine, median_ratio, peak, training_step

from pellucid.model.accounting import flops_per_token, n_params
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model, next_token_loss
from pellucid.training.base import choose_adapters, put_adapters
from pellucid.training.compiling import compile_blocks
from pellucid.training.machine import attention_core, for_training, matmul_flops


def shape(
    layers: int, heads: int, width: int, context: int, vocabulary: int = 96, **more: Any
) -> ModelConfig:
    return ModelConfig(
        vocabulary, context, layers, heads, d_model=width, positions="rotary", norm="rmsnorm", activation="swiglu",
        dropout=0.0, **more,
    )  # fmt: skip


# (shape, windows a step)
SHAPES = {
    "small": (shape(4, 4, 128, 64), 16),
    "medium": (shape(6, 4, 256, 256), 16),
    "large": (shape(6, 6, 384, 256), 16),
    "135m": (shape(30, 9, 576, 256, 49152, n_kv_heads=3, d_ff=1536), 4),
}


def our_step(config: ModelConfig, ids: torch.Tensor, precision: str, kind: str) -> Callable[[], None]:
    """`kind`: eager, compiled or lora."""
    model = build_model(config, attention_core("cpu", config.context_length, precision=precision))
    if kind == "lora":
        put_adapters(model, choose_adapters(None, None, None, model), 0)
    if kind == "compiled":
        compile_blocks(model)
    return training_step(
        model, lambda: next_token_loss(model(ids[:, :-1]), ids[:, 1:]), True, "cpu", precision
    )


def their_step(config: ModelConfig, ids: torch.Tensor, precision: str) -> Callable[[], None]:
    model, answers = llama(config).train(), ids[:, 1:].contiguous()
    return training_step(
        model,
        lambda: model(ids[:, :-1], labels=answers, shift_labels=answers).loss,
        False,
        "cpu",
        precision,
    )


def measure(name: str, precision: str, best: float, repeats: int) -> None:
    config, batch = SHAPES[name]
    torch.manual_seed(0)
    ids = torch.randint(config.vocab_size, (batch, config.context_length + 1))
    kinds = ("eager", "lora") if name == "135m" else ("eager", "compiled")
    sides = {kind: our_step(config, ids, precision, kind) for kind in kinds}
    seconds = in_turn({**sides, "theirs": Elsewhere(their_step, config, ids, precision)}, repeats, warm_up=2)
    tokens = batch * config.context_length
    flops = 3 * flops_per_token(config) * tokens
    row = f"{config.n_layers} × {config.d_model}, {batch} × {config.context_length}, {n_params(config) / 1e6:.1f}M"
    theirs = statistics.median(seconds["theirs"])
    for kind in kinds:
        own = statistics.median(seconds[kind])
        # adapters have no gradients of frozen weights
        share = "" if kind == "lora" else f"{flops / own / best:.0%}"
        print(
            f"| {row} | {precision} | {kind} | {tokens / own:,.0f} | {tokens / theirs:,.0f} "
            f"| {median_ratio(seconds['theirs'], seconds[kind])} | {share} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--shapes", default="small,medium,large,135m")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    best = {"float32": peak(torch.float32)}
    if matmul_flops("cpu", torch.bfloat16) > matmul_flops("cpu", torch.float32):
        best["bfloat16"] = peak(torch.bfloat16)
    told = ", ".join(f"{name} {value / 1e9:,.0f}" for name, value in best.items())
    print(f"{machine()}, {args.repeats} repeats; peak in GFLOP/s: {told}\n")
    print("| shape, batch | precision | ours | tokens/s | transformers | ratio (worst) | share of the peak |")
    print("|---|---|---|---|---|---|---|")
    for name in args.shapes.split(","):
        for precision in best:
            with for_training("cpu"):
                measure(name, precision, best[precision], args.repeats)


if __name__ == "__main__":
    main()
