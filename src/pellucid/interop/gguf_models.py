"""A GGUF file as one of our models, as llama.cpp computes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.assembling import plan_for
from pellucid.interop.chat_templates import template_kind
from pellucid.interop.fillers import KEY, without_fillers
from pellucid.interop.gguf import Gguf, read_gguf, tidy
from pellucid.interop.gguf_architectures import ARCHITECTURES, Arch
from pellucid.interop.gguf_tokenizer import gguf_tokenizer
from pellucid.interop.names import GGUF_NAMES
from pellucid.interop.settings import Settings, naming
from pellucid.interop.source import Source
from pellucid.model.config import ModelConfig

# `rope.dimension_count` is checked to be the whole head, so that these add nothing.
HARMLESS = frozenset(("rope.scaling.finetuned", "vocab_size"))


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
    arch = ARCHITECTURES[family]
    settings = Settings(_under(f"{family}.", metadata), where)
    with naming(where):
        config = _config(arch, settings, gguf)
    settings.refuse_the_rest(HARMLESS)
    made = plan_for(config, arch.layout(config, _biased(gguf)), gguf.files, path, lambda name: False)
    config, made = without_fillers(_under(f"{KEY}.", metadata), config, made, gguf.files)
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


def _under(prefix: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """What stands under a prefix, without it."""
    return {
        key.removeprefix(prefix): tidy(value) for key, value in metadata.items() if key.startswith(prefix)
    }


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
        raise InputError("it has no matrix token_embd.weight; take a whole copy of it")
    return entry.shape[0]


def _config(arch: Arch, settings: Settings, gguf: Gguf) -> ModelConfig:
    """What a file of an architecture describes."""
    settings.must_be("attention.sliding_window", 0)
    settings.must_be("attention.causal", True)
    for name, value in arch.also:
        settings.must_be(name, value)
    n_heads, d_model = settings.size("attention.head_count"), settings.size("embedding_length")
    head_dim = settings.size("attention.key_length", max(1, d_model // n_heads))
    settings.must_be("attention.value_length", head_dim)
    epsilon = "layer_norm_rms_epsilon" if arch.norm == "rmsnorm" else "layer_norm_epsilon"
    return ModelConfig(
        vocab_size=_n_rows(gguf),
        context_length=settings.size("context_length"),
        n_layers=settings.size("block_count"),
        n_heads=n_heads,
        n_kv_heads=settings.size("attention.head_count_kv", n_heads),
        head_dim=head_dim,
        d_model=d_model,
        positions=arch.positions,
        norm=arch.norm,
        norm_eps=settings.number(f"attention.{epsilon}"),
        activation=arch.activation,
        qk_norm=arch.qk_norm,
        bias=bool(_biased(gguf)),
        tie_embeddings=f"{GGUF_NAMES.head}.weight" not in gguf.files.entries,
        **_rotation(arch, settings, gguf, head_dim),
        **_feedforward(arch, settings),
    )


def _rotation(arch: Arch, settings: Settings, gguf: Gguf, head_dim: int) -> dict[str, Any]:
    """The base of rotary positions, which may not be scaled."""
    if arch.positions != "rotary":
        return {}
    settings.must_be("rope.dimension_count", head_dim)
    settings.must_be("rope.scaling.type", "none")
    settings.must_be("rope.scaling.factor", 1.0, 0.0)
    settings.must_be("rope.scale_linear", 1.0, 0.0)
    if "rope_freqs.weight" in gguf.files.entries:
        raise settings.refused("rope_freqs.weight", "scaled rotary frequencies")
    return {"rope_base": settings.number("rope.freq_base", 10_000.0)}


def _feedforward(arch: Arch, settings: Settings) -> dict[str, Any]:
    """Its size, and the experts if there are any."""
    width = settings.size("feed_forward_length")
    n_experts = settings.get("expert_count")
    if "experts" not in arch.feedforward or (n_experts in (None, 0) and "dense" in arch.feedforward):
        settings.must_be("expert_count", 0)
        settings.must_be("expert_used_count", 0)
        return {"d_ff": width}
    width = settings.size("expert_feed_forward_length", width)
    if arch.shared_expert != "none":
        settings.must_be("expert_shared_feed_forward_length", width)
    return {
        "d_ff": width,
        "feedforward": "experts",
        "n_experts": settings.size("expert_count"),
        "experts_per_token": settings.size("expert_used_count"),
        "shared_expert": arch.shared_expert,
        "balance": "none",
    }
