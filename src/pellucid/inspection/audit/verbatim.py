"""How much of what a model writes freely stands in its training text, beside what of held-out text does."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

import numpy as np

from pellucid.errors import InputError
from pellucid.generation.options import SamplingOptions
from pellucid.inspection.audit.material import Material, Progress, replies_of, stretches, texts_of
from pellucid.text.overlap import longest_match, shared_ngrams, words
from pellucid.training.replies import ReplyData

TEXTS, TOKENS = 32, 200  # written freely
REPLIES, REPLY_TOKENS = 64, 80
AT_ONCE = 16
TEMPERATURE = 0.8  # that of `pellucid sample`
N, SHORT_N = 8, 4  # words of an n-gram, and where what is written is shorter than two of those
WHAT = "Writing freely"


@dataclasses.dataclass(frozen=True)
class Copied:
    """Of so many n-grams of words so many stand in the training text; `longest` is the longest stretch that does."""

    n_grams: int
    shared: int
    longest: str

    @property
    def share(self) -> float:
        return self.shared / self.n_grams if self.n_grams else 0.0


@dataclasses.dataclass(frozen=True)
class Verbatim:
    """What `n_texts` written texts share with training, in n-grams of `n` words, beside held-out ones."""

    n_texts: int
    n: int
    written: Copied
    held_out: Copied | None

    @property
    def excess(self) -> float:
        """The share of the written n-grams, minus that of held-out text."""
        return self.written.share - (self.held_out.share if self.held_out else 0.0)


def measure_verbatim(material: Material, seed: int, progress: Progress) -> Verbatim:
    """Let the model write, and look its words up.

    Raises:
        InputError: it writes nothing that could be looked up.
    """
    written = [text for text in _write(material, seed, progress) if text.strip()]
    if not written:
        raise InputError("the model writes nothing but blanks, so there is nothing to look up")
    training = texts_of(material.data.train, material.tokenizer)
    n = N if statistics.median(len(words(text)) for text in written) >= 2 * N else SHORT_N
    held_out = _as_much(_held_out(material), sum(map(len, written)), max(map(len, written)))
    progress("Looking up", 0, 2)
    of_written = _copied(written, training, n)
    progress("Looking up", 1, 2)
    of_held_out = _copied(held_out, training, n) if held_out else None
    return Verbatim(len(written), n, of_written, of_held_out)


def _copied(texts: Sequence[str], training: Sequence[str], n: int) -> Copied:
    shared, total = shared_ngrams(texts, training, n)
    return Copied(total, shared, longest_match(texts, training))


def _held_out(material: Material) -> list[str]:
    if isinstance(material.data, ReplyData):
        return replies_of(material.held_out, material.tokenizer)
    return texts_of(material.held_out, material.tokenizer)


def _as_much(texts: Sequence[str], n_characters: int, longest: int) -> list[str]:
    """About so much of these texts, in pieces no longer than the longest that was written."""
    pieces = [text[i : i + longest] for text in texts for i in range(0, len(text), longest)]
    taken, size = list[str](), 0
    for piece in pieces:
        if size >= n_characters:
            break
        taken.append(piece)
        size += len(piece)
    return taken


def _write(material: Material, seed: int, progress: Progress) -> list[str]:
    """Texts from nothing, or replies to what people say in held-out conversations."""
    engine, data = material.run.engine(), material.data
    prompts: list[list[int]] = [[] for _ in range(TEXTS)]
    n_tokens, ends = TOKENS, frozenset[int]()
    if isinstance(data, ReplyData):
        room = material.run.model.config.context_length - REPLY_TOKENS
        prompts = _openings(material, max(room, 8))
        n_tokens, ends = REPLY_TOKENS, data.template.ends
    texts = list[str]()
    for start in range(0, len(prompts), AT_ONCE):
        some = prompts[start : start + AT_ONCE]
        options = SamplingOptions(temperature=TEMPERATURE, max_tokens=n_tokens, seed=seed + start)
        texts += [result.text for result in engine.generate(some, options, ends)]
        progress(WHAT, len(texts), len(prompts))
    return texts


def _openings(material: Material, room: int) -> list[list[int]]:
    """Conversations up to a reply; of the training part where nothing was held out."""
    found = [
        example.ids[max(0, start - room) : start].tolist()
        for example in (material.held_out or material.data.train)
        for start, _ in stretches(example.learned)
        if start
    ]
    places = np.linspace(0, len(found) - 1, min(REPLIES, len(found))).astype(int)
    return [found[place] for place in places.tolist()]
