"""Records a line: what is written is read back equal; training data in the forms they come in."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.jsonl import write_neutral
from pellucid.text.chats.record import Kind, Message

TEXTS = st.text(max_size=30)
ZONES = st.none() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MESSAGES = st.builds(
    Message, TEXTS, st.none() | st.datetimes(timezones=ZONES), st.none() | TEXTS, st.none() | TEXTS, TEXTS,
    st.sampled_from(get_args(Kind)),
)  # fmt: skip


@given(st.lists(MESSAGES, min_size=1))
@settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_written_is_read_back_equal(tmp_path: Path, messages):
    path = tmp_path / "chat.jsonl"
    write_neutral(messages, path)
    found = read_chats(path)
    assert (found.format, found.messages, found.unparsed, found.notes) == ("jsonl", tuple(messages), (), ())


def test_the_written_form(tmp_path):
    time = datetime(2022, 12, 9, 21, 25, 39, tzinfo=UTC)
    first = Message("Anna", time, "user1", "Zoë", "a\nb\u2028c")
    write_neutral([first, Message("Anna", None, None, None, "x", "system")], tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes().decode() == (
        '{"conversation": "Anna", "time": "2022-12-09T21:25:39+00:00", "author_id": "user1", "author": "Zoë", '
        '"text": "a\\nb\u2028c", "kind": "text"}\n'
        '{"conversation": "Anna", "time": null, "author_id": null, "author": null, "text": "x", "kind": "system"}\n'
    )


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("before")

    def messages():
        yield Message("Anna", None, "a", "Anna", "x")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        write_neutral(messages(), path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match=r"missing.* cannot be written"):
        write_neutral([], tmp_path / "missing" / "a.jsonl")


def lines(*rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def said(found):
    return [(m.author_id, m.text) for m in found.messages]


def test_the_record_may_be_short_and_what_is_wrong_is_counted(read):
    good = {"conversation": "c", "author": "Anna", "text": "hi"}
    odd = [
        good | {"time": "noon"},
        good | {"kind": "song"},
        good | {"author": 3},
        good | {"text": None},
        "{",
        "3",
    ]
    found = read(lines(good, *odd, "", good), "a.jsonl")
    assert found.messages == (Message("c", None, "Anna", "Anna", "hi"),) * 2
    assert sorted(element.line or 0 for element in found.unparsed) == [2, 3, 4, 5, 6, 7]


TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
         {"role": "assistant", "content": [{"type": "text", "text": "Ho"}, {"type": "image_url"}]}]  # fmt: skip


def test_messages(read):
    rows = [{"messages": TURNS}, {"id": "x", "messages": TURNS[1:]}]
    found = read(lines(*rows), "data.jsonl")
    assert found.format == "messages"
    assert said(found) == [("system", "Be brief."), *[("user", "Hi"), ("assistant", "Ho")] * 2]
    assert [m.conversation for m in found.messages] == ["data 1"] * 3 + ["x"] * 2
    assert (found.messages[0].kind, found.messages[0].author) == ("system", None)
    assert read(json.dumps(rows, indent=1), "data.json").messages == found.messages


def test_a_first_line_that_is_damaged_is_one_line(read):
    found = read(lines('{"messages": [', {"messages": TURNS}), "data.jsonl")
    assert len(found.messages) == 3 and [element.line for element in found.unparsed] == [1]


def test_one_conversation_alone(read):
    assert said(read({"messages": TURNS})) == said(read(TURNS)) == said(read(lines(*TURNS)))


def test_other_names_of_roles_are_kept(read):
    found = read(
        {"id": "t", "messages": [{"role": "agent_1", "content": "a"}, {"role": "agent_2", "content": "b"}]}
    )
    assert said(found) == [("agent_1", "a"), ("agent_2", "b")]


def test_calls_of_tools_are_no_words(read):
    odd = {"role": "assistant", "content": None, "tool_calls": []}
    found = read({"messages": [*TURNS, odd, {"role": "tool", "content": "42"}]})
    assert found.messages[-1] == Message("result 1", None, None, None, "42", "system")
    assert len(found.unparsed) == 1


def test_calls_and_refusals(read):
    calls = [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    turns = [
        {"role": "System", "content": "s"},
        {"role": "User", "content": "Hi"},
        {"role": "Assistant", "tool_calls": calls},
        {"role": "assistant", "content": None, "function_call": {"name": "look"}},
        {"role": "Tool", "content": "42"},
        {"role": "assistant", "content": "It is 42.", "tool_calls": calls},
        {"role": "assistant", "content": None, "refusal": "No."},
    ]
    found = read({"messages": turns, "tools": [], "system": "above"})
    assert not found.unparsed and [(m.kind, m.author_id) for m in found.messages] == [
        ("system", "system"), ("system", "system"), ("text", "user"), ("system", None), ("system", None),
        ("system", None), ("text", "assistant"), ("text", "assistant"),
    ]  # fmt: skip
    assert [found.messages[place].text for place in (0, 1, 5, 6, 7)] == [
        "above",
        "s",
        "42",
        "It is 42.",
        "No.",
    ]
    assert '"look"' in found.messages[3].text


def test_old_sharegpt(read):
    found = read([{"id": "i", "items": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]}])
    assert found.format == "sharegpt" and said(found) == [("user", "Hi"), ("assistant", "Ho")]


def test_what_was_asked_before(read):
    row = {
        "instruction": "And now?",
        "input": None,
        "output": "No.",
        "history": [["Soup?", "Yes."], ["Hot?", "Yes!"]],
    }
    broken = row | {"history": [["one"]]}
    found = read([row, broken])
    assert said(found) == [("user", "Soup?"), ("assistant", "Yes."), ("user", "Hot?"), ("assistant", "Yes!"),
                           ("user", "And now?"), ("assistant", "No.")]  # fmt: skip
    assert len(found.unparsed) == 1


def test_sharegpt(read):
    turns = [
        {"from": "system", "value": "s"},
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Ho"},
    ]
    found = read([{"id": "i", "conversations": turns}])
    assert found.format == "sharegpt"
    assert said(found) == [("system", "s"), ("user", "Hi"), ("assistant", "Ho")]


def test_alpaca(read):
    rows = [{"instruction": "Add.", "input": "1 1", "output": "2"},
            {"instruction": "Sing.", "input": "", "output": "La"},
            {"instruction": "Go.", "output": "No", "system": "s"}, {"instruction": 1, "output": "x"}]  # fmt: skip
    found = read(rows)
    assert found.format == "alpaca" and len(found.unparsed) == 1
    assert said(found) == [("user", "Add.\n\n1 1"), ("assistant", "2"), ("user", "Sing."), ("assistant", "La"),
                           ("system", "s"), ("user", "Go."), ("assistant", "No")]  # fmt: skip
    assert read(lines(*rows), "a.jsonl").messages[0].text == "Add.\n\n1 1"


def test_lone_halves_of_pairs_become_what_a_file_can_hold(read, tmp_path):
    found = read(r'{"messages": [{"role": "user", "content": "\ud83d \ud83d\ude00"}]}')
    assert found.messages[0].text == "\ufffd 😀"
    write_neutral(found.messages, tmp_path / "a.jsonl")
