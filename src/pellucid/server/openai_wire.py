"""What OpenAI's clients are answered: the frame of an answer, whole or in chunks, and log-probabilities in both shapes.

Log-probabilities are told of every token that was drawn, as `usage` counts them: the one that ends a text and those of
a stop string are among them, though the text does not show them.
"""

from __future__ import annotations

import codecs
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from starlette.concurrency import run_in_threadpool

from pellucid.generation.decoding import Draft, Token
from pellucid.server.errors import openai_error
from pellucid.server.models import Served
from pellucid.server.openai_bodies import Writing
from pellucid.server.replies import data
from pellucid.server.scheduler import Piece, Streams
from pellucid.text.tokenizers.tokenizer import Tokenizer

LEAST = -9999.0  # what OpenAI says of a token that is out of the question; JSON has no infinity
Choice = dict[str, Any]


class Answer(ABC):
    """All replies to one request.

    Args:
        body: what was asked.
        served: who writes.
        drafts: the replies, those to one prompt next to each other.
        notes: what a person should know, as of a prompt that was too long.
    """

    prefix: ClassVar[str]  # of its id
    kinds: ClassVar[tuple[str, str]]  # what OpenAI calls it: whole, and in chunks

    def __init__(self, body: Writing, served: Served, drafts: Sequence[Draft], notes: Sequence[str]) -> None:
        self.body, self.served, self.drafts = body, served, drafts
        self.notes = list(dict.fromkeys(notes))
        self.id = f"{self.prefix}-{secrets.token_hex(12)}"
        self.created = int(time.time())

    @abstractmethod
    def choice(self, index: int, pieces: Sequence[Piece]) -> Choice:
        """A whole reply."""

    @abstractmethod
    def opening(self) -> Iterator[Choice]:
        """What stands before all that is written, in a stream."""

    @abstractmethod
    def told(self, index: int, piece: Piece) -> Iterator[Choice]:
        """A piece of a reply, in a stream."""

    async def whole(self, streams: Streams) -> dict[str, Any]:
        """The answer at once."""
        pieces: list[list[Piece]] = [[] for _ in self.drafts]
        async for index, piece in streams.pieces():
            pieces[index].append(piece)
        # log-probabilities of long prompts can take a second to be spelt, in which others want to be answered
        choices = await run_in_threadpool(
            lambda: [self.choice(index, own) for index, own in enumerate(pieces)]
        )
        return {**self._head(self.kinds[0]), **self._noted(), "choices": choices, "usage": self._usage()}

    async def events(self, streams: Streams) -> AsyncIterator[str]:
        """The answer as it is written, as server-sent events."""
        head = self._head(self.kinds[1])
        rest = {"usage": None} if self.body.with_usage else {}
        noted = self._noted()
        try:
            for choice in self.opening():
                yield data({**head, **noted, "choices": [choice], **rest})
                noted = {}
            async for index, piece in streams.pieces():
                for choice in self.told(index, piece):
                    yield data({**head, **noted, "choices": [choice], **rest})
                    noted = {}
        except Exception as error:  # the answer has begun: its status is sent
            yield data(openai_error(error))
            return
        if self.body.with_usage:
            yield data({**head, "choices": [], "usage": self._usage()})
        yield "data: [DONE]\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        stamp = self.served.stamp
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.body.model,
            "system_fingerprint": f"{stamp['run']} step {stamp['step']} {stamp['kind']}",
        }

    def _noted(self) -> dict[str, Any]:
        return {"notes": self.notes} if self.notes else {}  # not OpenAI's: nothing is left out in silence

    def _usage(self) -> dict[str, int]:
        read = sum(draft.n_prompt for draft in self.drafts[:: self.body.n_replies])  # each prompt once
        written = sum(draft.n_tokens for draft in self.drafts)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


# ---------------------------------------------------------------------- log-probabilities


def chat_logprobs(tokenizer: Tokenizer, tokens: Iterable[Token]) -> dict[str, Any]:
    """Log-probabilities as chat completions tell them."""

    def one(id: int, logprob: float) -> dict[str, Any]:
        spelt = list(tokenizer.token_bytes(id))
        return {"token": tokenizer.token_text(id), "logprob": max(logprob, LEAST), "bytes": spelt}

    content = [
        {**one(token.id, token.logprob), "top_logprobs": [one(*likely) for likely in token.top]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


class TextLogprobs:
    """Log-probabilities as text completions tell them, with where in the text each token begins.

    Args:
        start: where the first one does, in characters.
    """

    def __init__(self, tokenizer: Tokenizer, start: int = 0) -> None:
        self.tokenizer, self.at = tokenizer, start
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def of(self, tokens: Iterable[Token | int]) -> dict[str, Any]:
        """Of the next tokens; one that nothing stands before is a bare id, and has none."""
        told: dict[str, list[Any]] = {
            "tokens": [],
            "token_logprobs": [],
            "top_logprobs": [],
            "text_offset": [],
        }
        for token in tokens:
            id = token if isinstance(token, int) else token.id
            told["tokens"].append(self.tokenizer.token_text(id))
            told["token_logprobs"].append(None if isinstance(token, int) else max(token.logprob, LEAST))
            told["top_logprobs"].append(None if isinstance(token, int) else self._top(token))
            told["text_offset"].append(max(0, self.at))
            self.at += len(self._decoder.decode(self.tokenizer.token_bytes(id)))
        return told

    def _top(self, token: Token) -> dict[str, float]:
        """The likeliest, and the token itself, which may be one of them; of two that look the same, the likelier."""
        told: dict[str, float] = {}
        for id, logprob in (*token.top, (token.id, token.logprob)):
            told.setdefault(self.tokenizer.token_text(id), max(logprob, LEAST))
        return told
