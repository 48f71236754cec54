"""JSON and JSON lines: texts are read, chats are not, and what is wrong is counted and told."""

import json
from collections.abc import Callable

import pytest

from pellucid.errors import InputError
from pellucid.text.readers import NotTextSource, extract


def texts(data: str, name: str) -> list[str]:
    return [document.text for document in extract(data.encode(), name).documents]


def test_json_lines():
    data = '"one"\n{"text": "two", "content": "no"}\r\n\n{"content": "three"}\n{"body": "four", "id": 4}\n'
    found = extract(data.encode(), "x.jsonl")
    assert [(d.text, d.name) for d in found.documents] == [
        ("one", "x.jsonl line 1"),
        ("two", "x.jsonl line 2"),
        ("three", "x.jsonl line 4"),
        ("four", "x.jsonl line 5"),
    ]
    assert found.notes == []
    assert texts(data, "x.ndjson") == ["one", "two", "three", "four"]


def test_bad_lines_are_counted():
    data = '{"text": "good"}\n{"text": \n[1]\n{"title": "x"}\n{"text": 5}\nnull\n{"text": " "}'
    found = extract(data.encode(), "x.jsonl")
    assert [d.text for d in found.documents] == ["good"]
    assert found.n_empty == 1
    assert found.notes[0].startswith(
        "x.jsonl: 5 entries without a text are left out, the first at line 2: it is not"
    )


def test_half_a_character_becomes_a_whole_one():
    assert texts('"\\ud83d\\ude00 \\ud83d x"', "x.jsonl") == ["😀 \ufffd x"]


ALPACA = {"instruction": "Add.", "input": "1 and 2", "output": "3"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["one", "two"], ["one", "two"]),
        ([{"text": "one"}, "two"], ["one", "two"]),
        ({"content": "one"}, ["one"]),
        ("one", ["one"]),
        ([ALPACA, ALPACA | {"input": ""}], ["Add.\n\n1 and 2\n\n3\n", "Add.\n\n3\n"]),
        ([{"text": "one", "messages": []}], ["one"]),
    ],
)
def test_json(value: object, expected: list[str]):
    assert texts(json.dumps(value), "x.json") == expected


CHATS = [
    {"messages": [{"role": "user", "content": "hi"}]},
    {"conversations": [{"from": "human", "value": "hi"}]},
    {"mapping": {}},
    {"role": "user", "content": "hi"},
]


@pytest.mark.parametrize("chat", CHATS)
def test_chats_are_not_training_text(chat: object):
    for data, name in ((json.dumps(chat), "x.jsonl"), (json.dumps([chat]), "x.json")):
        with pytest.raises(NotTextSource, match=r"x\.jsonl? holds chats, not texts to train on"):
            texts(data, name)
    mixed = extract(f'{json.dumps(chat)}\n"text"'.encode(), "x.jsonl")
    assert [d.text for d in mixed.documents] == ["text"]
    assert mixed.notes == ["x.jsonl: 1 chat is left out, the first at line 1"]


@pytest.mark.parametrize(
    ("data", "name", "part"),
    [
        (b"", "x.jsonl", "is empty"),
        (b"", "x.json", "is not JSON"),
        (b"[]", "x.json", "is empty"),
        (b'{"a": 1}', "x.json", "no field text, content or body"),
        (b"[1, 2]", "x.json", "entry 1: it is neither"),
        (b'{"text": "a"}\n{"text": "b"}', "x.json", "name it .jsonl"),
        (b"[" * 100_000, "x.json", "nested too deep"),
        (b'{"text":' * 100_000, "x.jsonl", "nested too deep"),
        (b"9" * 100_000, "x.json", "is not JSON"),
        (b"not json\nat all", "x.jsonl", "line 1: it is not JSON"),
        (b"\0\0", "x.json", "is not text"),
        (b"\x1f\x8b", "x.jsonl", "gzip archive"),
    ],
)
def test_what_is_refused(data: bytes, name: str, part: str, refused: Callable[..., None]):
    refused(data, name, part)


def test_other_json_is_no_text_source():
    with pytest.raises(NotTextSource):
        texts('{"name": "a-package", "version": "1.0"}', "package.json")
    with pytest.raises(InputError) as caught:
        texts("{", "broken.json")
    assert not isinstance(caught.value, NotTextSource)
