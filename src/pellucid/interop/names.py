"""What each format calls the parts of a model."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Names:
    """What a format calls the parts of a model; `{n}` is the layer."""

    embedding: str
    norm: str
    head: str
    positions: str
    layer: str
    attention_norm: str
    qkv: str  # where they are one tensor
    q: str
    k: str
    v: str
    out: str
    q_norm: str
    k_norm: str
    feedforward_norm: str
    gate: str
    up: str
    down: str


LLAMA_NAMES = Names(
    embedding="model.embed_tokens",
    norm="model.norm",
    head="lm_head",
    positions="",
    layer="model.layers.{n}.",
    attention_norm="input_layernorm",
    qkv="",
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
GPT2_NAMES = Names(
    embedding="transformer.wte",
    norm="transformer.ln_f",
    head="lm_head",
    positions="transformer.wpe",
    layer="transformer.h.{n}.",
    attention_norm="ln_1",
    qkv="attn.c_attn",
    q="",
    k="",
    v="",
    out="attn.c_proj",
    q_norm="",
    k_norm="",
    feedforward_norm="ln_2",
    gate="",
    up="mlp.c_fc",
    down="mlp.c_proj",
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
)
