"""What a chat holds, counted by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pellucid.errors import InputError
from pellucid.text.chats.record import Chats, Message, Unparsed
from pellucid.text.chats.survey import MOST_TURNS, survey

START = datetime(2024, 5, 17, 9, 0)


def said(minute: float, author: str, text: str, **rest: str) -> Message:
    return Message("c", START + timedelta(minutes=minute), author, author, text, **rest)  # pyright: ignore[reportArgumentType]


MESSAGES = (
    said(0, "Bob", "hi"),
    said(0.5, "Anna", "mail a@b.org"),
    said(3, "Bob", "x.jpg", kind="media"),
    said(100, "Bob", "there?"),
    said(100 + 3 * 1440, "Bob", "hello"),
    said(110 + 3 * 1440, "Anna", "yes"),
    said(111 + 3 * 1440, "Bob", "good"),
)
CHATS = Chats("whatsapp", MESSAGES, (Unparsed("c.txt", 3, "stray"),), ("dates were read day first",))


def test_counts():
    found, protected = survey(CHATS, "anna")
    assert [(each.name, each.n_messages, each.n_characters) for each in found.people] == [
        ("Bob", 4, 17),
        ("Anna", 2, 15),
    ]
    assert found.kinds == {"text": 6, "media": 1}
    assert (found.first, found.last) == (MESSAGES[0].time, MESSAGES[-1].time)
    assert found.n_sessions == 3
    assert {label: count for label, count in found.pauses if count} == {
        "under 1 min": 1,
        "1 to 5 min": 1,
        "5 to 15 min": 1,
        "1 to 3 h": 1,
        "1 to 7 days": 1,
    }
    assert {label: count for label, count in found.lengths if count} == {"1": 1, "2 to 3": 2}
    assert found.unparsed == CHATS.unparsed
    assert found.found.counts == {"email": 1}
    assert found.notes[0] == "dates were read day first"
    assert (found.assistant.name, found.asked) == ("Anna", True)
    assert found.examples.n_replies == 2
    assert protected.chats.messages[1].text == "mail [email]"


def test_what_is_learned_is_what_the_person_said():
    found, _ = survey(CHATS, "Anna")
    # the other session is held out
    assert [[(span.role, span.text, span.learned) for span in spans] for spans in found.shown] == [
        [("user", "hi", False), ("assistant", "mail [email]", True)]
    ]


def test_three_examples_from_the_beginning_the_middle_and_the_end():
    messages = [
        said(120 * s + n, author, f"{s}-{n}")
        for s in range(40)
        for n, author in enumerate(("Bob", "Anna") * 6)
    ]
    found, _ = survey(Chats("x", tuple(messages)), "Anna")
    assert len(found.shown) == 3
    assert [spans[-1].text.split("-")[0] for spans in found.shown] == ["0", "17", "33"]
    assert all(len(spans) <= MOST_TURNS and spans[0].role == "user" for spans in found.shown)


def test_nobody_asked_for_is_the_one_who_wrote_most():
    found, _ = survey(CHATS)
    assert (found.assistant.name, found.asked) == ("Bob", False)
    sides = Chats("turns", tuple(Message("c", None, who, who, "x") for who in ("me", "them", "them")))
    found, _ = survey(sides)
    assert (found.assistant.name, found.asked) == ("me", True)


def test_a_person_is_chosen_by_the_own_name_and_shown_by_the_new_one():
    found, protected = survey(CHATS, "Anna", names=True)
    assert found.assistant.name == "Anna"
    assert found.examples.assistant == protected.ids["Anna"] != "Anna"
    assert {message.author for message in protected.chats.messages}.isdisjoint({"Anna", "Bob"})


def test_one_person_is_no_chat():
    with pytest.raises(InputError, match=r"only one person wrote \(Anna\)"):
        survey(Chats("x", (said(0, "Anna", "hi"),)))
