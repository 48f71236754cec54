"""Conversations to learn from: held out by time, freed of what validation holds, and enough of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from pellucid.errors import InputError
from pellucid.text.chats.people import choose, kept, people
from pellucid.text.chats.record import Chats, Message
from pellucid.text.chats.sessions import (
    GAP_MINUTES,
    Conversation,
    Turn,
    conversations,
    sessions,
)
from pellucid.text.wording import plural

VALIDATION_FRACTION = 0.1
DEV_FRACTION = 0.05
LEAST_REPLIES = 200  # fewer only teach a model to recite
FEW_REPLIES = 2_000
LONG = 2.0  # a session of more than so many times what is to be held out is cut


@dataclasses.dataclass(frozen=True)
class Examples:
    """Conversations in three parts, by time: train, then dev, then validation.

    Attributes:
        assistant: the author id of the person the model becomes.
        notes: sentences for the person.
        counts: whole numbers by name: messages and replies used, what was dropped and why.
    """

    train: tuple[Conversation, ...]
    dev: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    assistant: str
    notes: tuple[str, ...]
    counts: dict[str, int]

    @property
    def n_replies(self) -> int:
        return sum(each.n_replies for part in (self.train, self.dev, self.validation) for each in part)


def make_examples(
    chats: Chats,
    assistant: str | None = None,
    *,
    gap_minutes: float = GAP_MINUTES,
    anyway: bool = False,
    validation_fraction: float = VALIDATION_FRACTION,
    dev_fraction: float = DEV_FRACTION,
) -> Examples:
    """Examples of how one person answers; refuses too few of them unless `anyway`.

    Args:
        assistant: as `choose` takes it.

    Raises:
        InputError: as `choose`, `sessions` and `require_enough` say.
    """
    examples = find_examples(
        chats,
        assistant,
        gap_minutes=gap_minutes,
        validation_fraction=validation_fraction,
        dev_fraction=dev_fraction,
    )
    require_enough(examples.n_replies, anyway)
    return examples


def find_examples(
    chats: Chats,
    assistant: str | None = None,
    *,
    gap_minutes: float = GAP_MINUTES,
    validation_fraction: float = VALIDATION_FRACTION,
    dev_fraction: float = DEV_FRACTION,
) -> Examples:
    """As `make_examples`, however few they are: too few is a note."""
    person = choose(people(chats.messages), assistant)
    found = sessions(chats.messages, gap_minutes)
    made, dropped = conversations(found, person.id)
    rest, validation = hold_out(made, validation_fraction)
    train, dev = hold_out(rest, dev_fraction)
    dev, in_dev = without(dev, validation)
    train, in_train = without(train, (*dev, *validation))
    counts = dict(count_dropped(chats.messages))
    counts |= {f"sessions_{why}": count for why, count in dropped.items()}
    counts |= {"messages": sum(map(len, found)), "sessions": len(found), "duplicates": in_train + in_dev}
    for name, part in (("train", train), ("dev", dev), ("validation", validation)):
        counts |= {name: len(part), f"{name}_replies": sum(each.n_replies for each in part)}
    examples = Examples(train, dev, validation, person.id, (), counts)
    notes = [*_notes(examples), *too_few(examples.n_replies)]
    return dataclasses.replace(examples, notes=tuple(notes))


def count_dropped(messages: Sequence[Message]) -> Counter[str]:
    """How many messages are no one's own words, by kind; a text without any is "blank"."""
    dropped = (message for message in messages if not kept(message))
    return Counter(f"dropped_{'blank' if message.kind == 'text' else message.kind}" for message in dropped)


def require_enough(n_replies: int, anyway: bool = False) -> None:
    """Refuses fewer than 200 replies.

    Raises:
        InputError: there is none, or there are too few and not `anyway`.
    """
    if not n_replies:
        raise InputError(
            "that person answers nothing in this chat: choose another one with --as, or a longer --gap"
        )
    if n_replies < LEAST_REPLIES and not anyway:
        raise InputError(
            f"{plural(n_replies, 'reply', 'replies')} of that person are too few: below {LEAST_REPLIES} a model "
            "only learns to recite them. Give a longer chat, or go on with --anyway"
        )


def too_few(n_replies: int) -> tuple[str, ...]:
    """A warning, if there are few replies to learn from."""
    if n_replies >= FEW_REPLIES:
        return ()
    outlook = (
        f"fewer than {LEAST_REPLIES}: finetune refuses them unless told --anyway"
        if n_replies < LEAST_REPLIES
        else f"fewer than {FEW_REPLIES:,}: expect vague replies, and some that are recited"
    )
    return (f"{plural(n_replies, 'reply', 'replies')} to learn from, {outlook}",)


def hold_out(
    made: Sequence[Conversation], fraction: float
) -> tuple[tuple[Conversation, ...], tuple[Conversation, ...]]:
    """What comes first, and the last conversations with about `fraction` of the replies.

    Conversations stay whole, but for a last one of more than twice what is to be held out: that is cut before one of
    its user turns, or a chat without times, which is one conversation, would have nothing held out. The first part is
    never empty.

    Raises:
        InputError: the fraction is not from 0 to below 1.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"a share held out is from 0 to below 1, not {fraction}")
    target = fraction * sum(each.n_replies for each in made)
    kept, held, n_held = list(made), list[Conversation](), 0
    while kept and n_held < target:
        last = kept[-1]
        wanted = target - n_held
        if last.n_replies > LONG * wanted or len(kept) == 1:
            if not held or len(kept) == 1:
                first, second = _cut(last, max(1, round(wanted)))
                kept[-1:] = [first] if first.turns else [last]
                held += [second] if first.turns else []
            break
        held.append(kept.pop())
        n_held += last.n_replies
    return tuple(kept), tuple(reversed(held))


def _cut(conversation: Conversation, n_replies: int) -> tuple[Conversation, Conversation]:
    """Cut so that the second part has about `n_replies`; the first is empty where there is nothing to cut.

    The second part begins with the system prompt, if there is one.
    """
    turns = conversation.turns
    opening = [turn for turn in turns[:1] if turn.role == "system"]
    left = n_replies
    for place in range(len(turns) - 1, len(opening), -1):
        left -= turns[place].role == "assistant"
        if left <= 0 and turns[place].role == "user":
            break
    else:
        return Conversation(()), conversation
    return (
        Conversation(turns[:place], conversation.start),
        # its own start is not known, and is not needed: it follows the first part
        Conversation((*opening, *turns[place:]), None),
    )


def without(
    made: Sequence[Conversation], others: Sequence[Conversation]
) -> tuple[tuple[Conversation, ...], int]:
    """What says something else than each of `others`, and how many did not; case and blanks do not matter."""
    keys = {_said(each.turns) for each in others}
    left = tuple(each for each in made if _said(each.turns) not in keys)
    return left, len(made) - len(left)


def _said(turns: Sequence[Turn]) -> tuple[tuple[str, str], ...]:
    return tuple((turn.role, " ".join(turn.text.casefold().split())) for turn in turns)


def _notes(examples: Examples) -> list[str]:
    counts, notes = examples.counts, list[str]()
    if n := counts.get("sessions_without_reply"):
        notes.append(f"{plural(n, 'session')} without a reply by that person left out")
    if n := counts.get("sessions_repeated"):
        notes.append(f"{plural(n, 'session')} that stood in the exports twice used once")
    if n := counts["duplicates"]:
        notes.append(f"{plural(n, 'conversation')} held out word for word, too: left out of training")
    if not examples.validation:
        notes.append("too short to hold anything out for validation")
    return notes
