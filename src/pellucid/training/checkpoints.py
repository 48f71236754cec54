"""Checkpoints that are whole or not there, verified before they are trusted.

A checkpoint is a folder `step-00000060` of `model.safetensors`, `optimizer.safetensors` (with torch's random
state), `trainer.json` and `manifest.json` (sizes and sha256). It is written under a temporary name, synced and
renamed; older ones go only after that.
"""

from __future__ import annotations

import dataclasses
import math
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pellucid.errors import InputError
from pellucid.text.files import file_sha256
from pellucid.training.files import read_json, sync, write_json

MODEL, OPTIMIZER, TRAINER, MANIFEST = (
    "model.safetensors",
    "optimizer.safetensors",
    "trainer.json",
    "manifest.json",
)
NAME = re.compile(r"step-(\d{8,})$")
TEMPORARY = ".writing-"
KEEP = 2


@dataclasses.dataclass
class Progress:
    """The counters a checkpoint keeps."""

    step: int = 0
    windows: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_step: int = -1
    evaluations_since_best: int = 0


@dataclasses.dataclass
class Checkpoint:
    """Everything a run needs to go on: weights, optimizer and random states, and the trainer's counters."""

    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    trainer: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> list[int]:
        """Steps that have a published checkpoint, oldest first."""
        if not self.folder.is_dir():
            return []
        found = (NAME.match(path.name) for path in self.folder.iterdir() if path.is_dir())
        return sorted(int(match[1]) for match in found if match)

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def save(self, checkpoint: Checkpoint, keep_also: int | None = None) -> Path:
        """Publish a checkpoint, then remove all but the last two and that of step `keep_also`.

        Raises:
            OSError: the disk is full or fails; what was published before is untouched.
        """
        final = self.path(checkpoint.step)
        if final.exists() and not problem(final):
            return final
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f"{TEMPORARY}{final.name}"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir()
            save_tensors(checkpoint.model, temporary / MODEL)
            save_tensors(checkpoint.optimizer, temporary / OPTIMIZER)
            write_json(temporary / TRAINER, {"step": checkpoint.step, **checkpoint.trainer})
            files = {
                name: {"bytes": (temporary / name).stat().st_size, "sha256": file_sha256(temporary / name)}
                for name in (MODEL, OPTIMIZER, TRAINER)
            }
            write_json(temporary / MANIFEST, {"files": files})
            if final.exists():  # it did not verify
                shutil.rmtree(final)
            temporary.rename(final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync(self.folder)
        up_to_now = [step for step in self.steps() if step <= checkpoint.step]  # later ones did not verify
        self._prune(keep={*up_to_now[-KEEP:], keep_also})
        return final

    def _prune(self, keep: set[int | None]) -> None:
        for step in self.steps():
            if step not in keep:
                shutil.rmtree(self.path(step), ignore_errors=True)
        for path in self.folder.glob(f"{TEMPORARY}*"):
            shutil.rmtree(path, ignore_errors=True)

    def newest_sound(self) -> tuple[Checkpoint, list[str]]:
        """The newest checkpoint that verifies, and what was wrong with the newer ones.

        Raises:
            InputError: none verifies.
        """
        problems: list[str] = []
        for step in reversed(self.steps()):
            if trouble := problem(self.path(step)):
                problems.append(f"{self.path(step).name} {trouble}")
            else:
                return self.load(step), problems
        if problems:
            raise InputError(
                f"no checkpoint in {self.folder} can be trusted: {'; '.join(problems)}; "
                "train again with --overwrite, or restore the folder from a copy"
            )
        raise InputError(f"there is no checkpoint in {self.folder} to resume from")

    def load(self, step: int) -> Checkpoint:
        path = self.path(step)
        return Checkpoint(
            step=step,
            model=load_tensors(path / MODEL),
            optimizer=load_tensors(path / OPTIMIZER),
            trainer=read_json(path / TRAINER),
        )


def problem(path: Path) -> str | None:
    """Why a checkpoint cannot be trusted; None when every file is as its manifest says."""
    try:
        files = read_json(path / MANIFEST).get("files", {})
        for name in (MODEL, OPTIMIZER, TRAINER):
            if name not in files:
                return f"has no {name} in its manifest"
            if (path / name).stat().st_size != files[name]["bytes"]:
                return f"has a cut-off {name}"
            if file_sha256(path / name) != files[name]["sha256"]:
                return f"has a damaged {name}"
    except (InputError, OSError, KeyError, TypeError) as error:
        return f"is incomplete ({error})"
    return None


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Raises: InputError when the file is missing or damaged."""
    return load_tensors_and_metadata(path)[0]


def load_tensors_and_metadata(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Both of one file, even if another is put in its place meanwhile.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except FileNotFoundError:
        raise InputError(f"{path} is missing: is this a run folder?") from None
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).removeprefix("Error while deserializing header: ")
        raise InputError(
            f"{path} is damaged ({reason}): restore it from a copy; resuming the run also writes it anew"
        ) from None


def save_tensors(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None, durable: bool = True
) -> None:
    """Raises: OSError when the disk is full or fails; safetensors tells of that only in words."""
    try:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path, metadata
        )
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), str(error), str(path), int(code[1])) from error
    if durable:
        sync(path)


def random_states() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The random states of torch (as tensors) and of Python and NumPy (as JSON)."""
    import random

    import numpy as np

    tensors = {"random/cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        tensors["random/mps"] = torch.mps.get_rng_state()
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    numbers = {
        "python": random.getstate(),
        "numpy": [kind, np.asarray(keys).tolist(), position, has_gauss, gauss],
    }
    return tensors, numbers


def restore_random_states(tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """The reverse of `random_states`; a device that is not here is passed over."""
    import random

    import numpy as np

    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])
    if "random/mps" in tensors and torch.backends.mps.is_available():
        torch.mps.set_rng_state(tensors["random/mps"])
    version, internal, gauss_next = numbers["python"]
    random.setstate((version, tuple(internal), gauss_next))
    kind, keys, position, has_gauss, gauss = numbers["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))  # noqa: NPY002
