"""A GGUF file as one of our models: llama, qwen2, qwen3 and gpt2, as llama.cpp computes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.assembling import plan_for
from pellucid.interop.chat_templates import template_kind
from pellucid.interop.gguf import Gguf, read_gguf, tidy
from pellucid.interop.gguf_tokenizer import gguf_tokenizer
from pellucid.interop.mapping import Layout
from pellucid.interop.names import GGUF_NAMES
from pellucid.interop.settings import Settings
from pellucid.interop.source import Source
from pellucid.interop.turns import HalfSplit, as_it_is
from pellucid.model.config import ModelConfig

# `rope.dimension_count` is checked to be the whole head, so that these add nothing.
HARMLESS = frozenset(("rope.scaling.finetuned", "vocab_size"))


@dataclasses.dataclass(frozen=True)
class Arch:
    """How llama.cpp computes an architecture, and how its files keep it."""

    config: Callable[[Settings, Gguf], ModelConfig]
    interleaved: bool  # whether rotary pairs are (2i, 2i + 1)
    fused: bool = False


def read_gguf_model(path: Path, name: str | None = None) -> Source:
    """A model in a GGUF file, all of it checked and none of its numbers read.

    Raises:
        InputError: it is not whole, of an architecture or quantisation that is not imported, or cannot be expressed.
    """
    gguf = read_gguf(path)
    metadata, where = gguf.metadata, str(path)
    family = metadata.get("general.architecture")
    if not isinstance(family, str) or family not in ARCHITECTURES:
        raise InputError(
            f"{path} has architecture {family!r}: those that are imported from GGUF are {', '.join(ARCHITECTURES)}"
        )
    if metadata.get("split.count") not in (None, 0, 1):
        raise InputError(
            f"{path} is one of several parts of a model: join them first, with llama.cpp's gguf-split"
        )
    arch, prefix = ARCHITECTURES[family], f"{family}."
    own = {key.removeprefix(prefix): tidy(value) for key, value in metadata.items() if key.startswith(prefix)}
    settings = Settings(own, where)
    config = arch.config(settings, gguf)
    settings.refuse_the_rest(HARMLESS)
    layout = Layout(
        GGUF_NAMES,
        _biased(gguf),
        heads=HalfSplit(config.head_dim) if arch.interleaved else as_it_is,
        fused=arch.fused,
    )
    made = plan_for(config, layout, gguf.files, path, lambda name: False)
    tokenizer, tokens = gguf_tokenizer(metadata, config.vocab_size, where)
    template = template_kind(metadata.get("tokenizer.chat_template"), tokens)
    licence = metadata.get("general.license")
    return Source(
        name or path.stem,
        "gguf",
        family,
        config,
        made,
        gguf.files,
        tokenizer,
        template,
        licence if isinstance(licence, str) else None,
    )


def _biased(gguf: Gguf) -> frozenset[str]:
    """The linear layers that have a bias in the first block; others must be alike, or their tensors are refused."""
    fields = ("qkv", "q", "k", "v", "out", "gate", "up", "down")
    first = GGUF_NAMES.layer.format(n=0)
    return frozenset(
        field for field in fields if f"{first}{getattr(GGUF_NAMES, field)}.bias" in gguf.files.entries
    )


def _n_rows(gguf: Gguf) -> int:
    """Tokens that the model has a row for."""
    entry = gguf.files.entries.get(f"{GGUF_NAMES.embedding}.weight")
    if entry is None or len(entry.shape) != 2:
        raise InputError("the GGUF file has no matrix token_embd.weight: take a whole copy of the model")
    return entry.shape[0]


def _shared(settings: Settings, gguf: Gguf) -> dict[str, Any]:
    """What all architectures name alike."""
    settings.must_be("attention.sliding_window", 0)
    for name in ("expert_count", "expert_used_count"):
        settings.must_be(name, 0)
    settings.must_be("attention.causal", True)
    return {
        "vocab_size": _n_rows(gguf),
        "context_length": settings.size("context_length"),
        "n_layers": settings.size("block_count"),
        "n_heads": settings.size("attention.head_count"),
        "d_model": settings.size("embedding_length"),
        "d_ff": settings.size("feed_forward_length"),
        "bias": bool(_biased(gguf)),
        "tie_embeddings": f"{GGUF_NAMES.head}.weight" not in gguf.files.entries,
    }


def _llama(settings: Settings, gguf: Gguf) -> ModelConfig:
    """Llama, Mistral (which GGUF calls llama, too) and Qwen 2."""
    shared = _shared(settings, gguf)
    head_dim = settings.size("attention.key_length", max(1, shared["d_model"] // shared["n_heads"]))
    settings.must_be("attention.value_length", head_dim)
    settings.must_be("rope.dimension_count", head_dim)
    settings.must_be("rope.scaling.type", "none")
    settings.must_be("rope.scaling.factor", 1.0, 0.0)
    settings.must_be("rope.scale_linear", 1.0, 0.0)
    if "rope_freqs.weight" in gguf.files.entries:
        raise settings.refused("rope_freqs.weight", "scaled rotary frequencies")
    return ModelConfig(
        **shared,
        n_kv_heads=settings.size("attention.head_count_kv", shared["n_heads"]),
        head_dim=head_dim,
        positions="rotary",
        rope_base=settings.number("rope.freq_base", 10_000.0),
        norm="rmsnorm",
        norm_eps=settings.number("attention.layer_norm_rms_epsilon"),
        activation="swiglu",
        qk_norm=f"{GGUF_NAMES.layer.format(n=0)}{GGUF_NAMES.q_norm}.weight" in gguf.files.entries,
    )


def _gpt2(settings: Settings, gguf: Gguf) -> ModelConfig:
    shared = _shared(settings, gguf)
    settings.must_be("attention.head_count_kv", shared["n_heads"])
    return ModelConfig(
        **{**shared, "bias": True},
        positions="learned",
        norm="layernorm",
        norm_eps=settings.number("attention.layer_norm_epsilon"),
        activation="gelu_tanh",
    )


ARCHITECTURES = {
    "llama": Arch(_llama, interleaved=True),
    "qwen2": Arch(_llama, interleaved=False),
    "qwen3": Arch(_llama, interleaved=False),
    "gpt2": Arch(_gpt2, interleaved=False, fused=True),
}
