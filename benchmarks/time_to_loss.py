"""How long from a cold start to a validation loss of 1.88 on tinyshakespeare characters, beside nanoGPT's CPU recipe.

    python benchmarks/time_to_loss.py --text tinyshakespeare.txt --repeats 3 [--avx2]

Both sides are whole processes, run in turn: import, data, training, one evaluation of the whole validation split.
The peer is nanoGPT's CPU recipe (4 layers, 4 heads, d_model 128, context 64, batch 12, 2,000 steps of AdamW, no
dropout; github.com/karpathy/nanoGPT, README, "I only have a macbook") on `transformers`' GPT-2, without the
evaluations nanoGPT makes on the way, which is in the peer's favour. Ours is `pellucid train` with a number of steps
fixed beforehand (docs/LOG.md), on the whole training split. Neither side scores more than once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 1.88
STEPS = 220
OURS = {
    "steps": STEPS,
    "n-layers": 4,
    "n-heads": 4,
    "d-model": 128,
    "context-length": 64,
    "batch-size": 16,
    "dropout": 0,
    "lr": 3e-3,
    "dev-fraction": 0,
    "eval-every": STEPS,  # at the start and the end: the peer makes none on the way
    "seed": 0,
}
PEER_STEPS, PEER_BATCH, PEER_CONTEXT = 2000, 12, 64


def peer(path: str) -> None:
    """nanoGPT's CPU recipe; prints one JSON object."""
    started = time.perf_counter()
    import numpy as np
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    imported = time.perf_counter()
    text = Path(path).read_text(encoding="utf-8")
    symbols = sorted(set(text))
    index = {symbol: i for i, symbol in enumerate(symbols)}
    ids = torch.tensor([index[symbol] for symbol in text])
    cut = int(0.9 * len(ids))
    train, validation = ids[:cut], ids[cut:]
    torch.manual_seed(1337)
    config = GPT2Config(
        vocab_size=len(symbols), n_positions=PEER_CONTEXT, n_embd=128, n_layer=4, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.99),
        fused=True,
    )
    began = time.perf_counter()
    for step in range(PEER_STEPS):
        warm = min(1.0, (step + 1) / 101)
        progress = min(1.0, max(0, step - 100) / (PEER_STEPS - 100))
        rate = warm * (1e-4 + 9e-4 * 0.5 * (1 + np.cos(np.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        starts = torch.randint(len(train) - PEER_CONTEXT, (PEER_BATCH,))
        x = torch.stack([train[i : i + PEER_CONTEXT] for i in starts])
        y = torch.stack([train[i + 1 : i + 1 + PEER_CONTEXT] for i in starts])
        logits = model(x).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    trained = time.perf_counter()
    loss = _validation_loss(model, validation, PEER_CONTEXT)
    print(
        json.dumps(
            {
                "import": imported - started,
                "steps": trained - began,
                "evaluation": time.perf_counter() - trained,
                "loss": loss,
            }
        )
    )


def _validation_loss(model, validation, context: int) -> float:
    """The whole split in windows that do not overlap."""
    import torch

    model.eval()
    total, count = 0.0, 0
    windows = [validation[i : i + context + 1] for i in range(0, len(validation) - 1, context)]
    with torch.inference_mode():
        for start in range(0, len(windows), 128):
            for same in _by_length(windows[start : start + 128]):
                ids = torch.stack(same)
                logits = model(ids[:, :-1]).logits
                total += torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="sum"
                ).item()
                count += ids[:, 1:].numel()
    return total / count


def _by_length(windows: list) -> list[list]:
    longest = max(map(len, windows))
    groups = [[w for w in windows if len(w) == longest], [w for w in windows if len(w) != longest]]
    return [group for group in groups if group]


def run_peer(text: str, environment: dict[str, str]) -> dict[str, float]:
    return _timed([sys.executable, __file__, "--peer", "--text", text], environment)


def run_ours(text: str, environment: dict[str, str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        flags = [part for name, value in OURS.items() for part in (f"--{name}", str(value))]
        command = [
            sys.executable,
            "-m",
            "pellucid",
            "train",
            text,
            "--out",
            f"{folder}/run",
            "--json",
            *flags,
        ]
        result = _timed(command, environment)
    return {
        "wall": result["wall"],
        "steps": result["seconds"],
        "loss": result["validation"]["loss"],
    }


def _timed(command: list[str], environment: dict[str, str]) -> dict:
    started = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False
    )
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": wall}


def machine() -> str:
    import torch

    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{torch.backends.cpu.get_cpu_capability()}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--text", required=True, help="tinyshakespeare.txt")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument(
        "--avx2", action="store_true", help="hide AVX-512 and AMX from torch on both sides"
    )
    arguments.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = arguments.parse_args()
    if args.peer:
        peer(args.text)
        return
    environment = dict(os.environ)
    if args.avx2:
        environment |= {
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        }
    ours, theirs = [], []
    for _ in range(args.repeats):  # in turn, so that a drift of the machine meets both
        theirs.append(run_peer(args.text, environment))
        ours.append(run_ours(args.text, environment))
        print(f"peer {theirs[-1]}  ours {ours[-1]}", file=sys.stderr, flush=True)
    ratios = sorted(a["wall"] / b["wall"] for a, b in zip(ours, theirs, strict=True))
    median = statistics.median
    print(f"\n{machine()}{', AVX2 forced' if args.avx2 else ''}, {args.repeats} pairs, medians (worst):\n")
    print("| | whole process | its steps | validation |")
    print("|---|---|---|---|")
    for name, rows in (("nanoGPT's CPU recipe on transformers", theirs), ("pellucid", ours)):
        walls = [row["wall"] for row in rows]
        print(
            f"| {name} | {median(walls):.1f} s ({max(walls):.1f}) | {median(r['steps'] for r in rows):.1f} s "
            f"| {max(row['loss'] for row in rows):.4f} |"
        )
    print(f"\nours / peer: {median(ratios):.3f} (worst {ratios[-1]:.3f}); to reach: 0.333")
    if any(row["loss"] > TARGET for row in ours):
        raise SystemExit(f"ours missed {TARGET}")


if __name__ == "__main__":
    main()
