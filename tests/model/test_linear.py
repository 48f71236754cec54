"""A few rows are multiplied another way, with the same result."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pellucid.model.linear import FEW, Linear, few_rows


@pytest.mark.parametrize("shape", [(1, 1, 24), (7, 24), (3, 5, 24), (24,)])
@pytest.mark.parametrize("n_out", [36, 37])
@pytest.mark.parametrize("bias", [True, False])
def test_few_rows_are_the_ordinary_product(shape: tuple[int, ...], n_out: int, bias: bool):
    x, weight = torch.randn(shape), torch.randn(n_out, 24)
    offset = torch.randn(n_out) if bias else None
    out = few_rows(x, weight, offset)
    torch.testing.assert_close(out, F.linear(x, weight, offset), rtol=1e-5, atol=1e-5)
    assert out.is_contiguous() and out.shape == (*shape[:-1], n_out)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(threads: int):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x, weight = torch.randn(2, 1, 16), torch.randn(10, 16)
        torch.testing.assert_close(few_rows(x, weight), F.linear(x, weight), rtol=1e-5, atol=1e-5)
    finally:
        torch.set_num_threads(before)


def test_where_gradients_are_asked_for_nothing_changes():
    layer, x = Linear(8, 6), torch.randn(3, 8)
    assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
    layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_many_rows_are_left_to_torch():
    layer, x = Linear(8, 6), torch.randn(FEW + 1, 8)
    with torch.no_grad():
        assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
        torch.testing.assert_close(
            layer(x[:FEW]), F.linear(x[:FEW], layer.weight, layer.bias), rtol=1e-5, atol=1e-5
        )


def test_other_types_keep_theirs():
    layer, x = Linear(8, 6).bfloat16(), torch.randn(2, 8).bfloat16()
    with torch.no_grad():
        assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
        with torch.autocast("cpu", torch.bfloat16):
            assert Linear(8, 6)(x.float()).dtype == torch.bfloat16
