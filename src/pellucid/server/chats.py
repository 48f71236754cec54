"""Conversations, kept in the folder of the run they were held with, and deletable. They are private text."""

from __future__ import annotations

import datetime
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pellucid.errors import InputError
from pellucid.server.errors import NotFound, TooLarge
from pellucid.server.limits import CHAT_BYTES
from pellucid.server.plain import plain
from pellucid.text.wording import size
from pellucid.training.files import read_json, write_json
from pellucid.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pellucid.server.house import House

ID = re.compile(r"[a-z0-9-]{1,40}")
MOST_CHATS = 500  # of a run
MOST_MESSAGES = 1000
LONGEST_MESSAGE = 200_000  # characters
MOST_TOKENS = 20_000  # of a message
TITLE = 60  # characters


class Token(BaseModel):
    """A token of a reply, with what the model thought of it; `delta` is what it added to the reply's text."""

    model_config = ConfigDict(extra="forbid")
    id: int = Field(ge=0, lt=1 << 24)
    text: str = Field(max_length=1000)
    delta: str | None = Field(default=None, max_length=4000)
    bits: float | None = Field(default=None, allow_inf_nan=False)
    rank: int | None = Field(default=None, ge=0, lt=1 << 24)


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["user", "assistant"]
    content: str = Field(max_length=LONGEST_MESSAGE)
    tokens: Annotated[list[Token], Field(max_length=MOST_TOKENS, fail_fast=True)] | None = None
    finish_reason: Literal["stop", "length", "stopped"] | None = None
    notes: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=20)] | None = None


class Chat(BaseModel):
    model_config = ConfigDict(extra="forbid")
    messages: list[Message] = Field(max_length=MOST_MESSAGES)


def routes(house: House) -> APIRouter:
    router = APIRouter(prefix="/api/runs/{run}/chats", tags=["chats"])

    @router.get("")
    def all_chats(run: str) -> dict[str, Any]:
        """The conversations kept with a run, the newest first."""
        return {"chats": list_chats(house.runs.run(run))}

    @router.get("/{chat}")
    def one(run: str, chat: str) -> dict[str, Any]:
        """One conversation."""
        return read_chat(house.runs.run(run), chat)

    @router.put("/{chat}")
    def keep(run: str, chat: str, body: Chat) -> dict[str, Any]:
        """Keep a conversation in the folder of the run, under an id of letters, digits and hyphens."""
        return keep_chat(house.runs.run(run), chat, body)

    @router.delete("/{chat}")
    def delete(run: str, chat: str) -> dict[str, Any]:
        """Delete a conversation."""
        path = _path(house.runs.run(run), chat)
        try:
            path.unlink()
        except FileNotFoundError:
            raise NotFound(f"there is no chat {chat} with {run}") from None
        return {"deleted": chat}

    @router.delete("")
    def delete_all(run: str) -> dict[str, Any]:
        """Delete all conversations kept with a run."""
        folder = _folder(house.runs.run(run))
        n_chats = sum(1 for _ in folder.glob("*.json"))
        shutil.rmtree(folder, ignore_errors=True)
        return {"deleted": n_chats}

    return router


def list_chats(run: RunFolder) -> list[dict[str, Any]]:
    """What there is, the latest first; a damaged one too, so that it can be deleted."""
    found = []
    for path in _folder(run).glob("*.json"):
        if not ID.fullmatch(path.stem):
            continue
        try:
            try:
                stored = read_json(path, 2 * CHAT_BYTES)
            except (InputError, OSError):
                stored = {"title": "cannot be read: the file is damaged"}
            found.append(_line(path, stored))
        except FileNotFoundError:  # deleted just now
            continue
    return sorted(found, key=lambda chat: chat["updated"], reverse=True)


def read_chat(run: RunFolder, chat: str) -> dict[str, Any]:
    """Raises: NotFound; InputError when the file is damaged."""
    path = _path(run, chat)
    if not path.is_file():
        raise NotFound(f"there is no chat {chat} with {run.name}")
    stored = read_json(path, 2 * CHAT_BYTES)
    try:
        messages = Chat.model_validate({"messages": stored.get("messages")}).model_dump(exclude_none=True)
    except ValidationError:
        raise InputError(f"{path} is damaged: delete the chat, or restore the file from a copy") from None
    return plain({"id": chat, "title": str(stored.get("title", "")), **messages})


def keep_chat(run: RunFolder, chat: str, body: Chat) -> dict[str, Any]:
    """Write a chat, over the one of that id; returns its line of the list.

    Raises:
        TooLarge: it is too long, or there are too many.
    """
    path, folder = _path(run, chat), _folder(run)
    said = next((message.content for message in body.messages if message.role == "user"), "")
    title = " ".join(said.split())[:TITLE] or "Chat"
    stored = plain({"title": title, **body.model_dump(exclude_none=True)})
    if len(json.dumps(stored, ensure_ascii=False).encode()) > CHAT_BYTES:  # it is written with spaces
        raise TooLarge(f"a chat has at most {size(CHAT_BYTES)}: begin a new one")
    if not path.exists() and sum(1 for _ in folder.glob("*.json")) >= MOST_CHATS:
        raise TooLarge(f"{run.name} has {MOST_CHATS} chats already: delete some")
    try:
        folder.mkdir(exist_ok=True)
        write_json(path, stored)
        return _line(path, stored)
    except FileNotFoundError:
        raise NotFound(f"the run {run.name} is not there any more: it was deleted") from None


def _line(path: Path, stored: dict[str, Any]) -> dict[str, Any]:
    """What the list says of a chat. Raises: FileNotFoundError when it was deleted just now."""
    messages = stored.get("messages")
    updated = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    return plain(
        {
            "id": path.stem,
            "title": str(stored.get("title") or "Chat"),
            "updated": updated.isoformat(timespec="milliseconds"),
            "messages": len(messages) if isinstance(messages, list) else 0,
        }
    )


def _folder(run: RunFolder) -> Path:
    return run.path / "chats"


def _path(run: RunFolder, chat: str) -> Path:
    """Raises: InputError when the id could be anything but a file's name right there."""
    if not ID.fullmatch(chat):
        raise InputError("a chat's id has up to 40 of the letters a-z, digits and -")
    return _folder(run) / f"{chat}.json"
