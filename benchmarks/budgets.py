"""What minutes give on tinyshakespeare's characters: whole processes from a cold start, final evaluation included.

    python benchmarks/budgets.py --text tinyshakespeare.txt [--rows loss,twenty,mini] [--repeats 1]

- loss: the seconds until nanoGPT's result on an A100, a validation loss of 1.4697 (loss.toml).
- twenty: the validation loss after a plan of 20 minutes, with at most 10.8 million parameters (twenty.toml).
- mini: the mean training loss of the last 100 steps, dropout on, of `mini`'s architecture after 123.5 s, the time that
  its source prints (mini.toml).

The recipes lie in benchmarks/budgets (how they were chosen: docs/LOG.md). Each is trained on the whole training split,
and scored on the whole validation split in windows that do not overlap; the loss is also estimated as nanoGPT does it,
in 200 batches of 64 windows at random places.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from peers import machine, whole_process

import pellucid
from pellucid.api import LoadedRun
from pellucid.model.accounting import n_params
from pellucid.model.transformer import next_token_loss

RECIPES = Path(__file__).with_name("budgets")
TO_REACH = {
    "loss": "validation ≤ 1.4697 in ≤ 300 s",
    "twenty": "validation ≤ 1.455, ≤ 10.8M parameters",
    "mini": "training loss ≤ 1.4208 in ≤ 123.5 s",
}
BATCHES, BATCH = 200, 64  # of nanoGPT's estimate
LAST = 100  # steps


def train(text: Path, recipe: Path, run: Path, seed: int) -> dict[str, Any]:
    """What `pellucid train` says at its end, with the seconds of the whole process."""
    seconds, printed = whole_process(
        [
            *(sys.executable, "-m", "pellucid", "train", text, "--config", recipe),
            *("--dev-fraction", "0", "--seed", str(seed), "--out", run, "--json"),
        ]
    )
    return {**json.loads(printed.splitlines()[-1]), "wall": seconds}


def training_loss(run: LoadedRun) -> float:
    """Mean of the last steps, as they were taken, dropout on."""
    return statistics.mean([record["loss"] for record in run.folder.metrics() if "loss" in record][-LAST:])


def sampled_loss(run: LoadedRun, text: str) -> float:
    """nanoGPT's estimate of the validation loss: windows at random places of the last tenth."""
    tokens = torch.from_numpy(run.tokenizer.encode(text[int(0.9 * len(text)) :])).long()
    length = run.model.config.context_length
    draw = torch.Generator().manual_seed(1337)
    losses = []
    with torch.inference_mode():
        for _ in range(BATCHES):
            starts = torch.randint(len(tokens) - length, (BATCH,), generator=draw)
            windows = torch.stack([tokens[start : start + length + 1] for start in starts.tolist()])
            losses.append(next_token_loss(run.model(windows[:, :-1]), windows[:, 1:]).item())
    return statistics.mean(losses)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--text", type=Path, required=True, help="tinyshakespeare.txt")
    arguments.add_argument("--rows", default=",".join(TO_REACH), help=", ".join(TO_REACH))
    arguments.add_argument("--repeats", type=int, default=1, help="each with a seed of its own, from 0 on")
    args = arguments.parse_args()
    text = args.text.read_text(encoding="utf-8")
    print(f"{machine()}, {args.repeats} of each, medians (worst)\n")
    print(
        "| row | parameters | steps | whole process | validation | sampled | training, last 100 | to reach |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in args.rows.split(","):
        results = []
        for seed in range(args.repeats):
            with tempfile.TemporaryDirectory() as folder:
                told = train(args.text, RECIPES / f"{row}.toml", Path(folder) / "run", seed)
                run = pellucid.load(Path(folder) / "run")
                results.append(
                    (told["wall"], told["validation"]["loss"], sampled_loss(run, text), training_loss(run))
                )
        columns = list(zip(*results, strict=True))
        seconds, *losses = (f"{statistics.median(each):.4f} ({max(each):.4f})" for each in columns)
        seconds = f"{statistics.median(columns[0]):.1f} s ({max(columns[0]):.1f})"
        print(
            f"| {row} | {n_params(run.model.config):,} | {told['steps']:,} | {seconds} | {' | '.join(losses)} "
            f"| {TO_REACH[row]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
