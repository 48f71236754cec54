"""How a conversation becomes tokens: the same function for training and for answering.

    markers    <|user|>what is said<|end|><|assistant|>the reply<|end|>
    chatml     <|im_start|>user⏎what is said<|im_end|>⏎<|im_start|>assistant⏎the reply<|im_end|>⏎

The frame is made of reserved tokens, which no text encodes to, so that nothing a person writes can end a turn or begin
one. Frame and text are encoded apart: what a prompt ends with is what training saw, whatever the reply begins with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import numpy as np

from pellucid.errors import InputError
from pellucid.text.tokenizers.tokenizer import CHAT_MARKERS, Tokenizer

Role = Literal["system", "user", "assistant"]
Kind = Literal["markers", "chatml"]
CHATML_MARKERS = ("<|im_start|>", "<|im_end|>")
NEEDED: dict[str, tuple[str, ...]] = {"markers": CHAT_MARKERS, "chatml": CHATML_MARKERS}


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What one side said, until the other answered."""

    role: Role
    text: str


class Template:
    """Conversations as the tokens of one tokenizer.

    Attributes:
        ends: the tokens that end a reply.

    Raises:
        InputError: there is no such kind, or the tokenizer lacks its tokens.
    """

    def __init__(self, kind: str, tokenizer: Tokenizer) -> None:
        if kind not in NEEDED:
            raise InputError(f"chat template {kind!r} is unknown: choose {' or '.join(get_args(Kind))}")
        if missing := [name for name in NEEDED[kind] if not _has(tokenizer, name)]:
            raise InputError(
                f"this model's tokenizer lacks {', '.join(missing)}, which its chat template {kind} is made of: "
                "fine-tune a model whose tokenizer has them; all that `pellucid train` makes do"
            )
        self.kind = kind
        self.tokenizer = tokenizer
        if kind == "markers":
            self._begin = {role: [tokenizer.special_id(f"<|{role}|>")] for role in get_args(Role)}
            self._end, self._after = tokenizer.special_id("<|end|>"), []
        else:
            start, line_break = tokenizer.special_id("<|im_start|>"), tokenizer.encode("\n").tolist()
            self._begin = {role: [start, *tokenizer.encode(f"{role}\n").tolist()] for role in get_args(Role)}
            self._end, self._after = tokenizer.special_id("<|im_end|>"), line_break
        self.ends = frozenset((self._end, tokenizer.end_of_text))

    def encode(self, turns: Iterable[Turn]) -> tuple[np.ndarray, np.ndarray]:
        """A conversation to learn from.

        Returns:
            its tokens, (T,) int32, and which of them are learned, (T,) bool: what the assistant says and the token
            that ends it, but no unknown ones, which could not be written.
        """
        ids = list(self.tokenizer.beginning)
        learned = [False] * len(ids)
        for turn in turns:
            begin, said = self._begin[turn.role], self.tokenizer.encode(turn.text).tolist()
            ids += [*begin, *said, self._end, *self._after]
            learns = turn.role == "assistant"
            learned += [False] * len(begin)
            learned += [learns and token != self.tokenizer.unknown for token in said]
            learned += [learns, *(False for _ in self._after)]
        return np.array(ids, dtype=np.int32), np.array(learned, dtype=bool)

    def n_tokens(self, turns: Iterable[Turn]) -> int:
        """Tokens that these turns have in a conversation."""
        return len(self.encode(turns)[0]) - len(self.tokenizer.beginning)

    def prompt(self, turns: Iterable[Turn]) -> np.ndarray:
        """(T,) int32: the conversation up to where the assistant begins to answer.

        `encode` of the same turns and an answer begins with exactly these.
        """
        return np.concatenate([self.encode(turns)[0], np.array(self._begin["assistant"], dtype=np.int32)])


def _has(tokenizer: Tokenizer, name: str) -> bool:
    try:
        tokenizer.special_id(name)
    except InputError:
        return False
    return True


def template_of(tokenizer: Tokenizer) -> Template:
    """The template that a tokenizer has the tokens for, ChatML first: a model that has both was trained on that.

    Raises:
        InputError: it has those of none.
    """
    for kind in ("chatml", "markers"):
        if all(_has(tokenizer, name) for name in NEEDED[kind]):
            return Template(kind, tokenizer)
    raise InputError(
        f"this model's tokenizer has neither {', '.join(CHAT_MARKERS)} nor {', '.join(CHATML_MARKERS)}, so turns could "
        "not be told from text: fine-tune a model whose tokenizer has them; all that `pellucid train` makes do"
    )


def as_learned(turns: Iterable[Turn]) -> list[Turn]:
    """Turns as every conversation in training has them.

    What one side says in a row is one turn, joined by line ends; where the assistant speaks first, it answers an empty
    turn of the user.
    """
    made = list[Turn]()
    for turn in turns:
        if made and made[-1].role == turn.role:
            made[-1] = Turn(turn.role, f"{made[-1].text}\n{turn.text}")
        else:
            made.append(turn)
    opening = next((place for place, turn in enumerate(made) if turn.role != "system"), len(made))
    if opening < len(made) and made[opening].role == "assistant":
        made.insert(opening, Turn("user", ""))
    return made


def last_turns(template: Template, turns: Sequence[Turn], room: int) -> list[Turn]:
    """The latest whole turns whose prompt has no more than `room` tokens; a system turn at the beginning stays.

    The last turn is there even where it alone is longer. Where earlier ones had to go, what is left begins with
    something that was said to the assistant, as the pieces of long conversations do in training.
    """
    system = [turn for turn in turns[:1] if turn.role == "system"]
    rest = list(turns[len(system) :])
    left = room - len(template.prompt(system))
    kept: list[Turn] = []
    for turn in reversed(rest):
        left -= template.n_tokens([turn])
        if left < 0 and kept:
            break
        kept.insert(0, turn)
    while len(rest) > len(kept) > 1 and kept[0].role == "assistant":
        del kept[0]
    return [*system, *kept]
