"""nanoGPT as a peer: run from a copy of its own public source, which is never part of this repository.

    git clone https://github.com/karpathy/nanoGPT

Its recipes' command lines are those of its README.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from peers import whole_process

CONFIG = "config/train_shakespeare_char.py"
# README, "I only have a macbook (or other cheap computer)"
CPU_RECIPE = {
    "device": "cpu", "compile": False, "eval_iters": 20, "log_interval": 1, "block_size": 64, "batch_size": 12,
    "n_layer": 4, "n_head": 4, "n_embd": 128, "max_iters": 2000, "lr_decay_iters": 2000, "dropout": 0.0,
}  # fmt: skip


def prepare(source: Path, text: Path, folder: Path) -> Path:
    """A copy of the source in `folder` with `text` made into its tokens by its own script."""
    copy = folder / "nanoGPT"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".git"))
    data = copy / "data/shakespeare_char"
    shutil.copy(text, data / "input.txt")
    subprocess.run([sys.executable, data / "prepare.py"], check=True, capture_output=True)
    return copy


def train(copy: Path, recipe: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Seconds of the whole process and its own estimate of the validation loss."""
    settings = (f"--{name}={value}" for name, value in recipe.items())
    wall, printed = whole_process([sys.executable, "train.py", CONFIG, *settings], environment, copy)
    estimates = re.findall(r"val loss ([0-9.]+)", printed)
    return {"wall": wall, "estimate": float(estimates[-1])}


def score(copy: Path) -> float:
    """The loss of its checkpoint on its whole validation split, in windows that do not overlap."""
    done = subprocess.run(
        [sys.executable, Path(__file__).resolve(), "score"],
        cwd=copy,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])  # the model says its size first


def _score_here() -> float:
    import numpy as np
    import torch

    sys.path.insert(0, ".")
    from model import GPT, GPTConfig  # pyright: ignore[reportMissingImports]

    stored = torch.load("out-shakespeare-char/ckpt.pt", weights_only=True)
    model = GPT(GPTConfig(**stored["model_args"])).eval()
    model.load_state_dict(stored["model"])
    tokens = torch.from_numpy(np.fromfile("data/shakespeare_char/val.bin", np.uint16).astype(np.int64))
    length = stored["model_args"]["block_size"]
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(tokens) - 1, length):
            y = tokens[start + 1 : start + 1 + length]
            _, loss = model(tokens[start : start + len(y)][None], y[None])
            total += loss.item() * len(y)
    return total / (len(tokens) - 1)


if __name__ == "__main__":
    print(json.dumps(_score_here()))
