"""Drafts that join, step together and drop out: each text is the one its prompt and seed give alone."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch

from pellucid.errors import InputError
from pellucid.generation.decoding import Decoding, Draft
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.generation.rolling import GROWTH, RollingWindows, window_start

PROMPTS = ["a", "Speak, sp", "exactly sixteen.", "a prompt that is longer than the context of sixteen", ""]


def options_of(n: int) -> list[SamplingOptions]:
    kinds = [
        SamplingOptions(max_tokens=60, ignore_eos=True),
        SamplingOptions(max_tokens=7, top_k=5),
        SamplingOptions(max_tokens=50, repetition_penalty=1.3, ignore_eos=True),
        SamplingOptions(max_tokens=40, temperature=0.8, top_p=0.9, stop=("e", "th")),
    ]
    return [dataclasses.replace(kinds[i % len(kinds)], seed=i) for i in range(n)]


def run_to_the_end(decoding: Decoding) -> None:
    while decoding.drafts:
        decoding.step()


@pytest.mark.parametrize(
    "config",
    [{}, {"positions": "learned", "n_kv_heads": 2}, {"context_length": 5}, {"architecture": "bigram"}],
    ids=str,
)
@pytest.mark.parametrize("attend", ["fused", "explicit"])
def test_who_joins_midway_writes_what_it_writes_alone(make_model, chars, config, attend):
    engine = Engine(make_model(chars.vocab_size, attend=attend, **config), chars)
    engine.model.eval()
    rng = random.Random(0)
    prompts = [rng.choice(PROMPTS) for _ in range(14)]
    options = options_of(14)
    alone = [engine.generate(*pair)[0] for pair in zip(prompts, options, strict=True)]
    drafts = [engine.draft(*pair) for pair in zip(prompts, options, strict=True)]
    waiting = list(drafts)
    decoding = engine.decoding()
    most = 0
    while waiting or decoding.drafts:
        decoding.join([waiting.pop(0) for _ in range(rng.choice((0, 0, 1, 2, 3))) if waiting])
        most = max(most, len(decoding.drafts))
        for _ in range(rng.randrange(1, 9)):
            decoding.step()
    assert most >= 4
    for draft, expected in zip(drafts, alone, strict=True):
        assert ("".join(draft.pieces), draft.finish_reason) == (expected.text, expected.finish_reason)


def test_dropping_one_leaves_the_others_as_they_were(make_model, chars):
    engine = Engine(make_model(chars.vocab_size), chars)
    engine.model.eval()
    options = [SamplingOptions(max_tokens=40, seed=i, ignore_eos=True) for i in range(3)]
    alone = [engine.generate("ab", each)[0].ids for each in options]
    drafts = [engine.draft("ab", each) for each in options]
    decoding = engine.decoding()
    decoding.join(drafts[:2])
    for _ in range(5):
        decoding.step()
    decoding.join(drafts[2:])
    decoding.drop({drafts[0]})  # before the new one was read
    assert drafts[0].n_tokens == 5 and not drafts[0].ended
    run_to_the_end(decoding)
    assert [tuple(draft.ids[2:]) for draft in drafts[1:]] == alone[1:]
    decoding.join(drafts[:1])  # even one that left can come back
    run_to_the_end(decoding)
    assert tuple(drafts[0].ids[2:]) == alone[0]
    assert decoding.step() == []


def test_rank_and_bits_are_the_models_own(make_model, chars):
    engine = Engine(make_model(chars.vocab_size), chars)
    options = SamplingOptions(seed=3, max_tokens=40, temperature=0.7, top_k=9, ignore_eos=True)
    ids = chars.encode("To be").tolist()
    ranks = set()
    for token in engine.tokens("To be", options):
        logits = engine.model(torch.tensor([ids[window_start(len(ids), 16) :]]))[0, -1]
        probability = logits.softmax(-1)[token.id].item()
        assert 2**-token.bits == pytest.approx(probability, rel=1e-2, abs=1e-6)
        assert token.rank == logits.argsort(descending=True).tolist().index(token.id) + 1
        ranks.add(token.rank)
        ids.append(token.id)
    assert 1 in ranks and len(ranks) > 2


def test_a_beginning_is_kept_and_continued_as_its_own_seed_would(make_model, chars):
    engine = Engine(make_model(chars.vocab_size), chars)
    engine.model.eval()
    options = SamplingOptions(max_tokens=20, seed=5, ignore_eos=True)
    own = engine.generate("ab", options)[0]

    def begun_with(ids: tuple[int, ...], **changes: object) -> Draft:
        draft = engine.draft("ab", dataclasses.replace(options, **changes), ids)
        decoding = engine.decoding()
        decoding.join([draft])
        run_to_the_end(decoding)
        return draft

    assert tuple(begun_with(own.ids[:7]).ids[2:]) == own.ids
    other = (*own.ids[:3], (own.ids[3] + 1) % 50)
    branch = begun_with(other)
    assert tuple(branch.ids[2:6]) == other and branch.n_tokens == 20
    assert "".join(branch.pieces) == chars.decode(branch.ids[2:])
    assert begun_with((*own.ids[:3], chars.end_of_text), ignore_eos=False).finish_reason == "stop"
    with pytest.raises(InputError, match="no token 999"):
        engine.draft("ab", options, (999,))


def test_a_row_that_is_not_finite_fails_alone(make_model, chars):
    engine = Engine(make_model(chars.vocab_size, architecture="bigram"), chars)
    engine.model.eval()
    with torch.no_grad():
        engine.model.table.weight[chars.encode("q")[0]] = torch.nan
        engine.model.table.weight[:, chars.encode("q")[0]] = -torch.inf  # nobody else comes there
        engine.model.table.weight[chars.encode("q")[0]] = torch.nan
    good, bad = (engine.draft(text, SamplingOptions(max_tokens=5, ignore_eos=True)) for text in "aq")
    decoding = engine.decoding()
    decoding.join([good, bad])
    taken = decoding.step()
    assert [draft for draft, _ in taken] == decoding.drafts == [good]
    assert bad.problem and "not finite" in str(bad.problem)
    run_to_the_end(decoding)
    assert good.finish_reason == "length" and good.problem is None


def test_the_cache_has_room_for_what_is_needed_and_no_more(make_model):
    model = make_model(50, context_length=1024, n_layers=1).eval()
    rows = [[1, 2, 3], [4] * 40]
    with torch.inference_mode():
        windows = RollingWindows(model, rows[:1], 20, torch.device("cpu"), torch.float32)
        windows.next_logits()
        assert windows.cache.capacity == 20  # its own 3 tokens and 17 more
        windows.join(rows[1:], [900])
        windows.next_logits()
        assert windows.cache.capacity == 39 + GROWTH  # taken as it grows, not 900 at once
        for _ in range(16):
            for row in rows:
                row.append(5)
            windows.next_logits()
        rows[1].append(5)
        windows.keep([1])
        for _ in range(300):
            windows.next_logits()
            rows[1].append(5)
            assert windows.cache.length <= windows.cache.capacity <= windows.cache.length + GROWTH
        assert windows.cache.length == 40 + 16 + 300


def test_where_there_is_room_those_that_join_and_leave_move_no_others(make_model):
    model = make_model(50, context_length=512, n_layers=1).eval()
    rows = [[token] * 20 for token in range(1, 6)]

    def step() -> None:
        windows.next_logits()
        for row in rows:
            row.append(5)

    with torch.inference_mode():
        windows = RollingWindows(model, rows, 200, torch.device("cpu"), torch.float32)
        step()
        rows.append([7] * 10)
        windows.join(rows[-1:], [200])
        step()  # now there is room for as many again
        memory = windows.cache.keys.data_ptr()
        for _ in range(5):
            del rows[0]
            windows.keep(range(1, 6))
            rows.append([8] * 15)
            windows.join(rows[-1:], [200])
            step()
        assert windows.cache.keys.data_ptr() == memory
        assert len(windows.rows) == 6 and windows.windows[-1].sequence is rows[-1]
        for row, logits in zip(rows, windows.next_logits(), strict=True):
            torch.testing.assert_close(logits, model(torch.tensor([row]))[0, -1], atol=2e-4, rtol=1e-4)


def test_what_one_sequence_left_behind_spoils_no_other(make_model):
    """Its row held what is no number, and is taken by a shorter one, then by a longer one."""
    model = make_model(50, context_length=64, n_layers=1).eval()
    rows = [[1] * 12, [2] * 9]
    with torch.inference_mode():
        windows = RollingWindows(model, rows, 60, torch.device("cpu"), torch.float32)
        windows.next_logits()
        windows.cache.keys[:, 1] = torch.nan
        windows.cache.values[:, 1] = torch.nan
        for length in (4, 16):
            rows[0].append(5)
            windows.keep([0])
            rows[1:] = [[3] * length]
            windows.join(rows[1:], [60])
            for row, logits in zip(rows, windows.next_logits(), strict=True):
                torch.testing.assert_close(logits, model(torch.tensor([row]))[0, -1], atol=2e-4, rtol=1e-4)
