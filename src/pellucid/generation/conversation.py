"""Taking turns with a model that was only ever trained to continue text.

Both sides are written as a play writes its speeches, which a model of plays, and most others, go on with:

    NAME:
    what is said

    OTHER NAME:
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Generator, Iterator

from pellucid.errors import InputError
from pellucid.generation.engine import Engine
from pellucid.generation.options import CHAT_DEFAULTS, SamplingOptions
from pellucid.generation.text_stream import StopFinder

BLANK_LINE = "\n\n"


@dataclasses.dataclass(frozen=True)
class Turn:
    """What one speaker said."""

    speaker: str
    text: str


class Conversation:
    """A person and a model, speaking in turn.

    A reply ends at a blank line, at the next speaker's name, at the end of the text or after `max_tokens`.
    Before it the model reads as many of the latest whole turns as leave room in the context for the reply.

    Args:
        engine: writes the replies.
        options: of each reply; with a seed, reply n draws from seed + n.
        user: the person's name in the text.
        model_name: the model's; a name from its training text makes it speak as that character.

    Raises:
        InputError: a name is empty, has a line break or is used by both.
    """

    def __init__(
        self,
        engine: Engine,
        options: SamplingOptions = CHAT_DEFAULTS,
        user: str = "YOU",
        model_name: str = "MODEL",
    ) -> None:
        for name in (user, model_name):
            if not name.strip() or "\n" in name:
                raise InputError(f"a speaker's name must be some text on one line, not {name!r}")
        if user == model_name:
            raise InputError(f"both speakers are called {user!r}: give one of them another name")
        self.engine, self.options = engine, options
        self.user, self.model_name = user, model_name
        self.turns: list[Turn] = []
        self._n_replies = 0

    def reply(self, message: str) -> Generator[str]:
        """The model's answer, in pieces; an empty message lets it speak on.

        Both turns are kept in `turns`, of an answer that is broken off as much as was written.
        """
        message = re.sub(r"\n\s*\n", "\n", message.strip())  # a blank line would end the person's turn
        if message:
            self.turns.append(Turn(self.user, message))
        options = self.options
        if options.seed is not None:
            options = dataclasses.replace(options, seed=options.seed + self._n_replies)
        self._n_replies += 1
        return self._speak(self.engine.stream(self.prompt(), options))

    def prompt(self) -> str:
        """What the model is about to continue: the latest turns that fit, and its own name."""
        cue = f"{self.model_name}:\n"
        context = self.engine.model.config.context_length
        room = max(context - self.options.max_tokens, context // 2) - self._n_tokens(cue)
        kept: list[str] = []
        for turn in reversed(self.turns):
            speech = f"{turn.speaker}:\n{turn.text}{BLANK_LINE}"
            room -= self._n_tokens(speech)
            if room < 0 and kept:  # the last message is always there: the engine cuts it if it must
                break
            kept.insert(0, speech)
        return "".join(kept) + cue

    def _n_tokens(self, text: str) -> int:
        return len(self.engine.tokenizer.encode(text))

    def _speak(self, pieces: Generator[str]) -> Generator[str]:
        """One speech of what the model writes; leading blank lines do not count as its end."""
        speakers = (f"\n{self.user}:", f"\n{self.model_name}:")
        finder = StopFinder((BLANK_LINE, *speakers))
        said: list[str] = []
        try:
            with contextlib.closing(pieces):
                for piece in self._until(pieces, finder):
                    said.append(piece)
                    yield piece
        finally:
            if text := "".join(said).strip():
                self.turns.append(Turn(self.model_name, text))

    @staticmethod
    def _until(pieces: Iterator[str], finder: StopFinder) -> Iterator[str]:
        begun = shown = False
        for piece in pieces:
            if not begun:
                piece = piece.lstrip()
                begun = bool(piece)
                piece = f"\n{piece}" if begun else ""  # so that a speaker's name at once counts, too
            text = finder.push(piece)
            if text := text if shown else text.lstrip():
                shown = True
                yield text
            if finder.found:
                return
        rest = finder.flush().rstrip()
        if rest := rest if shown else rest.lstrip():
            yield rest
