"""A tokenizer.json that someone else's program made: taken over with its own ids, or refused in a sentence."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from pellucid.errors import InputError
from pellucid.text.tokenizers.imported import ImportedTokenizer, as_imported
from pellucid.text.tokenizers.tokenizer import CHAT_MARKERS, END_OF_TEXT, Tokenizer

# What ends a document, by the names that vocabularies give it; where there is none, one is added.
ENDS = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "[EOS]", "<|end|>", "[SEP]")
OTHERS = {  # kinds that are read only as they are made here, and what those of others do
    "WordPiece": "such tokenizers do not keep white space, so that texts would not come back",
    "WordLevel": "it knows whole words alone, so that most texts would be unknown to it",
    "Unigram": "its pieces have scores of their own, which is not known here",
}
PROBE = 'The quick brown fox, of 10 years, jumps over\n\nTWO lazy dogs.\n  - "That\'s it!" (said I)\n'


def is_foreign(content: dict[str, Any]) -> bool:
    """Whether a parsed tokenizer.json has none of the marks that every one made here has."""
    try:
        listed = [*content["model"]["vocab"], *(token["content"] for token in content["added_tokens"])]
    except (KeyError, TypeError):
        return False  # damaged, whoever made it
    return not any(mark in listed for mark in CHAT_MARKERS if isinstance(mark, str))


def take_over(content: dict[str, Any], kind: str, name: str) -> ImportedTokenizer:
    """The tokenizer of a byte-pair encoding that does not say how documents end; other kinds are refused.

    Raises:
        InputError: it is damaged, or not of a kind that is taken over.
    """
    if kind in OTHERS:
        raise InputError(
            f"{name} is a {kind} tokenizer of another make, and {OTHERS[kind]}: of others byte-pair encodings "
            f"(BPE) are read; take --tokenizer {'wordpiece' if kind == 'WordPiece' else 'bpe'}"
        )
    damaged = InputError(f"{name} is damaged: its vocabulary or its parts are not what they should be")
    try:
        vocabulary = content["model"]["vocab"]
        ids = {**vocabulary, **{token["content"]: token["id"] for token in content["added_tokens"]}}
        n_rows = max(ids.values(), default=-1) + 1
        end = next((mark for mark in ENDS if mark in ids), None)
        if end is None:
            end = END_OF_TEXT
            flags = {
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            added = [*content["added_tokens"], {"id": n_rows, "content": end, **flags}]
            content, n_rows = {**content, "added_tokens": added}, n_rows + 1
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged from error
    made = as_imported({"decoder": None, **content}, n_rows, end, None, (), name)
    return ImportedTokenizer.from_json(made, json.dumps(made, ensure_ascii=False), name)


def refuse_changes(tokenizer: Tokenizer, name: str) -> None:
    """Refuse a tokenizer from elsewhere that does not give a text back: scores a byte would be of another text.

    A blank before a text and Unicode's composed forms are no change; characters that its vocabulary lacks are told of
    when the text is known.

    Raises:
        InputError: it changes case, accents or white space.
    """
    if not isinstance(tokenizer, ImportedTokenizer):
        return
    known = {text for text in map(tokenizer.token_text, range(tokenizer.vocab_size)) if len(text) == 1}
    probe = "".join(character for character in PROBE if character in known or character in " \n")
    for text in (PROBE, probe):
        back = unicodedata.normalize("NFC", tokenizer.decode(tokenizer.encode(text)))
        if back.removeprefix(" ") == text:
            return
    raise InputError(
        f"{name} does not give texts back as they were ({probe[:20]!r} comes back as {back[:20]!r}): a model of it "
        "could not be scored on your text; take one without a normalizer, or --tokenizer bpe"
    )
