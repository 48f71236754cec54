"""Texts gone on with, as OpenAI's older API does it: POST /v1/completions.

With `echo` and `logprobs` the prompt's own tokens are scored, which is how evaluation harnesses ask a model what it
thinks of a text.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pellucid.generation.decoding import Draft, Token
from pellucid.generation.engine import unknown_note
from pellucid.generation.options import SamplingOptions
from pellucid.generation.scoring import Stopped, score
from pellucid.server.errors import TooLong
from pellucid.server.house import House
from pellucid.server.models import Served
from pellucid.server.openai_bodies import TextBody, check_ids
from pellucid.server.openai_wire import Answer, Choice, TextLogprobs
from pellucid.server.replies import LEFT, EventStream, Left, unless_gone, while_there
from pellucid.server.scheduler import Piece


@dataclasses.dataclass
class Prompt:
    """One prompt, ready to be gone on with.

    Args:
        text: what an echo shows.
        ids: all its tokens.
        n_beginning: how many of them the client did not send: those that stand before every text of this model.
        scored: its tokens but the first, where they were asked for.
    """

    text: str
    ids: list[int]
    n_beginning: int
    scored: list[Token] = dataclasses.field(default_factory=list)

    @property
    def own(self) -> list[Token | int]:
        """The tokens that the client knows of, scored but for one that nothing stands before."""
        if self.n_beginning:
            return [*self.scored[self.n_beginning - 1 :]]
        return [*self.ids[:1], *self.scored]


class Reading:
    """Prompts being scored, until the client leaves."""

    def __init__(self) -> None:
        self._left = threading.Event()

    def cancel(self) -> None:
        self._left.set()

    def read(self, house: House, body: TextBody, served: Served, prompts: Sequence[Prompt]) -> None:
        """Score all prompts, in its turn.

        Raises:
            TooLong: the model cannot see all of one.
            Stopped: the client left.
        """
        context = served.engine.model.config.context_length
        for number, prompt in enumerate(prompts):
            if len(prompt.ids) > context + 1:  # the last token need not be read
                raise TooLong(
                    f"prompt {number} has {len(prompt.ids):,} tokens, but {body.model} sees {context:,}: "
                    f"with echo and logprobs it may have {context + 1:,}; send less of it at a time",
                    "prompt",
                )
        with house.turnstile.waiting(), house.turnstile.turn():
            told = score(
                served.engine, [prompt.ids for prompt in prompts], body.logprobs or 0, self._left.is_set
            )
        for prompt, tokens in zip(prompts, told, strict=True):
            prompt.scored = tokens


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["OpenAI"])

    def ask(body: TextBody) -> TextAnswer:
        given, options = body.prompts(), body.options()
        served = house.models.get(body.model)
        body.check_tokens(served.engine.tokenizer.vocab_size)
        prompts = [_prompt(served, each, number) for number, each in enumerate(given)]
        notes: list[str] = []
        drafts = [draft for prompt in prompts for draft in _drafts(served, prompt, options, notes)]
        for draft in drafts:
            draft.n_top = body.logprobs or 0
        return TextAnswer(body, served, drafts, notes, prompts)

    @router.post("/completions")
    async def complete(body: TextBody, request: Request) -> Response:
        """What the model writes after a prompt, a text or token ids, or after each of several.

        With `echo` and `logprobs` it tells how likely the prompt was, token by token.
        """
        answer = await run_in_threadpool(ask, body)
        if body.reads:
            reading = Reading()
            read = run_in_threadpool(reading.read, house, body, answer.served, answer.prompts)
            try:
                await while_there(request, reading, read)
            except (Left, Stopped):
                return Response(status_code=LEFT)
        written = answer.drafts if body.n_tokens else []
        streams = house.scheduler.submit_all(answer.served.engine, written)
        if body.stream:
            return EventStream(streams, answer.events(streams))
        return await unless_gone(request, streams, answer.whole(streams))

    return router


def _prompt(served: Served, given: str | list[int], number: int) -> Prompt:
    """Raises: Refusal where there is no such token."""
    tokenizer = served.engine.tokenizer
    if isinstance(given, str):
        return Prompt(
            given, [*tokenizer.beginning, *tokenizer.encode(given).tolist()], len(tokenizer.beginning)
        )
    check_ids(given, tokenizer.vocab_size, f"prompt {number}")
    return Prompt(tokenizer.decode(given), given, 0)


def _drafts(
    served: Served, prompt: Prompt, options: Sequence[SamplingOptions], notes: list[str]
) -> Iterator[Draft]:
    """The replies to one prompt; says what a person should know of it."""
    if said := unknown_note(served.engine.tokenizer, prompt.text):
        notes.append(said)
    for each in options:
        yield served.engine.draft(prompt.ids, each, note=notes.append)


class TextAnswer(Answer):
    """A text completion."""

    prefix = "cmpl"
    kinds = ("text_completion", "text_completion")
    body: TextBody

    def __init__(
        self,
        body: TextBody,
        served: Served,
        drafts: Sequence[Draft],
        notes: Sequence[str],
        prompts: Sequence[Prompt],
    ) -> None:
        super().__init__(body, served, drafts, notes)
        self.prompts = prompts
        self._logprobs: dict[int, TextLogprobs] = {}

    def choice(self, index: int, pieces: Sequence[Piece]) -> Choice:
        prompt = self._prompt(index)
        text = "".join([prompt.text if self.body.echo else "", *(piece.text for piece in pieces)])
        tokens = [*(prompt.own if self.body.reads else []), *(piece.token for piece in pieces)]
        return self._choice(index, text, tokens, pieces[-1].finish_reason if pieces else "length")

    def opening(self) -> Iterator[Choice]:
        for index in range(len(self.drafts)):
            prompt, finish = self._prompt(index), None if self.body.n_tokens else "length"
            if self.body.echo:
                yield self._choice(index, prompt.text, prompt.own if self.body.reads else [], finish)
            elif finish:
                yield self._choice(index, "", [], finish)

    def told(self, index: int, piece: Piece) -> Iterator[Choice]:
        if piece.text or piece.finish_reason or self.body.logprobs is not None:
            yield self._choice(index, piece.text, [piece.token], piece.finish_reason)

    def _prompt(self, index: int) -> Prompt:
        return self.prompts[index // self.body.n_replies]

    def _choice(self, index: int, text: str, tokens: Sequence[Token | int], finish: str | None) -> Choice:
        logprobs: dict[str, Any] | None = None
        if self.body.logprobs is not None:
            logprobs = self._told_of(index).of(tokens)
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}

    def _told_of(self, index: int) -> TextLogprobs:
        """What tells the tokens of one reply, from its beginning to its end."""
        if index not in self._logprobs:
            tokenizer, start = self.served.engine.tokenizer, 0
            if self.body.reads:  # a tokenizer may put a blank before a text
                prompt = self._prompt(index)
                spelt = b"".join(map(tokenizer.token_bytes, prompt.ids)).decode("utf-8", "replace")
                start = len(prompt.text) - len(spelt)
            self._logprobs[index] = TextLogprobs(tokenizer, start)
        return self._logprobs[index]
