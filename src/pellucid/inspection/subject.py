"""What is looked into: one set of weights, and the prompts it reads."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from functools import cached_property
from typing import Any

import torch

from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.generation.engine import Engine, unknown_note
from pellucid.generation.options import SamplingOptions
from pellucid.inspection.capture import twin
from pellucid.inspection.checks import checked_text
from pellucid.inspection.tokens import as_shown, spans
from pellucid.text.bigrams import PairCounts
from pellucid.text.wording import only_the_last

TIMED_TOKENS = 16

_serials = itertools.count()


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A text as the model reads it.

    Args:
        ids: never empty: an empty text is the end-of-text token alone, as before any document.
        tokens: one a token, {"id", "text", "start", "end"}: how it is shown, and its characters in the text.
        notes: what a person should know, as of tokens that did not fit.
    """

    ids: tuple[int, ...]
    tokens: list[dict[str, Any]]
    notes: list[str]


class Subject:
    """A loaded run, ready to be looked into from several threads at once.

    `twin` is an uncompiled instance of the model that shares its weights: views swap its parts, under `lock`, while
    other threads let the loaded one write.

    Raises:
        InputError: model and tokenizer are not of one run.
    """

    def __init__(self, loaded: LoadedRun) -> None:
        self.loaded = loaded
        self.config, self.tokenizer, self.device = loaded.model.config, loaded.tokenizer, loaded.device
        self.serial = next(_serials)  # tells its captures from those of others, of the same run too
        self.lock = threading.Lock()
        self.twin = twin(loaded.model)
        self.engine: Engine = loaded.engine()
        self._reading_speeds: dict[int, float] = {}  # by the number of tokens

    @property
    def stamp(self) -> dict[str, Any]:
        """Of which weights an answer speaks."""
        return {"run": self.loaded.folder.name, "step": self.loaded.step, "kind": self.loaded.kind}

    @cached_property
    def pair_counts(self) -> PairCounts:
        """Raises: InputError when the run has none, or they are damaged."""
        if self.loaded.folder.imported:
            raise InputError(
                f"{self.loaded.folder.name} was imported: the text it was trained on is not here, so its pairs are not "
                "counted; look at a model that was trained here"
            )
        counts = PairCounts.load(self.loaded.folder.bigram_path)
        if counts.vocab_size != self.tokenizer.vocab_size:
            raise InputError(
                f"{self.loaded.folder.bigram_path} counts {counts.vocab_size} tokens and the tokenizer has "
                f"{self.tokenizer.vocab_size}: they are not of one run; delete it, and resume the run"
            )
        return counts

    @cached_property
    def writing_speed(self) -> float:
        """Tokens a second that the engine writes at the beginning of a text, measured once."""
        options = SamplingOptions(max_tokens=TIMED_TOKENS + 1, seed=0, ignore_eos=True)
        tokens = self.engine.tokens("", options)
        next(tokens)  # reads the prompt
        started = time.perf_counter()
        written = sum(1 for _ in tokens)
        return written / (time.perf_counter() - started)

    def reading_speed(self, prompt: Prompt) -> float:
        """Tokens a second of a pass over a prompt, measured once for each length."""
        length = len(prompt.ids)
        if length not in self._reading_speeds:
            ids = torch.tensor([prompt.ids], device=self.device)
            with torch.inference_mode():
                started = time.perf_counter()
                self.loaded.model(ids)[0, -1, 0].item()
                self._reading_speeds[length] = length / (time.perf_counter() - started)
        return self._reading_speeds[length]

    @cached_property
    def training_speed(self) -> float | None:
        """Tokens a second when the run was trained, as last reported; None where it never was."""
        speeds = (record.get("tokens_per_second") for record in self.loaded.folder.metrics())
        return next((speed for speed in reversed(list(speeds)) if speed), None)  # 0: not measured

    def read(self, text: str) -> Prompt:
        """The last tokens of a text that the model's context holds.

        Raises:
            InputError: it is no text, or longer than a million characters.
        """
        text = checked_text(text)
        before, written = list(self.tokenizer.beginning), self.tokenizer.encode(text).tolist()
        ids = [*before, *written]
        notes = []
        context = self.config.context_length
        start = max(0, len(ids) - context)
        if start:
            notes.append(
                f"The prompt has {len(ids):,} tokens and this model sees {context:,}: "
                f"{only_the_last(context)} read."
            )
        # where there are unknown tokens, a token is a character
        if said := unknown_note(self.tokenizer, text[start:]):
            notes.append(said)
        if not written:
            notes.append("The prompt is empty: the model reads the beginning of a text.")
            ids = before = before or [self.tokenizer.end_of_text]
        ends = [*((0, 0) for _ in before), *spans(self.tokenizer, text, written)][start:]
        tokens = [as_shown(self.tokenizer, id, *span) for id, span in zip(ids[start:], ends, strict=True)]
        return Prompt(tuple(ids[start:]), tokens, notes)
