"""The views of a prompt: what is read, cropped, pooled, drawn and counted; and bad input."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_models import OTHERS

from pellucid.errors import InputError
from pellucid.generation.options import SamplingOptions
from pellucid.inspection import attention, bigram, sampling, shapes, tokens
from pellucid.inspection.subject import Subject
from pellucid.text.tokenizers.bpe import train_bpe
from pellucid.text.tokenizers.tokenizer import Tokenizer

MakeSubject = Callable[..., Subject]
Look = Callable[[Subject, str], Any]
PROMPTED: dict[str, Look] = {
    "attention": lambda subject, text: attention.overview(subject, text).header,
    "head": lambda subject, text: attention.head(subject, text, 1, 3).header,
    "next": sampling.next_token,
    "draw": sampling.draw,
    "shapes": shapes.budget,
}


@pytest.mark.parametrize("look", PROMPTED.values(), ids=PROMPTED)
class TestEveryView:
    def test_says_of_which_weights_it_speaks_and_what_it_read(self, make_subject: MakeSubject, look: Look):
        answer = look(make_subject(), "To be")
        assert answer["stamp"] == {"run": "small-1", "step": 7, "kind": "best"}
        assert answer["notes"] == []
        assert [token["text"] for token in answer["tokens"]] == list("To be")
        assert [(token["start"], token["end"]) for token in answer["tokens"]] == [
            (i, i + 1) for i in range(5)
        ]

    def test_crops_what_is_too_long_and_says_so(self, make_subject: MakeSubject, look: Look):
        text = "abcdefghij" * 3
        answer = look(make_subject(), text)
        assert answer["notes"] == [
            "The prompt has 30 tokens and this model sees 24: only the last 24 are read."
        ]
        assert "".join(token["text"] for token in answer["tokens"]) == text[6:]
        assert answer["tokens"][0]["start"] == 6

    def test_names_unknown_characters(self, make_subject: MakeSubject, look: Look):
        answer = look(make_subject(), "a§b\x00")
        assert answer["notes"] == [
            "2 of the prompt's characters never occurred in training ('§', U+0000): they are read as unknown."
        ]
        assert [token["text"] for token in answer["tokens"]] == ["a", "<|unk|>", "b", "<|unk|>"]

    def test_reads_the_beginning_of_a_text_for_an_empty_prompt(self, make_subject: MakeSubject, look: Look):
        answer = look(make_subject(), "")
        assert [token["text"] for token in answer["tokens"]] == ["<|endoftext|>"]
        assert "empty" in answer["notes"][0]

    @pytest.mark.parametrize("text", [b"bytes", None, 3, ["a"]])
    def test_refuses_what_is_no_text(self, make_subject: MakeSubject, look: Look, text: Any):
        with pytest.raises(InputError, match="the prompt must be text"):
            look(make_subject(), text)

    def test_refuses_what_is_far_too_long(self, make_subject: MakeSubject, look: Look):
        with pytest.raises(InputError, match="1,000,001 characters"):
            look(make_subject(), "a" * 1_000_001)

    def test_reads_lone_surrogates_as_unknown(self, make_subject: MakeSubject, look: Look):
        assert look(make_subject(), "a\ud800")["tokens"][1]["text"] == "<|unk|>"


# ---------------------------------------------------------------------- tokens


@pytest.mark.parametrize(
    "text", ["naïve café", "👩‍🚀 fly", "漢字 and e\u0301", "", "\x00\x01", "a\n\n b\t", "<|endoftext|>"]
)
def test_a_token_knows_the_characters_it_has_a_part_in(text: str):
    tokenizer = train_bpe(["naive cafe fly and the end\n" * 20], 300)
    ids = tokenizer.encode(text).tolist()
    # by hand: the bytes of each character, laid end to end
    owner = [place for place, character in enumerate(text) for _ in character.encode()]
    position, expected = 0, []
    for id in ids:
        part = owner[position : position + len(tokenizer.token_bytes(id))]
        position += len(part)
        expected.append((part[0], part[-1] + 1))
    assert tokens.spans(tokenizer, text, ids) == expected
    assert tokens.spans(tokenizer, text, ids[:2]) == expected[:2]


def test_tokens_are_counted_and_the_first_ones_shown(trained: Subject, monkeypatch: pytest.MonkeyPatch):
    answer = tokens.cut(trained, "The owl § hums.")
    tokenizer: Tokenizer = trained.tokenizer
    assert answer["kind"] == "char"
    assert (answer["n_tokens"], answer["n_characters"], answer["n_bytes"]) == (15, 15, 16)
    assert answer["vocab_size"] == tokenizer.vocab_size == answer["symbols"] + 7
    assert [token["id"] for token in answer["tokens"]] == tokenizer.encode("The owl § hums.").tolist()
    assert answer["notes"] == ["1 character of the text is not in the vocabulary."]
    monkeypatch.setattr(tokens, "MOST_SHOWN", 3)
    answer = tokens.cut(trained, "The owl")
    assert answer["shown"] == len(answer["tokens"]) == 3
    assert answer["n_tokens"] == 7
    assert answer["notes"] == ["Of 7 tokens the first 3 are shown."]
    assert tokens.cut(trained, "")["tokens"] == []


# ---------------------------------------------------------------------- pairs


def test_pairs_are_those_of_the_training_split(trained: Subject, text_file: Any):
    text = text_file.read_text(encoding="utf-8")
    total = trained.loaded.folder.config()["data"]["tokens"]["train"]
    ids = [*trained.tokenizer.encode(text[: total - 1]).tolist(), trained.tokenizer.end_of_text]
    singles, pairs = Counter(ids), Counter(itertools.pairwise(ids))
    the_h = trained.tokenizer.encode("h")[0].item()
    answer = bigram.table(trained, the_h, size=12)
    assert answer["total"] == len(ids) - 1
    assert answer["notes"] == []
    counts = [row["count"] for row in answer["rows"]]
    assert counts == sorted(singles.values(), reverse=True)[:12]
    shown = [row["id"] for row in answer["rows"]]
    assert answer["counts"] == [[pairs[first, second] for second in shown] for first in shown]
    row = answer["row"]
    followers = {second: times for (first, second), times in pairs.items() if first == the_h}
    assert row["count"] == singles[the_h] and row["kinds"] == len(followers)
    assert {each["id"]: each["count"] for each in row["followers"]} == followers
    assert [each["probability"] for each in row["followers"]] == pytest.approx(
        sorted((times / sum(followers.values()) for times in followers.values()), reverse=True)
    )


def test_a_token_that_is_never_followed(trained: Subject):
    row = bigram.table(trained, trained.tokenizer.pad)["row"]
    assert row == {"id": trained.tokenizer.pad, "text": "<|pad|>", "count": 0, "followers": [], "kinds": 0}
    assert bigram.table(trained)["row"] is None


def test_pairs_that_are_not_there_or_not_counted(trained: Subject):
    folder = trained.loaded.folder
    config = folder.config()
    config["data"]["tokens"]["train"] += 1000
    folder.write_config(config)
    assert "are counted" in bigram.table(trained)["notes"][0]
    folder.bigram_path.unlink()
    with pytest.raises(InputError, match="is missing: it is written when training starts"):
        bigram.table(Subject(trained.loaded))
    with pytest.raises(
        InputError, match=r"row must be a whole number from 0 to \d+ for this vocabulary, not 999"
    ):
        bigram.table(trained, 999)
    with pytest.raises(InputError, match="size must be"):
        bigram.table(trained, size=0)


# ---------------------------------------------------------------------- attention


def test_long_prompts_are_pooled_by_their_greatest_weight(make_subject: MakeSubject):
    subject, text = make_subject(), "The quick brown fox, no?"[:23]
    full = attention.overview(subject, text)
    assert full.header["pooled"] == 1 and full.arrays["weights"].shape == (2, 4, 23, 23)
    pooled = attention.overview(subject, text, tiles=6)
    assert pooled.header["pooled"] == 4 and pooled.arrays["weights"].shape == (2, 4, 6, 6)
    weights = np.pad(full.arrays["weights"], ((0, 0), (0, 0), (0, 1), (0, 1)))
    by_hand = weights.reshape(2, 4, 6, 4, 6, 4).max(axis=(3, 5))
    np.testing.assert_array_equal(pooled.arrays["weights"], by_hand)


def test_many_heads_are_taken_a_few_at_a_time_to_the_same_numbers(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
):
    from pellucid.inspection import capture

    text = "The quick brown fox"
    whole = attention.overview(make_subject(n_kv_heads=2), text)
    monkeypatch.setattr(capture, "SCORES_AT_ONCE", 1)
    parts = attention.overview(make_subject(n_kv_heads=2), text)
    np.testing.assert_allclose(parts.arrays["weights"], whole.arrays["weights"], rtol=1e-5, atol=1e-7)
    assert parts.header["loss"]["nats"] == pytest.approx(whole.header["loss"]["nats"], rel=1e-6)


def test_one_head_is_its_tile_in_full(make_subject: MakeSubject):
    subject = make_subject()
    text = "The quick brown fox"
    tiles = attention.overview(subject, text).arrays["weights"]
    frame = attention.head(subject, text, 1, 2)
    np.testing.assert_allclose(frame.arrays["weights"], tiles[1, 2], rtol=1e-6, atol=1e-7)
    assert frame.arrays["visible"].tolist() == np.tri(len(text), dtype=int).tolist()
    assert (frame.header["layer"], frame.header["head"]) == (1, 2)
    np.testing.assert_allclose(
        frame.arrays["scores"],
        frame.arrays["q"] @ frame.arrays["k"].T * frame.header["scale"]["value"],
        rtol=1e-4,
        atol=1e-5,
    )
    unmasked = attention.head(subject, text, 1, 2, mask="none").arrays["visible"]
    assert unmasked.all()


def test_one_token_has_no_loss_and_sees_itself(make_subject: MakeSubject):
    frame = attention.overview(make_subject(), "a")
    assert frame.header["loss"] is None
    assert (frame.arrays["weights"] == 1).all()


def test_a_bigram_model_has_no_layers_and_says_so(make_subject: MakeSubject):
    subject = make_subject(**OTHERS["bigram"])
    frame = attention.overview(subject, "To be")
    assert (frame.header["layers"], frame.header["heads"]) == (0, 0)
    assert frame.arrays["weights"].size == 0
    assert "A bigram model has no attention." in frame.header["notes"]
    assert frame.header["loss"]["change"] == 0
    with pytest.raises(InputError, match="A bigram model has no attention: choose"):
        attention.head(subject, "To be", 0, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layer": 2, "head": 0}, "layer must be a whole number from 0 to 1 for this model, not 2"),
        ({"layer": -1, "head": 0}, "layer must be"),
        ({"layer": 0, "head": 4}, "head must be a whole number from 0 to 3 for this model, not 4"),
        ({"layer": 0, "head": True}, "head must be"),
        ({"layer": "0", "head": 0}, "layer must be"),
        (
            {"layer": 0, "head": 0, "scale": "cube"},
            "scale 'cube' is unknown: choose one of trained, sqrt, none",
        ),
        ({"layer": 0, "head": 0, "mask": ""}, "mask '' is unknown"),
        ({"layer": 0, "head": 0, "mask": []}, "mask [] is unknown"),
        ({"layer": 0, "head": 0, "scale": None}, "scale None is unknown"),
    ],
)
def test_what_is_not_there_is_told(make_subject: MakeSubject, arguments: dict[str, Any], words: str):
    with pytest.raises(InputError) as caught:
        attention.head(make_subject(), "To be", **arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("tiles", [0, 513, 1.5, "64"])
def test_tiles_have_bounds(make_subject: MakeSubject, tiles: Any):
    with pytest.raises(InputError, match="tiles must be a whole number from 1 to 512"):
        attention.overview(make_subject(), "To be", tiles=tiles)


def test_a_head_of_a_very_long_prompt_is_refused(make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attention, "LONGEST_IN_FULL", 10)
    with pytest.raises(InputError, match="the prompt has 11 tokens"):
        attention.head(make_subject(), "a" * 11, 0, 0)


# ---------------------------------------------------------------------- the next token


def test_ten_thousand_draws_match_the_bars(make_subject: MakeSubject):
    """Pearson's chi-squared, by hand: with 11 degrees of freedom 31.26 is exceeded once in a thousand."""
    subject, options = make_subject(), {"temperature": 1.0, "top_k": 12}
    bars = sampling.next_token(subject, "To be", **options)
    want = {each["id"]: each["drawn"] for each in bars["candidates"] if each["kept"]}
    assert len(want) == 12
    drawn = sampling.draw(subject, "To be", **options, n=10_000, seed=5)
    counts = {each["id"]: each["count"] for each in drawn["counts"]}
    assert counts.keys() <= want.keys()
    assert sum(counts.values()) == drawn["n"] == 10_000
    assert [each["count"] for each in drawn["counts"]] == sorted(counts.values(), reverse=True)
    common = [id for id in want if want[id] >= 0.0005]
    chi = sum((counts.get(id, 0) - 10_000 * want[id]) ** 2 / (10_000 * want[id]) for id in common)
    assert len(common) >= 5 and chi < 31.26
    # and it would notice: the same draws do not match the bars of another temperature
    other = sampling.next_token(subject, "To be", temperature=0.8, top_k=12)
    wrong = {each["id"]: each["drawn"] for each in other["candidates"] if each["kept"]}
    assert sum((counts.get(id, 0) - 10_000 * wrong[id]) ** 2 / (10_000 * wrong[id]) for id in common) > 31.26


