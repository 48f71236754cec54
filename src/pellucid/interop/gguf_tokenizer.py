"""The tokenizer in the metadata of a GGUF file, as a tokenizer.json.

Read are byte-level BPE whose words are cut as we can, and characters as `gguf_vocabulary` writes them.
"""

from __future__ import annotations

import json
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.gguf_vocabulary import (
    BLANK,
    BYTE_LEVEL,
    CHARACTERS,
    CONTROL,
    UNUSED,
    USER_DEFINED,
    WHOLE_WORDS,
)
from pellucid.interop.huggingface import DOCUMENT_ENDS
from pellucid.interop.settings import Settings
from pellucid.text.template import CHATML_MARKERS
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.imported import as_imported
from pellucid.text.tokenizers.patterns import NORMALIZERS, PRE_TOKENIZERS
from pellucid.text.tokenizers.tokenizer import RESERVED

# kinds before which llama.cpp puts a bos unless told not to
BEGIN_BY_DEFAULT = ("llama-bpe", "llama3", "llama-v3")


def gguf_tokenizer(metadata: dict[str, Any], n_rows: int, where: str) -> tuple[str, set[str]]:
    """The text of the tokenizer.json, and its tokens.

    Raises:
        InputError: another kind of vocabulary, a way of cutting words that is not known here, or damage.
    """
    own = {key: value for key, value in metadata.items() if key.startswith("tokenizer.ggml.")}
    settings = Settings({key.removeprefix("tokenizer.ggml."): value for key, value in own.items()}, where)
    kind, pre = settings.text("model", ""), settings.text("pre", "default")
    if kind == CHARACTERS:
        return _characters(settings, n_rows, where)
    if kind != BYTE_LEVEL:
        raise InputError(
            f"{where} has a tokenizer of model {kind!r}: from GGUF only byte-level BPE (gpt2) is taken over, and "
            "characters as they are exported here; import the model's Hugging Face folder instead"
        )
    if pre not in PRE_TOKENIZERS:
        raise InputError(
            f"{where} cuts words as {pre!r} does: those that are known here are {', '.join(PRE_TOKENIZERS)}; "
            "import the model's Hugging Face folder instead"
        )
    settings.must_be("add_space_prefix", False)
    tokens, types, merges = (settings.get(name) for name in ("tokens", "token_type", "merges"))
    if not _are(tokens, str) or not _are(merges, str) or not (types is None or _are(types, int)):
        raise InputError(
            f"{where} is damaged: its tokens or merges are not lists of texts; take a whole copy of it"
        )
    types = types or [1] * len(tokens)
    if len(types) != len(tokens) or len(set(tokens)) != len(tokens) or len(tokens) != n_rows:
        raise InputError(
            f"{where} is damaged: it has {len(tokens):,} tokens, {len(types):,} types and {n_rows:,} rows for them, "
            "or a token twice; take a whole copy of it"
        )
    content = _byte_level(pre, tokens, types, merges)
    end_id = settings.get("eos_token_id")
    own_end = tokens[end_id] if type(end_id) is int and 0 <= end_id < len(tokens) else None
    end = next((name for name in DOCUMENT_ENDS if name in content["model"]["vocab"]), own_end)
    if end is None:
        raise InputError(
            f"{where} does not say which token ends a text (eos_token_id): it cannot be used without"
        )
    begin_id = settings.get("bos_token_id")
    begins = settings.switch("add_bos_token", pre in BEGIN_BY_DEFAULT)
    begin = tokens[begin_id] if begins and type(begin_id) is int and 0 <= begin_id < len(tokens) else None
    special = [*([own_end] if own_end else []), *CHATML_MARKERS]
    made = as_imported(content, n_rows, end, begin, special, f"the tokenizer of {where}")
    return json.dumps(made, ensure_ascii=False), set(tokens)


def _byte_level(pre: str, tokens: list[str], types: list[int], merges: list[str]) -> dict[str, Any]:
    """The tokenizer.json of byte-level BPE whose words are cut as `pre` says."""
    added = [
        {"id": id, "content": token, "special": kind != USER_DEFINED, **PLAIN}
        for id, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (CONTROL, USER_DEFINED, UNUSED) and token
    ]
    decoder = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": NORMALIZERS.get(pre),
        "pre_tokenizer": PRE_TOKENIZERS[pre],
        "decoder": decoder,
        "model": {
            "type": "BPE",
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": merges,
            "ignore_merges": pre in WHOLE_WORDS,
        },
    }


def _characters(settings: Settings, n_rows: int, where: str) -> tuple[str, set[str]]:
    """An alphabet: the reserved tokens, then a character each, in the order of their code points."""
    tokens = settings.get("tokens")
    tokens = tokens if _are(tokens, str) else []
    symbols = tokens[len(RESERVED) :]
    symbols = [" " if symbol == BLANK else symbol for symbol in symbols]
    tokenizer = CharTokenizer(symbol for symbol in symbols if len(symbol) == 1)
    settings.must_be("add_bos_token", False)
    settings.must_be("add_space_prefix", False)
    settings.must_be("remove_extra_whitespaces", False)
    if [*tokens[: len(RESERVED)], *symbols] != [*RESERVED, *tokenizer.alphabet]:
        raise InputError(
            f"{where} has a unigram vocabulary that is no alphabet exported here: "
            "import the model's Hugging Face folder instead"
        )
    if len(tokens) != n_rows:
        raise InputError(
            f"{where} is damaged: it has {len(tokens):,} tokens and {n_rows:,} rows for them; take a whole copy of it"
        )
    return tokenizer.to_json(), set(RESERVED)


PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}


def _are(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)
