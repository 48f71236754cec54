"""Text that grows token by token: whole characters only, and nothing past a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from pellucid.text.tokenizers.tokenizer import Tokenizer


class StopFinder:
    """Passes text on until the first of some strings is complete; holds back what may become one.

    Text is looked at as if it came one character at a time, so how it is cut into pieces changes nothing: of
    several strings the one complete first counts, and of those ending together the longest.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = tuple(stops)
        self.found = False
        self._held = ""

    def push(self, text: str) -> str:
        """The text that can be shown now; "" once a stop string was found."""
        if self.found:
            return ""
        text = self._held + text
        starts = {stop: text.find(stop) for stop in self.stops}
        complete = [(start + len(stop), start) for stop, start in starts.items() if start >= 0]
        if complete:
            self.found, self._held = True, ""
            return text[: min(complete)[1]]
        cut = len(text) - max((_overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` that are the beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


class TextStream:
    """Token ids in, pieces of text out; joined, the pieces are the decoded text cut at the first stop string.

    Bytes wait until their character is whole; those that are no UTF-8 become U+FFFD, as in `bytes.decode`.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._finder = StopFinder(stop)

    @property
    def stopped(self) -> bool:
        """Whether a stop string has ended the text."""
        return self._finder.found

    def push(self, token_id: int) -> str:
        """The text that this token completes; often "", as when it is a part of a character."""
        return self._finder.push(self._decoder.decode(self._tokenizer.token_bytes(token_id)))

    def flush(self) -> str:
        """The rest, when no more tokens come: an unfinished character, and what was held back."""
        return self._finder.push(self._decoder.decode(b"", final=True)) + self._finder.flush()
