"""A text to follow by hand: small sentences in 17 characters, 24 tokens with the reserved ones."""

from __future__ import annotations

import hashlib
import itertools

from pellucid.text.documents import Corpus, Document

SUBJECTS = ("ant", "cat", "dog", "goat", "hen", "rat")
VERBS = ("hid", "ran", "rested", "sat", "stood")
PLACES = ("at", "in", "near", "on")
THINGS = ("the garden", "the inn", "the log", "the mat", "the road")


def lesson() -> Corpus:
    """Every sentence that the words give, once each, in an order that does not change."""
    sentences = [
        f"the {subject} {verb} {place} {thing}."
        for subject, verb, place, thing in itertools.product(SUBJECTS, VERBS, PLACES, THINGS)
    ]
    sentences.sort(key=lambda sentence: hashlib.sha256(sentence.encode()).digest())
    return Corpus("lesson", (Document("\n".join(sentences) + "\n", "lesson"),))
