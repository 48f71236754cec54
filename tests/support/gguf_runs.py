"""Runs of small random models, one for each architecture of llama.cpp that runs are exported to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from published import randomise

from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.tokenizers.bpe import train_bpe
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.run_folder import RunFolder
from pellucid.training.weights import publish_weights, stored_weights

TEXT = (
    "It was a bright cold day in April, and the clocks were striking thirteen. We'll say it's 12345 o'clock.\n"
    "naïve cafés, 漢字とかな, 🙂👩‍🚀 and    blanks\n\n\tdon't they've I'M; a \\ and <|user|> are text\n"
)
SIZES: dict[str, Any] = {"context_length": 64, "n_layers": 2, "n_heads": 4, "d_model": 64}
SWIGLU = {"activation": "swiglu", "d_ff": 96}
LAYERNORM = {"norm": "layernorm"}
GELU = {**LAYERNORM, "activation": "gelu_tanh"}
LEARNED = {**GELU, "positions": "learned"}
EXPERTS = {"feedforward": "experts", "n_experts": 4, "experts_per_token": 2, "d_ff": 64}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {  # by what they are: the architecture, and the settings
    "grouped queries": ("llama", {**SWIGLU, "n_kv_heads": 2}),
    "biases": ("llama", {**SWIGLU, "bias": True}),
    "wide heads, one for all keys, tied": (
        "llama",
        {**SWIGLU, "head_dim": 32, "n_kv_heads": 1, "tie_embeddings": True, "rope_base": 500.0},
    ),
    "fixed norms": ("llama", {**SWIGLU, "norm": "rmsnorm_fixed"}),
    "experts": ("llama", {**EXPERTS, "n_kv_heads": 2}),
    "experts and biases in attention": ("llama", {**EXPERTS, "bias": True}),
    "QK-norm": ("qwen3", {**SWIGLU, "qk_norm": True, "n_kv_heads": 2, "head_dim": 32}),
    "QK-norm and experts": ("qwen3moe", {**EXPERTS, "qk_norm": True, "experts_per_token": 3}),
    "a shared expert": ("granitemoe", {**EXPERTS, "shared_expert": "plain", "n_kv_heads": 2}),
    "the default": ("arcee", {"n_kv_heads": 2, "head_dim": 32, "tie_embeddings": True}),
    "LayerNorm and ReLU²": ("jais2", {**LAYERNORM, "tie_embeddings": True}),
    "LayerNorm, ReLU² and biases": ("jais2", {**LAYERNORM, "bias": True}),
    "LayerNorm, ReLU², grouped queries": ("nemotron", {**LAYERNORM, "n_kv_heads": 2, "tie_embeddings": True}),
    "LayerNorm, rotary and GELU": ("starcoder2", {**GELU, "n_kv_heads": 2, "tie_embeddings": True}),
    "LayerNorm and SwiGLU": ("stablelm", {**LAYERNORM, **SWIGLU, "n_kv_heads": 2, "tie_embeddings": True}),
    "GPT-2": ("gpt2", {**LEARNED, "bias": True, "tie_embeddings": True}),
    "GPT-2 without biases, grouped queries": ("gpt2", {**LEARNED, "n_kv_heads": 2}),
    "waves": ("gpt2", {**LEARNED, "positions": "sinusoidal", "tie_embeddings": True}),
    "no positions": ("gpt2", {**LEARNED, "positions": "none"}),
}


def characters() -> CharTokenizer:
    return CharTokenizer(TEXT)


def pieces() -> Tokenizer:
    return train_bpe([TEXT * 3], 320)


def write_run(
    path: Path, tokenizer: Tokenizer, settings: dict[str, Any], template: str | None = "markers"
) -> tuple[RunFolder, LanguageModel]:
    """A run folder as an import leaves it, with a random model."""
    config = ModelConfig(**{**SIZES, "vocab_size": tokenizer.vocab_size, **settings})
    torch.manual_seed(0)
    model = randomise(build_model(config))
    run = RunFolder(path)
    path.mkdir(parents=True)
    tokenizer.save(run.tokenizer_path)
    publish_weights(run.model_path, stored_weights(model), 0)
    run.write_config(
        {
            "pellucid": "0",
            "model": config.to_dict(),
            "training": {},
            "data": {"sources": []},
            "machine": {},
            "imported": {"from": "a test", "format": "none", "family": "none", "licence": "mit"},
            **({"template": template} if template else {}),
        }
    )
    return run, model
