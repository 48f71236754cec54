"""The chat API that OpenAI's clients speak: GET /v1/models and POST /v1/chat/completions.

Fields that clients send and nobody here can use are passed over; what is used is bounded.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pellucid.errors import InputError
from pellucid.generation.conversation import Speakers
from pellucid.generation.options import CHAT_DEFAULTS, LARGEST_SEED, SamplingOptions
from pellucid.server.chat import Asked, prepare
from pellucid.server.errors import error_body, status_of, told
from pellucid.server.fields import Name, Text, TopK
from pellucid.server.house import House
from pellucid.server.limits import MAX_TOKENS, PROMPT_CHARACTERS, TURNS
from pellucid.server.replies import EventStream, data, unless_gone
from pellucid.server.scheduler import Piece, Stream
from pellucid.training.run_folder import RunFolder

SPEAKERS = Speakers("YOU", "PELLUCID")
SYSTEM = ("system", "developer")
MOST_STOPS = 16
LEAST_TOP_P = 1e-6  # some clients send 0 for "only the likeliest"
Stop = Annotated[str, Field(min_length=1, max_length=1000)]
Asking = Annotated[int, Field(ge=1, le=1 << 31)]  # of tokens: no more than MAX_TOKENS are written


class Lenient(BaseModel):
    """A body of /v1: what is not known is passed over."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class Part(Lenient):
    """A part of a message; parts that are no text have none."""

    type: Annotated[str, Field(max_length=100)]
    text: Text | None = None


class Message(Lenient):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[Part], Field(max_length=TURNS)] | None = None

    def text(self) -> str:
        """What it says. Raises: InputError where a part is no text."""
        if not isinstance(self.content, list):
            return self.content or ""
        for part in self.content:
            if part.type != "text" or part.text is None:
                raise InputError(f"messages are text here: a part of type {part.type!r} cannot be read")
        text = "".join(part.text or "" for part in self.content)
        if len(text) > PROMPT_CHARACTERS:
            raise InputError(f"a message has {PROMPT_CHARACTERS:,} characters at most")
        return text


class StreamOptions(Lenient):
    include_usage: bool = False


class Completion(Lenient):
    """What is to be written."""

    model: Name
    messages: Annotated[list[Message], Field(min_length=1, max_length=TURNS)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    top_k: TopK | None = None  # not OpenAI's, but many clients can send it
    max_tokens: Asking | None = None
    max_completion_tokens: Asking | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    seed: Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = 1

    def options(self) -> SamplingOptions:
        """As `pellucid chat` picks its words, where the client does not say."""
        asked = self.max_completion_tokens or self.max_tokens or CHAT_DEFAULTS.max_tokens
        return SamplingOptions(
            temperature=CHAT_DEFAULTS.temperature if self.temperature is None else self.temperature,
            top_k=CHAT_DEFAULTS.top_k if self.top_k is None else self.top_k,
            top_p=1.0 if self.top_p is None else max(self.top_p, LEAST_TOP_P),
            max_tokens=min(asked, MAX_TOKENS),
            seed=None if self.seed is None else abs(self.seed),
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
        )


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["OpenAI"])

    @router.get("/models")
    def models() -> dict[str, Any]:
        """The runs that can write, in OpenAI's form."""
        usable = (run for run in house.runs.all() if run.model_path.exists())
        return {"object": "list", "data": [_model(run) for run in usable]}

    @router.get("/models/{name}")
    def model(name: Name) -> dict[str, Any]:
        """One run, in OpenAI's form."""
        return _model(house.runs.run(name))

    def ask(body: Completion) -> Asked:
        said = [(_role(message.role), message.text()) for message in body.messages]
        return prepare(house.models.get(body.model), said, SPEAKERS, body.options())

    @router.post("/chat/completions")
    async def complete(body: Completion, request: Request) -> Response:
        """A chat completion in OpenAI's form; with `stream`, in pieces. `model` is the name of a run."""
        asked = await run_in_threadpool(ask, body)
        stream = house.scheduler.submit(asked.served.engine, asked.draft, asked.form.cutter())
        reply = Reply(body, asked)
        if body.stream:
            return EventStream(stream, reply.chunks(stream))
        return await unless_gone(request, stream, reply.whole(stream))

    return router


def _role(role: str) -> str:
    return "system" if role in SYSTEM else "user" if role == "user" else "assistant"


def _model(run: RunFolder) -> dict[str, Any]:
    try:
        created = int(run.config_path.stat().st_mtime)
    except OSError:  # deleted just now
        created = 0
    return {"id": run.name, "object": "model", "created": created, "owned_by": "pellucid"}


class Reply:
    """One completion on the wire."""

    def __init__(self, body: Completion, asked: Asked) -> None:
        self.body, self.asked = body, asked
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.created = int(time.time())

    async def whole(self, stream: Stream) -> dict[str, Any]:
        pieces = [piece async for piece in stream.pieces()]
        message = {"role": "assistant", "content": "".join(piece.text for piece in pieces), "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": pieces[-1].finish_reason,
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": self._usage()}

    async def chunks(self, stream: Stream) -> AsyncIterator[str]:
        yield self._chunk({"role": "assistant", "content": ""})
        piece: Piece | None = None
        try:
            async for piece in stream.pieces():
                if piece.text:
                    yield self._chunk({"content": piece.text})
        except Exception as error:  # the answer has begun: its status is sent
            yield data(error_body(status_of(error), told(error), openai=True))
            return
        yield self._chunk({}, piece.finish_reason if piece else None)
        if self.body.stream_options and self.body.stream_options.include_usage:
            yield data({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()})
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return data({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        stamp = self.asked.served.stamp
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.body.model,
            "system_fingerprint": f"{stamp['run']} step {stamp['step']} {stamp['kind']}",
        }

    def _usage(self) -> dict[str, int]:
        draft = self.asked.draft
        return {
            "prompt_tokens": draft.n_prompt,
            "completion_tokens": draft.n_tokens,
            "total_tokens": draft.n_prompt + draft.n_tokens,
        }
