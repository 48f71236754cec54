"""What every kind of source becomes before anything is written: a plan, checked in full."""

from __future__ import annotations

import dataclasses

from pellucid.interop.mapping import Plan
from pellucid.interop.tensors import TensorFiles
from pellucid.model.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class Source:
    """A model that can be imported.

    Args:
        name: for the run.
        format: "huggingface" or "gguf".
        family: llama, qwen2, …
        config: of our model.
        plan: where each of our tensors comes from.
        files: where that is.
        tokenizer: the text of its tokenizer.json, as runs keep it.
        template: the kind of its chat template, if that is known here.
        licence: what it says of itself, if anything.
    """

    name: str
    format: str
    family: str
    config: ModelConfig
    plan: Plan
    files: TensorFiles
    tokenizer: str
    template: str | None = None
    licence: str | None = None
