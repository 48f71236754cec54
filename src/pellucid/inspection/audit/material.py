"""What is audited: a run with the text it learned from, as far as that is still there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.text.packing import Example
from pellucid.text.sources import read
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.data import TrainingData
from pellucid.training.observer import Observer
from pellucid.training.replies import ReplyData
from pellucid.training.train import known_data

Sources = str | Path | Sequence[str | Path]
Progress = Callable[[str, int, int], None]
"""Hears that so many are done of so many of something."""

MOST_TOKENS = 20_000_000  # of the training text that are searched


@dataclasses.dataclass(frozen=True)
class Material:
    """A run and its data.

    Attributes:
        data: what it learned from; of an imported model, a text that was named, all of it as the training split.
        is_own: whether the run's record says that it learned from `data`.
    """

    run: LoadedRun
    stored: dict[str, Any]
    data: TrainingData | ReplyData
    is_own: bool = True

    @property
    def tokenizer(self) -> Tokenizer:
        return self.run.tokenizer

    @property
    def held_out(self) -> Any:
        """The validation part, or dev where there is none; the same kind of thing as `data.train`."""
        least = 1 if isinstance(self.data, ReplyData) else 3  # examples, or tokens with a target among them
        return self.data.validation if len(self.data.validation) >= least else self.data.dev

    def require_own(self) -> None:
        """Raises: InputError when the training of the model is not known."""
        if not self.is_own:
            raise InputError(f"{self.run.folder.name} was imported: its training is not known")


class _Notes(Observer):
    """Passes notes on."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def note(self, message: str) -> None:
        self.tell(message)


def find_material(run: LoadedRun, sources: Sources | None, note: Callable[[str], None]) -> Material:
    """The text of a run, read as its training read it.

    Args:
        sources: its text, if that is no longer where it was; of an imported model, a text that it may have read.

    Raises:
        InputError: it is not there, or is another one.
    """
    stored = run.folder.config()
    if "imported" in stored:
        return Material(run, stored, _named_text(run, sources), is_own=False)
    # what was mixed in from the base's own training is no part of the audit, and may be gone
    without_mix = {**stored, "data": {**stored["data"], "mix": None}}
    try:
        data = known_data(run.folder, without_mix, sources, _Notes(note))
    except InputError as error:
        why = re.split("[:;] ", str(error))[0]  # what to do about it is another thing here
        raise InputError(
            f"the text {run.folder.name} learned from is needed, to compare with ({why}): say with --text where it is"
        ) from None
    return Material(run, stored, data)


def _named_text(run: LoadedRun, sources: Sources | None) -> TrainingData:
    if sources is None:
        raise InputError(
            f"{run.folder.name} was imported, and the text it learned from is not known, so there is nothing to "
            "compare with: name a text that it may have read with --text, or audit what you trained from it"
        )
    corpus = read(sources)
    tokens = run.tokenizer.encode_documents([document.text for document in corpus.documents])
    nothing = tokens[:0]
    return TrainingData({"name": corpus.name}, run.tokenizer, tokens, nothing, nothing)


def reserved(tokenizer: Tokenizer) -> np.ndarray:
    """(V,) bool: tokens that stand for no text."""
    return np.array([not tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)])


def unwritable(tokenizer: Tokenizer) -> np.ndarray:
    """(V,) bool: tokens that a model never writes."""
    silent = reserved(tokenizer)
    if tokenizer.unknown is not None:
        silent[tokenizer.unknown] = True
    return silent


def texts_of(part: np.ndarray | Iterable[Example], tokenizer: Tokenizer) -> list[str]:
    """What a part of the data says, in its documents or turns, of at most MOST_TOKENS tokens."""
    streams = [part] if isinstance(part, np.ndarray) else [example.ids for example in part]
    silent, texts, n_tokens = reserved(tokenizer), list[str](), 0
    for stream in streams:
        ids = np.asarray(stream[: MOST_TOKENS - n_tokens])
        n_tokens += len(ids)
        texts += [tokenizer.decode(run) for run in _runs(ids, ~silent[ids])]
        if n_tokens >= MOST_TOKENS:
            break
    return [text for text in texts if text.strip()]


def replies_of(examples: Iterable[Example], tokenizer: Tokenizer) -> list[str]:
    """What the assistant says in them."""
    silent = reserved(tokenizer)
    said = [
        tokenizer.decode(run)
        for example in examples
        for run in _runs(example.ids, example.learned & ~silent[example.ids])
    ]
    return [text for text in said if text.strip()]


def _runs(ids: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """The stretches of `ids` that are wanted."""
    return [ids[start:end] for start, end in stretches(wanted)]


def stretches(wanted: np.ndarray) -> list[tuple[int, int]]:
    """Where stretches of truth begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
