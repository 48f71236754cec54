"""Tokenizers: what goes in comes out, text is never a reserved token, kinds are chosen by the text."""

from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import ANY_TEXT, PROSE

from pellucid.errors import InputError
from pellucid.text.tokenizers import bpe as bpe_tokenizer
from pellucid.text.tokenizers import byte_level
from pellucid.text.tokenizers.bpe import BPETokenizer, train_bpe
from pellucid.text.tokenizers.byte_level import ByteLevelTokenizer, cut_at_seams
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.tokenizer import (
    RESERVED,
    Tokenizer,
    build_tokenizer,
    choose_kind,
    default_vocab_size,
    parse_tokenizer,
)
from pellucid.text.tokenizers.wordpiece import WordPieceTokenizer, train_wordpiece

# ---------------------------------------------------------------------- round trips


@given(ANY_TEXT)
def test_bytes_give_any_text_back(byte_tokenizer: ByteLevelTokenizer, text: str):
    assert byte_tokenizer.decode(byte_tokenizer.encode(text)) == text


@given(st.text(st.sampled_from(sorted(set(PROSE)))))
def test_characters_give_known_text_back(char: CharTokenizer, text: str):
    assert char.decode(char.encode(text)) == text
    assert char.count_unknown(text) == 0


@given(ANY_TEXT)
def test_unknown_characters_are_counted_and_replaced(char: CharTokenizer, text: str):
    known = set(PROSE)
    assert char.decode(char.encode(text)) == "".join(c if c in known else "\ufffd" for c in text)
    assert char.count_unknown(text) == sum(c not in known for c in text)
    assert char.unknown_characters(text) == "".join(dict.fromkeys(c for c in text if c not in known))


@given(ANY_TEXT)
def test_to_bytes_no_character_is_unknown(byte_tokenizer: ByteLevelTokenizer, text: str):
    assert byte_tokenizer.unknown_characters(text) == ""


@given(ANY_TEXT)
def test_text_is_never_a_reserved_token(either: Tokenizer, text: str):
    reserved = {
        either.special_id(name) for name in RESERVED if either.unknown is not None or name != "<|unk|>"
    }
    ids = either.encode(f"{text}<|endoftext|>{text}<|user|>").tolist()
    assert not (reserved - {either.unknown}) & set(ids)


def test_lone_surrogates_do_not_crash(either: Tokenizer):
    assert either.decode(either.encode("t\ud800t\udfff")) == "t\ufffdt\ufffd"
    assert either.encode_documents(["t\ud800"])[-1] == either.end_of_text
    assert "\ud800" not in CharTokenizer.from_texts(["a\ud800"]).alphabet


# ---------------------------------------------------------------------- ids and bytes


@given(data=st.data())
def test_decoding_is_joining_bytes(either: Tokenizer, data: st.DataObject):
    ids = data.draw(st.lists(st.integers(0, either.vocab_size - 1)))
    assert either.decode(ids) == b"".join(map(either.token_bytes, ids)).decode("utf-8", "replace")


def test_reserved_tokens_come_first_and_are_silent(either: Tokenizer):
    names = [name for name in RESERVED if either.kind == "char" or name != "<|unk|>"]
    assert [either.special_id(name) for name in names] == list(range(either.n_reserved))
    assert (either.end_of_text, either.pad) == (0, 1)
    assert either.n_symbols == either.vocab_size - len(names)
    ids = [either.special_id(name) for name in names if name != "<|unk|>"]
    assert either.decode(ids) == ""
    assert either.decode(ids, keep_special=True) == "".join(name for name in names if name != "<|unk|>")


def test_unknown_is_for_characters_only(char: CharTokenizer, byte_tokenizer: ByteLevelTokenizer):
    assert char.unknown == 2
    assert char.token_bytes(2) == "\ufffd".encode()
    assert byte_tokenizer.unknown is None
    assert byte_tokenizer.count_unknown("漢") == 0
    with pytest.raises(InputError, match=r"no <\|unk\|>"):
        byte_tokenizer.special_id("<|unk|>")


def test_tokens_can_be_shown(either: Tokenizer):
    assert either.token_text(0) == "<|endoftext|>"
    assert either.token_text(int(either.encode("t")[0])) == "t"


def test_a_byte_that_is_no_character_is_shown_escaped(byte_tokenizer: ByteLevelTokenizer):
    # two bytes, not in the training text
    shown = [byte_tokenizer.token_text(int(id)) for id in byte_tokenizer.encode("\u0416")]
    assert shown == ["\\xd0", "\\x96"]


@pytest.mark.parametrize("ids", [[-1], [0, 10**6], [1 << 40], np.array([10**6]), [1 << 80], [0.5], [[1]]])
def test_ids_out_of_range(either: Tokenizer, ids: Any):
    with pytest.raises(InputError):
        either.decode(ids)


@pytest.mark.parametrize("id", [-1, 10**6])
def test_one_id_out_of_range(either: Tokenizer, id: int):
    with pytest.raises(InputError, match=f"no token {id}"):
        either.token_bytes(id)
    with pytest.raises(InputError, match=f"no token {id}"):
        either.token_text(id)


@given(st.lists(ANY_TEXT, max_size=5))
def test_documents_end_with_the_end_of_text(either: Tokenizer, texts: list[str]):
    ids = either.encode_documents(texts)
    assert ids.dtype == np.int32
    expected = [id for text in texts for id in [*either.encode(text).tolist(), either.end_of_text]]
    assert ids.tolist() == expected


