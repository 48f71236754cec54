"""A tokenizer.json that another program made: the ids of its own library, or refused in a sentence."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from texts import PROSE
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.implementations import (
    BertWordPieceTokenizer,
    ByteLevelBPETokenizer,
    CharBPETokenizer,
    SentencePieceBPETokenizer,
    SentencePieceUnigramTokenizer,
)

from pellucid.errors import InputError
from pellucid.text.tokenizers.tokenizer import build_tokenizer, load_tokenizer

TEXT = PROSE * 3 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz 0123456789 .,;:!?()\"'-\n"
END = "<|endoftext|>"


def by_class(kind: Callable[..., Any], **settings: Any) -> Any:
    engine = kind(**settings)
    engine.train_from_iterator([TEXT], vocab_size=400, show_progress=False)
    return engine


def byte_level(
    special: tuple[str, ...] = (), prefix: bool = False, whole: bool = True, **parts: Any
) -> tokenizers.Tokenizer:
    engine = tokenizers.Tokenizer(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    engine.decoder = decoders.ByteLevel()
    for name, part in parts.items():
        setattr(engine, name, part)
    alphabet = pre_tokenizers.ByteLevel.alphabet() if whole else []
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    engine.train_from_iterator([TEXT], trainer)
    return engine


def framed() -> tokenizers.Tokenizer:
    engine = byte_level(("<s>", "</s>"))
    marks = [("<s>", 0), ("</s>", 1)]
    engine.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=marks)
    return engine


def with_added_words() -> tokenizers.Tokenizer:
    engine = byte_level(normalizer=normalizers.NFC())
    engine.add_tokens(["<think>"])
    return engine


TAKEN: dict[str, tuple[Callable[[], Any], str]] = {  # and the token that ends a document
    "ByteLevelBPETokenizer": (lambda: by_class(ByteLevelBPETokenizer), END),
    "like RoBERTa": (lambda: byte_level(("<s>", "<pad>", "</s>", "<unk>", "<mask>")), "</s>"),
    "a blank before every text": (lambda: byte_level((END,), prefix=True), END),
    "the alphabet of its text alone": (lambda: byte_level((END,), whole=False), END),
    "framed": (framed, "</s>"),
    "composed, with words added": (with_added_words, END),
    "SentencePieceBPETokenizer": (lambda: by_class(SentencePieceBPETokenizer), END),
}
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "lower case": (lambda: by_class(ByteLevelBPETokenizer, lowercase=True), "does not give texts back"),
    "WordPiece": (lambda: by_class(BertWordPieceTokenizer), "WordPiece tokenizer of another make"),
    "Unigram": (lambda: by_class(SentencePieceUnigramTokenizer), "Unigram tokenizer of another make"),
    "suffixes": (lambda: by_class(CharBPETokenizer), "sets end_of_word_suffix"),
    "no decoder": (lambda: byte_level(decoder=None), "does not say how its tokens are spelled"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken_over_with_its_own_ids(case: str, tmp_path: Path):
    make, end = TAKEN[case]
    engine = make()
    path = tmp_path / "theirs.json"
    engine.save(str(path))
    tokenizer, reason = build_tokenizer(str(path), ["anything"])
    assert reason.startswith("byte-pair encoding made elsewhere") and str(path) in reason
    assert tokenizer.token_text(tokenizer.end_of_text) == end
    for text in (TEXT, "  two blanks\n\n\tI'LL see 1234 <think> it", "caf\u00e9 \u6f22 \U0001f642"):
        ids = tokenizer.encode(text)
        assert ids.tolist() == engine.encode(text, add_special_tokens=False).ids
        assert ids.tolist() == load_tokenizer(path).encode(text).tolist()
    back = tokenizer.decode(tokenizer.encode(TEXT)).removeprefix(" ")
    forms = (
        {TEXT}
        if engine.normalizer is None
        else {unicodedata.normalize(form, TEXT) for form in ("NFC", "NFKC")}
    )
    assert back in forms
    documents = tokenizer.encode_documents(["one", "two"]).tolist()
    assert documents.count(tokenizer.end_of_text) == 2 and documents[-1] == tokenizer.end_of_text
    tokenizer.save(tmp_path)
    kept = load_tokenizer(tmp_path)
    assert kept.fingerprint == tokenizer.fingerprint and kept.end_of_text == tokenizer.end_of_text
    assert kept.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_a_sentence(case: str, tmp_path: Path):
    make, message = REFUSED[case]
    path = tmp_path / "theirs.json"
    make().save(str(path))
    with pytest.raises(InputError, match=message) as refused:
        build_tokenizer(str(path), ["anything"])
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


def test_characters_that_several_of_them_make_one_unknown_token(tmp_path: Path):
    by_class(SentencePieceBPETokenizer).save(str(tmp_path / "theirs.json"))
    tokenizer = load_tokenizer(tmp_path / "theirs.json")
    assert tokenizer.unknown is not None
    assert tokenizer.unknown_characters("one \u0416\u0429 two \u0416") == "\u0416\u0429"
    assert tokenizer.count_unknown("one \u0416\u0429 two \u0416") == 3


def test_trained_with_and_resumed_and_what_it_lacks_is_told(
    train_tiny: Callable[..., Any], tmp_path: Path, text_file: Path
):
    from trainers import Notes

    from pellucid.training.train import resume

    book = tmp_path / "book.txt"
    book.write_text(text_file.read_text(encoding="utf-8") + "\u0416\u0429" * 20, encoding="utf-8")
    byte_level((END,), prefix=True, whole=False).save(str(tmp_path / "theirs.json"))
    notes = Notes()
    run = tmp_path / "run"
    train_tiny(run, book, tokenizer=str(tmp_path / "theirs.json"), observer=notes, steps=8)
    lost = [int(note.split()[3]) for note in notes.notes if note.startswith("The tokens spell ")]
    assert len(lost) == 1 and 40 < lost[0] < 60, "three of four bytes are in no other letter of its text"
    (tmp_path / "theirs.json").unlink()
    assert resume(run, steps=10).steps == 10
