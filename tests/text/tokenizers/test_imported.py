"""Tokenizers of published models: the original's ids, and no special token from any text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import assume, given
from hypothesis import strategies as st
from published import TEXT, byte_level, metaspace, qwen, split_by
from tokenizers import AddedToken, decoders, pre_tokenizers

from pellucid.errors import InputError
from pellucid.inspection.tokens import spans
from pellucid.text.tokenizers.imported import ImportedTokenizer, as_imported
from pellucid.text.tokenizers.patterns import DIGITS_BY_THREE
from pellucid.text.tokenizers.tokenizer import parse_tokenizer

Change = Callable[[dict[str, Any]], object]


def taken_over(
    engine: tokenizers.Tokenizer, n_rows: int | None = None, begin: str | None = None
) -> ImportedTokenizer:
    end = "</s>" if engine.token_to_id("</s>") else "<|endoftext|>"
    content = json.loads(engine.to_str())
    made = as_imported(content, n_rows or engine.get_vocab_size(), end, begin, [], "tokenizer.json")
    tokenizer = parse_tokenizer(json.dumps(made).encode(), "tokenizer.json")
    assert isinstance(tokenizer, ImportedTokenizer)
    return tokenizer


def with_digits_alone() -> tokenizers.Tokenizer:
    engine = byte_level()
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)]
    )
    return engine


def with_words_added() -> tokenizers.Tokenizer:
    """Added tokens that are no special ones are text, such as Qwen's `<think>`."""
    engine = byte_level()
    engine.add_tokens([AddedToken("<think>", normalized=False), AddedToken("the cat", normalized=False)])
    return engine


ENGINES: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    "gpt2": byte_level,
    "llama 3": lambda: split_by(DIGITS_BY_THREE),
    "qwen": qwen,
    "smollm": with_digits_alone,
    "words added": with_words_added,
    "llama 2": metaspace,
}
WORDS = st.lists(
    st.sampled_from(
        ["the", " cat", "  ", "\n", "a\u0301", "漢", "🙂", "12345", "I'LL", "<think>", "▁", "x" * 40]
    )
)


@pytest.fixture(scope="module", params=ENGINES)
def pair(request: pytest.FixtureRequest) -> tuple[tokenizers.Tokenizer, ImportedTokenizer]:
    return ENGINES[request.param](), taken_over(ENGINES[request.param]())


@given(text=st.one_of(st.text(max_size=60), WORDS.map("".join)))
def test_the_originals_ids_and_text(text: str, pair: tuple[tokenizers.Tokenizer, ImportedTokenizer]):
    original, ours = pair
    added = original.get_added_tokens_decoder().values()
    # the original reads those as tokens
    assume(not any(token.special and token.content in text for token in added))
    ids = original.encode(text, add_special_tokens=False).ids
    assert ours.encode(text).tolist() == ids
    assert ours.decode(ids) == original.decode(ids)
    joined = b"".join(ours.token_bytes(id) for id in ids).decode("utf-8", "replace")
    assert joined in (ours.decode(ids), " " + ours.decode(ids))  # Llama 2 puts a blank before each text
    assert len(spans(ours, text, ids)) == len(ids)


def test_a_long_text_in_pieces(pair: tuple[tokenizers.Tokenizer, ImportedTokenizer]):
    original, ours = pair
    text = (TEXT + "the cat <think> e\u0301 ") * 300
    ids = original.encode(text, add_special_tokens=False).ids
    assert ours.encode(text).tolist() == ids
    chunks = [text[start : start + 7001] for start in range(0, len(text), 7001)]
    assert np.concatenate(ours.encode_pieces(list(ours.pieces(chunks)))).tolist() == ids
    assert spans(ours, text, ids)[-1][1] == len(text)


def test_documents(pair: tuple[tokenizers.Tokenizer, ImportedTokenizer]):
    original, ours = pair
    texts = ["the cat", "", TEXT]
    ids = [original.encode(text, add_special_tokens=False).ids for text in texts]
    assert ours.encode_documents(texts).tolist() == [id for one in ids for id in [*one, ours.end_of_text]]
    assert ours.encode_documents([]).tolist() == []


def test_what_begins_a_document():
    ours = taken_over(metaspace(), begin="<s>")
    assert ours.beginning == (1,)
    assert ours.encode_documents(["", "the"]).tolist()[:3] == [1, 2, 1]


# ---------------------------------------------------------------------- special tokens


def test_text_never_encodes_to_special_tokens(pair: tuple[tokenizers.Tokenizer, ImportedTokenizer]):
    _, ours = pair
    for name in ours._special:
        if name == "<unk>":
            continue
        for text in (name, f"a{name}b", f" {name} ", name * 3, name[:-1] + name):
            ids = ours.encode(text)
            assert ours.special_id(name) not in ids
            assert ours.decode(ids) == text
        assert ours.token_bytes(ours.special_id(name)) == b""
        assert ours.token_text(ours.special_id(name)) == name


@pytest.mark.parametrize("special", ["<|im_end|>", "th", "ri", "lock"])
def test_not_even_where_the_library_would_let_it(special: str):
    """A whole word of the vocabulary needs no merges here, and special tokens are in the vocabulary, too."""
    engine = byte_level()
    content = json.loads(engine.to_str())
    content["model"]["ignore_merges"] = True
    content["pre_tokenizer"] = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    made = as_imported(content, 300, "<|endoftext|>", None, [special], "tokenizer.json")
    ours = parse_tokenizer(json.dumps(made).encode(), "tokenizer.json")
    id = ours.special_id(special)
    for text in (special, f"{special} {special}", f"x{special}", special * 50):
        ids = ours.encode(text)
        assert id not in ids
        assert ours.decode(ids) == text