# ---------------------------------------------------------------------- characters: the file is Hugging Face's


@given(text=ANY_TEXT)
def test_the_tokenizers_library_reads_the_character_file_alike(char: CharTokenizer, text: str):
    library = tokenizers.Tokenizer.from_str(char.to_json())
    library.encode_special_tokens = True
    assert library.encode(text).ids == char.encode(text).tolist()


def test_the_library_decodes_characters_alike(char: CharTokenizer):
    library = tokenizers.Tokenizer.from_str(char.to_json())
    ids = char.encode(PROSE).tolist()
    assert library.decode(ids) == PROSE
    assert library.decode([0, *ids[:5], 0]) == PROSE[:5]


def test_a_character_file_resaved_by_the_library_loads(char: CharTokenizer):
    resaved = tokenizers.Tokenizer.from_str(char.to_json()).to_str()
    assert parse_tokenizer(resaved.encode(), "resaved").encode(PROSE).tolist() == char.encode(PROSE).tolist()


# ---------------------------------------------------------------------- bytes


def test_learned_pieces_compress(byte_tokenizer: ByteLevelTokenizer):
    assert len(byte_tokenizer.encode(PROSE)) < 0.7 * len(PROSE.encode())


def test_learning_gives_the_same_every_time(bpe: BPETokenizer, wordpiece: WordPieceTokenizer):
    assert train_bpe([PROSE * 3], 330).fingerprint == bpe.fingerprint
    assert train_wordpiece([PROSE * 3], 600).fingerprint == wordpiece.fingerprint


@pytest.mark.parametrize(("kind", "least"), [("bpe", 262), ("wordpiece", 518)])
def test_too_little_text_gives_a_smaller_vocabulary(kind: str, least: int):
    tokenizer, reason = build_tokenizer(kind, ["ab ab ab"], 5000)
    assert least < tokenizer.vocab_size < least + 8
    assert "5,000 were asked" in reason


@pytest.mark.parametrize("size", [-5, 0, 261, 1 << 21])
def test_impossible_vocabularies(size: int):
    with pytest.raises(InputError, match="262"):
        train_bpe(["text"], size)
    with pytest.raises(InputError, match="518"):
        train_wordpiece(["text"], size)


@settings(max_examples=30, deadline=None)
@given(
    text=st.lists(
        st.sampled_from([*PROSE.split(" "), " ", "\n", "\n\n", "  ", "a", "。", "##", "x" * 60, " " * 60])
    ).map(" ".join)
)
def test_long_texts_are_cut_where_cutting_changes_nothing(byte_tokenizer: ByteLevelTokenizer, text: str):
    whole = byte_tokenizer._engine.encode(text, add_special_tokens=False).ids
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_level, "PIECE", 7)
        patch.setattr(byte_level, "BATCH", 20)
        assert "".join(cut_at_seams(text)) == text
        assert byte_tokenizer.encode(text).tolist() == whole
        expected = [*whole, 0, *byte_tokenizer.encode("x").tolist(), 0]
        assert byte_tokenizer.encode_documents([text, "x"]).tolist() == expected


def test_a_long_text_is_in_many_pieces():
    assert len(list(cut_at_seams(PROSE * 1000))) > 5


def test_more_text_than_is_learned_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bpe_tokenizer, "MOST_TRAINING", 20_000)
    monkeypatch.setattr(byte_level, "PIECE", 1000)
    tokenizer = train_bpe(["the first part of it " * 2000, "zyxwv " * 3000], 300)
    assert len(tokenizer.encode(" zyxwv")) == 1  # the end of the text was learned from too


# ---------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("texts", "kind", "reason"),
    [
        (["plain English text"] * 50, "char", "900 characters"),
        (["x" * 1_000_000, "y" * 1_000_001], "bpe", "2 million"),
        (["吾輩は猫である。名前はまだ無い。"], "bpe", "large scripts or emoji"),
        (["good morning 🙂 how are you 🙂"], "bpe", "large scripts or emoji"),
        (["".join(map(chr, range(0x100, 0x210)))], "bpe", "272 different"),
        (["Съешь ещё этих мягких французских булок"], "char", "different ones"),
    ],
)
def test_auto(texts: list[str], kind: str, reason: str):
    assert choose_kind(texts)[0] == kind
    tokenizer, line = build_tokenizer("auto", texts)
    assert tokenizer.kind == kind
    assert reason in line
    assert "\n" not in line


def test_default_vocabulary_grows_with_the_text():
    sizes = [default_vocab_size(n) for n in (0, 1000, 1_100_000, 5_000_000, 20_000_000, 10**9)]
    assert sizes == [1024, 1024, 1024, 2048, 4096, 8192]


def test_asking_for_a_size_takes_bpe():
    assert build_tokenizer("auto", [PROSE], 300)[0].kind == "bpe"
    with pytest.raises(InputError, match="--vocab-size"):
        build_tokenizer("char", [PROSE], 300)
    with pytest.raises(InputError, match="no text"):
        build_tokenizer("auto", ["", ""])
    with pytest.raises(InputError, match="auto, char, bpe, wordpiece, or"):
        build_tokenizer("wordpieces", [PROSE])
