"""The two cores against a reference written as plainly as can be, and against each other.

Shapes: B batch, T queries, S keys, H heads, K key/value heads, D head size.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pellucid.model.attention import (
    ATTEND,
    Shared,
    attention_mask,
    explicit_attention,
    fused_attention,
)
from pellucid.model.config import ModelConfig
from pellucid.model.positions import RotaryPositions, leave

HEADS = [(4, 4), (4, 2), (6, 3), (6, 2), (4, 1), (1, 1)]
SIZES = [(9, 9), (1, 9), (4, 9), (1, 1)]  # (T, S): whole, one token, a chunk after a cache, the very first

LEFT = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1]], dtype=torch.bool)
RIGHT = LEFT.flip(1)
DOCUMENTS = torch.tensor([[0, 0, 1, 1, 1, 2, 2, 2, 2], [5, 5, 5, 5, 5, 5, 5, 5, 3]])
MASKS: dict[str, dict[str, Tensor]] = {
    "causal": {},
    "left padding": {"real": LEFT},
    "right padding": {"real": RIGHT},
    "documents": {"documents": DOCUMENTS},
    "left padding and documents": {"real": LEFT, "documents": DOCUMENTS},
    "right padding and documents": {"real": RIGHT, "documents": DOCUMENTS},
    "padding alone in one row": {"real": torch.tensor([[False] * 9, [True] * 9])},
}


def tensors(H: int, K: int, T: int, S: int, D: int = 8, B: int = 2) -> list[Tensor]:
    return [torch.randn(B, heads, n, D) for heads, n in ((H, T), (K, S), (K, S))]


def mask_of(kind: str, T: int, S: int) -> Tensor | None:
    given = {name: given[:, :S] for name, given in MASKS[kind].items()}
    return attention_mask((T, S), torch.device("cpu"), **given)


def reference(
    q: Tensor, k: Tensor, v: Tensor, real: Tensor | None = None, documents: Tensor | None = None
) -> Tensor:
    """Every query by itself: its visible keys gathered one by one, and nothing else in the softmax."""
    (B, H, T, D), (K, S) = q.shape, k.shape[1:3]
    out = torch.zeros(B, H, T, D)
    for b in range(B):
        for h in range(H):
            shared = h // (H // K)
            for t in range(T):
                at = S - T + t
                seen = [
                    s
                    for s in range(at + 1)
                    if (real is None or real[b, s])
                    and (documents is None or documents[b, s] == documents[b, at])
                ]
                if seen:
                    scores = torch.stack([q[b, h, t] @ k[b, shared, s] / math.sqrt(D) for s in seen])
                    out[b, h, t] = torch.softmax(scores, dim=0) @ v[b, shared, seen]
    return out


def with_gradients(
    attend, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, upstream: Tensor
) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in (q, k, v)]
    out = attend(*leaves, mask)
    return [out, *torch.autograd.grad(out, leaves, upstream)]


@pytest.mark.parametrize(("T", "S"), SIZES)
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("attend", ATTEND.values(), ids=ATTEND)
def test_both_cores_are_the_plain_reference(attend, kind, T, S):
    q, k, v = tensors(4, 2, T, S)
    expected = reference(q, k, v, **{name: given[:, :S] for name, given in MASKS[kind].items()})
    torch.testing.assert_close(attend(q, k, v, mask_of(kind, T, S)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("T", "S"), SIZES)
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize(("H", "K"), HEADS)
def test_both_cores_agree_in_value_and_gradient(H, K, kind, T, S):
    q, k, v = tensors(H, K, T, S)
    mask, upstream = mask_of(kind, T, S), torch.randn_like(q)
    explicit = with_gradients(explicit_attention, q, k, v, mask, upstream)
    fused = with_gradients(fused_attention, q, k, v, mask, upstream)
    for ours, theirs in zip(explicit, fused, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("T", "S"), SIZES)
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("attend", ATTEND.values(), ids=ATTEND)
def test_in_bfloat16_both_are_the_float32_one_but_for_rounding(attend, kind, T, S):
    q, k, v = tensors(4, 2, T, S)
    mask, upstream = mask_of(kind, T, S), torch.randn_like(q)
    expected = with_gradients(explicit_attention, q, k, v, mask, upstream)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = with_gradients(attend, *(each.bfloat16() for each in (q, k, v)), mask, upstream.bfloat16())
    for ours, theirs in zip(rounded, expected, strict=True):
        torch.testing.assert_close(ours.float(), theirs, rtol=0.02, atol=0.05)


@pytest.mark.parametrize("attend", ATTEND.values(), ids=ATTEND)
@pytest.mark.parametrize(("H", "K"), HEADS)
def test_grouped_heads_read_the_heads_that_repeat_interleave_gives(H, K, attend):
    q, k, v = tensors(H, K, 9, 9)
    repeated = attend(q, k.repeat_interleave(H // K, dim=1), v.repeat_interleave(H // K, dim=1), None)
    torch.testing.assert_close(attend(q, k, v, None), repeated, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("attend", ATTEND.values(), ids=ATTEND)
def test_a_query_that_sees_no_key_gives_zero_and_passes_no_gradient(attend):
    q, k, v = tensors(4, 2, 9, 9)
    out, *gradients = with_gradients(attend, q, k, v, mask_of("left padding", 9, 9), torch.ones_like(q))
    assert (out[0, :, :3] == 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all((gradient[0, :, :3] == 0).all() for gradient in gradients)
    assert all((gradient[0, :, 3:] != 0).any() for gradient in gradients)


@pytest.mark.parametrize("attend", ATTEND.values(), ids=ATTEND)
@pytest.mark.parametrize("size", [1e4, 1e-30])
def test_huge_and_tiny_scores_stay_finite(attend, size):
    q, k, v = tensors(4, 2, 9, 9)
    for kind in MASKS:
        found = with_gradients(attend, q * size, k * size, v, mask_of(kind, 9, 9), torch.ones_like(q))
        assert all(tensor.isfinite().all() for tensor in found), kind


@pytest.mark.parametrize("attend", ATTEND.values(), ids=ATTEND)
@pytest.mark.parametrize("kind", MASKS)
def test_half_precision_stays_near_float32(attend, kind):
    q, k, v = tensors(4, 2, 9, 9)
    mask = mask_of(kind, 9, 9)
    half = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), mask)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), attend(q, k, v, mask), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("attend", ATTEND.values(), ids=ATTEND)
@pytest.mark.parametrize("kind", ["causal", "documents"])
def test_dropout_drops_weights_and_keeps_their_mean(attend, kind):
    q, k, v = tensors(2, 2, 9, 9)
    mask = mask_of(kind, 9, 9)
    samples = torch.stack([attend(q, k, v, mask, 0.25) for _ in range(1500)])
    assert samples.std(dim=0).max() > 0.1
    torch.testing.assert_close(samples.mean(dim=0), attend(q, k, v, mask), rtol=0, atol=0.15)


def test_no_padding_and_no_documents_is_the_plain_causal_mask():
    assert attention_mask((4, 4), torch.device("cpu")) is None


@pytest.mark.parametrize(("T", "S"), SIZES)
def test_a_mask_that_hides_nothing_more_is_causal(T, S):
    q, k, v = tensors(4, 2, T, S)
    mask = attention_mask((T, S), torch.device("cpu"), real=torch.ones(2, S, dtype=torch.bool))
    for attend in ATTEND.values():
        torch.testing.assert_close(
            attend(q, k, v, mask, 0.0), attend(q, k, v, None, 0.0), rtol=1e-5, atol=1e-6
        )


def test_rotary_scores_depend_on_the_distance_alone():
    rotary = RotaryPositions(ModelConfig(vocab_size=2, context_length=64, head_dim=16))
    q, k = torch.randn(16), torch.randn(16)

    def score(query_at: int, key_at: int) -> Tensor:
        rotate = rotary.rotation(torch.tensor([query_at, key_at]))
        turned_q, turned_k = rotate(torch.stack((q, q)))[0], rotate(torch.stack((k, k)))[1]
        return turned_q @ turned_k

    torch.testing.assert_close(score(0, 0), q @ k)
    for distance in (1, 5, 20):
        for start in (0, 3, 40):
            torch.testing.assert_close(
                score(start + distance, start), score(distance, 0), rtol=1e-4, atol=1e-4
            )


def test_rotary_turns_pairs_by_position_over_a_power_of_the_base():
    rotary = RotaryPositions(ModelConfig(vocab_size=2, context_length=64, head_dim=4, rope_base=100.0))
    turned = rotary.rotation(torch.tensor([7]))(torch.tensor([[1.0, 1.0, 0.0, 0.0]]))[0]
    expected = [math.cos(7), math.cos(0.7), math.sin(7), math.sin(0.7)]  # channel i goes with channel i + D/2
    torch.testing.assert_close(turned, torch.tensor(expected))


def test_qk_norm_bounds_every_score(build):
    model = build("explicit", qk_norm=True)
    attention = model.blocks[0].attention
    with torch.no_grad():
        attention.q_norm.weight.fill_(1.0)
        attention.k_norm.weight.fill_(1.0)
        attention.qkv.weight *= 1e3
    largest = []

    def watch(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float, scale: float) -> Tensor:
        largest.append((q @ k.mT).abs().max().item() * scale)
        return explicit_attention(q, k, v, mask, dropout, scale)

    attention.attend = watch
    model(torch.randint(19, (2, 24)))
    assert 1 < largest[0] <= math.sqrt(attention.head_dim) * 1.0001  # |q| = |k| = √D, over √D


def test_queries_and_keys_are_normalised_before_they_are_turned(build):
    """The norm's weights differ by channel, so that the order matters; Qwen3 has this one."""
    model = build("explicit", qk_norm=True)
    layer, x, seen = model.blocks[0].attention, torch.randn(1, 7, 32), []
    layer.attend = lambda q, k, v, mask, dropout, scale: seen.extend((q, k)) or q
    rotate = model.positions.rotation(torch.arange(7))
    layer(x, Shared(x, rotate))
    projected = layer.qkv(x).unflatten(2, (3, 4, 8)).permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
    for found, heads, norm in zip(seen, projected, (layer.q_norm, layer.k_norm), strict=False):
        normalised = heads / (heads.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * norm.weight
        torch.testing.assert_close(found, rotate(normalised), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("n_heads", "n_kv_heads", "head_dim"), [(4, 4, 8), (4, 2, 8), (4, 1, 6), (3, 3, 16)])
@pytest.mark.parametrize("bias", [False, True])
def test_the_fused_projection_is_one_of_each_kind_side_by_side(build, n_heads, n_kv_heads, head_dim, bias):
    model = build(n_heads=n_heads, n_kv_heads=n_kv_heads, head_dim=head_dim, bias=bias, positions="learned")
    layer, x = model.blocks[0].attention, torch.randn(2, 7, 32)
    projected = layer.qkv(x)
    widths = [heads * head_dim for heads in (n_heads, n_kv_heads, n_kv_heads)]
    q, k, v = (part.unflatten(2, (-1, head_dim)).transpose(1, 2) for part in projected.split(widths, dim=2))
    expected = layer.out(reference(q, k, v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x, Shared(x, leave)), expected, rtol=1e-5, atol=1e-5)
