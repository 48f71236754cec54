"""Dropout: the right share, the right scale, no pattern, and the same numbers from the same state."""

import pytest
import torch

from pellucid.model.dropout import Dropout, dropout


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_share_dropped_and_scale(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, 1000)
    out = dropout(x, p)
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=4 * (p * (1 - p)) ** 0.5 / 1000)
    assert torch.unique(out).tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-6)
    assert out.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 64, 128, 256, 1 << 15, 1 << 16])
def test_neighbours_are_independent(distance: int) -> None:
    torch.manual_seed(1)
    kept = (dropout(torch.ones(1 << 20), 0.3) > 0).float() - 0.7
    assert (kept[distance:] * kept[:-distance]).mean() / 0.21 == pytest.approx(0, abs=0.005)


def test_masks_of_many_calls_are_independent() -> None:
    torch.manual_seed(3)
    kept = torch.stack([dropout(torch.ones(1 << 12), 0.3) > 0 for _ in range(300)]).float()
    # each place is dropped alike
    assert kept.mean(dim=0).std().item() == pytest.approx((0.21 / 300) ** 0.5, rel=0.05)
    correlation = torch.corrcoef(kept) - torch.eye(300)
    assert correlation.std().item() == pytest.approx(1 / 64, rel=0.05)
    assert correlation.abs().max() < 6 / 64


@pytest.mark.parametrize("p", [0.999, 0.9999, 1 - 1e-12])
def test_nearly_all_dropped(p: float) -> None:
    torch.manual_seed(2)
    out = dropout(torch.ones(4_000_000), p)
    expected = 4_000_000 * (1 - p)
    assert out.count_nonzero().item() == pytest.approx(expected, abs=4 * expected**0.5 + 2)


@pytest.mark.parametrize("shape", [(1,), (3,), (5, 7), (2, 3, 5), (0, 4)])
def test_any_number_of_values(shape: tuple[int, ...]) -> None:
    assert dropout(torch.ones(shape), 0.5).shape == shape


def test_gradient_flows_through_what_was_kept() -> None:
    x = torch.ones(100, requires_grad=True)
    out = dropout(x, 0.4)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_same_state_same_mask_and_nothing_in_evaluation() -> None:
    x, module = torch.ones(64, 64), Dropout(0.5)
    torch.manual_seed(7)
    first = module(x)
    torch.manual_seed(7)
    assert torch.equal(first, module(x))
    assert module.eval()(x) is x
    assert dropout(x, 0.0) is x


def test_half_precision() -> None:
    out = dropout(torch.ones(1000, dtype=torch.bfloat16), 0.5)
    assert out.dtype == torch.bfloat16
    assert set(out.tolist()) == {0.0, 2.0}
