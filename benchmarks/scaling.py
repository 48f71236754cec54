"""Weak scaling: one process with a batch of B windows against two with 2·B, one thread each, in tokens a second.

    python benchmarks/scaling.py [--repeats 5] [--processes 2] [--batch-size 8]

The two are measured in turn, so that what else the machine does meets both. Prints a row for RESULTS.md: the medians,
the worst ratio, and the median ratio of N processes to N times one (1 is perfect).
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
from pathlib import Path

import torch

from pellucid.training.run_folder import RunFolder

MODEL = (
    "--tokenizer",
    "char",
    "--n-layers",
    "4",
    "--n-heads",
    "4",
    "--d-model",
    "128",
    "--context-length",
    "128",
)
WARM_UP = 5  # steps that do not count


def speed(processes: int, batch_size: int, steps: int, text: Path, out: Path) -> float:
    """Tokens a second of a training, by the times that its steps ended at."""
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
    ]
    budget = ("--steps", steps, "--batch-size", batch_size, "--eval-every", steps, "--dropout", 0)
    place = ("--device", "cpu", "--precision", "float32", "--out", out)
    command = [*launcher, "-m", "pellucid", "train", text, *MODEL, *budget, *place]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    records = [record for record in RunFolder(out).metrics() if "loss" in record][WARM_UP:]
    first, last = records[0], records[-1]
    return (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args()
    pairs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text(
            "".join(f"{n} times {n + 1} is {n * (n + 1)}.\n" for n in range(20_000)), encoding="utf-8"
        )
        for repeat in range(args.repeats):
            one, several = (
                speed(count, args.batch_size * count, args.steps, text, Path(folder) / f"{repeat}-{count}")
                for count in (1, args.processes)
            )
            pairs.append((one, several))
            print(json.dumps({"one": round(one), "several": round(several)}), flush=True)
    ratios = [several / (args.processes * one) for one, several in pairs]
    one, several = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"| {platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__} "
        f"| {args.processes} processes, batch {args.batch_size} each | {one:,.0f} | {several:,.0f} "
        f"| {statistics.median(ratios):.2f} (worst {min(ratios):.2f}) |"
    )


if __name__ == "__main__":
    main()
