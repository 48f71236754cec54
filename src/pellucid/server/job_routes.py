"""Jobs over HTTP: start one, look at it, cancel it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pellucid.server.exports import Export
from pellucid.server.fields import MOST_FIELDS, at_most
from pellucid.server.job import Source
from pellucid.server.jobs import Jobs

if TYPE_CHECKING:
    from pellucid.server.house import House

Setting = str | bool | int | float | None


class From(BaseModel):
    """Exactly one of a named corpus and an upload."""

    model_config = ConfigDict(extra="forbid")
    corpus: str | None = Field(default=None, max_length=1000)
    upload: str | None = Field(default=None, max_length=40)

    @model_validator(mode="after")
    def one(self) -> From:
        if bool(self.corpus) == bool(self.upload):
            raise ValueError(f"give a corpus or an upload, not {'both' if self.corpus else 'neither'}")
        return self


class Start(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    kind: Literal["preview", "train", "finetune"]
    source: From
    settings: Annotated[dict[str, Setting], BeforeValidator(at_most(MOST_FIELDS))] = Field(
        default_factory=dict, max_length=MOST_FIELDS
    )
    chat: Export | None = None
    name: str | None = Field(default=None, max_length=60)

    @model_validator(mode="after")
    def fits(self) -> Start:
        if self.kind == "train" and self.chat:
            raise ValueError("chat is for a preview and for finetune: leave it out, or ask for one of these")
        return self


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/api/jobs", tags=["jobs"])
    jobs: Jobs = house.jobs

    @router.post("")
    def start(asked: Start) -> dict[str, Any]:
        """Start a preview, a training or a fine-tuning, in a process of its own."""
        source = Source(asked.source.corpus, asked.source.upload)
        if asked.kind == "preview":
            return jobs.preview(source, asked.settings, asked.chat).record()
        if asked.kind == "finetune":
            return jobs.finetune(source, asked.settings, asked.chat or Export(), asked.name).record()
        return jobs.train(source, asked.settings, asked.name).record()

    @router.get("")
    def all_jobs() -> dict[str, Any]:
        """The jobs started since the server began."""
        return {"jobs": [job.record() for job in jobs.all()]}

    @router.get("/{job}")
    def one(job: str) -> dict[str, Any]:
        """One job: its state, the end of what it said, and its result."""
        return jobs.get(job).record()

    @router.delete("/{job}")
    def cancel(job: str) -> dict[str, Any]:
        """Stop a job; a training saves first."""
        return jobs.cancel(job).record()

    return router
