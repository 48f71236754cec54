"""How long from a cold start to a validation loss of 1.88 on tinyshakespeare characters, beside nanoGPT's CPU recipe.

    python benchmarks/time_to_loss.py --nanogpt FOLDER --text tinyshakespeare.txt [--repeats 5] [--avx2]

Both sides are whole processes, run in turn. The peer is nanoGPT's CPU recipe (4 layers, 4 heads, d_model 128, context
64, batch 12, 2,000 steps of AdamW, no dropout), run from its own source (nanogpt.py); that it scores 20 batches every
250 steps belongs to the recipe. Ours is `pellucid train` with time_to_loss.toml, whose number of steps was fixed
beforehand (docs/LOG.md), on the whole training split, with one score of the whole validation split. Losses are those of
the whole split on both sides; the peer's is taken when its time is over. A third side is ours once more with `--compile
yes`, whose code an earlier training, which is not timed, has left in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import nanogpt
from peers import machine, whole_process

TARGET = 1.88
RECIPE = Path(__file__).with_suffix(".toml")


def run_ours(text: str, environment: dict[str, str], *more: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        where = ("--out", f"{folder}/run", "--json", "--seed", "0")
        command = [sys.executable, "-m", "pellucid", "train", text, "--config", str(RECIPE), *where, *more]
        seconds, printed = whole_process(command, environment)
    result = json.loads(printed.splitlines()[-1])
    return {"wall": seconds, "steps": result["seconds"], "loss": result["validation"]["loss"]}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "--nanogpt", type=Path, required=True, help="a clone of github.com/karpathy/nanoGPT"
    )
    arguments.add_argument("--text", type=Path, required=True, help="tinyshakespeare.txt")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument(
        "--avx2", action="store_true", help="hide AVX-512 and AMX from torch on both sides"
    )
    args = arguments.parse_args()
    environment = dict(os.environ)
    if args.avx2:
        environment |= {
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        }
    theirs, ours, warm = [], [], []
    text, compiled = str(args.text), ("--compile", "yes")
    with tempfile.TemporaryDirectory() as folder:
        copy = nanogpt.prepare(args.nanogpt, args.text, Path(folder))
        kept = {**environment, "TORCHINDUCTOR_CACHE_DIR": f"{folder}/compiled"}
        run_ours(text, kept, *compiled)
        for _ in range(args.repeats):  # in turn, so that a drift of the machine meets both
            theirs.append(nanogpt.train(copy, nanogpt.CPU_RECIPE, environment))
            theirs[-1]["loss"] = nanogpt.score(copy)
            ours.append(run_ours(text, environment))
            warm.append(run_ours(text, kept, *compiled))
            print(f"nanoGPT {theirs[-1]}  ours {ours[-1]}  warm {warm[-1]}", file=sys.stderr, flush=True)
    median = statistics.median
    print(f"\n{machine()}{', AVX2 forced' if args.avx2 else ''}, {args.repeats} pairs, medians (worst):\n")
    print("| | whole process | validation |")
    print("|---|---|---|")
    for name, rows in (("nanoGPT's CPU recipe", theirs), ("pellucid", ours), ("pellucid, warm", warm)):
        walls = [row["wall"] for row in rows]
        losses = [row["loss"] for row in rows]
        print(
            f"| {name} | {median(walls):.1f} s ({max(walls):.1f}) | {median(losses):.4f} ({max(losses):.4f}) |"
        )
    for name, rows, to_reach in (("ours", ours, "0.25"), ("ours, warm", warm, "0.167")):
        ratios = [own["wall"] / their["wall"] for own, their in zip(rows, theirs, strict=True)]
        print(f"\n{name} / nanoGPT: {median(ratios):.3f} (worst {max(ratios):.3f}); to reach: {to_reach}")
    if any(row["loss"] > TARGET for row in ours + warm):
        raise SystemExit(f"ours missed {TARGET}")


if __name__ == "__main__":
    main()
