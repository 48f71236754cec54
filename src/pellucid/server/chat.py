"""Conversations for the page and for simple clients: POST /api/chat, its stream, and what else could be said."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pellucid.errors import InputError
from pellucid.generation.conversation import Form, Speakers, Turn, form_of, prompt_room
from pellucid.generation.decoding import Draft, Token
from pellucid.generation.options import SamplingOptions
from pellucid.generation.rolling import window_start
from pellucid.server.errors import error_body, status_of, told
from pellucid.server.fields import (
    Body,
    MaxTokens,
    MinP,
    Name,
    OfRun,
    Seed,
    Temperature,
    Text,
    TokenId,
    TopK,
    TopP,
)
from pellucid.server.house import House
from pellucid.server.limits import MAX_TOKENS, TURNS
from pellucid.server.models import Served
from pellucid.server.replies import EventStream, data, unless_gone
from pellucid.server.scheduler import Piece, Stream

MOST_ALTERNATIVES = 12


class Said(Body):
    """One turn of a history."""

    role: Literal["system", "user", "assistant"]
    content: Text


class Chat(OfRun):
    """What is to be answered."""

    message: Text
    history: list[Said] = Field(default_factory=list, max_length=TURNS)
    temperature: Temperature = 0.5
    top_k: TopK = 25
    top_p: TopP = 1.0
    min_p: MinP = 0.0
    max_tokens: MaxTokens = 180
    seed: Seed | None = None
    user_name: Name = "YOU"
    model_name: Name = "PELLUCID"
    reply_ids: list[TokenId] = Field(default_factory=list, max_length=MAX_TOKENS)
    tokens: bool = False

    def options(self) -> SamplingOptions:
        return SamplingOptions(
            self.temperature, self.top_k, self.top_p, self.min_p, max_tokens=self.max_tokens, seed=self.seed
        )


class Alternatives(Chat):
    """Which token of a reply is asked about: `reply_ids[index]`."""

    index: Annotated[int, Field(ge=0, lt=MAX_TOKENS)]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A conversation ready to be continued."""

    served: Served
    draft: Draft
    form: Form
    notes: list[str]


def prepare(
    served: Served,
    said: list[tuple[str, str]],
    speakers: Speakers,
    options: SamplingOptions,
    beginning: list[int] | None = None,
) -> Asked:
    """Write a conversation as the model reads it; takes a moment where it is long.

    Args:
        said: roles and what they said; "system" stands before all turns, and all roles but "user"
            and "system" are the model's.
        beginning: tokens that the reply is to begin with.
    """
    engine = served.engine
    room = prompt_room(engine.model.config.context_length, options.max_tokens)
    preface = "\n\n".join(text for role, text in said if role == "system")
    turns = [
        Turn(speakers.user if role == "user" else speakers.model, text)
        for role, text in said
        if role != "system" and text.strip()
    ]
    form = form_of(speakers, engine.tokenizer, served.loaded.template)
    prompt, notes = form.prompt(turns, room, preface)
    draft = engine.draft(prompt, options, beginning or (), notes.append, False, form.ends)
    return Asked(served, draft, form, notes)


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/api/chat", tags=["chat"])

    def ask(body: Chat) -> Asked:
        served = house.models.get(body.run, body.step)
        said = [*((turn.role, turn.content) for turn in body.history), ("user", body.message)]
        speakers = Speakers(body.user_name, body.model_name)
        return prepare(served, said, speakers, body.options(), body.reply_ids)

    async def begin(body: Chat) -> tuple[Asked, Stream]:
        asked = await run_in_threadpool(ask, body)
        return asked, house.scheduler.submit(asked.served.engine, asked.draft, asked.form.cutter())

    @router.post("")
    async def chat(body: Chat, request: Request) -> Response:
        """An answer to `message`: `{"reply", "finish_reason", "notes", "stamp"}`."""
        asked, stream = await begin(body)
        return await unless_gone(request, stream, _whole(asked, stream, body.tokens))

    @router.post("/stream")
    async def chat_stream(body: Chat) -> Response:
        """The same in pieces, as server-sent events: `{"delta"}` each, then `{"done", "finish_reason", "stamp"}`."""
        asked, stream = await begin(body)
        return EventStream(stream, _events(asked, stream, body.tokens))

    @router.post("/alternatives")
    def alternatives(body: Alternatives) -> dict[str, Any]:
        """What else might have stood at `reply_ids[index]`: the likeliest tokens, with the probability of each."""
        if body.index >= len(body.reply_ids):
            raise InputError(
                f"index {body.index} is past the end of reply_ids, which has {len(body.reply_ids)}"
            )
        with house.turnstile.waiting():
            asked = ask(body)
            with house.turnstile.turn():
                return alternatives_at(asked, body.reply_ids, body.index)

    return router


