"""What each format calls the parts of a model."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Names:
    """What a format calls the parts of a model; `{n}` is the layer, `{e}` the expert where each has tensors of its own.

    A part that a format does not have, or does not have by itself, is an empty text.
    """

    embedding: str
    norm: str
    head: str
    layer: str
    attention_norm: str
    out: str
    feedforward_norm: str
    positions: str = ""
    qkv: str = ""  # where they are one tensor
    q: str = ""
    k: str = ""
    v: str = ""
    q_norm: str = ""
    k_norm: str = ""
    gate: str = ""
    up: str = ""
    down: str = ""
    router: str = ""
    experts_gate_up: str = ""  # where they are one tensor
    experts_gate: str = ""
    experts_up: str = ""
    experts_down: str = ""
    shared_gate_up: str = ""  # where they are one tensor
    shared_gate: str = ""
    shared_up: str = ""
    shared_down: str = ""
    shared_switch: str = ""  # what weights the shared expert


LLAMA_NAMES = Names(
    embedding="model.embed_tokens",
    norm="model.norm",
    head="lm_head",
    layer="model.layers.{n}.",
    attention_norm="input_layernorm",
    q="self_attn.q_proj",
    k="self_attn.k_proj",
    v="self_attn.v_proj",
    out="self_attn.o_proj",
    q_norm="self_attn.q_norm",
    k_norm="self_attn.k_norm",
    feedforward_norm="post_attention_layernorm",
    gate="mlp.gate_proj",
    up="mlp.up_proj",
    down="mlp.down_proj",
)
MIXTRAL_NAMES = dataclasses.replace(
    LLAMA_NAMES,
    router="block_sparse_moe.gate",
    experts_gate="block_sparse_moe.experts.{e}.w1",
    experts_up="block_sparse_moe.experts.{e}.w3",
    experts_down="block_sparse_moe.experts.{e}.w2",
)
GRANITE_NAMES = dataclasses.replace(
    LLAMA_NAMES,
    router="block_sparse_moe.router.layer",
    experts_gate_up="block_sparse_moe.input_linear",
    experts_down="block_sparse_moe.output_linear",
    shared_gate_up="shared_mlp.input_linear",
    shared_down="shared_mlp.output_linear",
)
QWEN_MOE_NAMES = dataclasses.replace(
    LLAMA_NAMES,
    router="mlp.gate",
    experts_gate="mlp.experts.{e}.gate_proj",
    experts_up="mlp.experts.{e}.up_proj",
    experts_down="mlp.experts.{e}.down_proj",
    shared_gate="mlp.shared_expert.gate_proj",
    shared_up="mlp.shared_expert.up_proj",
    shared_down="mlp.shared_expert.down_proj",
    shared_switch="mlp.shared_expert_gate",
)
STARCODER_NAMES = dataclasses.replace(LLAMA_NAMES, gate="", up="mlp.c_fc", down="mlp.c_proj")
GPT2_NAMES = Names(
    embedding="transformer.wte",
    norm="transformer.ln_f",
    head="lm_head",
    positions="transformer.wpe",
    layer="transformer.h.{n}.",
    attention_norm="ln_1",
    qkv="attn.c_attn",
    out="attn.c_proj",
    feedforward_norm="ln_2",
    up="mlp.c_fc",
    down="mlp.c_proj",
)
OPT_NAMES = Names(
    embedding="model.decoder.embed_tokens",
    norm="model.decoder.final_layer_norm",
    head="lm_head",
    positions="model.decoder.embed_positions",
    layer="model.decoder.layers.{n}.",
    attention_norm="self_attn_layer_norm",
    q="self_attn.q_proj",
    k="self_attn.k_proj",
    v="self_attn.v_proj",
    out="self_attn.out_proj",
    feedforward_norm="final_layer_norm",
    up="fc1",
    down="fc2",
)
GGUF_NAMES = Names(
    embedding="token_embd",
    norm="output_norm",
    head="output",
    positions="position_embd",
    layer="blk.{n}.",
    attention_norm="attn_norm",
    qkv="attn_qkv",
    q="attn_q",
    k="attn_k",
    v="attn_v",
    out="attn_output",
    q_norm="attn_q_norm",
    k_norm="attn_k_norm",
    feedforward_norm="ffn_norm",
    gate="ffn_gate",
    up="ffn_up",
    down="ffn_down",
    router="ffn_gate_inp",
    experts_gate="ffn_gate_exps",
    experts_up="ffn_up_exps",
    experts_down="ffn_down_exps",
    shared_gate="ffn_gate_shexp",
    shared_up="ffn_up_shexp",
    shared_down="ffn_down_shexp",
)
