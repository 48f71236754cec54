"""No false alarm: our own models with every part, and published families of others."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pellucid import presets
from pellucid.inspection.doctor import diagnose
from pellucid.inspection.doctor.patient import make_patient
from pellucid.inspection.doctor.runs import diagnose_preset, untrained
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model

FAILED = "failed in this check"  # no check of a sound model breaks off, by a mistake of its own neither
SMALL: dict[str, Any] = {
    "vocab_size": 65,
    "n_layers": 2,
    "n_heads": 4,
    "d_model": 32,
    "context_length": 32,
}
PARTS: dict[str, dict[str, Any]] = {
    "grouped": {"n_kv_heads": 2},
    "multi-query, qk-norm": {"n_kv_heads": 1, "qk_norm": True},
    "experts": {"feedforward": "experts"},
    "shared expert": {"feedforward": "experts", "shared_expert": "gated", "balance": "bias"},
    "post-norm": {"norm": "layernorm", "norm_position": "post"},
    "sinusoidal": {"positions": "sinusoidal", "tie_embeddings": True},
    "learned": {"positions": "learned", "bias": True, "dropout": 0.2},
    "residuals": {"value_residual": True, "x0_residual": True, "logit_softcap": 15.0},
    "one layer": {"n_layers": 1, "norm": "rmsnorm_fixed"},
}


@pytest.mark.parametrize("preset", presets.names())
def test_every_preset_is_healthy(preset: str):
    diagnosis = diagnose_preset(preset)
    assert diagnosis.healthy, diagnosis.causes
    assert not [found for found in diagnosis.findings if FAILED in str(found)]


@pytest.mark.parametrize("attend", ["fused", "explicit"])
@pytest.mark.parametrize("parts", PARTS)
def test_our_parts_are_healthy(parts: str, attend: str):
    torch.manual_seed(0)
    model = build_model(ModelConfig(**{**SMALL, **PARTS[parts]}), attend)
    diagnosis = diagnose(make_patient(parts, model))
    assert diagnosis.healthy, diagnosis.causes
    assert not [found for found in diagnosis.findings if FAILED in str(found)]


@pytest.mark.parametrize(("part", "cause"), [("mask", "missing mask"), ("scale", "no scaling")])
def test_parts_that_are_left_out_are_missed(part: str, cause: str):
    patient = untrained(ModelConfig(**SMALL, **{part: "none"}), part)
    assert diagnose(patient).causes == [cause]


def test_positions_that_are_declared_absent_are_told():
    patient = untrained(ModelConfig(**SMALL, positions="none"), "none")
    assert diagnose(patient, declared_none=True).healthy
    assert diagnose(patient).causes == ["positions not added"]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("core", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_published_families_are_healthy(family: str, core: str, training: bool):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    if family == "gpt2":
        sizes = {"vocab_size": 67, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32}
        ends = {"bos_token_id": 0, "eos_token_id": 0, "attn_implementation": core}
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **ends))
    else:
        sizes = {"vocab_size": 67, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32}
        made = transformers.LlamaConfig(**sizes, **heads, attn_implementation=core)
        model = transformers.LlamaForCausalLM(made)
    diagnosis = diagnose(make_patient(family, model.train(training)))
    assert diagnosis.healthy, diagnosis.causes
