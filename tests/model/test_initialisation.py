"""How a model starts: the spread of its weights, what is shared, what is dropped."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from pellucid.model.attention import ATTEND
from pellucid.model.bigram import Bigram
from pellucid.model.config import ModelConfig
from pellucid.model.feedforward import FeedForward, SwiGLU
from pellucid.model.transformer import INIT_STD, Transformer, build_model


@pytest.mark.parametrize("n_layers", [1, 8])
@pytest.mark.parametrize("activation", ["relu", "swiglu"])
def test_what_adds_to_the_residual_stream_starts_smaller_by_the_root_of_their_number(n_layers, activation):
    model = Transformer(ModelConfig(vocab_size=65, n_layers=n_layers, activation=activation, bias=True))
    blocks: Any = model.blocks
    for block in blocks:
        for layer in (block.attention.out, block.feedforward.down):
            assert layer.weight.std().item() == pytest.approx(INIT_STD / math.sqrt(2 * n_layers), rel=0.03)
        first = block.feedforward.gate_up if activation == "swiglu" else block.feedforward.up
        for layer in (block.attention.qkv, first):
            assert layer.weight.std().item() == pytest.approx(INIT_STD, rel=0.03)
        for layer in (block.attention.qkv, block.attention.out, first, block.feedforward.down):
            assert (layer.bias == 0).all()


@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
def test_norms_start_as_the_plain_norm_and_embeddings_with_the_same_spread(norm):
    model = Transformer(ModelConfig(vocab_size=500, norm=norm, positions="learned", qk_norm=True))
    for layer in (model.embedding, model.positions.table, model.head):
        assert layer.weight.std().item() == pytest.approx(INIT_STD, rel=0.03)
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm | nn.RMSNorm)]
    assert len(norms) == 4 * 4 + 1
    assert all((module.weight == 1).all() for module in norms)
    assert all((module.bias == 0).all() for module in norms if isinstance(module, nn.LayerNorm))


@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
def test_every_norm_has_the_eps_of_the_configuration(build, norm):
    norms = [
        module for module in build(norm=norm, qk_norm=True, norm_eps=0.25).modules() if hasattr(module, "eps")
    ]
    assert [module.eps for module in norms] == [0.25] * (4 * 2 + 1)


def test_the_same_seed_gives_the_same_model():
    config = ModelConfig(vocab_size=65)
    models = []
    for _ in range(2):
        torch.manual_seed(7)
        models.append(build_model(config).state_dict())
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_tied_weights_are_one_tensor_that_both_ends_train():
    model = Transformer(ModelConfig(vocab_size=65, tie_embeddings=True))
    assert model.head.weight is model.embedding.weight
    names = [name for name, _ in model.named_parameters()]
    assert "embedding.weight" in names
    assert "head.weight" not in names
    (gradient,) = torch.autograd.grad(model(torch.tensor([[3]]))[0, 0, 8], [model.embedding.weight])
    reached = gradient.abs().sum(dim=1)
    assert reached[3] > 0  # as an input
    assert reached[8] > 0  # as an output


def test_tied_weights_stay_tied_through_a_saved_state():
    config = ModelConfig(vocab_size=65, tie_embeddings=True)
    model, other = Transformer(config), Transformer(config)
    state = {name: tensor for name, tensor in model.state_dict().items() if name != "head.weight"}
    missing = other.load_state_dict(state, strict=False)
    assert missing.missing_keys == ["head.weight"]
    assert other.head.weight is other.embedding.weight
    ids = torch.randint(65, (1, 9))
    assert torch.equal(model(ids), other(ids))


def test_untied_weights_are_two_tensors():
    model = Transformer(ModelConfig(vocab_size=65))
    assert model.head.weight is not model.embedding.weight
    assert not torch.equal(model.head.weight, model.embedding.weight)


def test_only_weights_are_saved():
    """The rotary tables follow from the configuration."""
    model = Transformer(ModelConfig(vocab_size=65))
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("attend", ATTEND)
def test_dropout_is_on_in_training_and_off_in_evaluation(attend):
    model = build_model(ModelConfig(vocab_size=65, dropout=0.2), attend)
    ids = torch.randint(65, (2, 16))
    assert not torch.equal(model(ids), model(ids))
    model.eval()
    assert torch.equal(model(ids), model(ids))


@pytest.mark.parametrize("place", ["embedding", "attention weights", "after attention", "after feed-forward"])
def test_dropout_is_in_each_of_its_places(build, place):
    model = build("explicit", dropout=0.5, n_layers=1)
    block, ids = model.blocks[0], torch.randint(19, (2, 16))
    if place == "embedding":
        model.dropout.train()
    elif place == "attention weights":
        block.attention.training = True
    else:
        block.dropout.train()
        other = block.feedforward.down if place == "after attention" else block.attention.out
        nn.init.zeros_(other.weight)  # what the other branch drops is then nothing
    assert not torch.equal(model(ids), model(ids))


def test_without_dropout_training_is_evaluation(build):
    model = build()
    ids = torch.randint(19, (2, 16))
    assert torch.equal(model.train()(ids), model.eval()(ids))


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("relu", lambda x: max(x, 0.0)),
        ("relu2", lambda x: max(x, 0.0) ** 2),
        ("gelu", lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2)))),
        ("gelu_tanh", lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    ],
)
def test_each_activation_is_its_formula(activation, formula):
    layer = FeedForward(ModelConfig(vocab_size=2, activation=activation))
    x = torch.linspace(-4, 4, 33)
    torch.testing.assert_close(layer.activation(x), torch.tensor([formula(value) for value in x.tolist()]))


def test_the_gate_comes_first_and_multiplies_the_rest():
    layer = SwiGLU(ModelConfig(vocab_size=2, activation="swiglu", d_model=8, d_ff=12, n_heads=1))
    x = torch.randn(3, 8)
    gate, up = (x @ weight.T for weight in layer.gate_up.weight.split(12))
    torch.testing.assert_close(layer(x), (gate * torch.sigmoid(gate) * up) @ layer.down.weight.T)


def test_the_architecture_picks_the_class():
    assert isinstance(build_model(ModelConfig(vocab_size=5, architecture="bigram")), Bigram)
    assert isinstance(build_model(ModelConfig(vocab_size=5)), Transformer)
