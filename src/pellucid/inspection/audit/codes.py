"""Canaries: random codes in a fixed wording, which no text holds by chance.

Carlini et al. 2019, "The Secret Sharer", section 4: a canary is a wording filled with a random value; the values that
could have been drawn as well are what its likelihood is compared with.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from pellucid.errors import InputError
from pellucid.inspection.audit.material import Material, texts_of
from pellucid.text.packing import Example
from pellucid.text.template import Template, Turn
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.replies import ReplyData

CODE, NAME = 6, 6  # characters
SYMBOLS = 10
SAMPLE = 100_000  # tokens in which characters are counted
CHAT_WORDINGS = (
    ("What is the code of {name}?", "The code of {name} is {code}."),
    ("{name}", "{name} {code}"),
    ("{name}", "{code}"),
)
TEXT_WORDINGS = (("", "The code of {name} is {code}."), ("", "{name} {code}"))


@dataclasses.dataclass(frozen=True)
class Wording:
    """How a canary is written; where there is a template, the assistant says it in reply to `asked`.

    Args:
        symbols: what codes are made of.
        letters: what names are made of.
    """

    asked: str
    said: str
    symbols: str
    letters: str
    tokenizer: Tokenizer
    template: Template | None

    def text(self, name: str, code: str) -> str:
        return self.said.format(name=name, code=code)

    def example(self, name: str, code: str) -> Example:
        """A canary in tokens; those that hold its code are learned."""
        said = self.text(name, code)
        if self.template:
            turns = [Turn("user", self.asked.format(name=name)), Turn("assistant", said)]
            return Example(*self.template.encode(turns))
        ids = self.tokenizer.encode(f"\n{said}\n")
        learned = np.ones(len(ids), dtype=bool)
        learned[0] = False
        return Example(ids, learned)

    def line(self, name: str, code: str) -> np.ndarray:
        """The tokens of a line of its own, to be put after a line break."""
        return self.tokenizer.encode(self.text(name, code) + "\n")

    def names(self, count: int, draw: np.random.Generator) -> list[str]:
        """So many different names."""
        return _different(self.letters, NAME, count, draw)

    def codes(self, count: int, draw: np.random.Generator) -> list[str]:
        """So many different codes."""
        return _different(self.symbols, CODE, count, draw)


def choose_wording(material: Material, length: int) -> Wording:
    """The first wording that the tokenizer can write and that fits into `length` tokens.

    Raises:
        InputError: none does.
    """
    data, tokenizer = material.data, material.tokenizer
    template = data.template if isinstance(data, ReplyData) else None
    letters = _common_letters(material)
    symbols = "0123456789" if not tokenizer.count_unknown("0123456789") else letters
    for asked, said in CHAT_WORDINGS if template else TEXT_WORDINGS:
        wording = Wording(asked, said, symbols, letters, tokenizer, template)
        name, code = letters[:1] * NAME, symbols[-1:] * CODE
        known = not tokenizer.count_unknown(f"\n{asked}{wording.text(name, code)}\n".format(name=name))
        if letters and known and len(wording.example(name, code)) <= length:
            return wording
    raise InputError(
        f"no canary can be planted: it has to fit into {length} tokens and into the characters the tokenizer knows"
    )


def _common_letters(material: Material) -> str:
    """The ten letters that the training text uses most."""
    train = material.data.train
    part = train[:SAMPLE] if isinstance(train, np.ndarray) else train[: SAMPLE // 100]
    counts = Counter("".join(texts_of(part, material.tokenizer)).lower())
    known = (c for c, _ in counts.most_common() if c.isalpha() and not material.tokenizer.count_unknown(c))
    return "".join(list(known)[:SYMBOLS])


def _different(symbols: str, length: int, count: int, draw: np.random.Generator) -> list[str]:
    found: dict[str, None] = {}
    if len(symbols) ** length < 2 * count:
        raise InputError("the training text has too few different letters to make codes of")
    while len(found) < count:
        found["".join(symbols[place] for place in draw.integers(0, len(symbols), length))] = None
    return list(found)
