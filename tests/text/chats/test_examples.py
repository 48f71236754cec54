"""Examples: the last tenth by time held out, nothing of it in training, and enough of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.chats.examples import find_examples, hold_out, make_examples, require_enough, without
from pellucid.text.chats.record import Chats, Message
from pellucid.text.chats.sessions import Conversation, Turn

START = datetime(2024, 5, 17, 9, 0)
REPEATABLE = settings(derandomize=True, max_examples=200)


def conversation(n_replies: int, name: str = "x") -> Conversation:
    return Conversation(
        tuple(
            turn
            for n in range(n_replies)
            for turn in (Turn("user", f"{name} {n}?"), Turn("assistant", f"{name} {n}!"))
        ),
        START,
    )


def chat(n_sessions: int, replies: int = 1, timed: bool = True) -> Chats:
    messages = [
        Message(
            "c",
            START + timedelta(hours=2 * s, minutes=n) if timed else None,
            author,
            author,
            f"{s} {n} {author}",
        )
        for s in range(n_sessions)
        for n in range(replies)
        for author in ("Bob", "Anna")
    ]
    return Chats("x", tuple(messages))


def test_the_last_tenth_by_time_is_validation_and_dev_comes_before_it():
    found = find_examples(chat(200), "Anna")
    assert (len(found.train), len(found.dev), len(found.validation)) == (171, 9, 20)
    starts = [each.start for part in (found.train, found.dev, found.validation) for each in part]
    assert starts == [START + timedelta(hours=2 * s) for s in range(200)]
    assert found.n_replies == found.counts["messages"] // 2 == 200
    assert found.counts["validation_replies"] == 20


def test_one_long_conversation_is_cut():
    found = find_examples(chat(1, 300), "Anna")
    assert [part[0].n_replies for part in (found.train, found.dev, found.validation)] == [256, 14, 30]
    assert found.validation[0].turns[0].role == "user"
    assert found.train[0].turns + found.dev[0].turns + found.validation[0].turns == (
        *find_examples(chat(1, 300), "Anna", validation_fraction=0, dev_fraction=0).train[0].turns,
    )


def test_a_conversation_that_is_cut_keeps_its_instructions():
    whole = Conversation((Turn("system", "Be kind."), *conversation(20).turns))
    (first,), (second,) = hold_out([whole], 0.1)
    assert (first.n_replies, second.n_replies) == (18, 2)
    assert first.turns[0] == second.turns[0] == Turn("system", "Be kind.")


@REPEATABLE
@given(st.lists(st.integers(1, 30), max_size=30), st.sampled_from([0.0, 0.05, 0.1, 0.5]))
def test_what_is_held_out_is_the_end_and_about_the_fraction(sizes: list[int], fraction: float):
    made = [conversation(size, str(n)) for n, size in enumerate(sizes)]
    kept, held = hold_out(made, fraction)
    assert [turn for each in (*kept, *held) for turn in each.turns] == [
        turn for each in made for turn in each.turns
    ]
    assert all(each.turns[-1].role == "assistant" for each in (*kept, *held))
    n_held = sum(each.n_replies for each in held)
    assert bool(kept) == bool(made)
    if fraction and sum(sizes) > 1:
        assert 1 <= n_held <= 3 * fraction * sum(sizes) + 1
    else:
        assert n_held == 0


def test_of_two_short_conversations_one_is_held_out():
    one, other = conversation(1, "a"), conversation(1, "b")
    assert hold_out([one, other], 0.1) == ((one,), (other,))
    assert hold_out([one], 0.1) == ((one,), ())


@pytest.mark.parametrize("fraction", [-0.1, 1.0])
def test_a_fraction_out_of_range(fraction: float):
    with pytest.raises(InputError, match="from 0 to below 1"):
        hold_out([conversation(3)], fraction)


def test_what_is_held_out_word_for_word_is_not_trained_on():
    same = Conversation((Turn("user", "Hi  there"), Turn("assistant", "hey")))
    shouted = Conversation((Turn("user", "hi there\n"), Turn("assistant", "HEY")))
    other = conversation(1)
    assert without([same, other], [shouted]) == ((other,), 1)

    messages = [
        Message(
            "c",
            START + timedelta(hours=2 * s, minutes=n),
            author,
            author,
            "hello" if s in (3, 19) else f"{s}",
        )
        for s in range(20)
        for n, author in enumerate(("Bob", "Anna"))
    ]
    found = find_examples(Chats("x", tuple(messages)), "Anna")
    assert found.counts["duplicates"] == 1
    assert not any("hello" in turn.text for each in (*found.train, *found.dev) for turn in each.turns)
    assert any("word for word" in note for note in found.notes)


def test_too_few_are_refused_unless_anyway():
    with pytest.raises(InputError, match=r"199 replies .* too few.*--anyway"):
        make_examples(chat(199), "Anna")
    found = make_examples(chat(199), "Anna", anyway=True)
    assert found.n_replies == 199
    assert any("fewer than 200" in note for note in found.notes)
    assert any("fewer than 2,000" in note for note in make_examples(chat(200), "Anna").notes)
    assert make_examples(chat(2000), "Anna").notes == ()


def test_somebody_who_never_answers_is_refused_even_anyway():
    with pytest.raises(InputError, match="answers nothing"):
        require_enough(0, anyway=True)


def test_what_was_dropped_is_counted():
    extra = [
        Message("c", START, "Bob", "Bob", "x.jpg", "media"),
        Message("c", START, "Bob", "Bob", "", "deleted"),
        Message("c", START, "Bob", "Bob", " "),
        Message("c", START + timedelta(days=99), "Bob", "Bob", "anyone?"),
    ]
    found = find_examples(Chats("x", (*chat(20).messages, *extra)), "Anna")
    for name in ("dropped_media", "dropped_deleted", "dropped_blank", "sessions_without_reply"):
        assert found.counts[name] == 1
    assert found.counts["sessions"] == 21
