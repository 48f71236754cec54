"""The run that a fine-tuning starts from: found, checked, and its weights put into the new one's model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.lora import TARGETS, Adapters, add_adapters, possible_targets
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.files import file_sha256
from pellucid.text.tokenizers.tokenizer import Tokenizer, load_tokenizer
from pellucid.training.average import averaged
from pellucid.training.checkpoints import problem
from pellucid.training.ranks import Ranks
from pellucid.training.run_folder import RUNS, RunFolder, find_run, is_run
from pellucid.training.weights import load_checkpoint_weights, load_weights, published_step, stored_weights

DEFAULT_RANK = 8
ALPHA_OF_RANK = 2.0  # the change counts twice, whatever its rank


@dataclasses.dataclass(frozen=True)
class Base:
    """A run to be fine-tuned; `stored` is its config.json."""

    run: RunFolder
    stored: dict[str, Any]
    model: ModelConfig
    tokenizer: Tokenizer

    def record(self) -> dict[str, Any]:
        """What the new run's config.json says of it, enough to know it again."""
        return {
            "run": self.run.name,
            "path": str(self.run.path.resolve()),
            "step": published_step(self.run.model_path),
            "sha256": file_sha256(self.run.model_path),
            "text": self.stored["data"].get("name", ""),
            "imported": self.stored.get("imported"),
        }


def open_base(name: RunFolder | str | Path | None) -> Base:
    """The run at a path or of a name under `runs/`; with no name, the latest.

    Raises:
        InputError: there is none, it has no weights yet, or is of a kind that cannot be fine-tuned.
    """
    run = find_run(name)
    stored = run.config()
    model = ModelConfig.from_dict(stored["model"])
    if model.architecture != "transformer":
        raise InputError(
            f"{run.name} is {'a model of its own code' if model.own else 'a table of pairs'}, which cannot be "
            "fine-tuned: choose a transformer"
        )
    if not run.model_path.exists():
        raise InputError(f"{run.name} has no weights yet: let it train first, or choose another run")
    return Base(run, stored, model, load_tokenizer(run.tokenizer_path))


def open_shared_base(name: RunFolder | str | Path | None, ranks: Ranks) -> Base:
    """As `open_base`; of several processes each opens what the first one finds, which all must be able to read.

    Raises:
        InputError: the run is not there for this process, or has other weights than for the first.
    """
    base = open_base(ranks.agree(str(find_run(name).path) if ranks.is_first else ""))
    if ranks.world > 1:
        own = file_sha256(base.run.model_path)
        if own != ranks.agree(own):
            raise InputError(
                f"{base.run.path} has other weights here than for process 1: copy it to every machine"
            )
    return base


def find_base(run: RunFolder, stored: dict[str, Any]) -> RunFolder:
    """The base of a fine-tuned run, where it was, under `runs/`, or beside the run.

    Raises:
        InputError: it is not there any more, or its weights are others.
    """
    base = stored["base"]
    places = [Path(base["path"]), RUNS / base["run"], run.path.resolve().parent / base["run"]]
    there = [RunFolder(path) for path in places if is_run(path)]
    for found in there:
        if found.model_path.exists() and file_sha256(found.model_path) == base["sha256"]:
            return found
    if there:
        raise InputError(
            f"{base['run']}, which {run.name} was fine-tuned from, has other weights now: restore it from a copy"
        )
    raise InputError(
        f"{base['run']}, which {run.name} was fine-tuned from, is not at {base['path']} any more: put it back, "
        f"or under {RUNS}/"
    )


def choose_adapters(
    rank: int | None, alpha: float | None, targets: str | None, model: LanguageModel
) -> Adapters:
    """The adapters asked for: rank 8, an alpha of twice the rank and all targets where nothing is said.

    Args:
        targets: "attention", "feedforward", "all", or names such as q_proj, separated by commas.

    Raises:
        InputError: a number is out of range, or the model has no such target.
    """
    rank = DEFAULT_RANK if rank is None else rank
    if not 1 <= rank <= 1024:
        raise InputError(f"--rank is a whole number from 1 to 1024, not {rank}")
    alpha = ALPHA_OF_RANK * rank if alpha is None else alpha
    if not 0 < alpha <= 1e6:
        raise InputError(f"--alpha is a number above 0, not {alpha:g}")
    possible = possible_targets(model)
    if (targets or "all") in TARGETS:
        names = [name for name in TARGETS[targets or "all"] if name in possible]
    else:
        names = [name.strip() for name in str(targets).split(",")]
    if wrong := next((name for name in names if name not in possible), None if names else targets):
        raise InputError(
            f"this model has no {wrong!r} to adapt: --targets takes {', '.join(TARGETS)}, "
            f"or some of {', '.join(possible)}"
        )
    return Adapters(rank, alpha, tuple(dict.fromkeys(names)))


def stored_adapters(stored: dict[str, Any]) -> Adapters | None:
    """The adapters of a fine-tuned run; None where all of it was trained."""
    adapter = stored.get("adapter")
    return Adapters(adapter["rank"], adapter["alpha"], tuple(adapter["targets"])) if adapter else None


def put_adapters(model: LanguageModel, adapters: Adapters, seed: int) -> None:
    """Freeze the model and add adapters that start as `seed` says."""
    torch.manual_seed(seed)
    add_adapters(model, adapters)


def start_from_base(model: LanguageModel, run: RunFolder, stored: dict[str, Any], seed: int) -> None:
    """Make `model`, as built, what a resumed fine-tuning takes its checkpoint into.

    Where all of the model is trained its base is needed only before the first checkpoint.

    Raises:
        InputError: the base is needed and is not there.
    """
    adapters = stored_adapters(stored)
    if adapters or not run.checkpoints.steps():
        load_weights(model, find_base(run, stored).model_path)
    if adapters:
        put_adapters(model, adapters, seed)


def weights_at(run: RunFolder, step: int) -> dict[str, Tensor]:
    """The weights of the checkpoint of a step, as `stored_weights` gives them: averaged, and adapters merged.

    Raises:
        InputError: there is no such checkpoint, it is damaged, or its base is not there.
    """
    path = run.checkpoints.path(step)
    if step not in run.checkpoints.steps():
        there = ", ".join(map(str, run.checkpoints.steps())) or "none"
        raise InputError(f"{run.name} has no checkpoint of step {step}: there are {there}")
    if trouble := problem(path):
        raise InputError(f"{path} {trouble}: choose another step")
    checkpoint = run.checkpoints.load(step)
    return merged_checkpoint(run, run.config(), averaged(checkpoint.model, checkpoint.optimizer), str(path))


def merged_checkpoint(
    run: RunFolder, stored: dict[str, Any], weights: dict[str, Tensor], where: str
) -> dict[str, Tensor]:
    """The whole weights of a checkpoint, as `stored_weights` gives them, adapters merged.

    Raises:
        InputError: it holds adapters, and their base is not there.
    """
    adapters = stored_adapters(stored)
    if adapters is None:
        return weights
    model = build_model(ModelConfig.from_dict(stored["model"]))
    load_weights(model, find_base(run, stored).model_path)
    add_adapters(model, adapters)
    load_checkpoint_weights(model, weights, where)
    return stored_weights(model)