@pytest.mark.parametrize("seed", range(5))
def test_a_token_drawn_with_a_seed_is_the_one_the_engine_writes(make_subject: MakeSubject, seed: int):
    subject = make_subject()
    drawn = sampling.draw(subject, "To be", temperature=1.5, top_k=0, seed=seed)["counts"]
    written = next(subject.engine.tokens("To be", SamplingOptions(temperature=1.5, seed=seed)))
    assert [each["id"] for each in drawn] == [written.id]


def test_draws_without_a_seed_differ(make_subject: MakeSubject):
    subject = make_subject()
    draws = [sampling.draw(subject, "To be", temperature=2, top_k=0, n=200)["counts"] for _ in range(2)]
    assert draws[0] != draws[1]


def test_at_temperature_0_one_token_is_left(make_subject: MakeSubject):
    answer = sampling.next_token(make_subject(), "To be", temperature=0, shown=3)
    assert answer["kept"] == 1 and answer["drawn_entropy_bits"] == 0
    assert [each["drawn"] for each in answer["candidates"]] == [1, 0, 0]


def test_what_is_kept_but_hardly_ever_drawn_is_not_called_cut(make_subject: MakeSubject):
    """At a low temperature probabilities fall below the smallest float; top-k alone cuts."""
    answer = sampling.next_token(make_subject(), "To be", temperature=0.01, top_k=25, shown=1000)
    assert answer["kept"] == sum(each["kept"] for each in answer["candidates"]) == 25
    assert any(each["kept"] and each["drawn"] == 0 for each in answer["candidates"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -1}, "temperature -1"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": -1}, "top_k -1"),
        ({"top_p": 0}, "top_p"),
        ({"min_p": 2}, "min_p"),
        ({"shown": 0}, "shown must be"),
        ({"n": 100_001}, "n must be a whole number from 1 to 100,000"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_options_out_of_range_are_refused(make_subject: MakeSubject, options: dict[str, Any], words: str):
    look = sampling.draw if options.keys() & {"n", "seed"} else sampling.next_token
    with pytest.raises(InputError) as caught:
        look(make_subject(), "To be", **options)
    assert words in str(caught.value)


def test_outputs_that_are_no_numbers_are_told(make_subject: MakeSubject):
    def spoil(model: Any) -> None:
        model.head.weight.fill_(float("inf"))

    subject = make_subject(spoil)
    with pytest.raises(InputError, match="not finite numbers"):
        sampling.next_token(subject, "To be")
    assert attention.overview(subject, "To be").header["loss"] is None
    attention.overview(subject, "To be").encode()
