"""Padding and neighbours in a batch change nothing; packed documents are each as if alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pellucid.model.attention import ATTEND
from pellucid.model.transformer import IGNORE, next_token_loss

LENGTHS = (3, 10, 1, 7)
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 2e-5}


def padded(texts: list[Tensor], side: str) -> tuple[Tensor, Tensor]:
    """Ids (B, T), with noise at padding, and where they are real."""
    width = max(len(text) for text in texts)
    ids, real = torch.randint(19, (len(texts), width)), torch.zeros(len(texts), width, dtype=torch.bool)
    for row, text in enumerate(texts):
        at = slice(width - len(text), width) if side == "left" else slice(0, len(text))
        ids[row, at], real[row, at] = text, True
    return ids, real


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("attend", ATTEND)
def test_padding_changes_no_logit(build, attend, positions, side):
    model = build(attend, positions=positions, n_kv_heads=2, qk_norm=True)
    texts = [torch.randint(19, (length,)) for length in LENGTHS]
    ids, real = padded(texts, side)
    logits = model(ids, real=real)
    assert logits.isfinite().all()
    for row, text in enumerate(texts):
        torch.testing.assert_close(logits[row][real[row]], model(text[None])[0], **CLOSE)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("attend", ATTEND)
def test_padding_changes_no_gradient(build, attend, side):
    model = build(attend, n_kv_heads=2)
    texts = [torch.randint(19, (length,)) for length in LENGTHS]
    targets = [torch.randint(19, (length,)) for length in LENGTHS]
    ids, real = padded(texts, side)
    wanted, _ = padded(targets, side)
    parameters = list(model.parameters())
    pairs = zip(texts, targets, strict=True)
    alone = torch.stack(
        [next_token_loss(model(text[None]), target[None], "sum") for text, target in pairs]
    ).sum()
    together = next_token_loss(model(ids, real=real), wanted.masked_fill(~real, IGNORE), "sum")
    for one, other in zip(
        torch.autograd.grad(alone, parameters), torch.autograd.grad(together, parameters), strict=True
    ):
        assert other.isfinite().all()
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("attend", ATTEND)
def test_a_row_of_nothing_but_padding_is_finite(build, attend):
    model = build(attend)
    real = torch.tensor([[False] * 5, [True] * 5])
    logits = model(torch.randint(19, (2, 5)), real=real)
    loss = next_token_loss(logits, torch.zeros(2, 5, dtype=torch.long))
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("attend", ATTEND)
def test_packed_documents_are_each_as_if_alone(build, attend, positions):
    model = build(attend, positions=positions, n_kv_heads=2)
    texts = [torch.randint(19, (length,)) for length in LENGTHS]
    documents = torch.cat([torch.full((length,), n) for n, length in enumerate(LENGTHS)])
    restarting = torch.cat([torch.arange(length) for length in LENGTHS])
    packed = model(torch.cat(texts)[None], positions=restarting[None], documents=documents[None])[0]
    for logits, text in zip(packed.split(LENGTHS), texts, strict=True):
        torch.testing.assert_close(logits, model(text[None])[0], **CLOSE)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("attend", ATTEND)
def test_documents_and_padding_combine(build, attend, side):
    model = build(attend, positions="learned")
    first, second = torch.randint(19, (4,)), torch.randint(19, (6,))
    ids, real = padded([torch.cat((first, second)), torch.randint(19, (15,))], side)
    documents, positions = torch.zeros_like(ids), torch.arange(15).repeat(2, 1)
    start = int(real[0].nonzero()[0])
    documents[0, start + 4 :] = 1
    positions[0, start : start + 10] = torch.cat((torch.arange(4), torch.arange(6)))
    logits = model(ids, positions=positions, real=real, documents=documents)[0][real[0]]
    torch.testing.assert_close(logits[:4], model(first[None])[0], **CLOSE)
    torch.testing.assert_close(logits[4:], model(second[None])[0], **CLOSE)


def test_the_number_of_a_document_means_nothing(build):
    model = build()
    ids = torch.randint(19, (1, 6))
    one = model(ids, documents=torch.tensor([[0, 0, 0, 1, 1, 1]]))
    other = model(ids, documents=torch.tensor([[9, 9, 9, -4, -4, -4]]))
    assert torch.equal(one, other)


def test_without_restarting_positions_rotary_documents_are_still_alone(build):
    """Rotary positions are relative, so that training need not restart them."""
    model = build(positions="rotary")
    ids = torch.randint(19, (1, 12))
    packed = model(ids, documents=torch.tensor([[0] * 5 + [1] * 7]))
    torch.testing.assert_close(packed[:, 5:], model(ids[:, 5:]), rtol=1e-4, atol=1e-4)


def test_rows_of_a_batch_do_not_meet(build):
    model = build()
    ids = torch.randint(19, (3, 12))
    torch.testing.assert_close(model(ids)[1:2], model(ids[1:2]), **CLOSE)
