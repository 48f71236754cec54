"""No token learns of a later one."""

from __future__ import annotations

import pytest
import torch

from pellucid.model.attention import ATTEND

HEADS = {"multi-head": 4, "grouped": 2, "multi-query": 1}


@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("n_kv_heads", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("attend", ATTEND)
def test_changing_later_tokens_leaves_earlier_logits_alone(build, attend, n_kv_heads, positions, norm):
    model = build(attend, n_kv_heads=n_kv_heads, positions=positions, norm=norm)
    ids = torch.randint(19, (2, 24))
    before = model(ids)
    for cut in range(1, 24):
        changed = ids.clone()
        changed[:, cut:] = (ids[:, cut:] + 1 + torch.randint(18, (2, 24 - cut))) % 19
        after = model(changed)
        assert (after[:, :cut] - before[:, :cut]).abs().max() <= 1e-6
        assert (after[:, cut] - before[:, cut]).abs().max() > 1e-3  # the change itself is seen


@pytest.mark.parametrize("attend", ATTEND)
def test_every_earlier_token_matters_and_no_later_one(build, attend):
    model = build(attend, n_kv_heads=2)
    vectors = model.embedding(torch.randint(19, (1, 10))).detach().requires_grad_()
    model.embedding.register_forward_hook(lambda *_: vectors)
    logits = model(torch.zeros(1, 10, dtype=torch.long))
    for t in range(10):
        (gradient,) = torch.autograd.grad(logits[0, t].square().sum(), vectors, retain_graph=True)
        reached = gradient[0].abs().sum(dim=-1)
        assert (reached[: t + 1] > 0).all()
        assert (reached[t + 1 :] == 0).all()


@pytest.mark.parametrize("attend", ATTEND)
def test_a_prefix_gives_the_logits_it_gives_within_a_longer_text(build, attend):
    model = build(attend)
    ids = torch.randint(19, (2, 24))
    whole = model(ids)
    for length in (1, 2, 7, 23):
        torch.testing.assert_close(model(ids[:, :length]), whole[:, :length], rtol=1e-5, atol=1e-5)


def test_last_only_is_the_last_position_of_all(build):
    model = build()
    ids = torch.randint(19, (2, 9))
    torch.testing.assert_close(model(ids, last_only=True), model(ids)[:, -1:], rtol=1e-6, atol=1e-6)
