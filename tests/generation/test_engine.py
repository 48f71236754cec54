from __future__ import annotations

import dataclasses

import pytest
import torch

from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.generation.rolling import window_start
from pellucid.text.tokenizers.char import CharTokenizer

LONG = SamplingOptions(max_tokens=45, seed=3, ignore_eos=True)
PROMPTS = ["a", "Speak, sp", "exactly sixteen.", "a prompt that is longer than the context of sixteen"]


@pytest.fixture(scope="module")
def engine(make_model, chars) -> Engine:
    return Engine(make_model(chars.vocab_size), chars)


@pytest.fixture(scope="module")
def bpe_engine(make_model, bpe) -> Engine:
    return Engine(make_model(bpe.vocab_size, context_length=32), bpe)


# ---------------------------------------------------------------------- the same words, whichever way


def test_same_seed_same_text(engine):
    first, again = engine.generate("To ", LONG), engine.generate("To ", LONG)
    assert first == again
    assert engine.generate("To ", dataclasses.replace(LONG, seed=4)) != first


def test_without_a_seed_texts_differ(engine):
    options = SamplingOptions(max_tokens=30, ignore_eos=True)
    assert engine.generate("a", options) != engine.generate("a", options)


@pytest.mark.parametrize("penalty", [1.0, 1.5])
def test_greedy_takes_the_likeliest_and_needs_no_seed(engine, penalty):
    greedy = SamplingOptions(temperature=0, max_tokens=20, ignore_eos=True, repetition_penalty=penalty)
    result = engine.generate("To ", greedy)[0]
    assert engine.generate("To ", greedy)[0] == result
    ids = [*result.prompt_ids]
    for token in result.ids:
        window = torch.tensor([ids[window_start(len(ids), 16) :]])
        logits = engine.model(window)[0, -1].masked_fill(engine.forbidden, -torch.inf)
        for seen in set(ids):  # the prompt's tokens, too, and those that left the window
            logits[seen] *= penalty if logits[seen] < 0 else 1 / penalty
        assert token == logits.argmax().item()
        ids.append(token)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_streamed_is_generated_is_decoded(bpe_engine, temperature):
    options = dataclasses.replace(LONG, temperature=temperature, max_tokens=100)
    for prompt in ("", "ROMEO:\n", "👩‍🚀", "cafe\u0301"):
        result = bpe_engine.generate(prompt, options)[0]
        pieces = list(bpe_engine.stream(prompt, options))
        tokens = list(bpe_engine.tokens(prompt, options))
        assert "".join(pieces) == result.text == bpe_engine.tokenizer.decode(result.ids)
        assert all(pieces)
        assert tuple(token.id for token in tokens) == result.ids
        assert len(result.ids) == 100


@pytest.mark.parametrize(
    "config",
    [{}, {"positions": "learned", "n_kv_heads": 2}, {"context_length": 5}, {"architecture": "bigram"}],
    ids=str,
)
@pytest.mark.parametrize("attend", ["fused", "explicit"])
def test_a_batch_writes_what_each_writes_alone(make_model, chars, config, attend):
    engine = Engine(make_model(chars.vocab_size, attend=attend, **config), chars)
    options = [
        SamplingOptions(seed=1, max_tokens=60, ignore_eos=True),
        SamplingOptions(seed=2, max_tokens=7, top_k=5),
        SamplingOptions(seed=3, max_tokens=50, repetition_penalty=1.3, ignore_eos=True),
        SamplingOptions(seed=4, max_tokens=40, temperature=0.8, top_p=0.9, stop=("e", "th")),
    ]
    together = engine.generate(PROMPTS, options)
    alone = [engine.generate(*pair)[0] for pair in zip(PROMPTS, options, strict=True)]
    assert together == alone


def test_equal_prompts_in_a_batch_differ_by_seed_plus_index(engine):
    results = engine.generate(["a"] * 3, LONG)
    assert len({result.text for result in results}) == 3
    assert engine.generate("a", dataclasses.replace(LONG, seed=5))[0] == results[2]


