"""From messages to turns: sorted by time, cut at pauses, merged, with roles."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.chats.record import Kind, Message
from pellucid.text.chats.sessions import Conversation, Turn, conversations, sessions

START = datetime(2024, 5, 17, 9, 0)
REPEATABLE = settings(derandomize=True, max_examples=60)


def said(
    minute: float | None, author: str, text: str, kind: Kind = "text", conversation: str = "c"
) -> Message:
    time = None if minute is None else START + timedelta(minutes=minute)
    return Message(conversation, time, author, author, text, kind)


def texts(messages: list[Message], gap: float = 60) -> list[list[str]]:
    return [[message.text for message in session] for session in sessions(messages, gap)]


def turns(messages: list[Message], assistant: str = "A") -> list[list[tuple[str, str]]]:
    made, _ = conversations(sessions(messages), assistant)
    return [[(turn.role, turn.text) for turn in each.turns] for each in made]


def test_sorted_stably_and_those_without_a_time_stay_behind_their_neighbour():
    messages = [
        *(said(None, "A", "0"), said(5, "A", "3"), said(1, "B", "1"), said(None, "B", "2")),
        *(said(5, "B", "4"), said(None, "A", "5")),
    ]
    assert texts(messages) == [["0", "1", "2", "3", "4", "5"]]


def test_a_pause_longer_than_the_gap_begins_a_session():
    messages = [said(0, "A", "a"), said(60, "B", "b"), said(120.1, "A", "c")]
    assert texts(messages) == [["a", "b"], ["c"]]
    assert texts(messages, 59) == [["a"], ["b"], ["c"]]


def test_a_day_and_three_minutes_are_no_three_minutes():
    assert texts([said(0, "A", "a"), said(24 * 60 + 3, "B", "b")]) == [["a"], ["b"]]


def test_conversations_do_not_mix_and_sessions_are_in_order_of_time():
    messages = [
        *(said(500, "A", "late", conversation="x"), said(0, "A", "a", conversation="x")),
        *(said(1, "B", "b", conversation="y"), said(300, "C", "c", conversation="y")),
    ]
    assert texts(messages) == [["a"], ["b"], ["c"], ["late"]]


def test_zones_compare_with_times_that_tell_none():
    east = Message("c", datetime(2024, 5, 17, 12, 0, tzinfo=timezone(timedelta(hours=2))), "A", "A", "b")
    assert texts([said(61, "B", "c"), east, said(59, "B", "a")]) == [["a", "b", "c"]]


def test_what_is_no_ones_own_words_is_dropped():
    kinds: list[Kind] = ["forwarded", "media", "deleted", "call", "system"]
    messages = [said(0, "A", "a"), *(said(1, "B", "x", kind) for kind in kinds), said(2, "B", " \n")]
    assert texts(messages) == [["a"]]


@pytest.mark.parametrize("gap", [0, -1, float("nan")])
def test_a_gap_is_above_0(gap: float):
    with pytest.raises(InputError, match="--gap is a number of minutes above 0"):
        sessions([said(0, "A", "a")], gap)


def test_runs_are_merged_and_the_unanswered_end_is_cut():
    messages = [
        said(n, *each) for n, each in enumerate([("B", "1"), ("B", "2"), ("A", "3"), ("A", "4"), ("B", "5")])
    ]
    assert turns(messages) == [[("user", "1\n2"), ("assistant", "3\n4")]]


def test_a_session_that_the_assistant_opens_has_an_empty_user_turn_first():
    assert turns([said(0, "A", "hi"), said(1, "B", "hey"), said(2, "A", "so")]) == [
        [("user", ""), ("assistant", "hi"), ("user", "hey"), ("assistant", "so")]
    ]


def test_in_groups_users_are_told_apart_by_name():
    messages = [said(n, *each) for n, each in enumerate([("B", "1"), ("B", "2"), ("C\nD", "3"), ("A", "4")])]
    assert turns(messages) == [[("user", "B: 1\n2\nC D: 3"), ("assistant", "4")]]
    pair = [said(0, "B", "1", conversation="pair"), said(1, "A", "2", conversation="pair")]
    assert turns([*messages, *pair])[1] == [("user", "1"), ("assistant", "2")]


def test_sessions_without_a_reply_and_repeated_ones_are_left_out_and_counted():
    pair = [said(200, "B", "1"), said(201, "A", "2")]
    again = [said(200, "B", "1", conversation="again"), said(201, "A", "2", conversation="again")]
    made, dropped = conversations(sessions([said(0, "B", "anyone?"), *pair, *again]), "A")
    assert [each.turns for each in made] == [(Turn("user", "1"), Turn("assistant", "2"))]
    assert made[0].start == START + timedelta(minutes=200)
    assert dropped == {"without_reply": 1, "repeated": 1}


def test_given_roles_pass_through_whole():
    messages = [
        Message("c", START, "system", None, "Be kind.", "system"),
        said(0, "user", "hi"),
        said(900, "assistant", "hello"),
        said(1800, "user", "bye"),
        said(2700, "assistant", "bye!"),
    ]
    assert turns(messages, "assistant") == [
        [
            ("system", "Be kind."),
            ("user", "hi"),
            ("assistant", "hello"),
            ("user", "bye"),
            ("assistant", "bye!"),
        ]
    ]


@REPEATABLE
@given(st.lists(st.tuples(st.integers(0, 2000), st.sampled_from("ABC")), max_size=40), st.integers(0, 999))
def test_every_message_is_in_one_session_in_order_of_time(drawn: list[tuple[int, str]], seed: int):
    messages = [said(minute, author, str(n)) for n, (minute, author) in enumerate(drawn)]
    found = sessions(messages)
    flat = [message for session in found for message in session]
    assert flat == sorted(messages, key=lambda message: message.time or START)
    for session in found:
        times = [message.time for message in session if message.time]
        assert all(later - earlier <= timedelta(hours=1) for earlier, later in itertools.pairwise(times))
    for one, other in itertools.pairwise(found):
        assert one[-1].time and other[0].time and other[0].time - one[-1].time > timedelta(hours=1)
    distinct = {message.time: message for message in messages}  # one a time: no order among equals to keep
    several = list(distinct.values())
    random.Random(seed).shuffle(several)
    assert sessions(several) == sessions(list(distinct.values()))


@REPEATABLE
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.text("xy\n", min_size=1, max_size=5)), max_size=30))
def test_turns_alternate_and_lose_no_word_before_the_last_reply(drawn: list[tuple[str, str]]):
    messages = [said(None, author, f"w{text}") for author, text in drawn]
    made, _ = conversations(sessions(messages), "A")
    for each in made:
        assert isinstance(each, Conversation)
        roles = [turn.role for turn in each.turns]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        replies = "\n".join(turn.text for turn in each.turns if turn.role == "assistant")
        assert replies == "\n".join(message.text for message in messages if message.author == "A")
        assert each.n_replies == len(roles) // 2