def told_token(served: Served, token: Token) -> dict[str, Any]:
    """A token as the page knows it."""
    text = served.engine.tokenizer.token_text(token.id)
    return {"id": token.id, "text": text, "bits": round(token.bits, 4), "rank": token.rank}


async def _whole(asked: Asked, stream: Stream, with_tokens: bool) -> dict[str, Any]:
    pieces = [piece async for piece in stream.pieces()]
    answer: dict[str, Any] = {
        "reply": "".join(piece.text for piece in pieces),
        "finish_reason": pieces[-1].finish_reason,
        "notes": asked.notes,
        "stamp": asked.served.stamp,
    }
    if with_tokens:
        answer["tokens"] = [told_token(asked.served, piece.token) for piece in pieces]
    return answer


async def _events(asked: Asked, stream: Stream, with_tokens: bool) -> AsyncIterator[str]:
    if asked.notes:
        yield data({"notes": asked.notes})
    piece: Piece | None = None
    try:
        async for piece in stream.pieces():
            if with_tokens:
                yield data({"delta": piece.text, "token": told_token(asked.served, piece.token)})
            elif piece.text:
                yield data({"delta": piece.text})
    except Exception as error:  # the answer has begun: its status is sent
        yield data(error_body(status_of(error), told(error)))
        return
    assert piece is not None
    end = {"done": True, "finish_reason": piece.finish_reason, "notes": asked.notes}
    yield data({**end, "stamp": asked.served.stamp})


def alternatives_at(asked: Asked, reply_ids: list[int], index: int) -> dict[str, Any]:
    """What the model itself, before temperature and the rest, thought where `reply_ids[index]` was written.

    Raises:
        InputError: the model's outputs are not finite.
    """
    import torch

    engine = asked.served.engine
    context = engine.model.config.context_length
    ids = [*asked.draft.ids, *reply_ids[:index]]
    window = torch.tensor(
        [ids[window_start(len(ids), context) :]], device=next(engine.model.parameters()).device
    )
    with torch.inference_mode():
        logits = engine.model(window, last_only=True)[0, -1].float().cpu()  # (V,)
    if not logits.isfinite().all():
        raise InputError(
            f"{asked.served.loaded.folder.name} gives no finite numbers here: use an earlier checkpoint"
        )
    logprobs = logits.log_softmax(-1)
    known = logits[: engine.tokenizer.vocab_size]  # a model may have more outputs than there are tokens
    likeliest = known.topk(min(MOST_ALTERNATIVES, len(known))).indices.tolist()

    def told_one(token: int) -> dict[str, Any]:
        rank = int((logits > logits[token]).sum()) + 1
        own = told_token(asked.served, Token(token, float(logprobs[token]), "", rank))
        return {**own, "probability": float(logprobs[token].exp())}

    return {
        "stamp": asked.served.stamp,
        "notes": asked.notes,
        "token": told_one(reply_ids[index]),
        "alternatives": [told_one(token) for token in likeliest],
    }
