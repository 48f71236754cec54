"""Small GGUF files, written with the gguf package as llama.cpp's converter writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import tokenizers
import torch
from gguf import GGMLQuantizationType as Kind
from published import CHATML

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def interleaved(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """Rows as llama.cpp wants them of Llama's queries and keys (`LlamaModel.permute` of its converter)."""
    split = weight.reshape(n_heads, 2, weight.shape[0] // n_heads // 2, *weight.shape[1:])
    return split.swapaxes(1, 2).reshape(weight.shape)


def their_name(name: str) -> str:
    stem, _, end = name.rpartition(".")
    for prefix in ("model.layers.", "transformer.h."):
        if stem.startswith(prefix):
            layer, _, part = stem.removeprefix(prefix).partition(".")
            return f"blk.{layer}.{NAMES[part]}.{end}"
    return f"{NAMES[stem]}.{end}"


def write_gguf(path: Path, model: Any, arch: str, engine: tokenizers.Tokenizer, kind: Kind, **more: Any) -> Path:
    """A `transformers` model as a GGUF file; its matrices are quantised, and the model gets what they then hold.

    `more` are metadata that override or add to what is written, by key.
    """
    writer = gguf.GGUFWriter(path, arch)
    metadata(writer, model.config, arch, engine, more)
    new = {}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = weight.numpy()
        if ".c_" in name and values.ndim == 2:
            values = values.T
        rotated = {"q_proj": model.config.num_attention_heads, "k_proj": getattr(model.config, "num_key_value_heads", 0)}
        heads = next((n for part, n in rotated.items() if arch == "llama" and part in name), 0)
        values = interleaved(values, heads) if heads else values
        own = kind if values.ndim == 2 else Kind.F32
        data = gguf.quants.quantize(np.ascontiguousarray(values), own)
        writer.add_tensor(their_name(name), data, raw_dtype=own)
        values = gguf.quants.dequantize(data, own).reshape(values.shape)
        if heads:
            split = values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
            values = split.swapaxes(1, 2).reshape(values.shape)
        new[name] = torch.from_numpy(np.ascontiguousarray(values.T if ".c_" in name and values.ndim == 2 else values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if model.config.tie_word_embeddings:
        new["lm_head.weight"] = new[next(iter(name for name in new if name.endswith(("wte.weight", "tokens.weight"))))]
    model.load_state_dict(new)
    return path


def metadata(writer: Any, config: Any, arch: str, engine: tokenizers.Tokenizer, more: dict[str, Any]) -> None:
    vocabulary = engine.get_vocab(with_added_tokens=True)
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    tokens += [f"[PAD{id}]" for id in range(len(tokens), config.vocab_size)]
    control = {token.content for token in engine.get_added_tokens_decoder().values()}
    values: dict[str, Any] = {
        f"{arch}.context_length": config.max_position_embeddings,
        f"{arch}.block_count": config.num_hidden_layers,
        f"{arch}.embedding_length": config.hidden_size,
        f"{arch}.attention.head_count": config.num_attention_heads,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if t in control else 5 if t.startswith("[PAD") else 1 for t in tokens],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in merges(engine)],
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.chat_template": CHATML,
        "general.license": "mit",
    }
    if arch == "gpt2":
        values[f"{arch}.feed_forward_length"] = config.n_inner or 4 * config.n_embd
        values[f"{arch}.attention.layer_norm_epsilon"] = config.layer_norm_epsilon
    else:
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        values |= {
            f"{arch}.feed_forward_length": config.intermediate_size,
            f"{arch}.attention.head_count_kv": config.num_key_value_heads,
            f"{arch}.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
            f"{arch}.attention.key_length": width,
            f"{arch}.attention.value_length": width,
            f"{arch}.rope.freq_base": config.rope_parameters["rope_theta"],
            f"{arch}.rope.dimension_count": width,
        }
    for key, value in (values | more).items():
        if value is None:
            continue
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_string(key, value)


def merges(engine: tokenizers.Tokenizer) -> list[list[str]]:
    import json

    return json.loads(engine.to_str())["model"]["merges"]
