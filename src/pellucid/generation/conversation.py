"""Taking turns with a model, in one of two forms.

A model that learned to answer reads the conversation as its template writes it (text/template.py). For one that was
only ever trained to continue text, both sides are written as a play writes its speeches, which a model of plays, and
most others, go on with:

    NAME:
    what is said

    OTHER NAME:
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Collection, Generator, Sequence
from typing import Protocol

from pellucid.errors import InputError
from pellucid.generation.engine import Engine, unknown_note
from pellucid.generation.options import CHAT_DEFAULTS, SamplingOptions
from pellucid.generation.text_stream import StopFinder
from pellucid.text.template import Template, as_learned, last_turns
from pellucid.text.template import Turn as TemplateTurn
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.text.wording import only_the_last

BLANK_LINE = "\n\n"


@dataclasses.dataclass(frozen=True)
class Turn:
    """What one speaker said."""

    speaker: str
    text: str


@dataclasses.dataclass(frozen=True)
class Speakers:
    """The two names in the text.

    Args:
        user: the person's.
        model: the model's; a name from its training text makes it speak as that character.

    Raises:
        InputError: a name is empty, has a line break or is used by both.
    """

    user: str = "YOU"
    model: str = "MODEL"

    def __post_init__(self) -> None:
        for name in (self.user, self.model):
            if not name.strip() or "\n" in name:
                raise InputError(f"a speaker's name must be some text on one line, not {name!r}")
        if self.user == self.model:
            raise InputError(f"both speakers are called {self.user!r}: give one of them another name")

    def cutter(self) -> SpeechCutter:
        """What finds the end of one speech."""
        return SpeechCutter((self.user, self.model))


# ---------------------------------------------------------------------- what the model reads


def prompt_room(context_length: int, max_tokens: int) -> int:
    """Tokens that a prompt may have so that the reply fits behind it; never less than half a context."""
    return max(context_length - max_tokens, context_length // 2, 1)


def conversation_prompt(
    turns: Sequence[Turn], speaker: str, tokenizer: Tokenizer, room: int, preface: str = ""
) -> tuple[str, list[str]]:
    """What a model continues as `speaker`: the latest turns that fit, and the name.

    Args:
        turns: what was said so far; blank lines within are closed up, as one would end a speech.
        room: tokens that the prompt may have (see `prompt_room`).
        preface: plain text that stands before all turns, and stays when early turns have to go.

    Returns:
        The prompt, and sentences that tell what was left out of it, or not known in the other's last message.
    """
    notes: list[str] = []
    cue = f"{speaker}:\n"
    left = room - _n_tokens(tokenizer, cue)
    opening = ""
    if preface := preface.strip():
        opening = _cropped(preface, tokenizer, max(1, left // 2), "The text before the conversation", notes)
        opening += BLANK_LINE
        left -= _n_tokens(tokenizer, opening)
    speeches: list[str] = []
    message = _one_speech(turns[-1].text) if turns else ""  # what of the last turn is read
    for turn in reversed(turns):
        speech = _speech(turn.speaker, turn.text)
        n_tokens = _n_tokens(tokenizer, speech)
        if n_tokens > left and speeches:
            notes.append(
                f"This model sees {room} tokens of what was said so far: of {len(turns)} turns "
                f"{only_the_last(len(speeches))} read."
            )
            break
        if n_tokens > left:  # the last message is always there, its end at least
            frame = _n_tokens(tokenizer, _speech(turn.speaker, ""))
            message = _cropped(message, tokenizer, max(1, left - frame), "The message", notes)
            speech, n_tokens = _speech(turn.speaker, message), left
        left -= n_tokens
        speeches.insert(0, speech)
    # not in the names and in earlier turns: what is known is told once, and only of what a person wrote
    if turns and turns[-1].speaker != speaker and (said := unknown_note(tokenizer, message)):
        notes.append(said)
    return "".join([opening, *speeches, cue]), notes


def _one_speech(text: str) -> str:
    """Text without the blank lines that would end a speech."""
    return re.sub(r"\n\s*\n", "\n", text.strip())


def _speech(speaker: str, text: str) -> str:
    return f"{speaker}:\n{_one_speech(text)}{BLANK_LINE}"


def _n_tokens(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text))


def _cropped(text: str, tokenizer: Tokenizer, room: int, what: str, notes: list[str]) -> str:
    """The end of `text` that has no more than `room` tokens; says so if that is not all of it."""
    n_tokens = n_kept = _n_tokens(tokenizer, text)
    kept = text
    while n_kept > room and len(kept) > 1:
        kept = kept[-max(1, min(len(kept) - 1, len(kept) * room // n_kept)) :]
        n_kept = _n_tokens(tokenizer, kept)
    if len(kept) < len(text):
        notes.append(
            f"{what} has {n_tokens:,} tokens and there is room for {room:,}: {only_the_last(n_kept)} read."
        )
    return kept


# ---------------------------------------------------------------------- what the model says


class SpeechCutter:
    """Passes on one speech of what a model writes, however that is cut into pieces.

    A speech ends at a blank line or where a speaker's name begins the next; blank lines before it do not count.

    Args:
        speakers: the names that begin a speech.
    """

    def __init__(self, speakers: Sequence[str]) -> None:
        self._finder = StopFinder((BLANK_LINE, *(f"\n{name}:" for name in speakers)))
        self._begun = self._shown = False

    @property
    def ended(self) -> bool:
        """Whether the speech is over, so that nothing more can come."""
        return self._finder.found

    def push(self, piece: str) -> str:
        """The text that can be shown now."""
        if not self._begun:
            piece = piece.lstrip()
            self._begun = bool(piece)
            piece = f"\n{piece}" if self._begun else ""  # so that a speaker's name at once counts, too
        return self._show(self._finder.push(piece))

    def flush(self) -> str:
        """The rest, when no more pieces come."""
        return self._show(self._finder.flush().rstrip())

    def _show(self, text: str) -> str:
        if not self._shown:
            text = text.lstrip()
            self._shown = bool(text)
        return text


class Uncut:
    """Passes on all that a model writes, for replies whose end a token tells."""

    ended = False

    def push(self, piece: str) -> str:
        return piece

    def flush(self) -> str:
        return ""


class Form(Protocol):
    """How a conversation is written for a model, and where its replies end."""

    ends: Collection[int]  # tokens that end a reply; none where the end of the text is all there is

    def prompt(
        self, turns: Sequence[Turn], room: int, preface: str = ""
    ) -> tuple[str | list[int], list[str]]:
        """What the model continues, with at most `room` tokens, and what to tell a person; `preface` stands first."""
        ...

    def cutter(self) -> SpeechCutter | None:
        """What finds the end of one reply in its text; None where tokens tell it."""
        ...

    def one_turn(self, text: str) -> str:
        """What of a message is read."""
        ...


class PlayForm:
    """Speeches of a play, for a model that only continues text."""

    ends: Collection[int] = ()

    def __init__(self, speakers: Speakers, tokenizer: Tokenizer) -> None:
        self.speakers, self.tokenizer = speakers, tokenizer

    def prompt(
        self, turns: Sequence[Turn], room: int, preface: str = ""
    ) -> tuple[str | list[int], list[str]]:
        return conversation_prompt(turns, self.speakers.model, self.tokenizer, room, preface)

    def cutter(self) -> SpeechCutter | None:
        return self.speakers.cutter()

    def one_turn(self, text: str) -> str:
        return _one_speech(text)


class TemplateForm:
    """The template a model was trained with: the very tokens of its training, and its own end of a reply."""

    def __init__(self, speakers: Speakers, template: Template) -> None:
        self.speakers, self.template = speakers, template
        self.ends: Collection[int] = template.ends

    def prompt(
        self, turns: Sequence[Turn], room: int, preface: str = ""
    ) -> tuple[str | list[int], list[str]]:
        template, notes = self.template, list[str]()
        system = list[TemplateTurn]()
        if preface := preface.strip():
            told = _cropped(
                preface, template.tokenizer, max(1, room // 2), "The text before the conversation", notes
            )
            system = [TemplateTurn("system", told)]
        said = as_learned(
            TemplateTurn("assistant" if turn.speaker == self.speakers.model else "user", turn.text)
            for turn in turns
        ) or [TemplateTurn("user", "")]
        *kept, last = last_turns(template, [*system, *said], room)
        n_kept = len(kept) + 1 - len(system)
        if n_kept < len(said):
            notes.append(
                f"This model sees {room} tokens of what was said so far: of {len(said)} turns "
                f"{only_the_last(n_kept)} read."
            )
        # the frame of a turn that is too long stays whole, and so does what stands before it
        left = room - len(template.prompt([*kept, TemplateTurn(last.role, "")]))
        last = TemplateTurn(
            last.role, _cropped(last.text, template.tokenizer, max(1, left), "The message", notes)
        )
        if turns and last.role == "user":
            message = last.text[-len(turns[-1].text) :]  # what was said before it was told before
            if unknown := unknown_note(template.tokenizer, message):
                notes.append(unknown)
        return template.prompt([*kept, last]).tolist(), notes

    def cutter(self) -> SpeechCutter | None:
        return None

    def one_turn(self, text: str) -> str:
        return text.strip()


def form_of(speakers: Speakers, tokenizer: Tokenizer, template: Template | None) -> Form:
    """The template's form where the model has one, else the play's."""
    return PlayForm(speakers, tokenizer) if template is None else TemplateForm(speakers, template)


class Conversation:
    """A person and a model, speaking in turn.

    A reply ends where its form ends it (in a play at a blank line or the next speaker's name), at the end of the text
    or after `max_tokens`. Before it the model reads as many of the latest whole turns as leave room in the context.

    Args:
        engine: writes the replies; its `note` hears what had to be left out.
        options: of each reply; with a seed, reply n draws from seed + n.
        user: the person's name in the text.
        model_name: the model's; a name from its training text makes it speak as that character.
        template: how the model learned to answer; None for one that only continues text.
        system: what stands before the conversation: for a template the system's turn.

    Raises:
        InputError: a name is empty, has a line break or is used by both.
    """

    def __init__(
        self,
        engine: Engine,
        options: SamplingOptions = CHAT_DEFAULTS,
        user: str = "YOU",
        model_name: str = "MODEL",
        template: Template | None = None,
        system: str = "",
    ) -> None:
        self.engine, self.options, self.system = engine, options, system
        self.speakers = Speakers(user, model_name)
        self.form = form_of(self.speakers, engine.tokenizer, template)
        self.turns: list[Turn] = []
        self._n_replies = 0

    def reply(self, message: str) -> Generator[str]:
        """The model's answer, in pieces; an empty message lets it speak on.

        Both turns are kept in `turns`, of an answer that is broken off as much as was written.
        """
        if message := self.form.one_turn(message):
            self.turns.append(Turn(self.speakers.user, message))
        options = self.options
        if options.seed is not None:
            options = dataclasses.replace(options, seed=options.seed + self._n_replies)
        self._n_replies += 1
        pieces = self.engine.stream(self.prompt(), options, tell_unknown=False, ends=self.form.ends)
        return self._speak(pieces)

    def retry(self) -> Generator[str]:
        """Another answer to the last message, in place of the one there is; with a seed, from the next one.

        Raises:
            InputError: nothing was said yet.
        """
        return self.edit(self._last_message())

    def edit(self, message: str) -> Generator[str]:
        """The last message said differently: an answer to this one in place of both."""
        self._last_message()
        while self.turns.pop().speaker != self.speakers.user:
            pass
        return self.reply(message)

    def _last_message(self) -> str:
        for turn in reversed(self.turns):
            if turn.speaker == self.speakers.user:
                return turn.text
        raise InputError("nothing was said yet that could be answered again")

    def messages(self) -> list[dict[str, str]]:
        """The conversation as roles and what they said, which `finetune` reads."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        roles = {self.speakers.user: "user", self.speakers.model: "assistant"}
        return [*system, *({"role": roles[turn.speaker], "content": turn.text} for turn in self.turns)]

    def prompt(self) -> str | list[int]:
        """What the model is about to continue: the latest turns that fit, and the beginning of its own."""
        room = prompt_room(self.engine.model.config.context_length, self.options.max_tokens)
        prompt, notes = self.form.prompt(self.turns, room, self.system)
        for sentence in notes:
            self.engine.note(sentence)
        return prompt

    def _speak(self, pieces: Generator[str]) -> Generator[str]:
        """One speech of what the model writes."""
        cutter = self.form.cutter() or Uncut()
        said: list[str] = []
        try:
            with contextlib.closing(pieces):
                for piece in pieces:
                    if text := cutter.push(piece):
                        said.append(text)
                        yield text
                    if cutter.ended:
                        return
            if rest := cutter.flush():
                said.append(rest)
                yield rest
        finally:
            if text := "".join(said).strip():
                self.turns.append(Turn(self.speakers.model, text))
