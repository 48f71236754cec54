from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.generation.text_stream import StopFinder, TextStream
from pellucid.text.tokenizers.bpe import BPETokenizer

EMOJI = "👩‍🚀 and 👨‍👩‍👧‍👦, 🇩🇪🏳️‍🌈, e\u0301\u0323, नमस्ते, 漢字, \U0001f469\U0001f3fd!"


def pieces(tokenizer, ids, stop=()):
    stream = TextStream(tokenizer, stop)
    return [*(stream.push(int(token)) for token in ids), stream.flush()]


def cut(text: str, stops: tuple[str, ...]) -> str:
    """The definition: read character by character, end before the stop string that is complete first."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))]
    return text


class OneByteTokens:
    """Token i is byte i."""

    def token_bytes(self, id: int) -> bytes:
        return bytes([id])


@pytest.mark.parametrize("text", [EMOJI, "plain", "", "e" + "\u0301" * 30])
def test_joined_pieces_are_the_decoded_text(bpe: BPETokenizer, text):
    ids = bpe.encode(text)
    parts = pieces(bpe, ids)
    assert "".join(parts) == bpe.decode(ids) == text
    assert "\ufffd" not in "".join(parts)


def test_no_piece_has_half_a_character(bpe: BPETokenizer):
    parts = pieces(OneByteTokens(), EMOJI.encode())
    assert [part for part in parts if part] == list(EMOJI)


@given(st.binary(max_size=60))
def test_any_bytes(data):
    assert "".join(pieces(OneByteTokens(), data)) == data.decode("utf-8", "replace")


def test_random_tokens_as_an_untrained_model_writes_them(bpe: BPETokenizer):
    ids = random.Random(0).choices(range(bpe.vocab_size), k=3000)
    assert "".join(pieces(bpe, ids)) == bpe.decode(ids)


def test_reserved_tokens_show_nothing(bpe: BPETokenizer):
    assert pieces(bpe, [bpe.end_of_text, bpe.pad]) == ["", "", ""]


# ---------------------------------------------------------------------- stop strings


@given(
    text=st.text(alphabet="ab\n", max_size=30),
    stops=st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3).map(tuple),
    seed=st.integers(0, 99),
)
def test_stop_strings_however_the_text_is_cut(text, stops, seed):
    finder, shown, rest, rng = StopFinder(stops), "", text, random.Random(seed)
    while rest:
        size = rng.randint(1, 5)
        shown += finder.push(rest[:size])
        rest = rest[size:]
        assert cut(text, stops).startswith(shown)  # what is shown is never taken back
    shown += finder.flush()
    assert shown == cut(text, stops)
    assert finder.found == any(stop in text for stop in stops)


def test_a_stop_string_across_tokens_and_characters():
    data = "one 👩‍🚀 two".encode()
    assert "".join(pieces(OneByteTokens(), data, ("👩‍🚀",))) == "one "
    assert "".join(pieces(OneByteTokens(), data, ("👩‍🚀 three",))) == "one 👩‍🚀 two"


def test_what_cannot_become_a_stop_string_is_not_held_back():
    finder = StopFinder(("abc",))
    assert [finder.push(c) for c in "abxabc"] == ["", "", "abx", "", "", ""]
    assert finder.found
    assert finder.push("more") == "" and finder.flush() == ""
