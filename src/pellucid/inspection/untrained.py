"""A model of a preset with the random weights it would start from, to be looked into before anything is trained."""

from __future__ import annotations

from pathlib import Path

import torch

from pellucid import presets
from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text.corpora.lesson import lesson
from pellucid.text.tokenizers.bpe import train_bpe
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.config import TrainConfig
from pellucid.training.machine import attention_core, choose_device
from pellucid.training.run_folder import RunFolder
from pellucid.training.settings import request

# the 65 characters of tinyshakespeare, which small character models are usually counted with
COMMON = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\n !$&',-.3:;?"


def names() -> list[str]:
    """The presets that say what the model is; others leave it to the text, or to the run that they go on from."""
    return [name for name in presets.names() if presets.load(name).model]


def untrained(preset: str, text: str = "", device: str = "auto") -> LoadedRun:
    """A preset's model, its weights random by the default seed of training: the same every time.

    There is no text to make a tokenizer of, so a character tokenizer has the characters of the corpus `lesson` for the
    preset of that name and 65 common ones for others, and pieces of words are learned from `lesson` and `text`. A
    vocabulary that the preset gives the size of, the model has in full; only the first of it are then ever read.

    Raises:
        InputError: there is no such preset, or it does not say what the model is.
    """
    asked = request(preset)
    if not asked.model:
        raise InputError(
            f"the preset {preset} does not say what the model is: choose one of {', '.join(names())}"
        )
    tokenizer = _tokenizer(preset, asked.tokenizer, asked.text.get("vocab_size"), text)
    size = asked.text.get("vocab_size", tokenizer.vocab_size)
    config = ModelConfig(vocab_size=size, **asked.model)
    device = choose_device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(TrainConfig.seed)
        model = build_model(config, attention_core(device, config.context_length))
    return LoadedRun(
        RunFolder(Path(preset)), model.to(device).eval(), tokenizer, device, step=0, kind="untrained"
    )


def _tokenizer(preset: str, kind: str, vocab_size: int | None, text: str) -> Tokenizer:
    sentences = [document.text for document in lesson().documents]
    if vocab_size is not None and kind == "bpe":
        return train_bpe([*sentences, text], vocab_size)
    return CharTokenizer.from_texts(sentences if preset == "lesson" else [COMMON])
