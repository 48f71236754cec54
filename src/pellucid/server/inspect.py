"""The views of pellucid.inspection over HTTP: POST /api/inspect/<view>."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from pellucid.inspection import attention, bigram, sampling, shapes, tokens
from pellucid.inspection.frame import Frame
from pellucid.inspection.subject import Subject
from pellucid.server.fields import MinP, OfRun, Seed, Temperature, Text, TokenId, TopK, TopP
from pellucid.server.house import House
from pellucid.server.plain import plain

Small = Annotated[int, Field(ge=0, le=100_000)]
FRAME = "application/octet-stream"


class Look(OfRun):
    """Which weights, and what they read."""

    text: Text = ""


class Pairs(OfRun):
    row: TokenId | None = None
    size: Small = 48


class Attention(Look):
    scale: Literal["trained", "sqrt", "none"] = "trained"
    mask: Literal["trained", "causal", "none"] = "trained"
    tiles: Small = 64


class Head(Look):
    layer: Small
    head: Small
    scale: Literal["trained", "sqrt", "none"] = "trained"
    mask: Literal["trained", "causal", "none"] = "trained"


class Picking(Look):
    """How the next token is picked."""

    temperature: Temperature = 0.5
    top_k: TopK = 25
    top_p: TopP = 1.0
    min_p: MinP = 0.0

    def options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("temperature", "top_k", "top_p", "min_p")}


class NextToken(Picking):
    shown: Small = 40


class Draw(Picking):
    n: Small = 1
    seed: Seed | None = None


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/api/inspect", tags=["inspect"])

    def look(asked: OfRun, view: Callable[[Subject], dict[str, Any] | Frame]) -> Response:
        with house.turnstile.waiting():
            subject = house.models.get(asked.run, asked.step).subject  # may wait for a training
            with house.turnstile.turn():
                answer = view(subject)
                if isinstance(answer, Frame):
                    return Response(Frame(plain(answer.header), answer.arrays).encode(), media_type=FRAME)
                return JSONResponse(plain(answer))

    @router.post("/tokens")
    def cut_into_tokens(asked: Look) -> Response:
        """How a text is cut into tokens."""
        return look(asked, lambda subject: tokens.cut(subject, asked.text))

    @router.post("/bigram")
    def bigram_table(asked: Pairs) -> Response:
        """How often which token followed which in the training text."""
        return look(asked, lambda subject: bigram.table(subject, asked.row, asked.size))

    @router.post("/attention", response_class=Response)
    def all_heads(asked: Attention) -> Response:
        """The attention of every head, small: JSON and arrays in one run of bytes."""
        return look(
            asked,
            lambda subject: attention.overview(subject, asked.text, asked.scale, asked.mask, asked.tiles),
        )

    @router.post("/head", response_class=Response)
    def one_head(asked: Head) -> Response:
        """One head's attention weights in full: JSON and arrays in one run of bytes."""
        return look(
            asked,
            lambda subject: attention.head(
                subject, asked.text, asked.layer, asked.head, asked.scale, asked.mask
            ),
        )

    @router.post("/next")
    def next_token(asked: NextToken) -> Response:
        """The distribution of the next token, before and after temperature, top-k, top-p and min-p."""
        return look(
            asked,
            lambda subject: sampling.next_token(subject, asked.text, **asked.options(), shown=asked.shown),
        )

    @router.post("/draw")
    def draw(asked: Draw) -> Response:
        """`n` draws of the next token."""
        return look(
            asked,
            lambda subject: sampling.draw(subject, asked.text, **asked.options(), n=asked.n, seed=asked.seed),
        )

    @router.post("/shapes")
    def every_shape(asked: Look) -> Response:
        """Every tensor of the forward pass: shape, parameters, operations, line of code."""
        return look(asked, lambda subject: shapes.budget(subject, asked.text))

    return router
