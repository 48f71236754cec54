from __future__ import annotations

import random

import pytest
import torch

from pellucid.generation.rolling import RollingWindows, prompt_start, window_start


@pytest.mark.parametrize("context", [1, 2, 3, 4, 7, 8, 128])
def test_the_window_fits_and_moves_only_when_it_must(context):
    start = 0
    for n_tokens in range(1, 4 * context + 2):
        new = window_start(n_tokens, context)
        if n_tokens - start <= context:
            assert new == start
        else:
            assert n_tokens - new == max(1, context // 2)
        start = new


def test_a_prompt_is_cut_to_leave_room():
    assert prompt_start(128, 128, 500) == 0
    assert 1000 - prompt_start(1000, 128, 28) == 100
    assert 1000 - prompt_start(1000, 128, 500) == 64
    assert 5 - prompt_start(5, 1, 10) == 1


@pytest.mark.parametrize(
    "config",
    [
        {"positions": "rotary", "norm": "rmsnorm"},
        {"positions": "learned", "norm": "layernorm", "activation": "gelu", "bias": True},
        {"positions": "rotary", "n_kv_heads": 2, "qk_norm": True, "activation": "swiglu"},
        {"positions": "learned", "n_kv_heads": 1},
        {"architecture": "bigram"},
        {"context_length": 7},
        {"context_length": 2},
        {"context_length": 1, "positions": "learned"},
    ],
    ids=str,
)
@pytest.mark.parametrize("attend", ["fused", "explicit"])
def test_cached_is_uncached_beyond_two_contexts(make_model, config, attend):
    """Rows of different lengths, some of which leave on the way, against one plain forward pass a step."""
    model = make_model(50, attend=attend, **config).eval()
    context = model.config.context_length
    rng = random.Random(0)
    rows = [[rng.randrange(50) for _ in range(length)] for length in (1, 5, context, 2 * context + 3)]
    with torch.inference_mode():
        windows = RollingWindows(model, rows, context, torch.device("cpu"), torch.float32)
        for step in range(2 * context + 9):
            logits = windows.next_logits()
            for row, cached in zip(rows, logits, strict=True):
                window = torch.tensor([row[window_start(len(row), context) :]])
                torch.testing.assert_close(cached, model(window)[0, -1], atol=2e-4, rtol=1e-4)
                row.append(rng.randrange(50))
            if step in (4, context + 5):
                kept = [row for row in range(len(rows)) if row != 1]
                rows = [rows[row] for row in kept]
                windows.keep(kept)
    assert len(rows) == 2


def test_one_sequence_is_computed_once(make_model):
    model = make_model(50, context_length=16).eval()
    read: list[int] = []
    model.register_forward_pre_hook(lambda _, args: read.append(args[0].shape[1]))
    row = [1, 2, 3, 4, 5]
    with torch.inference_mode():
        windows = RollingWindows(model, [row], 100, torch.device("cpu"), torch.float32)
        for _ in range(14):
            windows.next_logits()
            row.append(7)
    # five tokens of prompt, then one a step; the full context at the 17th token is half read again
    assert read == [5] + [1] * 11 + [8] + [1]


def test_uninitialised_memory_does_not_leak(make_model, monkeypatch):
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, **kind: empty(*size, **kind).fill_(torch.nan))
    model = make_model(50).eval()
    rows = [[1], [2] * 9, [3] * 16]
    with torch.inference_mode():
        windows = RollingWindows(model, rows, 16, torch.device("cpu"), torch.float32)
        for _ in range(40):
            assert windows.next_logits().isfinite().all()
            for row in rows:
                row.append(4)
