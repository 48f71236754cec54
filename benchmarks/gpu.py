"""On a GPU: that its results are a CPU's, training steps beside nanoGPT and transformers, and writing one text.

    python benchmarks/gpu.py --nanogpt FOLDER --text tinyshakespeare.txt [--parts check,steps,decode,target]

- check: logits and gradients of a small model on the device against those on the CPU, in float32.
- steps: GPT-2's shape (124 million parameters) at context 1,024, bfloat16, whole steps with AdamW: ours with compiled
  blocks, nanoGPT's own model compiled as its train.py does, transformers' GPT-2 as it comes. Tokens a second, and the
  share of the matrix-product peak (best of 4096³ and 8192³; 6N + causal attention, the optimizer not counted).
- decode: tokens a second of one text after another token by token, beside transformers' generate.
- target: `pellucid train` on tinyshakespeare's characters with nanoGPT's GPU recipe's size: seconds and validation loss
  (to reach: 1.4697).

`--small` with `--device cpu` takes every part through a tiny model, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peers import in_turn, machine, median_ratio, peak, training_step
from torch import Tensor, nn

from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.model.accounting import flops_per_token
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model, next_token_loss
from pellucid.text.tokenizers.tokenizer import build_tokenizer
from pellucid.training.compiling import compile_blocks

TOLERANCE = 1e-4  # of the largest value, in float32
WRITTEN = 200
TARGET = (
    "--preset",
    "chars",
    "--steps",
    "1500",
    "--batch-size",
    "64",
    "--dropout",
    "0.2",
    "--dev-fraction",
    "0",
)
TINY = ("--steps", "3", "--n-layers", "1", "--n-heads", "1", "--d-model", "16", "--context-length", "16")


def gpt2(small: bool) -> ModelConfig:
    layers, heads, width = (2, 2, 64) if small else (12, 12, 768)
    return ModelConfig(
        300 if small else 50304, 64 if small else 1024, layers, heads, d_model=width, d_ff=4 * width,
        positions="learned", norm="layernorm", activation="gelu", tie_embeddings=True, dropout=0.0,
    )  # fmt: skip


def check(device: str) -> None:
    """Raises: SystemExit where the device's results are not the CPU's."""
    torch.backends.cuda.matmul.allow_tf32 = False
    worst = 0.0
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"n_kv_heads": 2, "qk_norm": True},
        {"feedforward": "experts", "n_experts": 4},
    )
    for settings in kinds:
        found: list[list[Tensor]] = []
        for place in ("cpu", device):
            torch.manual_seed(0)
            model = build_model(ModelConfig(97, 64, n_layers=2, n_heads=4, d_model=64, **settings)).to(place)
            ids = torch.arange(2 * 65).remainder(97).view(2, 65).to(place)
            logits = model(ids[:, :-1])
            next_token_loss(logits, ids[:, 1:]).backward()
            gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
            found.append([each.detach().cpu() for each in (logits, *gradients)])
        for cpus, devices in zip(*found, strict=True):
            worst = max(worst, float((cpus - devices).abs().max() / cpus.abs().max()))
    print(f"check: {worst:.1e} of the largest value between {device} and the CPU (allowed {TOLERANCE:g})")
    if worst > TOLERANCE:
        raise SystemExit("the device's results are not the CPU's")


# ---------------------------------------------------------------------- steps


def our_loss(config: ModelConfig, device: str) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    model = build_model(config).to(device)
    compile_blocks(model)
    return model, lambda ids: next_token_loss(model(ids[:, :-1]), ids[:, 1:])


def nanogpts_loss(
    config: ModelConfig, device: str, source: Path
) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    sys.path.insert(0, str(source))
    from model import GPT, GPTConfig  # pyright: ignore[reportMissingImports]

    own = GPTConfig(
        block_size=config.context_length, vocab_size=config.vocab_size, n_layer=config.n_layers,
        n_head=config.n_heads, n_embd=config.d_model, dropout=0.0, bias=False,
    )  # fmt: skip
    model = GPT(own).to(device)
    compiled = torch.compile(model)
    return model, lambda ids: compiled(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())[1]


def transformers_gpt2(config: ModelConfig, device: str) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    own = GPT2Config(
        vocab_size=config.vocab_size, n_positions=config.context_length, n_embd=config.d_model,
        n_layer=config.n_layers, n_head=config.n_heads, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    model: Any = GPT2LMHeadModel(own)
    return model.to(device)


def transformers_loss(config: ModelConfig, device: str) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    model = transformers_gpt2(config, device).train()
    return (
        model,
        lambda ids: model(ids[:, :-1], labels=ids[:, 1:], shift_labels=ids[:, 1:].contiguous()).loss,
    )


def steps(device: str, source: Path | None, small: bool, repeats: int) -> None:
    torch.set_float32_matmul_precision("high")
    config, batch = gpt2(small), 2 if small else 16
    ids = torch.randint(config.vocab_size, (batch, config.context_length + 1), device=device)
    losses = {"ours": our_loss(config, device), "transformers": transformers_loss(config, device)}
    if source:
        losses["nanoGPT"] = nanogpts_loss(config, device, source)
    sides = {
        name: training_step(model, partial(loss, ids), name == "ours", device, "bfloat16")
        for name, (model, loss) in losses.items()
    }
    seconds = in_turn(sides, repeats, warm_up=5)
    tokens = batch * config.context_length
    best = peak(torch.bfloat16, device, (256,) if small else (4096, 8192))
    own = statistics.median(seconds["ours"])
    share = 3 * flops_per_token(config) * tokens / own / best
    print(
        f"steps: ours {tokens / own:,.0f} tokens/s, {share:.0%} of {best / 1e12:,.0f} TFLOP/s (to reach 45 %)"
    )
    for name in list(sides)[1:]:
        theirs = tokens / statistics.median(seconds[name])
        print(f"steps: {name} {theirs:,.0f} tokens/s, ours {median_ratio(seconds[name], seconds['ours'])}")


# ---------------------------------------------------------------------- writing, and a whole training


def decode(device: str, text: Path, small: bool, repeats: int) -> None:
    config = gpt2(small)
    tokenizer, _ = build_tokenizer("char", [text.read_text(encoding="utf-8")])
    model: LanguageModel = build_model(config).to(device).eval()
    engine, theirs = Engine(model, tokenizer), transformers_gpt2(config, device).eval()
    written = 8 if small else WRITTEN
    prompt = tokenizer.encode("To be, or not to be").tolist()
    batch = torch.tensor([prompt], device=device)

    @torch.inference_mode()
    def generate() -> None:
        theirs.generate(
            batch, attention_mask=torch.ones_like(batch), do_sample=True, top_k=0, min_new_tokens=written,
            max_new_tokens=written, pad_token_id=0,
        )  # fmt: skip

    options = SamplingOptions(temperature=1.0, max_tokens=written, ignore_eos=True, seed=0)
    seconds = in_turn({"ours": lambda: engine.generate([prompt], options), "theirs": generate}, repeats)
    own, peer = (written / statistics.median(seconds[name]) for name in ("ours", "theirs"))
    ratio = median_ratio(seconds["theirs"], seconds["ours"])
    print(f"decode: ours {own:,.0f} tokens/s, transformers {peer:,.0f}: {ratio} (to reach 4)")


def target(device: str, text: Path, small: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pellucid", "train", text, "--device", device, "--json"]
        started = time.perf_counter()
        done = subprocess.run(
            [*map(str, command), "--out", f"{folder}/run", *(TINY if small else TARGET)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        wall = time.perf_counter() - started
    loss = json.loads(done.stdout.splitlines()[-1])["validation"]["loss"]
    print(f"target: validation {loss:.4f} after {wall:.0f} s, all of the process (to reach 1.4697)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nanogpt", type=Path, help="a clone of github.com/karpathy/nanoGPT")
    parser.add_argument("--text", type=Path, required=True, help="tinyshakespeare.txt")
    parser.add_argument("--parts", default="check,steps,decode,target")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    parts = args.parts.split(",")
    gpu = torch.cuda.get_device_name() if args.device.startswith("cuda") else args.device
    print(f"{gpu}; {machine()}")
    if "check" in parts:
        check(args.device)
    if "steps" in parts:
        steps(args.device, args.nanogpt, args.small, args.repeats)
    if "decode" in parts:
        decode(args.device, args.text, args.small, args.repeats)
    if "target" in parts:
        target(args.device, args.text, args.small)


if __name__ == "__main__":
    main()
