"""A trained run in Python: load it, let it write, score a text."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.model.uninitialised import Uninitialised
from pellucid.text.template import Template
from pellucid.text.tokenizers.tokenizer import Tokenizer, load_tokenizer
from pellucid.training.base import weights_at
from pellucid.training.evaluation import Evaluator, Score
from pellucid.training.machine import attention_core, choose_device
from pellucid.training.own_code import take_up
from pellucid.training.run_folder import RunFolder, find_run
from pellucid.training.weights import load_stored_weights, load_weights


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A run's model and tokenizer, ready to use.

    `step` is that of its weights, None where they do not say; `kind` says which of the run's weights they are:
    "best", "live" or "checkpoint". `template` is how conversations are written for it; None for a model that was only
    ever trained to continue text.
    """

    folder: RunFolder
    model: LanguageModel
    tokenizer: Tokenizer
    device: str
    step: int | None = None
    kind: str = "best"
    template: Template | None = None

    def engine(self, note: Callable[[str], None] | None = None) -> Engine:
        """What writes with the model; `note` hears what a person should know, as of unknown characters.

        A model that answers ends a text with its reply, too: what else it could write after that, it never learned.
        """
        ends = self.template.ends if self.template else ()
        return Engine(self.model, self.tokenizer, self.device, note, ends)

    def generate(self, prompt: str = "", **options: Any) -> str:
        """What the model writes after `prompt`; `options` are those of SamplingOptions."""
        return self.engine().generate(prompt, SamplingOptions(**options))[0].text

    def stream(self, prompt: str = "", **options: Any) -> Iterator[str]:
        """The same, piece by piece; never half a character."""
        return self.engine().stream(prompt, SamplingOptions(**options))

    def score(self, text: str) -> Score:
        """How well the model predicts `text`, in windows of its context that do not overlap.

        Raises:
            InputError: the text is shorter than two tokens.
        """
        tokens = self.tokenizer.encode_documents([text])
        score = Evaluator(self.tokenizer, self.model.config.context_length).score(
            self.model, tokens, self.device
        )
        if not score.n_tokens:
            raise InputError("the text is too short to score: it needs at least two tokens")
        return score

    def loss(self, text: str) -> float:
        """Nats a token of `text`."""
        return self.score(text).loss


def load(
    run: RunFolder | str | Path | None = None,
    device: str = "auto",
    step: int | str = "best",
    trust_code: bool = False,
) -> LoadedRun:
    """The run at a path or of a name under `runs/`; with no name, the latest.

    Args:
        run: its path or name, or the folder itself; None is the latest.
        device: "auto", "cpu", "cuda" or "mps".
        step: which of its weights: "best" on the dev split, "live" (copied from a training that goes on, see
            training/control.py), or the step of a checkpoint.
        trust_code: whether a model of its own code is executed, although it was not trained here nor allowed.

    Raises:
        InputError: there is no such run or step, it is damaged, it has no weights yet, or it brings code of its own
            that nobody here has allowed.
    """
    folder = find_run(run)
    stored = folder.config()
    config = ModelConfig.from_dict(stored["model"])
    take_up(folder, config, trust_code)
    device = choose_device(device)
    with contextlib.nullcontext() if config.own else Uninitialised():  # its code may need what it draws
        model = build_model(config, attention_core(device, config.context_length))
    of_step = _load_step(folder, model, step)
    kind = step if isinstance(step, str) else "checkpoint"
    tokenizer = load_tokenizer(folder.tokenizer_path)
    template = Template(stored["template"], tokenizer) if stored.get("template") else None
    return LoadedRun(folder, model.to(device).eval(), tokenizer, device, of_step, kind, template)


def _load_step(folder: RunFolder, model: LanguageModel, step: int | str) -> int | None:
    """Fill the model with the weights of a step; returns the number of that step."""
    if isinstance(step, int):
        load_stored_weights(model, weights_at(folder, step), str(folder.checkpoints.path(step)))
        return step
    if step not in ("best", "live"):
        raise InputError(f"a step is a number, best or live, not {step!r}")
    path = folder.model_path if step == "best" else folder.live_path
    if not path.exists():
        raise InputError(
            f"{folder.path} has no weights yet: go on with `pellucid train --resume --out {folder.path}`"
            if step == "best"
            else f"no training goes on in {folder.path}: take its best weights, or a checkpoint"
        )
    return load_weights(model, path)
