"""Small models of every family that is imported, as `transformers` makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tokenizers
from published import CHATML, GPT2_SIZES, SIZES, byte_level, randomise

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
QWEN3 = {name: value for name, value in QWEN.items() if "shared" not in name}
WHOLE = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1.0}}
TIED = {"tie_word_embeddings": True}
UNTIED = {"tie_word_embeddings": False}


def base(theta: float) -> dict[str, Any]:
    """Of rotary positions."""
    return {"rope_parameters": {"rope_type": "default", "rope_theta": theta}}


# by what they are: the family, the sizes, and what differs from its defaults
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "llama": ("llama", SIZES, {}),
    "llama, tied, no groups": ("llama", SIZES, {"num_key_value_heads": 4, **TIED}),
    "llama, one key head, wide heads": (
        "llama",
        SIZES,
        {"num_key_value_heads": 1, "head_dim": 26, "rms_norm_eps": 1e-5},
    ),
    "llama, all biases": ("llama", SIZES, {"attention_bias": True, "mlp_bias": True}),
    "llama, biases of attention": ("llama", SIZES, {"attention_bias": True}),
    "llama, a large base": ("llama", SIZES, {**base(500_000.0), "rms_norm_eps": 1e-3}),
    "qwen2": ("qwen2", SIZES, base(1_000_000.0)),
    "qwen2, tied": ("qwen2", SIZES, {"sliding_window": None, **TIED}),
    "qwen3": ("qwen3", SIZES, {"head_dim": 22}),
    "qwen3, biases, tied": ("qwen3", SIZES, {"head_dim": 12, "attention_bias": True, **TIED}),
    "mistral": ("mistral", SIZES, {"sliding_window": None, "head_dim": 16}),
    "mistral, a window of the whole context": ("mistral", SIZES, {"sliding_window": 64}),
    "gpt2": ("gpt2", GPT2_SIZES, {}),
    "gpt2, GELU": ("gpt2", GPT2_SIZES, {"activation_function": "gelu", "layer_norm_epsilon": 1e-3}),
    "gpt2, ReLU, wide, untied": (
        "gpt2",
        GPT2_SIZES,
        {"activation_function": "relu", "n_inner": 100, **UNTIED},
    ),
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
    "qwen3_moe": ("qwen3_moe", SIZES, {**QWEN3, "head_dim": 20}),
    "qwen3_moe, biases, tied": ("qwen3_moe", SIZES, {**QWEN3, "attention_bias": True, **TIED}),
}


def build(family: str, sizes: dict[str, Any], changes: dict[str, Any]) -> Any:
    import transformers

    config = transformers.AutoConfig.for_model(family, **{**sizes, **changes})
    return randomise(transformers.AutoModelForCausalLM.from_config(config))


def save(model: Any, folder: Path, engine: tokenizers.Tokenizer | None = None, **how: Any) -> Path:
    """The folder, with a tokenizer."""
    import transformers

    model.save_pretrained(folder, **how)
    engine = engine or byte_level()
    end = "</s>" if engine.token_to_id("</s>") else "<|endoftext|>"
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=engine, eos_token=end)
    fast.chat_template = CHATML
    fast.save_pretrained(folder)
    return folder
