"""Tokenizers on disk: saved, loaded, and checked before they are used."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import PROSE

from pellucid.errors import InputError
from pellucid.text.tokenizers.bpe import BPETokenizer
from pellucid.text.tokenizers.byte_level import ByteLevelTokenizer
from pellucid.text.tokenizers.tokenizer import (
    Tokenizer,
    build_tokenizer,
    load_tokenizer,
    parse_tokenizer,
)

# ---------------------------------------------------------------------- files


def test_saved_and_loaded(either: Tokenizer, tmp_path: Path):
    either.save(tmp_path)  # a folder, such as a run
    either.save(tmp_path / "mine.json")
    for path in (tmp_path, tmp_path / "tokenizer.json", tmp_path / "mine.json"):
        loaded = load_tokenizer(path)
        assert type(loaded) is type(either)
        assert loaded.fingerprint == either.fingerprint
        assert loaded.encode(PROSE + "<|end|>").tolist() == either.encode(PROSE + "<|end|>").tolist()
        loaded.save(tmp_path / "again.json")
        assert (tmp_path / "again.json").read_bytes() == (tmp_path / "mine.json").read_bytes()
    tokenizer, reason = build_tokenizer(str(tmp_path), ["anything"])
    assert tokenizer.fingerprint == either.fingerprint
    assert str(tmp_path) in reason
    with pytest.raises(InputError, match="leave out --vocab-size"):
        build_tokenizer(tmp_path, ["anything"], 9999)


def test_a_foreign_file_with_our_reserved_tokens_elsewhere(byte_tokenizer: ByteLevelTokenizer):
    content = json.loads(byte_tokenizer.to_json())
    vocabulary = content["model"]["vocab"]
    names = sorted(vocabulary, key=vocabulary.__getitem__)
    order = names[6:] + names[:6]  # reserved tokens last, as GPT-2 has them
    vocabulary.update({name: id for id, name in enumerate(order)})
    for token in content["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    loaded = parse_tokenizer(json.dumps(content).encode(), "foreign")
    assert loaded.end_of_text == byte_tokenizer.vocab_size - 6
    assert loaded.decode(loaded.encode(PROSE)) == PROSE
    assert (loaded.encode(PROSE) == byte_tokenizer.encode(PROSE) - 6).all()


def edit(tokenizer: Tokenizer, change: Any) -> bytes:
    content = json.loads(tokenizer.to_json())
    change(content)
    return json.dumps(content).encode()


def set_at(*path: Any, value: Any) -> Any:
    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


DAMAGE = [
    set_at("added_tokens", value=[]),
    set_at("added_tokens", value=None),
    set_at("added_tokens", value=["<|endoftext|>"]),
    set_at("added_tokens", 0, "id", value=1),
    set_at("added_tokens", 0, "id", value=[]),
    set_at("added_tokens", 0, "id", value=10**30),
    set_at("added_tokens", 0, "special", value=False),
    set_at("model", value=7),
    set_at("model", "vocab", value={}),
    set_at("model", "vocab", value=None),
    set_at("model", "vocab", "x", value=-4),
    set_at("model", "vocab", "x", value=1 << 31),
    set_at("model", "vocab", "x", value="7"),
    set_at("model", "vocab", "many characters", value=1000),
    set_at("model", "type", value="Unigram"),
    set_at("model", "type", value=[]),
]


@pytest.mark.parametrize("change", DAMAGE)
def test_damaged_files(either: Tokenizer, change: Any):
    with pytest.raises(InputError, match="the file"):
        parse_tokenizer(edit(either, change), "the file")


@pytest.mark.parametrize(
    "change",
    [
        set_at("model", "merges", value=[["q", "not there"]]),
        set_at("model", "merges", value=None),
        set_at("model", "merges", value=[7]),
        set_at("model", "dropout", value=0.5),
        set_at("normalizer", value={"type": "Lowercase"}),
        set_at("pre_tokenizer", value={"type": "Whitespace"}),
        set_at("pre_tokenizer", value=None),
        set_at("pre_tokenizer", "add_prefix_space", value=True),
        set_at("decoder", value={"type": "Nonsense"}),
        lambda content: content["model"]["vocab"].pop("x"),
    ],
)
def test_files_that_are_not_byte_level_bpe(bpe: BPETokenizer, change: Any):
    with pytest.raises(InputError, match="the file"):
        parse_tokenizer(edit(bpe, change), "the file")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"model": {}',
        b'{"model": {}}',
        b"[" * 100_000,
        b'{"model":"x"}',
    ],
)
def test_files_that_are_no_tokenizer(data: bytes):
    with pytest.raises(InputError, match="the file"):
        parse_tokenizer(data, "the file")


def test_a_file_that_lacks_the_chat_markers_says_which(byte_tokenizer: ByteLevelTokenizer):
    def remove(content: Any) -> None:
        content["added_tokens"] = [
            t for t in content["added_tokens"] if t["content"] in ("<|endoftext|>", "<|pad|>")
        ]

    with pytest.raises(InputError, match=r"<\|system\|>, <\|user\|>, <\|assistant\|>, <\|end\|>:"):
        parse_tokenizer(edit(byte_tokenizer, remove), "gpt2.json")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_files_cut_or_changed_anywhere(either: Tokenizer, data: st.DataObject):
    content = bytearray(either.to_json().encode())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:at]
    else:
        content[at] = data.draw(st.integers(0, 255))
    try:
        tokenizer = parse_tokenizer(bytes(content), "the file")
    except InputError:
        return
    assert tokenizer.decode(tokenizer.encode("text")) in ("text", "te\ufffdt")


def test_missing_and_huge_files(tmp_path: Path):
    for path in (
        tmp_path,
        tmp_path / "none.json",
        tmp_path / ("x" * 5000),
        "~nobody-of-that-name/x",
        "a\0b",
        "",
    ):
        with pytest.raises(InputError):
            load_tokenizer(path)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate((64 << 20) + 1)  # no room is taken
    with pytest.raises(InputError, match="64 MiB"):
        load_tokenizer(huge)
