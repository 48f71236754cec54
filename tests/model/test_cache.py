"""With the key/value cache the logits are those without it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from pellucid.model.attention import ATTEND
from pellucid.model.cache import KVCache
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import Transformer, build_model

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 2e-5}
LENGTH = 14
MODELS = [
    pytest.param(
        {"attend": attend, "n_kv_heads": kv, "positions": positions, "norm": norm, "qk_norm": qk_norm},
        id="-".join((attend, f"{kv}kv", positions, norm, "qk_norm" if qk_norm else "plain")),
    )
    for attend, kv, positions, norm, qk_norm in itertools.product(
        ATTEND, (4, 2, 1), ("learned", "rotary"), ("layernorm", "rmsnorm"), (False, True)
    )
]


def cached(model: Transformer, ids: Tensor, chunks: tuple[int, ...], real: Tensor | None = None) -> Tensor:
    """Logits (B, T, V) gathered a chunk at a time."""
    cache, logits = KVCache(model.config, batch=len(ids)), []
    for chunk in ids.split(chunks, dim=1):
        seen = cache.length + chunk.shape[1]
        logits.append(model(chunk, cache=cache, real=None if real is None else real[:, :seen]))
        assert cache.length == seen
    return torch.cat(logits, dim=1)


@pytest.mark.parametrize("settings", MODELS)
@torch.no_grad()
def test_cached_logits_are_the_uncached_ones(build, settings):
    model = build(**settings)
    ids = torch.randint(19, (3, LENGTH))
    real = torch.arange(LENGTH) >= torch.tensor([[0], [4], [9]])  # padded on the left
    whole, whole_padded = model(ids), model(ids, real=real)
    for chunks in ((1,) * LENGTH, (5, 1, 1, 4, 3), (LENGTH,)):
        torch.testing.assert_close(cached(model, ids, chunks), whole, **CLOSE)
        torch.testing.assert_close(cached(model, ids, chunks, real)[real], whole_padded[real], **CLOSE)


@pytest.mark.parametrize("attend", ATTEND)
@torch.no_grad()
def test_rows_padded_on_the_right_go_on_where_they_stopped(build, attend):
    """A prompt of each length, then new tokens: the padding between stays unseen."""
    model = build(attend, positions="learned")
    lengths, new = (3, 7), torch.randint(19, (2, 4))
    prompts = torch.randint(19, (2, 7))
    real = torch.cat(
        (torch.arange(7) < torch.tensor(lengths)[:, None], torch.ones(2, 4, dtype=torch.bool)), dim=1
    )
    logits = cached(model, torch.cat((prompts, new), dim=1), (7, 1, 1, 1, 1), real)
    for row, length in enumerate(lengths):
        alone = model(torch.cat((prompts[row, :length], new[row]))[None])[0]
        torch.testing.assert_close(logits[row][real[row]], alone, **CLOSE)


@torch.no_grad()
def test_documents_work_with_a_cache(build):
    model = build()
    ids, documents = torch.randint(19, (1, 12)), torch.tensor([[0] * 5 + [1] * 7])
    cache = KVCache(model.config)
    model(ids[:, :8], cache=cache, documents=documents[:, :8])
    rest = model(ids[:, 8:], cache=cache, documents=documents)
    torch.testing.assert_close(rest, model(ids, documents=documents)[:, 8:], **CLOSE)


@torch.no_grad()
def test_a_mask_that_forgets_the_cached_tokens_is_refused(build):
    """With one new token such a mask would broadcast over all the keys, and hide or show the wrong ones."""
    model = build()
    cache = KVCache(model.config, batch=2)
    model(torch.randint(19, (2, 5)), cache=cache)
    for name in ("real", "documents"):
        with pytest.raises(AssertionError, match="a mask needs all 6 tokens"):
            model(torch.randint(19, (2, 1)), cache=cache, **{name: torch.ones(2, 1, dtype=torch.bool)})


@torch.no_grad()
def test_a_cache_in_half_precision_stays_near(build):
    model = build()
    ids = torch.randint(19, (1, 10))
    cache = KVCache(model.config, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        logits = torch.cat([model(token, cache=cache) for token in ids.split(1, dim=1)], dim=1)
    whole = model(ids)
    assert (logits - whole).abs().mean() < 0.05 * whole.abs().mean()


@torch.no_grad()
def test_more_tokens_than_the_cache_holds_are_refused(build):
    model = build()
    cache = KVCache(model.config, capacity=4)
    model(torch.zeros(1, 4, dtype=torch.long), cache=cache)
    with pytest.raises(AssertionError, match="do not fit a cache of 4"):
        model(torch.zeros(1, 1, dtype=torch.long), cache=cache)


@torch.no_grad()
def test_more_tokens_than_the_context_are_refused(build):
    model = build()
    with pytest.raises(AssertionError, match="exceed the context"):
        model(torch.zeros(1, 25, dtype=torch.long))


@torch.no_grad()
def test_the_bigram_keeps_count_too():
    model = build_model(ModelConfig(vocab_size=7, architecture="bigram"))
    cache, ids = KVCache(model.config, batch=2), torch.randint(7, (2, 5))
    assert torch.equal(model(ids, cache=cache), model(ids))
    assert cache.length == 5
    assert torch.equal(model(ids, last_only=True), model(ids)[:, -1:])
