"""What a chat holds, and what a model would learn of it: people, times, sessions, redactions, examples."""

from __future__ import annotations

import bisect
import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from pellucid.text.chats.examples import Examples, find_examples
from pellucid.text.chats.people import Person, choose, default, people
from pellucid.text.chats.privacy import Protected, protect
from pellucid.text.chats.record import Chats, Unparsed
from pellucid.text.chats.redaction import Found
from pellucid.text.chats.sessions import GAP_MINUTES, Conversation, Role, gaps, sessions, utc

SHOWN_UNPARSED, SHOWN_EXAMPLES = 5, 3
MOST_TURNS = 8  # of an example that is shown
# Upper bounds, in minutes and in messages, and how a person calls what lies below; the last has no bound.
PAUSES = (
    (1, "under 1 min"),
    (5, "1 to 5 min"),
    (15, "5 to 15 min"),
    (60, "15 to 60 min"),
    (180, "1 to 3 h"),
    (720, "3 to 12 h"),
    (1440, "12 to 24 h"),
    (10080, "1 to 7 days"),
    (float("inf"), "over a week"),
)
LENGTHS = (
    (2, "1"),
    (4, "2 to 3"),
    (8, "4 to 7"),
    (16, "8 to 15"),
    (32, "16 to 31"),
    (64, "32 to 63"),
    (float("inf"), "64 and more"),
)


@dataclasses.dataclass(frozen=True)
class Span:
    """A part of an example as the model meets it: who says it, and whether it is learned."""

    role: Role
    text: str
    learned: bool


@dataclasses.dataclass(frozen=True)
class ChatSurvey:
    """What there is to know of a chat before a model learns from it.

    Attributes:
        people: most messages first, by the names they have in the export.
        learned_names: the names that a model meets them by, by those people's ids.
        kinds: how many messages of each kind.
        first, last: times, without zones; None where the export tells none.
        pauses, lengths: (what, how many) from short to long: minutes between neighbours, messages of a session.
        assistant: whom the model becomes, in the export's names.
        asked: whether that was asked for, or follows from the data; otherwise it is the one who wrote most, to show
            examples by.
        examples: of the redacted chat.
        shown: three conversations of them, from its beginning, middle and end.
        notes: sentences for the person.
    """

    format: str
    n_messages: int
    n_conversations: int
    kinds: dict[str, int]
    people: tuple[Person, ...]
    learned_names: dict[str, str]
    first: datetime | None
    last: datetime | None
    n_sessions: int
    pauses: tuple[tuple[str, int], ...]
    lengths: tuple[tuple[str, int], ...]
    unparsed: tuple[Unparsed, ...]
    found: Found
    assistant: Person
    asked: bool
    examples: Examples
    shown: tuple[tuple[Span, ...], ...]
    notes: tuple[str, ...]


def survey(
    chats: Chats,
    assistant: str | None = None,
    *,
    gap_minutes: float = GAP_MINUTES,
    keep: Iterable[str] = (),
    names: bool = False,
) -> tuple[ChatSurvey, Protected]:
    """Looks at a chat as `finetune` would, and refuses nothing for being too little.

    Returns:
        What there is to know, and the chat as it may be kept: redacted.

    Raises:
        InputError: fewer than two people wrote, `assistant` names nobody here, a kind to keep is
            unknown, or the gap is not above 0.
    """
    everyone = people(chats.messages)
    person, asked = _who(everyone, assistant)
    protected = protect(chats, keep, names)
    names_after = {each.id: each.name for each in people(protected.chats.messages)}
    found = sessions(chats.messages, gap_minutes)
    examples = find_examples(protected.chats, protected.ids[person.id], gap_minutes=gap_minutes)
    times = [utc(message.time) for message in chats.messages if message.time is not None]
    return (
        ChatSurvey(
            format=chats.format,
            n_messages=len(chats.messages),
            n_conversations=len({message.conversation for message in chats.messages}),
            kinds=dict(Counter(message.kind for message in chats.messages).most_common()),
            people=everyone,
            learned_names={each.id: names_after[protected.ids[each.id]] for each in everyone},
            first=min(times, default=None),
            last=max(times, default=None),
            n_sessions=len(found),
            pauses=_histogram(_all_pauses(chats), PAUSES),
            lengths=_histogram(map(len, found), LENGTHS),
            unparsed=chats.unparsed,
            found=protected.found,
            assistant=person,
            asked=asked,
            examples=examples,
            shown=_shown(examples),
            notes=(*chats.notes, *protected.notes, *examples.notes),
        ),
        protected,
    )


def _who(everyone: Sequence[Person], assistant: str | None) -> tuple[Person, bool]:
    """The person asked for or given by the data; else the one with the most messages, to show examples by."""
    if assistant is not None:
        return choose(everyone, assistant), True
    if len(everyone) < 2:
        choose(everyone, None)  # says why that is no chat to learn from
    given = default(everyone)
    return (given, True) if given else (everyone[0], False)


def _all_pauses(chats: Chats) -> Iterable[float]:
    """Between neighbours of a conversation, by their time, in minutes."""
    for several in sessions(chats.messages, float("inf")):
        yield from gaps(several)


def _histogram(values: Iterable[float], bounds: Sequence[tuple[float, str]]) -> tuple[tuple[str, int], ...]:
    edges = [bound for bound, _ in bounds]
    counts = Counter(bisect.bisect_right(edges[:-1], value) for value in values)
    return tuple((label, counts[place]) for place, (_, label) in enumerate(bounds))


def _shown(examples: Examples) -> tuple[tuple[Span, ...], ...]:
    """From the first, a middle and a late conversation that the model would train on; short ones are seldom telling."""
    if not examples.train:
        return ()
    telling = [each for each in examples.train if len(each.turns) >= 2] or list(examples.train)
    places = dict.fromkeys((0, len(telling) // 2, len(telling) - 1))
    return tuple(_spans(telling[place]) for place in list(places)[:SHOWN_EXAMPLES])


def _spans(conversation: Conversation) -> tuple[Span, ...]:
    """The last turns of a conversation, from a user's on."""
    turns = conversation.turns[-MOST_TURNS:]
    while len(turns) > 1 and turns[0].role == "assistant":
        turns = turns[1:]
    return tuple(Span(turn.role, turn.text, turn.role == "assistant") for turn in turns)
