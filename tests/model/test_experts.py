"""A mixture of experts against one token at a time, in values and gradients; its balance and its bookkeeping."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.experts import (
    Experts,
    adjust_biases,
    expert_layers,
    loads,
    reset_loads,
    take_balance_loss,
)
from pellucid.model.transformer import Transformer, build_model


def make(n_experts: int = 8, chosen: int = 3, **settings: object) -> Experts:
    config = ModelConfig.from_dict(
        {
            "vocab_size": 11,
            "d_model": 16,
            "d_ff": 24,
            "feedforward": "experts",
            "n_experts": n_experts,
            "experts_per_token": chosen,
            **settings,
        }
    )
    experts = Experts(config)
    for parameter in experts.parameters():
        nn.init.normal_(parameter, std=0.5)
    return experts


def swiglu(x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    gate, up = (gate_up @ x).chunk(2)
    return down @ (F.silu(gate) * up)


def one_token(experts: Experts, x: Tensor) -> Tensor:
    """What the definition says, for one token (C,)."""
    scores = experts.router.weight @ x
    chosen = (scores + experts.choice_bias).topk(experts.n_chosen).indices.tolist()
    weights = torch.softmax(torch.stack([scores[e] for e in chosen]), dim=0)
    out = sum(
        weight * swiglu(x, experts.gate_up.weight[e], experts.down.weight[e])
        for weight, e in zip(weights, chosen, strict=True)
    )
    if hasattr(experts.shared, "gate_up"):
        shared = swiglu(x, experts.shared.gate_up.weight, experts.shared.down.weight)
        gate = getattr(experts.shared, "gate", None)
        out = out + (shared if gate is None else torch.sigmoid(gate.weight @ x) * shared)
    return out


@pytest.mark.parametrize("shared", ["none", "plain", "gated"])
@pytest.mark.parametrize("balance", ["loss", "bias", "none"])
@pytest.mark.parametrize(("n_experts", "chosen"), [(8, 3), (4, 1), (3, 3), (1, 1), (16, 2)])
def test_it_is_the_token_by_token_definition(n_experts, chosen, balance, shared):
    experts = make(n_experts, chosen, balance=balance, shared_expert=shared)
    if balance == "bias":
        experts.choice_bias += torch.randn(n_experts)
    x = torch.randn(3, 7, 16, requires_grad=True)
    wanted = torch.stack([torch.stack([one_token(experts, token) for token in row]) for row in x])
    found = experts(x)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    upstream = torch.randn_like(found)
    inputs = [x, *experts.parameters()]
    for name, mine, theirs in zip(
        ["x", *dict(experts.named_parameters())],
        torch.autograd.grad(found, inputs, upstream),
        torch.autograd.grad(wanted, inputs, upstream, allow_unused=True, materialize_grads=True),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("d_model", "d_ff"), [(30, 24), (6, 5), (36, 10), (14, 3), (2, 1)])
def test_widths_that_no_grouped_product_takes(d_model, d_ff, dtype):
    experts = make(4, 2, d_model=d_model, d_ff=d_ff, n_heads=1).to(dtype)
    x = torch.randn(2, 5, d_model, dtype=dtype)
    wanted = torch.stack([torch.stack([one_token(experts, token) for token in row]) for row in x])
    torch.testing.assert_close(experts(x), wanted, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        experts(x.float()).float().sum().backward()


def test_where_there_is_no_grouped_product_single_ones_give_the_same(monkeypatch):
    experts, x = make(8, 3), torch.randn(2, 9, 16, requires_grad=True)
    grouped = experts(x)
    inputs = [x, *experts.parameters()]
    wanted = torch.autograd.grad(grouped.square().sum(), inputs)
    monkeypatch.delattr(F, "grouped_mm")
    single = experts(x)
    torch.testing.assert_close(single, grouped)
    for mine, theirs in zip(torch.autograd.grad(single.square().sum(), inputs), wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(0, 10**6))
def test_any_sizes(n_experts, chosen, n_tokens, seed):
    torch.manual_seed(seed)
    experts = make(n_experts, min(chosen, n_experts))
    x = torch.randn(1, n_tokens, 16)
    wanted = torch.stack([one_token(experts, token) for token in x[0]])
    torch.testing.assert_close(experts(x)[0], wanted, rtol=1e-4, atol=1e-4)
    assert loads(experts).sum() == n_tokens * min(chosen, n_experts)


def test_an_expert_nobody_chose_gets_no_gradient_and_the_others_do():
    experts = make(4, 1)
    with torch.no_grad():
        experts.router.weight[2] = 0.0
        experts.router.weight[[0, 1, 3]] = torch.tensor([[1.0], [2.0], [3.0]]).expand(3, 16)
    experts(torch.rand(1, 9, 16)).sum().backward()  # all positive: expert 3 wins everywhere
    assert experts.gate_up.weight.grad[3].abs().sum() > 0
    assert experts.gate_up.weight.grad[:3].abs().sum() == 0
    assert loads(experts).tolist() == [[0, 0, 0, 9]]


def test_tokens_do_not_see_each_other_nor_the_order():
    experts, x = make().eval(), torch.randn(1, 12, 16)
    shuffled = torch.randperm(12)
    torch.testing.assert_close(experts(x)[:, shuffled], experts(x[:, shuffled]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(experts(x[:, :1]), experts(x)[:, :1], rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------- balance


def test_the_balancing_loss_is_one_when_even_and_more_when_not():
    even, uneven = make(4, 1, balance_rate=1.0), make(4, 1, balance_rate=1.0)
    with torch.no_grad():
        even.router.weight.copy_(torch.eye(4, 16) * 1e-3)
        uneven.router.weight.zero_()
        uneven.router.weight[0] = 9.0
    corners = torch.eye(16)[:4].repeat(5, 1)[None]
    even(corners)
    assert take_balance_loss(even).item() == pytest.approx(1.0, abs=1e-3)
    uneven(corners.abs())
    assert take_balance_loss(uneven).item() == pytest.approx(4.0, rel=0.01)
    assert take_balance_loss(uneven) is None  # taken once


@pytest.mark.parametrize("balance", ["loss", "bias"])
def test_balancing_evens_out_what_starts_uneven(balance):
    torch.manual_seed(3)
    experts = make(4, 1, balance=balance, balance_rate=1.0 if balance == "loss" else 0.05)
    with torch.no_grad():
        experts.router.weight[0] += 0.3
    x = torch.randn(1, 256, 16) + 0.5
    optimizer = torch.optim.SGD(experts.parameters(), lr=0.05)
    spread = []
    for _ in range(120):
        reset_loads(experts)
        optimizer.zero_grad()
        experts(x)
        if (loss := take_balance_loss(experts)) is not None:
            loss.backward()
            optimizer.step()
        adjust_biases(experts)
        spread.append(loads(experts).max().item() / 64)
    assert spread[0] > 1.7
    assert sum(spread[-20:]) / 20 < 1.35


def test_without_balancing_nothing_is_added_and_nothing_moves():
    experts = make(balance="none")
    experts(torch.randn(1, 9, 16))
    adjust_biases(experts)
    assert take_balance_loss(experts) is None
    assert not experts.choice_bias.any()
    assert "choice_bias" not in experts.state_dict()
    assert "choice_bias" in make(balance="bias").state_dict()


def test_evaluation_counts_nothing_and_a_model_that_trained_can_be_copied():
    model = build_model(
        ModelConfig(vocab_size=11, d_model=16, n_layers=2, feedforward="experts", n_experts=4)
    )
    ids = torch.randint(11, (2, 8))
    model(ids)
    assert loads(model).sum(dim=1).tolist() == [2 * 8 * 2] * 2
    assert take_balance_loss(model).item() > 0
    reset_loads(model)
    with torch.no_grad():
        copy.deepcopy(model).eval()(ids)
    model.eval()(ids)
    assert not loads(model).any()
    assert len(list(expert_layers(model))) == 2
    assert loads(Transformer(ModelConfig(vocab_size=11))).shape == (0, 0)


def test_bfloat16_autocast_stays_near_float32():
    experts, x = make(8, 3, shared_expert="gated"), torch.randn(2, 20, 16)
    plain = experts(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = experts(x)
    rounded.float().sum().backward()
    assert (rounded - plain).norm() < 0.02 * plain.norm()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in experts.parameters())


# ---------------------------------------------------------------------- configuration


def test_what_is_left_out_of_a_mixture_is_filled_in():
    config = ModelConfig(vocab_size=9, feedforward="experts")
    assert (config.n_experts, config.experts_per_token, config.balance_rate) == (8, 2, 0.01)
    assert config.activation == "swiglu"
    assert ModelConfig(vocab_size=9, feedforward="experts", balance="bias").balance_rate == 0.001
    assert ModelConfig(vocab_size=9, feedforward="experts", balance_rate=0.0).balance_rate == 0.0
    assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_experts": 4}, "n_experts is for a mixture of experts: add --feedforward experts"),
        ({"shared_expert": "plain"}, "shared_expert is for a mixture"),
        ({"feedforward": "experts", "n_experts": 2, "experts_per_token": 3}, "to 3 of 2 experts"),
        ({"feedforward": "experts", "n_experts": -1}, "n_experts must be a whole number"),
        ({"feedforward": "experts", "balance": "luck"}, "balance 'luck' is unknown: choose one of loss"),
        ({"feedforward": "experts", "balance_rate": -1.0}, "balance_rate must be 0 or a number above it"),
        ({"feedforward": "experts", "balance_rate": 10**400}, "balance_rate must be 0 or a number above it"),
        ({"feedforward": "experts", "balance": "none", "balance_rate": 0.5}, "balance none has no rate"),
        ({"feedforward": "experts", "activation": "gelu"}, "leave out the activation gelu"),
        ({"feedforward": "experts", "n_experts": "8"}, "n_experts must be a whole number"),
        ({"feedforward": "experts", "experts_per_token": ""}, "experts_per_token must be a whole number"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        ModelConfig(vocab_size=9, **settings)
