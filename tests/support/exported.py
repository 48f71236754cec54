"""Runs of random weights for every family that a model can be exported as, made without training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from published import TEXT, byte_level, randomise

import pellucid
from pellucid.interop.rewriting import bias_kind
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.run_folder import RunFolder
from pellucid.training.weights import publish_weights, stored_weights

EVERY = ("qkv", "out", "feedforward", "shared")
QUERIES = ("qkv",)
SIZES: dict[str, Any] = {"context_length": 64, "n_layers": 2, "n_heads": 4, "d_model": 48, "d_ff": 88}
ABSOLUTE: dict[str, Any] = {"positions": "learned", "norm": "layernorm", "activation": "gelu_tanh"}
EXPERTS: dict[str, Any] = {"feedforward": "experts", "n_experts": 4, "experts_per_token": 2}


@dataclasses.dataclass(frozen=True)
class Case:
    """A model of ours and the family that is its twin.

    Args:
        biased: the biases that its family can hold, of EVERY; those that are not named are zero.
        exact: whether the export comes back as the same bits; the others have heads repeated or positions in a table,
            and come back with the same logits.
    """

    family: str
    settings: dict[str, Any]
    biased: tuple[str, ...] = EVERY
    exact: bool = True


CASES: dict[str, Case] = {
    "RMSNorm, rotary, SwiGLU": Case("llama", {"activation": "swiglu", "n_kv_heads": 2}),
    "the same, wide heads, multi-query": Case(
        "llama", {"activation": "swiglu", "n_kv_heads": 1, "head_dim": 20}
    ),
    "the same, biases of queries, keys and values": Case(
        "llama", {"activation": "swiglu", "bias": True}, QUERIES
    ),
    "the same, QK-norm": Case(
        "qwen3", {"activation": "swiglu", "qk_norm": True, "n_kv_heads": 2}, ("qkv", "out")
    ),
    "fixed RMSNorm": Case("llama", {"activation": "swiglu", "norm": "rmsnorm_fixed"}),
    "RMSNorm, rotary, ReLU²": Case("arcee", {"activation": "relu2", "n_kv_heads": 2}),
    "RMSNorm, rotary, ReLU": Case("arcee", {"activation": "relu"}),
    "RMSNorm, rotary, GELU": Case("arcee", {"activation": "gelu"}),
    "LayerNorm, rotary, GELU (tanh)": Case(
        "starcoder2", {"norm": "layernorm", "activation": "gelu_tanh", "n_kv_heads": 2}
    ),
    "LayerNorm, rotary, SwiGLU": Case(
        "stablelm", {"norm": "layernorm", "activation": "swiglu", "n_kv_heads": 2}, QUERIES
    ),
    "LayerNorm, learned, GELU (tanh)": Case("gpt2", ABSOLUTE),
    "LayerNorm, learned, ReLU²": Case("gpt2", {**ABSOLUTE, "activation": "relu2"}),
    "LayerNorm, learned, scores unscaled": Case("gpt2", {**ABSOLUTE, "scale": "none"}),
    "LayerNorm, learned, multi-query": Case("gpt_bigcode", {**ABSOLUTE, "n_kv_heads": 1}),
    "LayerNorm, learned, grouped queries": Case("gpt2", {**ABSOLUTE, "n_kv_heads": 2}, exact=False),
    "LayerNorm, sinusoidal": Case("gpt2", {**ABSOLUTE, "positions": "sinusoidal"}, exact=False),
    "LayerNorm, no positions": Case("gpt2", {**ABSOLUTE, "positions": "none"}, exact=False),
    "LayerNorm after, learned, ReLU": Case(
        "opt", {**ABSOLUTE, "activation": "relu", "norm_position": "post"}
    ),
    "LayerNorm after, sinusoidal, grouped queries": Case(
        "opt",
        {**ABSOLUTE, "positions": "sinusoidal", "norm_position": "post", "n_kv_heads": 2},
        exact=False,
    ),
    "experts": Case("mixtral", {**EXPERTS, "n_kv_heads": 2}, ()),
    "experts, QK-norm": Case("qwen3_moe", {**EXPERTS, "qk_norm": True, "n_kv_heads": 2}, ("qkv", "out")),
    "experts, a shared one": Case("granitemoeshared", {**EXPERTS, "shared_expert": "plain"}, ("qkv", "out")),
    "experts, a gated shared one": Case("qwen2_moe", {**EXPERTS, "shared_expert": "gated"}, QUERIES),
}


def make_run(path: Path, case: Case, tokenizer: Tokenizer | None = None, **changes: Any) -> RunFolder:
    """A run folder of random weights, with what a training leaves and an export reads."""
    tokenizer = tokenizer or CharTokenizer(TEXT)
    stored = {name: changes.pop(name) for name in ("template", "trained_on_private") if name in changes}
    config = ModelConfig(**{"vocab_size": tokenizer.vocab_size, **SIZES, **case.settings, **changes})
    model = randomise(build_model(config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            kind = bias_kind(name)
            if kind is not None and kind not in case.biased:
                parameter.zero_()
    path.mkdir(parents=True)
    run = RunFolder(path)
    tokenizer.save(run.tokenizer_path)
    publish_weights(run.model_path, stored_weights(model), 7)
    run.write_config(
        {
            "pellucid": pellucid.__version__,
            "model": config.to_dict(),
            "training": {},
            "data": {"name": "random weights"},
            "machine": {},
            **stored,
        }
    )
    return run


def chatml_tokenizer() -> Tokenizer:
    """That of a published model whose template is ChatML, with a token that begins every text."""
    import json

    from pellucid.text.tokenizers.imported import as_imported
    from pellucid.text.tokenizers.tokenizer import parse_tokenizer

    engine = byte_level(("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin|>"))
    marks = ("<|im_start|>", "<|im_end|>")
    made = as_imported(json.loads(engine.to_str()), 320, "<|endoftext|>", "<|begin|>", marks, "a tokenizer")
    return parse_tokenizer(json.dumps(made).encode(), "a tokenizer")