def test_rows_without_a_token():
    ours = taken_over(byte_level(), n_rows=310)
    assert ours.vocab_size == 310
    assert ours.token_bytes(309) == b""
    assert ours.token_text(309) == "<|unused-309|>"
    assert ours.decode(ours.encode("<|unused-309|>")) == "<|unused-309|>"
    assert (ours.encode("<|unused-309|>") < 300).all()


def test_ids_without_a_token_between_others():
    content = json.loads(byte_level().to_str())
    content["added_tokens"].append({**content["added_tokens"][0], "id": 305, "content": "<|late|>"})
    made = as_imported(content, 310, "<|endoftext|>", None, [], "tokenizer.json")
    ours = parse_tokenizer(json.dumps(made).encode(), "tokenizer.json")
    assert ours.special_id("<|late|>") == 305
    assert ours.token_text(303) == "<|unused-303|>"


def test_a_byte_that_the_vocabulary_lacks_is_left_out_as_the_original_does():
    engine = byte_level()
    content = json.loads(engine.to_str())
    letter = "\u0104"  # stands for byte 4
    content["model"]["vocab"]["spare"] = content["model"]["vocab"].pop(letter)
    original = tokenizers.Tokenizer.from_str(json.dumps(content))
    ours = taken_over(original)
    assert ours.encode("a\x04b").tolist() == original.encode("a\x04b").ids
    assert ours.decode(ours.encode("a\x04b")) == "ab"
    assert ours.unknown is None


def test_an_unknown_token():
    """Without byte fallback, what the vocabulary lacks is unknown, and counted."""
    engine = metaspace()
    content = json.loads(engine.to_str())
    content["model"].update(byte_fallback=False, fuse_unk=False)
    ours = taken_over(tokenizers.Tokenizer.from_str(json.dumps(content)))
    assert ours.unknown == 0
    assert ours.count_unknown("the 漢漢") == 2
    assert ours.token_bytes(0).decode() == "\ufffd"


def test_saved_and_loaded(pair: tuple[tokenizers.Tokenizer, ImportedTokenizer], tmp_path: Any):
    from pellucid.text.tokenizers.tokenizer import load_tokenizer

    _, ours = pair
    ours.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.fingerprint == ours.fingerprint
    assert again.encode(TEXT).tolist() == ours.encode(TEXT).tolist()
    assert (
        tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab_size() == ours.vocab_size
    )


# ---------------------------------------------------------------------- what is not taken over

DAMAGES: dict[str, tuple[Change, str]] = {
    "no model": (lambda content: content.pop("model"), "damaged"),
    "ids that are texts": (lambda content: content["model"]["vocab"].update(a="1"), "damaged"),
    "ids beyond all bounds": (lambda content: content["model"]["vocab"].update(zz=1 << 40), "damaged"),
    "an id that is negative": (lambda content: content["model"]["vocab"].update(zz=-1), "damaged"),
    "an id twice": (lambda content: content["model"]["vocab"].update(zz=5), "damaged"),
    "an added token that is a number": (lambda content: content["added_tokens"].append(3), "damaged"),
    "an added token of another id": (lambda content: content["added_tokens"][0].update(id=7), "damaged"),
    "no merges": (lambda content: content["model"].pop("merges"), "damaged"),
    "merges of what is not there": (lambda content: content["model"].update(merges=["qq zz"]), "damaged"),
    "another kind": (lambda content: content["model"].update(type="Unigram"), "Unigram"),
    "dropout": (lambda content: content["model"].update(dropout=0.1), "dropout"),
    "no decoder": (lambda content: content.update(decoder=None), "spelled"),
    "another decoder": (lambda content: content.update(decoder={"type": "CTC"}), "spelled"),
    "a part that nobody has": (lambda content: content.update(pre_tokenizer={"type": "Magic"}), "damaged"),
    "a decoder that shouts": (
        lambda content: content.update(
            decoder={
                "type": "Sequence",
                "decoders": [
                    dict(content["decoder"]),
                    {"type": "Replace", "pattern": {"String": "a"}, "content": "A"},
                ],
            }
        ),
        "decodes in a way",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_refused(case: str):
    change, message = DAMAGES[case]
    content = json.loads(byte_level().to_str())
    change(content)
    with pytest.raises(InputError, match=message):
        made = as_imported(content, 320, "<|endoftext|>", None, [], "tokenizer.json")
        parse_tokenizer(json.dumps(made).encode(), "tokenizer.json")


def test_decoders_of_metaspace_are_known():
    engine = metaspace()
    engine.normalizer = None  # type: ignore[assignment]
    engine.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    engine.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    ours = taken_over(engine)
    assert ours.decode(ours.encode("the cat 漢")) == "the cat 漢"


def test_rows_without_a_token_are_bounded():
    content = json.loads(byte_level().to_str())
    with pytest.raises(InputError, match=r"16,777,216 rows for tokens: more than 1,048,576"):
        as_imported(content, 1 << 24, "<|endoftext|>", None, [], "tokenizer.json")
