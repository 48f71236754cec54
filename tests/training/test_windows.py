"""Batches: each token a target once an epoch, in an order that is a function of seed and number alone."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import InputError
from pellucid.model.config import IGNORE
from pellucid.text.windows import Windows, consecutive_windows

LENGTH = 7


@pytest.mark.parametrize("n_tokens", [8, 13, 14, 15, 50, 97])
@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_every_token_is_a_target_exactly_once_an_epoch(n_tokens: int, epoch: int):
    windows = Windows(np.arange(n_tokens, dtype=np.uint16), LENGTH, seed=3)
    _, targets = windows.batch(epoch * windows.per_epoch, windows.per_epoch)
    assert sorted(targets[targets != IGNORE]) == list(range(n_tokens))


def test_a_target_is_the_token_after_its_input():
    windows = Windows(np.arange(50, dtype=np.uint16), LENGTH, seed=3)
    inputs, targets = windows.batch(0, 3 * windows.per_epoch)
    scored = targets != IGNORE
    assert (targets[scored] == (inputs[scored] + 1) % 50).all()
    assert (inputs[:, 1:] == (inputs[:, :-1] + 1) % 50).all()


def test_windows_start_elsewhere_each_epoch():
    windows = Windows(np.arange(700, dtype=np.uint16), LENGTH, seed=3)
    offsets = set()
    for epoch in range(20):
        inputs, _ = windows.batch(epoch * windows.per_epoch, windows.per_epoch)
        offsets.add(int(inputs[:, 0].min()) % LENGTH)
    assert len(offsets) > 3


def test_epochs_come_in_different_orders():
    windows = Windows(np.arange(700, dtype=np.uint16), LENGTH, seed=3)
    first, second = (
        np.argsort(windows.batch(epoch * windows.per_epoch, windows.per_epoch)[0][:, 0]) for epoch in (0, 1)
    )
    assert (first != second).any()
    assert (first != np.arange(len(first))).any()


def test_a_batch_is_a_function_of_its_number():
    tokens = np.random.default_rng(0).integers(0, 50, 300)
    windows = Windows(tokens, LENGTH, seed=3)
    in_order = [windows.batch(first, 4) for first in range(0, 400, 4)]
    again = Windows(tokens, LENGTH, seed=3)
    for first in (396, 0, 200, 8):  # in any order, over epochs' borders, by a fresh object
        for part, expected in zip(again.batch(first, 4), in_order[first // 4], strict=True):
            assert (part == expected).all()


def test_seeds_differ():
    tokens = np.arange(300)
    first, second = (Windows(tokens, LENGTH, seed=seed).batch(0, 20)[0] for seed in (1, 2))
    assert (first != second).any()


def test_a_text_without_a_whole_window_and_its_last_target_is_refused():
    Windows(np.arange(LENGTH + 1), LENGTH, seed=0)
    with pytest.raises(InputError, match=r"7 tokens, fewer than .* 7: .*--context-length"):
        Windows(np.arange(LENGTH), LENGTH, seed=0)


@pytest.mark.parametrize("n_tokens", [2, 7, 8, 9, 15, 16, 40])
def test_consecutive_windows_have_every_target_once_in_order(n_tokens: int):
    tokens = np.arange(100, 100 + n_tokens)
    inputs, targets = consecutive_windows(tokens, LENGTH)
    scored = targets != IGNORE
    assert targets[scored].tolist() == tokens[1:].tolist()
    assert inputs[scored].tolist() == tokens[:-1].tolist()


@pytest.mark.parametrize("n_tokens", [0, 1])
def test_no_targets_no_windows(n_tokens: int):
    inputs, targets = consecutive_windows(np.arange(n_tokens), LENGTH)
    assert inputs.shape == targets.shape == (0, LENGTH)
