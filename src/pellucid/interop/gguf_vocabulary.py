"""A run's tokenizer as the metadata of a GGUF file, so that llama.cpp cuts a text into the same tokens.

Characters are written as a unigram vocabulary (`t5`) in which every character is as likely as any other: it has an
unknown token, for a run of unknown characters one. As `rwkv`, llama.cpp would never come to an end with a character
that begins with the same byte as a known one.
"""

from __future__ import annotations

import json
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.chat_templates import jinja
from pellucid.interop.ends import begin_id, end_ids
from pellucid.text.template import Template
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.patterns import NORMALIZERS, PRE_TOKENIZERS
from pellucid.text.tokenizers.tokenizer import RESERVED, Tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5  # of tokenizer.ggml.token_type
CHARACTERS, BYTE_LEVEL = "t5", "gpt2"  # tokenizer.ggml.model
BLANK = "\u2581"  # stands for a space in vocabularies of SentencePiece, such as t5's
WHOLE_WORDS = ("llama-bpe", "llama3", "llama-v3")  # kinds in which a word of the vocabulary needs no merges
NO_TWIN = "export it with --to hf, or train with --tokenizer bpe"


def vocabulary(tokenizer: Tokenizer, n_rows: int, template: Template | None) -> dict[str, Any]:
    """Keys and values under `tokenizer.` of a file whose model has `n_rows` rows for tokens.

    Raises:
        InputError: llama.cpp would cut texts otherwise.
    """
    if isinstance(tokenizer, CharTokenizer):
        own, tokens, types = _characters(tokenizer)
    elif tokenizer.kind in ("bpe", "imported"):
        own, tokens, types = _byte_level(json.loads(tokenizer.to_json()), tokenizer)
    else:
        raise InputError(
            f"this run's tokenizer is a {tokenizer.kind}, and llama.cpp has none that cuts texts as it does: {NO_TWIN}"
        )
    for id in range(len(tokens), n_rows):  # rows that no text needs
        tokens.append(f"<|unused-{id}|>")
        types.append(UNUSED)
    if len(tokenizer.beginning) > 1:
        raise InputError(
            "this run's documents begin with several tokens, and llama.cpp can put one before a text only"
        )
    end = tokenizer.end_of_text
    values: dict[str, Any] = {
        **own,
        "tokens": tokens,
        "token_type": types,
        "bos_token_id": begin_id(tokenizer),
        "eos_token_id": end,
        "padding_token_id": tokenizer.pad,
        "add_bos_token": bool(tokenizer.beginning),
        "add_eos_token": False,
        "add_space_prefix": False,
    }
    if template is not None:
        values["eot_token_id"] = end_ids(tokenizer, template)[0]
    if tokenizer.unknown is not None:
        values["unknown_token_id"] = tokenizer.unknown
    named = {f"tokenizer.ggml.{name}": value for name, value in values.items()}
    return named if template is None else {**named, "tokenizer.chat_template": jinja(template.kind)}


Vocabulary = tuple[dict[str, Any], list[str], list[int]]  # settings, tokens, their types


def _characters(tokenizer: CharTokenizer) -> Vocabulary:
    for character, why in ((BLANK, "keeps for the space"), ("\0", "cannot have in a token")):
        if character in tokenizer.alphabet:
            raise InputError(
                f"this run's alphabet has U+{ord(character):04X}, which llama.cpp {why}: {NO_TWIN}"
            )
    tokens = [*RESERVED, *(BLANK if symbol == " " else symbol for symbol in tokenizer.alphabet)]
    types = [UNKNOWN if id == tokenizer.unknown else CONTROL for id in range(len(RESERVED))]
    types += [NORMAL] * len(tokenizer.alphabet)
    own = {"model": CHARACTERS, "scores": [0.0] * len(tokens), "remove_extra_whitespaces": False}
    return own, tokens, types


def _byte_level(content: dict[str, Any], tokenizer: Tokenizer) -> Vocabulary:
    model = content["model"]
    pre = _way_of_cutting(content)
    added = {token["content"]: token["special"] for token in content["added_tokens"]}
    ids = {**model["vocab"], **{token["content"]: token["id"] for token in content["added_tokens"]}}
    tokens = sorted(ids, key=ids.__getitem__)
    types = [_type_of(token, added) for token in tokens]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    if len(tokens) != tokenizer.vocab_size or not merges:
        raise InputError(f"this run's tokenizer has no merges, which llama.cpp asks for: {NO_TWIN}")
    return {"model": BYTE_LEVEL, "pre": pre, "merges": merges}, tokens, types


def _type_of(token: str, added: dict[str, bool]) -> int:
    if token not in added:
        return NORMAL
    if not added[token]:
        return USER_DEFINED
    return UNUSED if token.startswith("<|unused-") else CONTROL


def _way_of_cutting(content: dict[str, Any]) -> str:
    """What llama.cpp calls the way in which a tokenizer cuts a text into words."""
    model, cuts = content["model"], _steps(content.get("pre_tokenizer"))
    normalizer = content.get("normalizer")
    for name, theirs in PRE_TOKENIZERS.items():
        same = cuts == _steps(theirs) and normalizer in (None, NORMALIZERS.get(name))
        if same and bool(model.get("ignore_merges")) == (name in WHOLE_WORDS):
            return name
    raise InputError(
        "this run's tokenizer cuts texts into words in a way that is not known to be one of llama.cpp's "
        f"({', '.join(PRE_TOKENIZERS)}): export it with --to hf"
    )


def _steps(cutter: Any) -> list[tuple[Any, ...]]:
    """What decides of a `pre_tokenizer`, step by step."""
    parts = cutter.get("pretokenizers", [cutter]) if isinstance(cutter, dict) else []
    steps = list[tuple[Any, ...]]()
    for part in parts:
        if part["type"] == "ByteLevel":
            steps.append(("ByteLevel", part.get("add_prefix_space", True), part.get("use_regex", True)))
        else:
            steps.append(tuple(sorted((key, str(value)) for key, value in part.items())))
    return steps
