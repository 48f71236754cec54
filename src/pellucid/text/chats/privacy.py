"""The messages of a chat as a model may see them: redacted, and with other names if asked for."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

from pellucid.text.chats.people import ROLES
from pellucid.text.chats.pseudonyms import Pseudonyms
from pellucid.text.chats.record import Chats, Message
from pellucid.text.chats.redaction import Found, Redactor, redactor_for


@dataclasses.dataclass(frozen=True)
class Protected:
    """Chats with what is private taken out.

    Attributes:
        chats: the same messages in the same order.
        found: what was redacted in them.
        ids: the author id that stands for each of the old ones; choose people before, by their own names.
        notes: sentences for the person.
    """

    chats: Chats
    found: Found
    ids: dict[str, str]
    notes: tuple[str, ...] = ()


def protect(chats: Chats, keep: Iterable[str] = (), names: bool = False) -> Protected:
    """Redacts texts, conversations' names and authors, and with `names` gives people pseudonyms.

    People stay apart: one who is named by a phone number becomes `[phone]`, the next `[phone] 2`.

    Args:
        keep: kinds of KINDS (redaction.py) that stay.

    Raises:
        InputError: as `Redactor`.
    """
    redactor = redactor_for(chats.messages, keep)
    pseudonyms = _pseudonyms(chats.messages) if names else None
    people = _People(redactor, pseudonyms)
    conversations, distinct = dict[str, str](), _Distinct()

    def rewritten(text: str) -> str:
        text = redactor.redact(text)
        return pseudonyms.text(text) if pseudonyms else text

    def conversation(name: str) -> str:
        if name not in conversations:
            conversations[name] = distinct.take(rewritten(name), name)
        return conversations[name]

    messages = tuple(
        Message(
            conversation(message.conversation),
            message.time,
            people.id_of(message),
            people.name_of(message),
            rewritten(message.text),
            message.kind,
        )
        for message in chats.messages
    )
    notes = pseudonyms.notes if pseudonyms else ()
    return Protected(dataclasses.replace(chats, messages=messages), redactor.found, people.ids, notes)


def _pseudonyms(messages: Iterable[Message]) -> Pseudonyms:
    messages = tuple(messages)
    authors = dict.fromkeys(message.author for message in messages if message.author)
    return Pseudonyms(authors, (message.text for message in messages))


class _People:
    """New names and ids for authors, each made once."""

    def __init__(self, redactor: Redactor, pseudonyms: Pseudonyms | None) -> None:
        self.ids: dict[str, str] = {}
        self._redactor, self._pseudonyms = redactor, pseudonyms
        self._names: dict[tuple[str | None, str], str] = {}  # by id and old name
        self._distinct_ids, self._distinct_names = _Distinct(), _Distinct()

    def id_of(self, message: Message) -> str | None:
        old = message.author_id
        if old is None:
            return None
        if old not in self.ids:
            self.ids[old] = self._distinct_ids.take(self._new_id(old, message), old)
        return self.ids[old]

    def _new_id(self, old: str, message: Message) -> str:
        if old == message.author:
            return self.name_of(message) or old
        if old in ROLES or (old.isdecimal() and not self._pseudonyms):
            return old
        if self._pseudonyms:  # an account's id tells who it is as well as a name does
            return f"person-{len(self.ids) + 1}"
        return self._redactor.redact(old)

    def name_of(self, message: Message) -> str | None:
        old, id = message.author, message.author_id
        if old is None:
            return None
        if (id, old) not in self._names:
            new = self._pseudonyms.author(old) if self._pseudonyms else self._redactor.redact(old)
            # two of one name keep it, as in the export; what became alike is told apart
            self._names[id, old] = new if new == old else self._distinct_names.take(new, id)
        return self._names[id, old]


class _Distinct:
    """Names that different owners must not share: the second one gets a 2."""

    def __init__(self) -> None:
        self._owners: dict[str, object] = {}
        self._given: dict[tuple[str, object], str] = {}
        self._numbers = Counter[str]()

    def take(self, name: str, owner: object) -> str:
        if (name, owner) not in self._given:
            new = name
            while new in self._owners:
                self._numbers[name] += 1
                new = f"{name} {self._numbers[name] + 1}"
            self._owners[new] = owner
            self._given[name, owner] = new
        return self._given[name, owner]
