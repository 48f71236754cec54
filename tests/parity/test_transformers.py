"""Our transformer against the published ones of `transformers`: the same weights give the same logits.

Random weights, float32; every logit within 1e-4 · max(1, |logit|).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pellucid.model.attention import ATTEND
from pellucid.model.cache import KVCache
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import Transformer, next_token_loss

transformers = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {
    "vocab_size": 101,
    "context_length": 256,
    "n_layers": 3,
    "n_heads": 4,
    "d_model": 64,
    "d_ff": 160,
}
LENGTHS = (1, 2, 17, 256)
Weights = dict[str, Tensor]


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def randomise(model: nn.Module) -> nn.Module:
    """Weights large enough that attention is far from uniform, norms and biases that are not ones and zeros."""
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(
                1.5 * noise * parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else parameter + 0.2 * noise
            )
    return model.eval()


# ---------------------------------------------------------------------- their weights under our names


def llama_weights(theirs: Weights, config: ModelConfig) -> Weights:
    """Also Qwen3's, which only adds the norms of queries and keys."""
    ours = {
        "embedding.weight": theirs["model.embed_tokens.weight"],
        "norm.weight": theirs["model.norm.weight"],
        "head.weight": theirs["lm_head.weight"],
    }
    for n in range(config.n_layers):
        old, new = f"model.layers.{n}", f"blocks.{n}"
        attention = [theirs[f"{old}.self_attn.{part}_proj.weight"] for part in "qkv"]
        gate_up = [theirs[f"{old}.mlp.{part}_proj.weight"] for part in ("gate", "up")]
        ours |= {
            f"{new}.attention_norm.weight": theirs[f"{old}.input_layernorm.weight"],
            f"{new}.attention.qkv.weight": torch.cat(attention),
            f"{new}.attention.out.weight": theirs[f"{old}.self_attn.o_proj.weight"],
            f"{new}.feedforward_norm.weight": theirs[f"{old}.post_attention_layernorm.weight"],
            f"{new}.feedforward.gate_up.weight": torch.cat(gate_up),
            f"{new}.feedforward.down.weight": theirs[f"{old}.mlp.down_proj.weight"],
        }
        if config.qk_norm:
            ours |= {
                f"{new}.attention.{x}_norm.weight": theirs[f"{old}.self_attn.{x}_norm.weight"] for x in "qk"
            }
    return ours


def gpt2_weights(theirs: Weights, config: ModelConfig) -> Weights:
    """GPT-2 keeps its linear layers as (in, out); queries, keys and values are fused already."""
    ours = {
        "embedding.weight": theirs["transformer.wte.weight"],
        "head.weight": theirs["transformer.wte.weight"],
        "positions.table.weight": theirs["transformer.wpe.weight"],
        "norm.weight": theirs["transformer.ln_f.weight"],
        "norm.bias": theirs["transformer.ln_f.bias"],
    }
    names = {
        "attention_norm": "ln_1",
        "attention.qkv": "attn.c_attn",
        "attention.out": "attn.c_proj",
        "feedforward_norm": "ln_2",
        "feedforward.up": "mlp.c_fc",
        "feedforward.down": "mlp.c_proj",
    }
    for n in range(config.n_layers):
        for new, old in names.items():
            weight = theirs[f"transformer.h.{n}.{old}.weight"]
            ours[f"blocks.{n}.{new}.weight"] = weight.T if weight.dim() == 2 else weight
            ours[f"blocks.{n}.{new}.bias"] = theirs[f"transformer.h.{n}.{old}.bias"]
    return ours


def ours_with(weights: Weights, config: ModelConfig, attend: str) -> Transformer:
    model = Transformer(config, attend)
    model.load_state_dict(weights)
    return model.eval()


# ---------------------------------------------------------------------- the comparison


def assert_same_logits(ours: Tensor, theirs: Tensor) -> None:
    difference = (ours - theirs).abs() / theirs.abs().clamp(min=1)
    assert difference.max() <= 1e-4


@torch.no_grad()
def assert_parity(ours: Transformer, theirs: nn.Module) -> None:
    for length in LENGTHS:
        ids = torch.randint(101, (2, length))
        expected = theirs(ids, labels=ids) if length > 1 else theirs(ids)
        logits = ours(ids)
        assert_same_logits(logits, expected.logits)
        assert expected.logits.std() > 0.5  # there is something to compare
        if length > 1:
            assert next_token_loss(logits[:, :-1], ids[:, 1:]).item() == pytest.approx(
                expected.loss.item(), rel=1e-5
            )

    ids, real = torch.randint(101, (2, 40)), torch.arange(40) >= torch.tensor([[0], [13]])
    places = (real.long().cumsum(dim=1) - 1).clamp(min=0)
    expected = theirs(ids, attention_mask=real.long(), position_ids=places).logits
    assert_same_logits(ours(ids, real=real)[real], expected[real])

    cache = KVCache(ours.config, batch=2)
    stepwise = torch.cat([ours(chunk, cache=cache) for chunk in ids.split((30, 1, 9), dim=1)], dim=1)
    assert_same_logits(stepwise, theirs(ids).logits)


@pytest.mark.parametrize("attend", ATTEND)
@pytest.mark.parametrize("rope_base", [100.0, 10_000.0, 1_000_000.0])
@pytest.mark.parametrize("n_kv_heads", [4, 2, 1])
def test_llama(n_kv_heads, rope_base, attend):
    config = ModelConfig(
        **SIZES, activation="swiglu", n_kv_heads=n_kv_heads, rope_base=rope_base, norm_eps=1e-6
    )
    theirs = randomise(transformers.LlamaForCausalLM(transformers.LlamaConfig(**llama_settings(config))))
    assert_parity(ours_with(llama_weights(theirs.state_dict(), config), config, attend), theirs)


@pytest.mark.parametrize("attend", ATTEND)
@pytest.mark.parametrize("head_dim", [16, 32])
def test_qwen3(head_dim, attend):
    config = ModelConfig(
        **SIZES, activation="swiglu", n_kv_heads=2, head_dim=head_dim, qk_norm=True, norm_eps=1e-6
    )
    theirs = randomise(transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**llama_settings(config))))
    assert_parity(ours_with(llama_weights(theirs.state_dict(), config), config, attend), theirs)


@pytest.mark.parametrize("attend", ATTEND)
@pytest.mark.parametrize(
    ("activation", "their_name"), [("gelu_tanh", "gelu_new"), ("gelu", "gelu"), ("relu", "relu")]
)
def test_gpt2(activation, their_name, attend):
    config = ModelConfig(
        **SIZES, activation=activation, positions="learned", norm="layernorm", bias=True, tie_embeddings=True
    )
    settings = {
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_inner": config.d_ff,
        "activation_function": their_name,
        "layer_norm_epsilon": config.norm_eps,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    theirs = randomise(transformers.GPT2LMHeadModel(transformers.GPT2Config(**settings)))
    assert_parity(ours_with(gpt2_weights(theirs.state_dict(), config), config, attend), theirs)


def test_a_tied_llama():
    config = ModelConfig(**SIZES, activation="swiglu", tie_embeddings=True, norm_eps=1e-6)
    theirs = randomise(transformers.LlamaForCausalLM(transformers.LlamaConfig(**llama_settings(config))))
    assert_parity(ours_with(llama_weights(theirs.state_dict(), config), config, "fused"), theirs)


def llama_settings(config: ModelConfig) -> dict[str, object]:
    return {
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "tie_word_embeddings": config.tie_embeddings,
        "bos_token_id": None,
        "eos_token_id": None,
    }
