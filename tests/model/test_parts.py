"""The parts beside the default ones: each against its definition, and every one with cache, mask and gradients."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn

from pellucid.errors import InputError
from pellucid.model.attention import ATTEND
from pellucid.model.cache import KVCache
from pellucid.model.config import ModelConfig
from pellucid.model.positions import SinusoidalPositions
from pellucid.model.transformer import build_model, next_token_loss
from pellucid.training.auto import LADDER, choose
from pellucid.training.machine import Machine

PARTS: dict[str, dict[str, Any]] = {
    "sinusoidal": {"positions": "sinusoidal"},
    "no positions": {"positions": "none"},
    "post-norm": {"norm_position": "post", "norm": "layernorm"},
    "norm without scale": {"norm": "rmsnorm_fixed"},
    "no norm": {"norm": "none"},
    "no feed-forward": {"feedforward": "none"},
    "post-norm, no feed-forward": {"feedforward": "none", "norm_position": "post"},
    "no residual": {"residual": "none"},
    "attention alone": {"residual": "none", "feedforward": "none", "norm": "none"},
    "post-norm, attention alone": {"residual": "none", "feedforward": "none", "norm_position": "post"},
    "no final norm": {"final_norm": False},
    "unscaled": {"scale": "none"},
    "soft-capped": {"logit_softcap": 5.0},
    "value residual": {"value_residual": True, "n_kv_heads": 2},
    "x0 residual": {"x0_residual": True},
    "experts": {"feedforward": "experts", "n_experts": 4},
    "experts and a gated one for all": {
        "feedforward": "experts",
        "shared_expert": "gated",
        "balance": "bias",
    },
    "everything": {
        "positions": "sinusoidal",
        "norm_position": "post",
        "feedforward": "experts",
        "shared_expert": "plain",
        "value_residual": True,
        "x0_residual": True,
        "logit_softcap": 9.0,
        "qk_norm": True,
        "n_kv_heads": 1,
    },
}
each_part = pytest.mark.parametrize("settings", PARTS.values(), ids=PARTS)


@each_part
@pytest.mark.parametrize("attend", ATTEND)
@torch.no_grad()
def test_later_tokens_change_nothing_and_the_cache_changes_nothing(build, attend, settings):
    model = build(attend, **settings)
    ids = torch.randint(19, (2, 12))
    whole = model(ids)
    changed = ids.clone()
    changed[:, 7:] = (ids[:, 7:] + 1) % 19
    torch.testing.assert_close(model(changed)[:, :7], whole[:, :7], rtol=1e-5, atol=1e-5)
    cache = KVCache(model.config, batch=2)
    steps = [model(chunk, cache=cache) for chunk in ids.split((5, 1, 1, 4, 1), dim=1)]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-4, atol=1e-4)


@each_part
@torch.no_grad()
def test_padding_changes_nothing(build, settings):
    model = build(**settings)
    text = torch.randint(19, (1, 6))
    ids = torch.cat([torch.randint(19, (1, 3)), text], dim=1)
    real = torch.arange(9)[None] >= 3
    torch.testing.assert_close(model(ids, real=real)[:, 3:], model(text), rtol=1e-4, atol=1e-4)


@each_part
def test_every_parameter_learns(settings):
    torch.manual_seed(0)
    model = build_model(ModelConfig(vocab_size=19, n_layers=3, d_model=32, **settings), "explicit")
    for parameter in model.parameters():  # away from the start, where a few gradients are nothing
        nn.init.normal_(parameter, std=0.2)
    ids = torch.randint(19, (8, 24))
    next_token_loss(model(ids[:, :-1]), ids[:, 1:]).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


@each_part
def test_the_two_cores_agree(build, settings):
    ids = torch.randint(19, (2, 12))
    torch.manual_seed(5)
    fused = build("fused", **settings)
    torch.manual_seed(5)
    explicit = build("explicit", **settings)
    torch.testing.assert_close(fused(ids), explicit(ids), rtol=1e-4, atol=1e-4)


def test_sinusoids_are_the_papers():
    table = SinusoidalPositions(ModelConfig(vocab_size=2, d_model=8, context_length=50)).table
    for position in (0, 1, 17, 49):
        for i in range(4):
            angle = position / 10_000 ** (2 * i / 8)
            assert table[position, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert table[position, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)


@torch.no_grad()
def test_sinusoids_are_added_to_the_vector_times_the_root_of_its_width(build):
    model = build(positions="sinusoidal")
    vector = torch.randn(1, 3, 32)
    embedded = model.positions.embed(vector, torch.tensor([4, 5, 6]))
    torch.testing.assert_close(embedded, vector * math.sqrt(32) + model.positions.table[4:7])


@torch.no_grad()
def test_without_positions_the_order_of_earlier_tokens_is_unknown(build):
    """In one layer: in several the causal mask betrays it."""
    model = build(positions="none", n_layers=1)
    first, other = torch.tensor([[3, 7, 11, 2]]), torch.tensor([[11, 3, 7, 2]])
    torch.testing.assert_close(model(first)[:, -1], model(other)[:, -1], rtol=1e-5, atol=1e-5)
    with_them = build(positions="rotary", n_layers=1)
    assert (with_them(first)[:, -1] - with_them(other)[:, -1]).abs().max() > 1e-3


@torch.no_grad()
def test_post_norm_normalises_each_sum_and_the_last_is_the_output(build):
    model = build(norm_position="post", norm="layernorm", n_layers=2)
    assert isinstance(model.norm, nn.Identity)
    block, seen = model.blocks[0], []
    x, context = torch.randn(1, 5, 32), []
    block.attention.register_forward_hook(lambda module, args, out: seen.append(out))
    block.feedforward.register_forward_hook(lambda module, args, out: seen.append(out))
    block.register_forward_hook(lambda module, args, out: context.append((args[0], out)))
    model.embedding.register_forward_hook(lambda *_: x)
    model(torch.zeros(1, 5, dtype=torch.long))
    entered, left = context[0]
    middle = block.attention_norm(entered + seen[0])
    torch.testing.assert_close(left, block.feedforward_norm(middle + seen[1]))


@torch.no_grad()
def test_the_fixed_norm_has_nothing_to_learn_and_gives_unit_size(build):
    model = build(norm="rmsnorm_fixed")
    assert not [name for name, _ in model.named_parameters() if "norm" in name]
    out = model.norm(7 * torch.randn(4, 32))
    assert out.square().mean(dim=-1).tolist() == pytest.approx([1.0] * 4, abs=1e-3)


@torch.no_grad()
def test_without_residuals_a_block_forgets_what_entered(build):
    model = build(residual="none", n_layers=1)
    block, seen = model.blocks[0], []
    block.feedforward.register_forward_hook(lambda module, args, out: seen.append(out))
    block.register_forward_hook(lambda module, args, out: seen.append(out))
    model(torch.randint(19, (1, 5)))
    torch.testing.assert_close(seen[0], seen[1])


@torch.no_grad()
def test_without_a_feed_forward_part_a_block_is_its_attention(build):
    ids = torch.randint(19, (1, 5))
    for residual, norm in itertools.product(("add", "none"), ("rmsnorm", "none")):
        model = build(residual=residual, feedforward="none", norm=norm, n_layers=1)
        block, seen = model.blocks[0], []
        block.attention.register_forward_hook(lambda module, args, out, seen=seen: seen.append(out))
        block.register_forward_hook(lambda module, args, out, seen=seen: seen.extend((args[0], out)))
        model(ids)
        attended, entered, left = seen
        torch.testing.assert_close(left, entered + attended if residual == "add" else attended)
        assert not hasattr(block, "feedforward") and attended.abs().max() > 1e-3


@torch.no_grad()
def test_one_head_alone_is_the_formula(build):
    """What a model without residual, norm and feed-forward part gives: W_out · softmax(QKᵀ/√D) V, and the head."""
    model = build(residual="none", feedforward="none", norm="none", positions="none", n_layers=1, n_heads=1)
    ids, attention = torch.randint(19, (7,)), model.blocks[0].attention
    x = model.embedding.weight[ids]
    q, k, v = (x @ weight.T for weight in attention.qkv.weight.chunk(3))
    scores = (q @ k.T / math.sqrt(32)).masked_fill(torch.ones(7, 7).triu(1).bool(), -math.inf)
    expected = scores.softmax(-1) @ v @ attention.out.weight.T @ model.head.weight.T
    torch.testing.assert_close(model(ids[None])[0], expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_without_the_final_norm_the_head_reads_the_last_block(build):
    model, seen = build(final_norm=False), []
    model.blocks[-1].register_forward_hook(lambda module, args, out: seen.append(out))
    logits = model(torch.randint(19, (1, 5)))
    torch.testing.assert_close(logits, seen[0] @ model.head.weight.T)
    assert not [name for name, _ in model.named_parameters() if name.startswith("norm")]


def test_post_norm_has_no_final_norm_to_leave_out():
    with pytest.raises(InputError, match="end with a norm of their own"):
        ModelConfig(vocab_size=9, norm_position="post", final_norm=False)


@torch.no_grad()
def test_without_the_mask_earlier_logits_see_later_tokens(build):
    model = build(mask="none")
    ids = torch.randint(19, (1, 8))
    changed = ids.clone()
    changed[:, -1] = (ids[:, -1] + 1) % 19
    assert (model(ids)[:, 0] - model(changed)[:, 0]).abs().max() > 1e-3
    for attend in ATTEND:
        torch.manual_seed(2)
        one = build(attend, mask="none")
        torch.manual_seed(2)
        torch.testing.assert_close(one(ids), build(mask="none")(ids), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_unscaled_is_queries_made_longer(build):
    unscaled = build(scale="none", positions="none")
    scaled = build(positions="none")
    scaled.load_state_dict(unscaled.state_dict())
    for block in scaled.blocks:
        block.attention.qkv.weight[:32] *= math.sqrt(8)
    ids = torch.randint(19, (2, 9))
    torch.testing.assert_close(unscaled(ids), scaled(ids), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_soft_cap_bounds_logits_and_keeps_their_order(build):
    model = build(logit_softcap=3.0)
    ids = torch.randint(19, (2, 9))
    capped = model(ids)
    model.cap = nn.Identity()
    raw = model(ids)
    assert raw.abs().max() > 3.0 > capped.abs().max()
    torch.testing.assert_close(capped, 3 * torch.tanh(raw / 3))


@torch.no_grad()
def test_residual_scalars_at_one_and_nothing_are_the_plain_model(build):
    mixed, plain = build(value_residual=True, x0_residual=True), build()
    for block in mixed.blocks:
        block.enter.mix.copy_(torch.tensor([1.0, 0.0]))
        block.attention.values.mix.copy_(torch.tensor([1.0, 0.0]))
    weights = {name: weight for name, weight in mixed.state_dict().items() if "mix" not in name}
    plain.load_state_dict(weights)
    ids = torch.randint(19, (2, 9))
    torch.testing.assert_close(mixed(ids), plain(ids))
    mixed.blocks[1].attention.values.mix.copy_(torch.tensor([0.0, 1.0]))
    assert (mixed(ids) - plain(ids)).abs().max() > 1e-3


def test_odd_widths_have_no_sines_and_cosines():
    with pytest.raises(InputError, match="d_model 15 must be even"):
        ModelConfig(vocab_size=9, d_model=15, n_heads=3, positions="sinusoidal")


def test_auto_never_chooses_what_is_kept_for_teaching():
    machine = Machine("cpu", "float32", 1e11, 1e9, 2, 8 << 30)
    for size in LADDER:
        model = choose(10**7, 2048, "bpe", machine, train_tokens=size.flops / 1e7 + 1).model
        config = ModelConfig(vocab_size=2048, **model)
        taught = (config.positions, config.norm, config.norm_position, config.residual)
        assert taught == ("rotary", "rmsnorm", "pre", "add")
        assert (config.mask, config.scale, config.feedforward) == (
            "causal",
            "sqrt",
            "dense",
        ) and config.final_norm
