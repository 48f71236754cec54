"""Every wrong body is answered in one sentence of ours: the field, what was expected, what was given."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

OURS = "/api/chat"
THEIRS = "/v1/chat/completions"
JOBS = "/api/jobs"
NEXT = "/api/inspect/next"
MODEL = {"model": "farm-1", "messages": [{"role": "user", "content": "The cat"}]}
SAID = {"role": "user", "content": "x"}
LESSON = {"kind": "train", "source": {"corpus": "lesson"}}

# where, what of the body is changed or (as bytes or a list) the body itself, and the whole answer
WRONG: list[tuple[str, Any, str]] = [
    (OURS, b"{", "the body is not valid JSON: send one JSON object"),
    (OURS, b"", "the body is missing: send a JSON object"),
    (OURS, b"\xff\xfe", "the body is not valid JSON: send one JSON object"),
    (OURS, b'{"message": ' + b"[" * 100_000, "the body cannot be read: send one JSON object in UTF-8"),
    (OURS, b"[]", "the body must be a JSON object, not an empty list"),
    (OURS, b'"x"', "the body must be a JSON object, not 'x'"),
    (OURS, b"null", "the body must be a JSON object, not null"),
    (OURS, b"NaN", "the body must be a JSON object, not NaN"),
    (OURS, b"{}", "message is missing: it must be given"),
    (OURS, {"message": 1}, "message must be a text, not 1"),
    (OURS, {"message": None}, "message must be a text, not null"),
    (OURS, {"message": ["x"]}, "message must be a text, not a list"),
    (OURS, {"message": "x" * 100_001}, "message must have at most 100,000 characters, not 100,001"),
    (OURS, {"message": "a\0b"}, "message: a text must not hold the character U+0000"),
    (OURS, {"extra": 1}, "extra is not a field that is known here: leave it out"),
    (OURS, {"a\nb" + "c" * 400: 1}, f"a b{'c' * 37}… is not a field that is known here: leave it out"),
    (OURS, {"temperature": float("nan")}, "temperature must be a finite number, not NaN"),
    (OURS, {"temperature": float("-inf")}, "temperature must be a finite number, not -infinity"),
    (OURS, {"temperature": -0.5}, "temperature must be 0 or more, not -0.5"),
    (OURS, {"temperature": "hot"}, "temperature must be a number, not 'hot'"),
    (OURS, {"temperature": True}, "temperature must be a number, not true"),
    (OURS, {"top_p": 0}, "top_p must be more than 0, not 0"),
    (OURS, {"top_p": 1.5}, "top_p must be 1 or less, not 1.5"),
    (OURS, {"top_k": 99999999999999999999}, "top_k must be 2,147,483,648 or less, not 99999999999999999999"),
    (OURS, {"top_k": 10**1000}, "top_k must be 2,147,483,648 or less, not a number of 1,001 digits"),
    (OURS, {"max_tokens": 1.5}, "max_tokens must be a whole number, not 1.5"),
    (OURS, {"max_tokens": 0}, "max_tokens must be 1 or more, not 0"),
    (OURS, {"max_tokens": True}, "max_tokens must be a whole number, not true"),
    (OURS, {"user_name": ""}, "user_name must have at least 1 character, not none"),
    (OURS, {"step": "worst"}, "step: a step is a whole number, 'best' or 'live', not 'worst'"),
    (OURS, {"history": {}}, "history must be a list, not an empty JSON object"),
    (OURS, {"history": [SAID] * 1001}, "history must have at most 1,000 items, not 1,001"),
    (OURS, {"history": [SAID, {"role": "user"}]}, "history.1.content is missing: it must be given"),
    (OURS, {"history": [SAID, "x"]}, "history.1 must be a JSON object, not 'x'"),
    (
        OURS,
        {"history": [{"role": "robot", "content": "x"}]},
        "history.0.role must be 'system', 'user' or 'assistant', not 'robot'",
    ),
    (OURS, {"reply_ids": [1, "x"]}, "reply_ids.1 must be a whole number, not 'x'"),
    (OURS, {"reply_ids": [-1]}, "reply_ids.0 must be 0 or more, not -1"),
    (OURS, {f"x{i}": 1 for i in range(100)}, "the body must have at most 100 items, not 101"),
    (THEIRS, b"{}", "model is missing: it must be given"),
    (THEIRS, {"n": 33}, "n must be 32 or less, not 33"),
    (THEIRS, {"n": 0}, "n must be 1 or more, not 0"),
    (THEIRS, {"n": "two"}, "n must be a whole number, not 'two'"),
    (THEIRS, {"n": 1.5}, "n must be a whole number, not 1.5"),
    (THEIRS, {"model": None}, "model must be a text, not null"),
    (THEIRS, {"messages": []}, "messages must have at least 1 item, not none"),
    (THEIRS, {"messages": "hello"}, "messages must be a list, not 'hello'"),
    (THEIRS, {"messages": [{}]}, "messages.0.role is missing: it must be given"),
    (THEIRS, {"messages": [[]]}, "messages.0 must be a JSON object, not an empty list"),
    (
        THEIRS,
        {"messages": [{"role": "user", "content": 3}]},
        "messages.0.content must be a text or a list, not 3",
    ),
    (
        THEIRS,
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
        "messages.0.content.0.text must be a text, not 5",
    ),
    (
        THEIRS,
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "messages.0.content.0.type is missing: it must be given",
    ),
    (
        THEIRS,
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        "messages are text here: a part of type 'image_url' cannot be read",
    ),
    (THEIRS, {"response_format": "json"}, "response_format must be a JSON object, not 'json'"),
    (THEIRS, {"tools": "all"}, "tools must be a list, not 'all'"),
    (
        THEIRS,
        {"logit_bias": {f"x{i}": 1 for i in range(1001)}},
        "logit_bias must have at most 1,000 items, not 1,001",
    ),
    (THEIRS, {"temperature": 3}, "temperature must be 2 or less, not 3"),
    (THEIRS, {"temperature": float("inf")}, "temperature must be a finite number, not infinity"),
    (THEIRS, {"max_tokens": "many"}, "max_tokens must be a whole number, not 'many'"),
    (THEIRS, {"stream": "maybe"}, "stream must be true or false, not 'maybe'"),
    (THEIRS, {"stream_options": 3}, "stream_options must be a JSON object, not 3"),
    (THEIRS, {"stop": 3}, "stop must be a text or a list, not 3"),
    (THEIRS, {"stop": ""}, "stop must have at least 1 character, not none"),
    (THEIRS, {"stop": ["x", ""]}, "stop.1 must have at least 1 character, not none"),
    (THEIRS, {"stop": ["x"] * 17}, "stop must have at most 16 items, not 17"),
    (
        THEIRS,
        {"seed": 10**30},
        f"seed must be 9,223,372,036,854,775,807 or less, not {10**30}",
    ),
    (JOBS, {"kind": "eval"}, "kind must be 'preview', 'train' or 'finetune', not 'eval'"),
    (JOBS, {"source": {}}, "source: give a corpus or an upload, not neither"),
    (JOBS, {"source": {"corpus": "lesson", "upload": "x"}}, "source: give a corpus or an upload, not both"),
    (JOBS, {"source": {"corpus": 7}}, "source.corpus must be a text, not 7"),
    (JOBS, {"settings": []}, "settings must be a JSON object, not an empty list"),
    (
        JOBS,
        {"settings": {"minutes": [1]}},
        "settings.minutes must be a text, true, false or a number, not a list",
    ),
    (JOBS, {"name": 3}, "name must be a text, not 3"),
    (JOBS, {"name": "x" * 61}, "name must have at most 60 characters, not 61"),
    (NEXT, {"shown": 100_001}, "shown must be 100,000 or less, not 100001"),
    (NEXT, {"shown": None}, "shown must be a whole number, not null"),
    ("/api/inspect/attention", {"mask": "some"}, "mask must be 'trained', 'causal' or 'none', not 'some'"),
    ("/api/inspect/head", {"layer": 0}, "head is missing: it must be given"),
    ("/api/inspect/tokens", {"text": {"a": 1}}, "text must be a text, not a JSON object"),
]
BASE = {OURS: {"message": "x"}, THEIRS: MODEL, JOBS: LESSON}


def ask(server: Any, path: str, body: Any) -> Any:
    if not isinstance(body, bytes):
        body = json.dumps({**BASE.get(path, {}), **body}).encode()
    headers = {"Content-Type": "application/json", **server.token}
    return server.client.post(path, content=body, headers=headers)


@pytest.mark.parametrize(("path", "body", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_body_is_told_what_is_wrong(server, path, body, said):
    answer = ask(server, path, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"] == said


def test_json_sent_as_something_else_is_told_so(server):
    headers = {"Content-Type": "text/plain"}
    answer = server.client.post(OURS, content=b'{"message": "x"}', headers=headers)
    said = "the body must be a JSON object, not plain text: send it as application/json"
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, said)


# ---------------------------------------------------------------------- whatever there is, and will be

ODD: list[Any] = [
    *(None, True, -1, 10**30, 0.5, float("nan"), float("inf"), "", "\n", "x" * 200_000),
    *([], [[]], [None] * 2000, [{}], [{"role": 1}], {}, {"a": {"b": []}}, "\ud800"),
]
FOREIGN = re.compile(
    r"\b(should|input|valid (dict|list|str|int|num|bool)|pydantic|instance|type=|unable to|parsing|"
    r"greater than|less than or|constrained|value error)",
    re.IGNORECASE,
)


def fields(server: Any) -> list[tuple[str, str, str]]:
    """Method, path and name of every field of a JSON body there is."""
    described = server.client.get("/openapi.json").json()
    found = []
    for path, methods in described["paths"].items():
        for method, about in methods.items():
            body = (
                about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            )
            if reference := body.get("$ref"):
                names = described["components"]["schemas"][reference.rsplit("/", 1)[1]]["properties"]
                found += [(method.upper(), path, name) for name in names]
    return found


def test_no_field_of_any_body_answers_in_the_words_of_the_validator(server):
    known = fields(server)
    assert len(known) > 60
    for method, path, name in known:
        where = re.sub(r"\{[^}]*\}", "none", path)
        for value in ODD:
            base = {} if path == JOBS else BASE.get(path, {})  # nothing is to be started
            content = json.dumps({**base, name: value}).encode()
            answer = server.client.request(
                method, where, content=content, headers={"Content-Type": "application/json", **server.token}
            )
            assert answer.status_code < 500, (where, name, value)
            if answer.status_code == 400:
                said = answer.json()["error"]["message"]
                assert not FOREIGN.search(said.replace(f"'{value}'", "")), (where, name, said)
                assert "\n" not in said and 8 < len(said) < 400, said
