"""A trained run in Python: load it, let it write, score a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.tokenizers.tokenizer import Tokenizer, load_tokenizer
from pellucid.training.evaluation import Evaluator, Score
from pellucid.training.machine import attention_core, choose_device
from pellucid.training.run_folder import RunFolder, find_run
from pellucid.training.weights import load_weights


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A run's model and tokenizer, ready to use."""

    folder: RunFolder
    model: LanguageModel
    tokenizer: Tokenizer
    device: str

    def engine(self, note: Callable[[str], None] | None = None) -> Engine:
        """What writes with the model; `note` hears what a person should know, as of unknown characters."""
        return Engine(self.model, self.tokenizer, self.device, note)

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


def load(run: str | Path | None = None, device: str = "auto") -> LoadedRun:
    """The run at a path or of a name under `runs/`; with no name, the latest.

    Raises:
        InputError: there is no such run, it is damaged, or it has no weights yet.
    """
    folder = find_run(run)
    config = ModelConfig.from_dict(folder.config().get("model", {}))
    if not folder.model_path.exists():
        raise InputError(
            f"{folder.path} has no weights yet: go on with `pellucid train --resume --out {folder.path}`"
        )
    device = choose_device(device)
    model = build_model(config, attention_core(device, config.context_length))
    load_weights(model, folder.model_path)
    return LoadedRun(folder, model.to(device).eval(), load_tokenizer(folder.tokenizer_path), device)
