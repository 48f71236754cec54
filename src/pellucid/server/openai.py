"""The API that OpenAI's clients speak: GET /v1/models and POST /v1/chat/completions (completions.py has the other)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pellucid.generation.conversation import Speakers
from pellucid.generation.decoding import Draft
from pellucid.server.chat import Asked, prepare
from pellucid.server.errors import NotFound
from pellucid.server.fields import Name
from pellucid.server.house import House
from pellucid.server.openai_bodies import ChatBody
from pellucid.server.openai_wire import Answer, Choice, chat_logprobs
from pellucid.server.replies import EventStream, unless_gone
from pellucid.server.scheduler import Piece
from pellucid.training.run_folder import RunFolder

SPEAKERS = Speakers("YOU", "PELLUCID")
SYSTEM = ("system", "developer")


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["OpenAI"])

    @router.get("/models")
    def models() -> dict[str, Any]:
        """The runs that can write, in OpenAI's form."""
        return {
            "object": "list",
            "data": [_model(run) for run in house.runs.all() if run.model_path.exists()],
        }

    @router.get("/models/{name}")
    def model(name: Name) -> dict[str, Any]:
        """One run that can write, in OpenAI's form."""
        run = house.runs.run(name)
        if not run.model_path.exists():
            raise NotFound(f"the run {name} has no weights yet: they are saved in the course of its training")
        return _model(run)

    def ask(body: ChatBody) -> tuple[Asked, list[Draft]]:
        options = body.options()
        said = [(_role(message.role), message.text()) for message in body.messages]
        served = house.models.get(body.model)
        body.check_tokens(served.engine.tokenizer.vocab_size)
        asked = prepare(served, said, SPEAKERS, options[0])
        prompt = asked.draft.ids[: asked.draft.n_prompt]
        others = [served.engine.draft(prompt, each, ends=asked.form.ends) for each in options[1:]]
        drafts = [asked.draft, *others]
        for draft in drafts:
            draft.n_top = body.top_logprobs or 0
        return asked, drafts

    @router.post("/chat/completions")
    async def complete(body: ChatBody, request: Request) -> Response:
        """A chat completion in OpenAI's form; with `stream`, in pieces. `model` is the name of a run.

        Replies are text: another `response_format` is refused, and so is a tool that must be called. Tools that are
        only offered are not read, and `notes`, a field of ours in the answer, says so.
        """
        asked, drafts = await run_in_threadpool(ask, body)
        cutters = [asked.form.cutter() for _ in drafts]
        streams = house.scheduler.submit_all(asked.served.engine, drafts, cutters)
        answer = ChatAnswer(body, asked.served, drafts, [*asked.notes, *body.notes])
        if body.stream:
            return EventStream(streams, answer.events(streams))
        return await unless_gone(request, streams, answer.whole(streams))

    return router


def _role(role: str) -> str:
    return "system" if role in SYSTEM else "user" if role == "user" else "assistant"


def _model(run: RunFolder) -> dict[str, Any]:
    try:
        created = int(run.config_path.stat().st_mtime)
    except OSError:  # deleted just now
        created = 0
    return {"id": run.name, "object": "model", "created": created, "owned_by": "pellucid"}


class ChatAnswer(Answer):
    """A chat completion."""

    prefix = "chatcmpl"
    kinds = ("chat.completion", "chat.completion.chunk")
    body: ChatBody

    def choice(self, index: int, pieces: Sequence[Piece]) -> Choice:
        message = {"role": "assistant", "content": "".join(piece.text for piece in pieces), "refusal": None}
        finish = pieces[-1].finish_reason
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs(pieces),
            "finish_reason": finish,
        }

    def opening(self) -> Iterator[Choice]:
        for index in range(len(self.drafts)):
            yield self._delta(index, {"role": "assistant", "content": ""})

    def told(self, index: int, piece: Piece) -> Iterator[Choice]:
        if piece.text or self.body.logprobs:
            yield self._delta(index, {"content": piece.text}, self._logprobs([piece]))
        if piece.finish_reason:
            yield self._delta(index, {}, finish_reason=piece.finish_reason)

    def _logprobs(self, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        if not self.body.logprobs:
            return None
        return chat_logprobs(self.served.engine.tokenizer, (piece.token for piece in pieces))

    def _delta(
        self,
        index: int,
        delta: dict[str, str],
        logprobs: dict[str, Any] | None = None,
        finish_reason: str | None = None,
    ) -> Choice:
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
