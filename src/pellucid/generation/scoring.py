"""How likely a model finds tokens that are given: read in one forward pass, not written one by one.

Shapes: B texts read at once, T tokens of the longest, V vocabulary, N = B · T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.generation.decoding import NOT_FINITE, Token, likeliest
from pellucid.generation.engine import Engine
from pellucid.model.cache import KVCache
from pellucid.model.own import OwnModel
from pellucid.model.transformer import LanguageModel

LOGITS_AT_ONCE = 1 << 24  # numbers: 64 MiB of float32, and a few times that while they are compared


class Stopped(Exception):
    """Nobody waits for the scores any more."""


@torch.inference_mode()
def score(
    engine: Engine,
    texts: Sequence[Sequence[int]],
    n_top: int = 0,
    stopped: Callable[[], bool] = lambda: False,
) -> list[list[Token]]:
    """Every token of each text but its first, with what the model made of it, given all that stands before.

    Args:
        engine: its model must be in evaluation mode.
        texts: token ids; of the model's context and one more at most, as the last one need not be read.
        n_top: how many of the likeliest tokens are told with each.
        stopped: looked at between parts of the work.

    Returns:
        As many lists as texts, each one token shorter than its text; the tokens' own texts are empty.

    Raises:
        InputError: the model's outputs are not finite.
        Stopped: `stopped` became true.
    """
    scored: list[list[Token]] = []
    model = engine.model
    groups = [[text] for text in texts] if _reads_whole(model) else _groups(texts, model.config.vocab_size)
    for group in groups:
        scored += _score_group(engine, group, n_top, stopped)
    return scored


def _reads_whole(model: LanguageModel) -> bool:
    """Whether each text is read by itself and at once: where it knows neither padding nor a cache, or sees behind."""
    return isinstance(model, OwnModel) or model.config.mask == "none"


def _groups(texts: Sequence[Sequence[int]], vocab_size: int) -> Iterator[list[Sequence[int]]]:
    """The texts in their order, as many at a time as their logits fit; at least one."""
    group: list[Sequence[int]] = []
    longest = 0
    for text in texts:
        longest = max(longest, len(text))
        if group and (len(group) + 1) * longest * vocab_size > LOGITS_AT_ONCE:
            yield group
            group, longest = [], len(text)
        group.append(text)
    if group:
        yield group


def _score_group(
    engine: Engine, texts: list[Sequence[int]], n_top: int, stopped: Callable[[], bool]
) -> list[list[Token]]:
    """The same of texts that are read side by side, so many columns at a time as their logits fit."""
    model, n_known = engine.model, engine.tokenizer.vocab_size
    length = max(0, max(map(len, texts)) - 1)
    # (B, T); on the right, padding disturbs nobody
    inputs = torch.zeros(len(texts), length, dtype=torch.long)
    targets = torch.zeros_like(inputs)
    for row, text in enumerate(texts):
        ids, n = torch.tensor(text, dtype=torch.long), max(0, len(text) - 1)
        inputs[row, :n], targets[row, :n] = ids[:n], ids[1:]
    weights = next(model.parameters())
    if _reads_whole(model):
        cache, at_once = None, max(1, length)
    else:
        cache = KVCache(model.config, len(texts), max(1, length), weights.device, weights.dtype)
        at_once = max(1, LOGITS_AT_ONCE // (len(texts) * model.config.vocab_size))
    scored: list[list[Token]] = [[] for _ in texts]
    for start in range(0, length, at_once):
        if stopped():
            raise Stopped
        columns = slice(start, start + at_once)
        logits = model(inputs[:, columns].to(weights.device), cache=cache).float().cpu()  # (B, T, V)
        told = iter(_told(logits.flatten(0, 1), targets[:, columns].flatten(), n_top, n_known))
        for row, text in enumerate(texts):
            of_row = [next(told) for _ in range(logits.shape[1])]
            scored[row] += of_row[: max(0, len(text) - 1 - start)]
    return scored


def _told(logits: Tensor, targets: Tensor, n_top: int, n_known: int) -> Iterator[Token]:
    """What logits (N, V) say of the tokens `targets` (N,)."""
    totals = logits.logsumexp(dim=-1)  # (N,)
    if not totals.isfinite().all():
        raise InputError(NOT_FINITE)
    scores = logits.gather(-1, targets[:, None])  # (N, 1)
    ranks = (logits > scores).sum(dim=-1) + 1  # (N,)
    logprobs = scores.squeeze(-1) - totals
    tops = likeliest(logits, totals, n_top, n_known)
    for target, logprob, rank, top in zip(
        targets.tolist(), logprobs.tolist(), ranks.tolist(), tops, strict=True
    ):
        yield Token(target, logprob, "", rank, top)
