"""Who wrote, and whom `--as` means."""

from __future__ import annotations

import pytest

from pellucid.errors import InputError
from pellucid.text.chats.people import choose, people, roles_given
from pellucid.text.chats.record import Kind, Message


def said(author: str, id: str | None = None, text: str = "hello", kind: Kind = "text") -> Message:
    return Message("c", None, id or author, author, text, kind)


def ids(*names: str) -> list[Message]:
    return [said(name) for name in names]


def test_people_are_counted_by_id_and_called_by_the_name_used_most():
    found = people(
        [
            said("Ann", "1"),
            said("Anna", "1"),
            said("Anna", "1"),
            said("Bob", "2", "yes"),
            said("Bob", "2", kind="media"),
        ]
    )
    assert [(each.id, each.name, each.n_messages, each.n_characters) for each in found] == [
        ("1", "Anna", 3, 15),
        ("2", "Bob", 1, 3),
    ]
    assert set(found[0].names) == {"Ann", "Anna"}


@pytest.mark.parametrize("asked", ["Anna Lund", "anna lund", "ANNA", "7", " an", "Änna"])
def test_a_person_by_id_name_case_or_beginning(asked: str):
    found = people([said("Anna Lund", "7"), said("Änna", "7"), said("Bob", "8")])
    assert choose(found, asked).id == "7"


def test_a_whole_name_comes_before_a_beginning():
    assert choose(people(ids("Ann", "Anna")), "ann").id == "Ann"


@pytest.mark.parametrize(
    ("names", "asked", "complaint"),
    [
        ((), "Anna", "no messages that someone wrote"),
        (("Anna",), "Anna", r"only one person wrote \(Anna\).*--format text"),
        (("Anna", "Bob"), None, r"Choose with --as NAME: Anna \(1 message\), Bob \(1 message\)"),
        (("Anna", "Bob"), "Cara", r"nobody here is called 'Cara'.*Anna \(1 message\), Bob"),
        (("Anna", "Bob"), "", "nobody here is called ''"),
        (("Anna", "Annika", "Bob"), "ann", "could be 2 people: say --as 'Anna' .* or --as 'Annika'"),
    ],
)
def test_what_does_not_tell(names: tuple[str, ...], asked: str | None, complaint: str):
    with pytest.raises(InputError, match=complaint):
        choose(people(ids(*names)), asked)


def test_two_people_of_one_name_are_told_apart_by_id():
    found = people([said("Anna", "1"), said("Anna", "2"), said("Bob", "3")])
    with pytest.raises(InputError, match=r"--as '1' \(Anna\) or --as '2' \(Anna\)"):
        choose(found, "Anna")
    assert choose(found, "2").id == "2"


def test_what_the_data_says():
    assert choose(people(ids("them", "me")), None).id == "me"
    assert choose(people(ids("user", "assistant")), None).id == "assistant"
    assert roles_given(people([said("", "system", kind="system"), *ids("assistant")]))
    assert not roles_given(people(ids("assistant", "Bob")))
    with pytest.raises(InputError, match="Choose"):
        choose(people(ids("me", "Bob")), None)
