"""Given tokens read at once are as likely as the same tokens written one by one."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from own_models import write_lstm
from small_models import MODELS, OTHERS

from pellucid.errors import InputError
from pellucid.generation import scoring
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.generation.scoring import Stopped, score
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.training.own_code import load_own

LENGTHS = (2, 17, 1, 9, 0, 16)  # the context has 16: the last token of 17 need not be read


@pytest.fixture(params=[*MODELS, *OTHERS], ids=str)
def engine(request, make_model, chars):
    config = {**MODELS, **OTHERS}[request.param]
    if config.get("mask") == "none":
        pytest.skip("it sees what stands behind: what is read at once is not what is written")
    made = Engine(make_model(chars.vocab_size, **config), chars)
    made.model.eval()
    return made


def texts(engine: Engine) -> list[list[int]]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(engine.tokenizer.n_symbols, (n,), generator=generator).tolist() for n in LENGTHS]


@pytest.mark.parametrize("at_once", [1, 200, 1 << 24])
def test_it_is_what_plain_forward_passes_say(engine, monkeypatch, at_once):
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", at_once)
    given = texts(engine)
    for ids, scored in zip(given, score(engine, given, n_top=3), strict=True):
        assert [token.id for token in scored] == ids[1:]
        for place, token in enumerate(scored):
            with torch.inference_mode():
                row = engine.model(torch.tensor([ids[: place + 1]]))[0, -1].log_softmax(-1)
            assert token.logprob == pytest.approx(float(row[token.id]), abs=1e-4)
            known = row[: engine.tokenizer.vocab_size]
            best = known.topk(3)
            assert [logprob for _, logprob in token.top] == pytest.approx(best.values.tolist(), abs=1e-4)
            assert token.logprob <= token.top[0][1] or token.rank == 1
            if token.id in dict(token.top):
                assert dict(token.top)[token.id] == token.logprob  # the very same number: greedy can be told


def test_a_model_of_ones_own_code_reads_each_text_by_itself(tmp_path, chars, monkeypatch):
    """It has no cache and knows nothing of padding."""
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", 1)
    own = load_own(f"{write_lstm(tmp_path)}:LSTM,hidden=16")
    torch.manual_seed(0)
    model = build_model(ModelConfig(chars.vocab_size, 16, architecture="own", own=own)).eval()
    engine = Engine(model, chars)
    lengths: list[tuple[int, ...]] = []
    model.register_forward_pre_hook(lambda _, given: lengths.append(tuple(given[0].shape)))
    given = texts(engine)
    scored = score(engine, given, n_top=1)
    assert lengths == [(1, n - 1) for n in LENGTHS if n > 1]
    for ids, tokens in zip(given, scored, strict=True):
        with torch.inference_mode():
            expected = [
                float(model(torch.tensor([ids[:n]]))[0, -1].log_softmax(-1)[ids[n]])
                for n in range(1, len(ids))
            ]
        assert [token.logprob for token in tokens] == pytest.approx(expected, abs=1e-5)


def test_what_sees_behind_does_not_see_its_neighbours(make_model, chars, monkeypatch):
    engine = Engine(make_model(chars.vocab_size, mask="none"), chars)
    engine.model.eval()
    given = texts(engine)
    alone = [score(engine, [ids])[0] for ids in given]
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", 200)
    for one, other in zip(score(engine, given), alone, strict=True):
        assert [token.logprob for token in one] == pytest.approx([token.logprob for token in other], abs=1e-5)


def test_it_is_what_writing_says(make_model, chars):
    engine = Engine(make_model(chars.vocab_size), chars)
    engine.model.eval()
    draft = engine.draft("Speak", SamplingOptions(max_tokens=8, seed=3, ignore_eos=True))
    draft.n_top = 2
    decoding, written = engine.decoding(), []
    decoding.join([draft])
    while decoding.drafts:
        written += [token for _, token in decoding.step()]
    (read,) = score(engine, [draft.ids], n_top=2)
    for one, other in zip(written, read[draft.n_prompt - 1 :], strict=False):
        assert (one.id, one.rank) == (other.id, other.rank)
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        assert [token for token, _ in one.top] == [token for token, _ in other.top]


def test_who_waits_no_more_ends_it(make_model, chars, monkeypatch):
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", 1)
    engine = Engine(make_model(chars.vocab_size), chars)
    passes: list[int] = []
    engine.model.register_forward_pre_hook(lambda *_: passes.append(1))
    with pytest.raises(Stopped):
        score(engine, [[1] * 16], stopped=lambda: len(passes) == 3)
    assert len(passes) == 3


def test_no_numbers_are_no_scores(make_model, chars):
    engine = Engine(make_model(chars.vocab_size), chars)
    with torch.no_grad():
        next(engine.model.parameters())[:] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        score(engine, [[1, 2, 3]])


def written(engine: Engine, **options: object) -> list[int]:
    chosen = SamplingOptions(max_tokens=12, temperature=0, ignore_eos=True)
    return list(engine.generate(["Speak"], dataclasses.replace(chosen, **options))[0].ids)


def test_a_bias_bans_and_forces(make_model, chars):
    engine = Engine(make_model(chars.vocab_size), chars)
    first = written(engine)[0]
    assert first not in written(engine, logit_bias=((first, -100.0),))
    forced = chars.encode("q").tolist()[0]
    assert written(engine, logit_bias=((forced, 100.0),)) == [forced] * 12


def test_penalties_count_what_was_written(make_model, chars):
    engine = Engine(make_model(chars.vocab_size), chars)
    forced = chars.encode("q").tolist()[0]
    bias = ((forced, 100.0),)
    once = written(engine, logit_bias=bias, presence_penalty=150.0)
    assert once[0] == forced and forced not in once[1:]
    # 100 - 40 n: with every time it was written, forty less; the model's own logits span less than twenty
    thrice = written(engine, logit_bias=bias, frequency_penalty=40.0)
    assert thrice[:2] == [forced] * 2 and thrice.count(forced) <= 3
