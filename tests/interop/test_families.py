"""Every family of Hugging Face, as `transformers` makes and saves it: its logits are ours, or it is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import GPT2_SIZES, SIZES, assert_same_logits, randomise

from pellucid import import_model, load
from pellucid.errors import InputError
from pellucid.interop.families import FAMILIES
from pellucid.model.experts import expert_layers

transformers = pytest.importorskip("transformers")

Save = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict[str, Any]], object]], None]

OPT_SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 48,
    "ffn_dim": 88,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "word_embed_proj_dim": 48,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
EXPERTS = {"num_experts_per_tok": 2}
GRANITE = {
    **EXPERTS,
    "num_local_experts": 4,
    "shared_intermediate_size": 88,
    "attention_multiplier": 12**-0.5,
}
QWEN = {
    **EXPERTS,
    "num_experts": 4,
    "moe_intermediate_size": 40,
    "shared_expert_intermediate_size": 40,
    "norm_topk_prob": True,
}
WHOLE = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0}}
TIED = {"tie_word_embeddings": True}
UNTIED = {"tie_word_embeddings": False}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "arcee": ("arcee", SIZES, {}),
    "arcee, ReLU, all biases, tied": (
        "arcee",
        SIZES,
        {"hidden_act": "relu", "attention_bias": True, "mlp_bias": True, **TIED},
    ),
    "arcee, GELU, wide heads": ("arcee", SIZES, {"hidden_act": "gelu", "head_dim": 20}),
    "starcoder2": ("starcoder2", SIZES, {}),
    "starcoder2, no biases, untied, ReLU²": (
        "starcoder2",
        SIZES,
        {"use_bias": False, "hidden_act": "relu2", **UNTIED},
    ),
    "stablelm": ("stablelm", SIZES, WHOLE),
    "stablelm, biases, tied": ("stablelm", SIZES, {**WHOLE, "use_qkv_bias": True, **TIED}),
    "gpt_bigcode": ("gpt_bigcode", GPT2_SIZES, {}),
    "gpt_bigcode, untied, GELU": ("gpt_bigcode", GPT2_SIZES, {"activation_function": "gelu", **UNTIED}),
    "gpt2, scores as they are": ("gpt2", GPT2_SIZES, {"scale_attn_weights": False}),
    "opt": ("opt", OPT_SIZES, {}),
    "opt, norms after each part, untied": ("opt", OPT_SIZES, {"do_layer_norm_before": False, **UNTIED}),
    "opt, no biases, GELU": ("opt", OPT_SIZES, {"enable_bias": False, "activation_function": "gelu"}),
    "mixtral": ("mixtral", SIZES, {**EXPERTS, "num_local_experts": 4}),
    "mixtral, tied, one expert of three": (
        "mixtral",
        SIZES,
        {"num_experts_per_tok": 1, "num_local_experts": 3, "head_dim": 20, **TIED},
    ),
    "granitemoeshared": ("granitemoeshared", SIZES, GRANITE),
    "granitemoeshared, biases, tied": (
        "granitemoeshared",
        SIZES,
        {**GRANITE, "attention_bias": True, **TIED},
    ),
    "granitemoeshared, no shared expert": (
        "granitemoeshared",
        SIZES,
        {**GRANITE, "shared_intermediate_size": 0},
    ),
    "granitemoeshared, scores as they are": (
        "granitemoeshared",
        SIZES,
        {**GRANITE, "attention_multiplier": 1.0},
    ),
    "qwen2_moe": ("qwen2_moe", SIZES, QWEN),
    "qwen2_moe, no biases, tied": ("qwen2_moe", SIZES, {**QWEN, "qkv_bias": False, **TIED}),
}


def build(family: str, sizes: dict[str, Any], changes: dict[str, Any]) -> Any:
    config = transformers.AutoConfig.for_model(family, **{**sizes, **changes})
    return randomise(transformers.AutoModelForCausalLM.from_config(config))


@pytest.mark.parametrize("case", CASES)
def test_logits(case: str, save: Save):
    theirs = build(*CASES[case])
    run = import_model(save(theirs), "imported")
    assert run.config()["imported"]["family"] == CASES[case][0]
    ours = load(run.path, "cpu").model
    assert_same_logits(ours, theirs, 320)
    if "num_experts_per_tok" in CASES[case][2]:
        assert len(list(expert_layers(ours))) == 2


def test_every_family_is_tested():
    dense = {"llama", "qwen2", "qwen3", "mistral", "gpt2"}  # in test_huggingface.py
    assert {family for family, _, _ in CASES.values()} | dense == set(FAMILIES)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "experts of a mixture that counts all": (
        "qwen2_moe",
        {"norm_topk_prob": False},
        "norm_topk_prob = False",
    ),
    "some layers without experts": ("qwen2_moe", {"mlp_only_layers": [0]}, r"mlp_only_layers = \[0\]"),
    "every second layer": ("qwen2_moe", {"decoder_sparse_step": 2}, "decoder_sparse_step = 2"),
    "a shared expert of another width": (
        "qwen2_moe",
        {"shared_expert_intermediate_size": 80},
        "shared_expert_intermediate_size = 80",
    ),
    "a multiplier": ("granitemoeshared", {"residual_multiplier": 0.5}, "residual_multiplier = 0.5"),
    "another scale": ("granitemoeshared", {"attention_multiplier": 0.5}, "attention_multiplier = 0.5"),
    "more experts than there are": ("mixtral", {"num_experts_per_tok": 5}, "5 of 4 experts"),
    "an expert too few": ("mixtral", {"num_local_experts": 3}, "not of one model|no place for"),
    "an expert too many": ("mixtral", {"num_local_experts": 5}, "not of one model|no tensor"),
    "experts without end": ("mixtral", {"num_local_experts": 1 << 24}, "experts: they are not of one model"),
    "a window": ("mixtral", {"sliding_window": 8}, "sliding_window = 8"),
    "a quarter of a head turned": ("stablelm", {"rope_parameters": None}, "partial_rotary_factor = 0.25"),
    "two paths at once": ("stablelm", {"use_parallel_residual": True}, "use_parallel_residual = True"),
    "norms of heads": ("stablelm", {"qk_layernorm": True}, "qk_layernorm = True"),
    "a key head for each": ("gpt_bigcode", {"multi_query": False}, "multi_query = False"),
    "embeddings of another width": ("opt", {"word_embed_proj_dim": 24}, "word_embed_proj_dim = 24"),
    "norms without a scale": (
        "opt",
        {"layer_norm_elementwise_affine": False},
        "layer_norm_elementwise_affine = False",
    ),
    "another activation": ("starcoder2", {"hidden_act": "silu"}, "hidden_act = 'silu'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str, save: Save, edit: Edit):
    family, changes, message = REFUSED[case]
    folder = save(build(*CASES[family]))
    edit(folder / "config.json", lambda values: values.update(changes))
    with pytest.raises(InputError, match=message):
        import_model(folder, "imported")
    assert not Path("imported").exists()