def test_logprobs_are_the_models_own(engine):
    options = dataclasses.replace(LONG, temperature=0.5, top_k=5, repetition_penalty=1.4)
    ids = engine.tokenizer.encode("To be").tolist()
    for token in engine.tokens("To be", options):
        window = torch.tensor([ids[window_start(len(ids), 16) :]])
        expected = engine.model(window)[0, -1].log_softmax(-1)[token.id].item()
        assert token.logprob == pytest.approx(expected, abs=1e-3)
        ids.append(token.id)
    assert len(ids) == 50


def test_the_first_tokens_follow_the_models_odds(make_model, chars):
    engine = Engine(make_model(chars.vocab_size, architecture="bigram"), chars)
    torch.nn.init.normal_(engine.model.table.weight, generator=torch.Generator().manual_seed(0))
    n = 4000
    ids = [
        result.ids[0]
        for result in engine.generate(["q"] * n, SamplingOptions(seed=0, max_tokens=1, ignore_eos=True))
    ]
    row = engine.model.table.weight[chars.encode("q")[0]].detach()
    expected = row.masked_fill(engine.forbidden, -torch.inf).softmax(-1).double() * n
    counts = torch.tensor(ids).bincount(minlength=chars.vocab_size).double()
    assert (counts[engine.forbidden] == 0).all()
    chi_squared = ((counts - expected) ** 2 / expected)[~engine.forbidden].sum().item()
    assert chi_squared < 105  # 61 possible tokens: 60 degrees of freedom, p = 0.0003


# ---------------------------------------------------------------------- where a text ends


def test_end_of_text_ends_it(make_chain, chars):
    result = make_chain("abcdef").generate("ab")[0]
    assert (result.text, result.finish_reason) == ("cdef", "stop")
    assert chars.end_of_text not in result.ids


def test_ignore_eos_writes_on(make_chain, chars):
    engine = make_chain("abcdef")
    result = engine.generate("ab", SamplingOptions(max_tokens=30, ignore_eos=True, seed=0))[0]
    assert result.text.startswith("cdef") and result.finish_reason == "length"
    assert result.ids[4] == chars.end_of_text and len(result.ids) == 30


@pytest.mark.parametrize(
    ("stop", "text", "reason"),
    [
        (("d",), "bc", "stop"),
        (("de",), "bc", "stop"),
        (("ef", "cde"), "b", "stop"),
        (("bcdefgh",), "", "stop"),
        (("ghx",), "bcdefgh", "length"),  # held back as a beginning, then given
        (("x",), "bcdefgh", "length"),
    ],
)
def test_stop_strings_span_tokens(make_chain, stop, text, reason):
    engine = make_chain("abcdefghijk")
    options = SamplingOptions(stop=stop, max_tokens=7)
    result = engine.generate("a", options)[0]
    assert (result.text, result.finish_reason) == (text, reason)
    assert "".join(engine.stream("a", options)) == text


def test_reserved_tokens_are_never_written(make_model, chars, bpe):
    for tokenizer in (chars, bpe):
        size = tokenizer.vocab_size
        engine = Engine(make_model(size + 9, architecture="bigram"), tokenizer)  # a padded vocabulary, too
        ids = engine.generate("", SamplingOptions(max_tokens=2000, ignore_eos=True, seed=0))[0].ids
        written = set(ids) - {tokenizer.end_of_text}
        assert all(token < size and tokenizer.token_bytes(token) for token in written)
        assert tokenizer.unknown not in written and len(written) > 50


# ---------------------------------------------------------------------- prompts


def test_an_empty_prompt_begins_a_text(engine, chars):
    result = engine.generate("", LONG)[0]
    assert result.prompt_ids == (chars.end_of_text,)
    assert len(result.ids) == 45
    assert engine.generate([], LONG) == []


