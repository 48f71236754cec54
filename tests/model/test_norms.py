"""RMSNorm where it learns on a CPU, against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.model.norms import NORMS, RMSNorm


def inputs(strided: bool, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """A layer's input and what comes back into its output: tokens, or heads as attention has them."""
    generator = torch.Generator().manual_seed(0)
    x, upstream = torch.randn(2, 3, 6, 5, 8, generator=generator)
    if strided:
        x, upstream = x.transpose(1, 2), upstream.transpose(1, 2)
    return (scale * x).detach().requires_grad_(), upstream


def norm(affine: bool, plain: bool) -> RMSNorm:
    made = RMSNorm(8, eps=1e-5, elementwise_affine=affine)
    made.plain = plain
    if affine:
        nn.init.uniform_(made.weight, 0.5, 2.0, generator=torch.Generator().manual_seed(1))
    return made


@pytest.mark.parametrize("scale", [1.0, 1e-3, 100.0])
@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_values_and_gradients_are_those_of_torchs(affine: bool, strided: bool, scale: float):
    """Within 2e-6 of the largest, for the sums are taken in another order."""
    found: list[list[Tensor]] = []
    for plain in (False, True):
        layer, (x, upstream) = norm(affine, plain), inputs(strided, scale)
        y = layer(x)
        y.backward(upstream)
        found.append([y, *(each.grad for each in (x, *layer.parameters()) if each.grad is not None)])
    assert len(found[0]) == 2 + affine
    for ours, torchs in zip(*found, strict=True):
        assert (ours - torchs).abs().max() <= 2e-6 * torchs.abs().max()


def test_gradients_are_those_of_differences():
    """In float64, through the autograd function itself: the layer takes it for float32 alone."""
    from pellucid.model.norms import _RMSNorm

    x = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(8, dtype=torch.float64, requires_grad=True)
    for each in (weight, None):
        assert torch.autograd.gradcheck(lambda x, each=each: _RMSNorm.apply(x, each, 1e-5), (x,))
    assert torch.autograd.gradcheck(lambda weight: _RMSNorm.apply(x.detach(), weight, 1e-5), (weight,))


def test_without_gradients_it_is_torchs_to_the_bit():
    layer, (x, _) = norm(affine=True, plain=False), inputs(strided=False)
    with torch.no_grad():
        assert torch.equal(layer(x), nn.RMSNorm.forward(layer, x))


def test_a_frozen_scale_gets_no_gradient():
    layer, (x, upstream) = norm(affine=True, plain=False), inputs(strided=False)
    layer.requires_grad_(False)
    layer(x).backward(upstream)
    assert layer.weight.grad is None
    assert x.grad is not None


def test_the_table_has_those_that_learn_no_scale():
    assert [len(list(NORMS[name](8).parameters())) for name in ("layernorm", "rmsnorm", "rmsnorm_fixed")] == [
        2,
        1,
        0,
    ]
