"""Who wrote in a chat, and which of them the model becomes."""

from __future__ import annotations

import dataclasses
import difflib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pellucid.errors import InputError
from pellucid.text.chats.record import Message
from pellucid.text.wording import plural

ROLES = frozenset(("user", "assistant", "system"))
ME, THEM = "me", "them"  # of plain files that name the sides so
MOST_NAMED = 12  # people whom an error lists


@dataclasses.dataclass(frozen=True, slots=True)
class Person:
    """One who wrote; `name` is the one used most often, `names` are all of them, `n_*` count kept messages."""

    id: str
    name: str
    names: tuple[str, ...]
    n_messages: int
    n_characters: int


def kept(message: Message) -> bool:
    """Whether a message is someone's own words; a system prompt counts, where roles are given."""
    own = message.kind == "text" or (message.kind == "system" and message.author_id == "system")
    return own and message.author_id is not None and bool(message.text.strip())


def people(messages: Iterable[Message]) -> tuple[Person, ...]:
    """All who wrote words of their own, most messages first."""
    names: dict[str, Counter[str]] = {}
    characters = Counter[str]()
    for message in messages:
        if kept(message):
            assert message.author_id is not None
            names.setdefault(message.author_id, Counter())[message.author or message.author_id] += 1
            characters[message.author_id] += len(message.text)
    found = [
        Person(id, used.most_common(1)[0][0], tuple(used), used.total(), characters[id])
        for id, used in names.items()
    ]
    return tuple(sorted(found, key=lambda person: -person.n_messages))


def roles_given(found: Sequence[Person]) -> bool:
    """Whether the authors are roles already, as in `{"messages": [{"role": …}]}`."""
    ids = {person.id for person in found}
    return "assistant" in ids and ids <= ROLES


def choose(found: Sequence[Person], asked: str | None) -> Person:
    """The person the model becomes.

    Args:
        found: by `people`.
        asked: an id or a name, in any case, or the beginning of one that only one person has. None is allowed where
            the data says it: roles are given, or the sides are called `me` and `them`.

    Raises:
        InputError: nobody or one person wrote, or `asked` does not tell which of them.
    """
    if not found:
        raise InputError(
            "no messages that someone wrote were found: export the chat as text, and see `pellucid preview`"
        )
    if len(found) == 1:
        raise InputError(
            f"only one person wrote ({found[0].name}), and a chat takes two: give an export with both sides, "
            "or learn the writing as plain text with --format text"
        )
    if asked is None:
        given = default(found)
        if given is None:
            raise InputError(f"who should the model become? Choose with --as NAME: {list_of(found)}")
        return given
    for matches in _ways(found, asked):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = " or ".join(f"--as {person.id!r} ({person.name})" for person in matches[:MOST_NAMED])
            raise InputError(f"--as {asked!r} could be {plural(len(matches), 'person', 'people')}: say {ids}")
    near = _nearest(found, asked)
    hint = f": did you mean {near!r}?" if near else ";"
    raise InputError(f"nobody here is called {asked!r}{hint} --as takes one of: {list_of(found)}")


def _nearest(found: Sequence[Person], asked: str) -> str | None:
    """The name that `asked` may be a misspelling of, whole or one of its words."""
    spelled = {folded(part): name for each in found for name in each.names for part in (*name.split(), name)}
    near = difflib.get_close_matches(folded(asked), spelled, 1)
    return spelled[near[0]] if near else None


def list_of(found: Sequence[Person]) -> str:
    """`Anna (1,204 messages), Bob (980 messages)`."""
    named = [f"{person.name} ({plural(person.n_messages, 'message')})" for person in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        named.append(f"and {len(found) - MOST_NAMED:,} more")
    return ", ".join(named)


def default(found: Sequence[Person]) -> Person | None:
    """The assistant where roles are given, and `me` where the sides are called so; else None."""
    by_id = {folded(person.id): person for person in found}
    if roles_given(found):
        return by_id["assistant"]
    return by_id[ME] if by_id.keys() == {ME, THEM} else None


def _ways(found: Sequence[Person], asked: str) -> Iterable[list[Person]]:
    """Whom `asked` means, by ever looser readings."""
    wanted = folded(asked)

    def matching(same: Callable[[str], bool]) -> list[Person]:
        return [person for person in found if any(same(name) for name in (person.id, *person.names))]

    yield [person for person in found if person.id == asked]
    yield matching(lambda name: name == asked)
    yield matching(lambda name: folded(name) == wanted)
    yield matching(lambda name: bool(wanted) and folded(name).startswith(wanted))


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()