def test_a_long_prompt_keeps_its_end_and_says_so(make_model, chars):
    notes: list[str] = []
    engine = Engine(make_model(chars.vocab_size), chars, note=notes.append)
    result = engine.generate("x" * 90 + "abcdefghijklmnopqrst", SamplingOptions(max_tokens=6))[0]
    assert chars.decode(result.prompt_ids) == "klmnopqrst"
    assert notes == ["The prompt has 110 tokens and this model sees 16: only the last 10 are read."]


def test_unknown_characters_in_a_prompt(make_model, chars):
    notes: list[str] = []
    engine = Engine(make_model(chars.vocab_size), chars, note=notes.append)
    result = engine.generate("né漢", SamplingOptions(max_tokens=5, ignore_eos=True))[0]
    assert len(result.ids) == 5
    assert notes == [
        "2 of the prompt's characters never occurred in training ('é', '漢'): they are read as unknown."
    ]


# ---------------------------------------------------------------------- manners


def test_closing_the_stream_stops_the_model(make_model, chars):
    model = make_model(chars.vocab_size, dropout=0.5).train()
    model.blocks[0].eval()  # a mixture is put back as it was, too
    modes = [module.training for module in model.modules()]
    passes: list[int] = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    stream = Engine(model, chars).stream("a", LONG)
    for _ in range(3):
        next(stream)
    assert not torch.is_inference_mode_enabled()  # between tokens the caller's mode is its own
    assert len(passes) == 3
    stream.close()
    assert len(passes) == 3
    assert [module.training for module in model.modules()] == modes


def test_dropout_is_off_while_writing_and_training_goes_on_after(make_model, chars):
    model = make_model(chars.vocab_size, dropout=0.5).train()
    engine = Engine(model, chars)
    assert engine.generate("a", LONG) == engine.generate("a", LONG)
    assert model.training
    model(torch.tensor([[1, 2, 3]])).sum().backward()  # nothing of inference mode is left in the model
    state = torch.get_rng_state()
    engine.generate("a", SamplingOptions(max_tokens=5))
    assert torch.equal(torch.get_rng_state(), state)  # and the global generator is untouched


@pytest.mark.parametrize("how", ["weights", "autocast"])
def test_bfloat16(make_model, chars, how):
    engine = Engine(make_model(chars.vocab_size), chars)
    if how == "weights":
        engine.model.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast"):
        results = engine.generate(PROMPTS, LONG)
        assert engine.decoding().windows.dtype == torch.bfloat16
    assert [len(result.ids) for result in results] == [45] * 4


def test_weights_that_are_not_numbers_are_named(make_chain):
    engine = make_chain("abc")
    engine.model.table.weight.data.fill_(torch.nan)
    with pytest.raises(InputError, match="not finite"):
        engine.generate("a")


def test_a_tokenizer_of_another_run_is_refused(make_model, chars):
    with pytest.raises(InputError, match="not from the same run"):
        Engine(make_model(20), chars)
    with pytest.raises(InputError, match="2 prompts but 1 options"):
        Engine(make_model(chars.vocab_size), chars).generate(["a", "b"], [LONG])


def test_a_tokenizer_of_one_character(make_model):
    tokenizer = CharTokenizer("a")
    engine = Engine(make_model(tokenizer.vocab_size, context_length=1), tokenizer)
    assert set(engine.generate("", LONG)[0].text) <= {"a"}


def test_a_model_that_answers_ends_a_text_with_its_reply(make_model, chars):
    end = chars.special_id("<|end|>")
    engine = Engine(make_model(chars.vocab_size), chars, ends=(end, chars.end_of_text))
    surely = SamplingOptions(max_tokens=5, logit_bias=((end, 100.0),))
    (result,) = engine.generate("To ", surely)
    assert (result.text, result.finish_reason) == ("", "stop")
    (other,) = Engine(engine.model, chars).generate("To ", surely)
    assert other.text and end not in other.ids  # elsewhere it is never written
