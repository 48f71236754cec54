"""From messages to conversations of a user and an assistant: sorted, cut where talk paused, runs merged."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pellucid.errors import InputError
from pellucid.text.chats.people import kept, people, roles_given
from pellucid.text.chats.record import Message
from pellucid.text.template import Role, Turn, as_learned

GAP_MINUTES = 60.0
GROUP = 3  # people; from here on, users are told apart by their names


@dataclasses.dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in order, the last by the assistant; `start` is the time of the first message, where it is known."""

    turns: tuple[Turn, ...]
    start: datetime | None = None

    @property
    def n_replies(self) -> int:
        return sum(turn.role == "assistant" for turn in self.turns)


Session = tuple[Message, ...]  # what was written in one conversation, without a long pause


def sessions(messages: Iterable[Message], gap_minutes: float = GAP_MINUTES) -> tuple[Session, ...]:
    """What people wrote, in sessions, by their time.

    Within a conversation messages are sorted stably; one without a time stays behind the one before it. What is no
    one's own words is dropped: system messages, media, deleted, forwarded, calls, blanks. A pause *longer* than
    `gap_minutes` begins a new session, unless the data gives roles: those conversations are whole as they are.

    Raises:
        InputError: the gap is not a positive number.
    """
    if not gap_minutes > 0:
        raise InputError(f"--gap is a number of minutes above 0, not {gap_minutes:g}")
    by_conversation: dict[str, list[Message]] = {}
    for message in messages:
        if kept(message):
            by_conversation.setdefault(message.conversation, []).append(message)
    found = list[Session]()
    for several in by_conversation.values():
        whole = roles_given(people(several))
        found += _split(_sorted(several), float("inf") if whole else gap_minutes)
    starts = _carried(session[0].time for session in found)
    order = sorted(range(len(found)), key=starts.__getitem__)
    return tuple(found[place] for place in order)


def gaps(messages: Sequence[Message]) -> Iterator[float]:
    """Minutes between neighbours that both have a time."""
    for one, other in itertools.pairwise(messages):
        if one.time is not None and other.time is not None:
            yield (utc(other.time) - utc(one.time)) / timedelta(minutes=1)


def utc(time: datetime) -> datetime:
    """Without a zone, so that all compare; a time that tells no zone is taken as it is."""
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def _sorted(messages: Sequence[Message]) -> list[Message]:
    keys = _carried(message.time for message in messages)
    return [messages[place] for place in sorted(range(len(messages)), key=keys.__getitem__)]


def _carried(times: Iterable[datetime | None]) -> list[datetime]:
    """Keys to sort by: what has no time has that of the one before it."""
    keys, last = list[datetime](), datetime.min
    for time in times:
        last = last if time is None else utc(time)
        keys.append(last)
    return keys


def _split(messages: Sequence[Message], gap_minutes: float) -> Iterator[Session]:
    session, last = list[Message](), None
    for message in messages:
        if message.time is not None:
            now = utc(message.time)
            if last is not None and (now - last) / timedelta(minutes=1) > gap_minutes:
                yield tuple(session)
                session = []
            last = now
        session.append(message)
    if session:
        yield tuple(session)


# ---------------------------------------------------------------------- roles


def conversations(found: Sequence[Session], assistant: str) -> tuple[tuple[Conversation, ...], Counter[str]]:
    """The sessions as turns of two sides, and why any were left out.

    A run of messages by one author is one turn, joined by line ends. In conversations of three or more people each run
    of a user begins with `Name: `. A session that opens with the assistant has an empty user turn first; what nobody
    answered at its end is cut. Left out are sessions without a reply, and those that repeat another with the same
    start, as overlapping exports do.

    Args:
        found: by `sessions`.
        assistant: the author id of the person the model becomes.

    Returns:
        The conversations in the order of `found`; counts of "without_reply" and "repeated".
    """
    authors: dict[str, set[str | None]] = {}
    for session in found:
        authors.setdefault(session[0].conversation, set()).update(message.author_id for message in session)
    made, dropped, seen = list[Conversation](), Counter[str](), set[Conversation]()
    for session in found:
        everyone = authors[session[0].conversation]
        with_roles = "assistant" in everyone and everyone <= {"user", "assistant", "system"}
        in_group = len(everyone) >= GROUP and not with_roles
        turns = _turns(session, assistant, in_group, with_roles)
        conversation = Conversation(turns, session[0].time)
        if not turns:
            dropped["without_reply"] += 1
        elif session[0].time is not None and conversation in seen:
            dropped["repeated"] += 1
        else:
            seen.add(conversation)
            made.append(conversation)
    return tuple(made), dropped


def _turns(session: Session, assistant: str, in_group: bool, with_roles: bool) -> tuple[Turn, ...]:
    """Up to the last reply; none if there is none."""
    turns = list[Turn]()
    for author_id, run in itertools.groupby(session, key=lambda message: message.author_id):
        said = list(run)
        text = "\n".join(message.text for message in said)
        role: Role = "assistant" if author_id == assistant else "user"
        if with_roles and author_id == "system":
            role = "system"
        if in_group and role == "user":
            text = f"{_on_one_line(said[0].author or author_id or '')}: {text}"
        turns.append(Turn(role, text))
    turns = as_learned(turns)
    while turns and turns[-1].role != "assistant":
        turns.pop()
    return tuple(turns)


def _on_one_line(name: str) -> str:
    return " ".join(name.split())
