from __future__ import annotations

import dataclasses

import pytest
import torch
from small_models import MODELS, OTHERS

from pellucid.model.config import IGNORE, ModelConfig
from pellucid.model.lora import (
    TARGETS,
    Adapters,
    LoRALinear,
    adapted_layers,
    add_adapters,
    possible_targets,
)
from pellucid.model.transformer import Transformer, build_model, next_token_loss

IDS = torch.arange(2 * 9).view(2, 9) % 19
ALL = Adapters(3, 6.0, TARGETS["all"])
TRANSFORMERS = {name: each for name, each in (MODELS | OTHERS).items() if name != "bigram"}


def shaken(model: Transformer) -> Transformer:
    """With adapters that have learned something."""
    with torch.no_grad():
        for _, layer in adapted_layers(model):
            for up in layer.lora_b.values():
                up.copy_(0.3 * torch.randn_like(up))
    return model


@pytest.mark.parametrize("settings", TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_adapters_change_nothing_until_they_learn_and_merge_exactly(build, settings):
    model = build(**settings)
    before = model(IDS)
    merged = build(**settings)
    merged.load_state_dict(model.state_dict())
    add_adapters(model, ALL)
    assert torch.equal(model(IDS), before)
    shaken(model)
    adapted = model(IDS)
    assert (adapted - before).abs().max() > 1e-2
    with torch.no_grad():
        for name, layer in adapted_layers(model):
            merged.get_parameter(f"{name}.weight").copy_(layer.merged())
    torch.testing.assert_close(merged(IDS), adapted, atol=1e-4, rtol=1e-4)


def test_only_adapters_get_gradients(build):
    model = build(activation="swiglu")
    add_adapters(model, ALL)
    shaken(model)
    model(IDS).square().sum().backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in model.named_parameters() if ".lora_" in name}
    assert all(model.get_parameter(name).grad.abs().max() > 0 for name in trained)


def test_each_slice_has_an_adapter_of_its_own(build):
    model = build(n_kv_heads=2)
    add_adapters(model, dataclasses.replace(ALL, targets=("v_proj",)))
    ((name, layer),) = [pair for pair in adapted_layers(model) if pair[0].startswith("blocks.0")]
    assert name == "blocks.0.attention.qkv" and list(layer.lora_a) == ["v_proj"]
    shaken(model)
    change = layer.merged() - layer.weight
    queries_and_keys = layer.slices["q_proj"] + layer.slices["k_proj"]
    assert not change[:queries_and_keys].any() and change[queries_and_keys:].all()


def test_what_can_be_adapted(build):
    assert possible_targets(build(activation="swiglu")) == list(TARGETS["all"])
    assert "gate_proj" not in possible_targets(build(activation="relu"))
    assert possible_targets(build(feedforward="experts")) == list(TARGETS["attention"])


def test_adapters_start_as_their_seed_says(build):
    one, other = build(), build()
    for model in (one, other):
        torch.manual_seed(4)
        add_adapters(model, ALL)
    for (_, mine), (_, theirs) in zip(adapted_layers(one), adapted_layers(other), strict=True):
        assert isinstance(mine, LoRALinear)
        assert all(torch.equal(mine.lora_a[name], theirs.lora_a[name]) for name in mine.lora_a)


# ---------------------------------------------------------------------- logits only where they are wanted


@pytest.mark.parametrize(
    "settings", [*TRANSFORMERS.values(), OTHERS["bigram"]], ids=[*TRANSFORMERS, "bigram"]
)
def test_wanted_positions_have_the_logits_they_have_among_all(settings):
    torch.manual_seed(0)
    model = build_model(
        ModelConfig(vocab_size=19, context_length=16, n_layers=2, n_heads=2, d_model=24, **settings)
    )
    wanted = torch.rand(IDS.shape) < 0.4
    everything, some = model.eval()(IDS), model(IDS, wanted=wanted)
    torch.testing.assert_close(some, everything[wanted])
    targets = torch.where(wanted, IDS, IGNORE)
    torch.testing.assert_close(
        next_token_loss(some, targets[wanted], "sum"), next_token_loss(everything, targets, "sum")
    )


def test_adapters_in_bfloat16(build):
    """Autocast, which a GPU trains in, computes the layers in bfloat16 and leaves the adapters in float32."""
    model = build(activation="swiglu")
    add_adapters(model, ALL)
    shaken(model)
    exact = model(IDS)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(IDS)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.05 * exact.abs().max()
    rough.float().square().sum().backward()
    grads = [p.grad for name, p in model.named_parameters() if ".lora_" in name]
    assert all(grad is not None and grad.dtype == torch.float32 for grad in grads)
