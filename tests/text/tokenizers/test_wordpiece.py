"""WordPiece: the longest piece first, nothing lost, and files that the tokenizers library reads alike."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers

from pellucid.errors import InputError
from pellucid.text.sources import read
from pellucid.text.tokenizers.tokenizer import RESERVED, build_tokenizer, parse_tokenizer
from pellucid.text.tokenizers.wordpiece import LONGEST_WORD, WordPieceTokenizer, train_wordpiece

BOOKS = Path(__file__).parents[4] / "shared" / "data" / "gutenberg"
PROSE = (
    "Playing the playful player's plays: replayed, unplayable, DISPLAYED!\n\n# Naïve headings\n### and ##signs\n"
    "  Tabs\tand     blanks; 1234567890 Straßenbahnhaltestelle 漢字とかな 🙂👩‍🚀 שלום e\u0301…\n"
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(
    st.sampled_from([*RESERVED, "#", "##", "###", "##a", " ", "\n", "play", "ing", "漢", "—", "'s", "x" * 30])
).map("".join)


@pytest.fixture(scope="module")
def ours() -> WordPieceTokenizer:
    return train_wordpiece([PROSE * 3], 640)


def longest_first(word: str, vocabulary: dict[str, int]) -> list[int]:
    """Devlin et al. 2019, as they describe it."""
    ids, start = list[int](), 0
    while start < len(word):
        end = len(word)
        while (name := ("##" if start else "") + word[start:end]) not in vocabulary:
            end -= 1
        ids.append(vocabulary[name])
        start = end
    return ids


@given(ANY_TEXT)
def test_the_longest_piece_comes_first(ours: WordPieceTokenizer, text: str):
    vocabulary = json.loads(ours.to_json())["model"]["vocab"]
    words = [word for word, _ in ours._engine.pre_tokenizer.pre_tokenize_str(text)]
    assert ours.encode(text).tolist() == [id for word in words for id in longest_first(word, vocabulary)]


@given(ANY_TEXT)
def test_no_text_is_lost(ours: WordPieceTokenizer, text: str):
    assert ours.decode(ours.encode(text)) == text


@given(ANY_TEXT)
def test_the_tokenizers_library_reads_the_file_alike(ours: WordPieceTokenizer, text: str):
    library = tokenizers.Tokenizer.from_str(ours.to_json())
    library.encode_special_tokens = True
    ids = library.encode(text).ids
    assert ids == ours.encode(text).tolist()
    assert library.decode(ids) == text


def test_a_file_resaved_by_the_library_loads(ours: WordPieceTokenizer):
    resaved = tokenizers.Tokenizer.from_str(ours.to_json()).to_str()
    assert parse_tokenizer(resaved.encode(), "resaved").encode(PROSE).tolist() == ours.encode(PROSE).tolist()


def test_frequent_words_are_one_token(ours: WordPieceTokenizer):
    shown = [ours.token_text(int(id)) for id in ours.encode(" playing unplayable")]
    assert " play" in shown[0]
    assert "".join(shown) == " playing unplayable"


@pytest.mark.parametrize("text", ["x", " ", "#", "-", "漢", "🚀"])
def test_a_text_without_a_blank_is_neither_unknown_nor_slow(ours: WordPieceTokenizer, text: str):
    def seconds(n: int) -> float:
        long = text * n
        started = time.process_time()
        ids = ours._engine.encode(long, add_special_tokens=False).ids
        taken = time.process_time() - started
        assert ours.decode(ids) == long
        return taken

    seconds(1000)
    # were it quadratic: 64 times
    assert min(seconds(24_000) for _ in range(3)) < 32 * max(seconds(3000), 0.002)


def test_no_word_is_too_long_for_the_library(ours: WordPieceTokenizer):
    for text in ("𝔘" * LONGEST_WORD, " " + "𝔘" * (LONGEST_WORD + 1), " " + "🚀" * 999, "𝟙" * 999):
        assert ours.decode(ours.encode(text)) == text


def test_exactly_ten_thousand_tokens():
    if not BOOKS.exists():
        pytest.skip("no copies of Gutenberg's books in ../shared/data")
    # a part of each book, since learning from all eleven takes ten seconds; the whole is the slow test below
    texts = [document.text[:60_000] for document in course_corpus()]
    tokenizer, _ = build_tokenizer("wordpiece", texts, 10_000)
    assert tokenizer.vocab_size == 10_000
    assert tokenizer.n_symbols == 9_994
    assert sum(len(tokenizer.encode(text)) for text in texts) < sum(map(len, texts)) / 3.7


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_exactly_ten_thousand_tokens_of_the_course_corpus(kind: str):
    if not BOOKS.exists():
        pytest.skip("no copies of Gutenberg's books in ../shared/data")
    texts = [document.text for document in course_corpus()]
    tokenizer, _ = build_tokenizer(kind, texts, 10_000)
    assert tokenizer.vocab_size == 10_000
    assert all(tokenizer.decode(tokenizer.encode(text)) == text for text in texts)


def course_corpus() -> list[Any]:
    return list(read([path for path in sorted(BOOKS.glob("*.txt")) if path.stem != "grimm"]).documents)


# ---------------------------------------------------------------------- files


def set_at(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_at("model", "continuing_subword_prefix", value="@@"),
        set_at("model", "continuing_subword_prefix", value=None),
        set_at("model", "max_input_chars_per_word", value=96),
        set_at("model", "max_input_chars_per_word", value="100"),
        set_at("model", "max_input_chars_per_word", value=1e30),
        set_at("model", "unk_token", value=None),
        set_at("normalizer", value={"type": "Lowercase"}),
        set_at("pre_tokenizer", value=None),
        set_at("pre_tokenizer", value={"type": "BertPreTokenizer"}),
        set_at("pre_tokenizer", "pretokenizers", 0, "pattern", value={"String": " "}),
        set_at("pre_tokenizer", "pretokenizers", 0, "behavior", value="Removed"),
        set_at("pre_tokenizer", "pretokenizers", 1, "add_prefix_space", value=True),
        set_at("decoder", value=None),
        set_at("decoder", value={"type": "WordPiece", "prefix": "##", "cleanup": True}),
        lambda content: content["model"]["vocab"].pop("##x"),
        lambda content: content["model"]["vocab"].pop("x"),
        lambda content: content["model"]["vocab"].pop("unk_token", None) or content["model"].pop("type"),
        lambda content: content["model"]["vocab"].update({"##": len(content["model"]["vocab"])}),
        lambda content: content["model"]["vocab"].update({"two words": len(content["model"]["vocab"])}),
    ],
)
def test_files_that_would_change_a_text(ours: WordPieceTokenizer, change: Callable[[Any], None]):
    content = json.loads(ours.to_json())
    change(content)
    with pytest.raises(InputError, match="the file"):
        parse_tokenizer(json.dumps(content).encode(), "the file")


def test_a_published_kind_of_wordpiece_is_refused():
    """As BERT has it: lower case, words apart, what is not known unknown."""
    names = [*RESERVED, "[UNK]", "play", "##ing"]
    engine = tokenizers.Tokenizer(
        models.WordPiece({name: id for id, name in enumerate(names)}, unk_token="[UNK]")
    )
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    engine.add_special_tokens(list(RESERVED))
    with pytest.raises(InputError, match="not a WordPiece over all 256 bytes"):
        parse_tokenizer(engine.to_str().encode(), "bert")
