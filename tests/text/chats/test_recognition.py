"""What is a chat is told from its content; a book is none, whatever it is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pellucid.errors import InputError
from pellucid.text.chats.recognition import BEGINNING, holds_chat

WHATSAPP = "".join(f"12/{day}/20, 23:55 - {who}: hi\n" for day in range(13, 29) for who in ("Anna", "Bob"))
TELEGRAM = {
    "name": "Bob",
    "type": "personal_chat",
    "id": 1,
    "messages": [
        {
            "id": 1,
            "type": "message",
            "date": "2024-05-17T09:00:00",
            "from": "Bob",
            "from_id": "user1",
            "text": "hi",
        }
    ],
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chat.txt", WHATSAPP),
        ("long.txt", WHATSAPP * 400),
        ("turns.txt", "me: hi\nthem: hello\n"),
        ("result.json", json.dumps(TELEGRAM)),
        ("indented.json", json.dumps({**TELEGRAM, "messages": TELEGRAM["messages"] * 900}, indent=1)),
        ("data.jsonl", '{"messages": [{"role": "user", "content": "hi"}]}\n' * 3000),
    ],
)
def test_chats(tmp_path: Path, name: str, content: str):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert holds_chat([path])
    assert holds_chat([tmp_path])  # the folder it is in
    assert len(content) > BEGINNING or name not in ("long.txt", "indented.json", "data.jsonl")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("book.txt", "It was 12/9/20, and he said: hi\n" * 5000),
        ("play.txt", "ROMEO:\nAh me!\n\nJULIET:\nO Romeo\n"),
        ("texts.jsonl", '{"text": "once upon a time"}\n' * 9),
        ("data.json", '{"a": [1, 2, 3]}'),
        ("broken.json", '{"messages": ['),
        ("empty.txt", ""),
        ("bytes.txt", b"\0\1\2" * 99),
        ("picture.jpg", WHATSAPP),
    ],
)
def test_texts(tmp_path: Path, name: str, content: str | bytes):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert not holds_chat([path])
    assert not holds_chat([tmp_path])


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(TELEGRAM)[:-20],
        '{"name": "Anna", "type": "personal_chat", "messages": [',
        '[{"messages": [{"role": "user", "content": "hi"}, {"role": "assi',
        '{"participants": [{"name": "Anna"}], "messages": [{"sender_name": "Anna", "content": "hi"',
    ],
)
def test_a_chat_that_is_cut_short_is_one_by_itself_and_none_among_others(tmp_path: Path, content: str):
    """Read as a chat it is refused for what it lacks; in a folder of texts it is left alone as any damaged file."""
    path = tmp_path / "result.json"
    path.write_text(content, encoding="utf-8")
    assert holds_chat([path])
    assert not holds_chat([tmp_path])


@pytest.mark.parametrize(
    "source", ["shakespeare", "https://example.com/a.txt", "*.txt", "", "missing.json", "a\0b"]
)
def test_what_is_no_file_is_no_chat(source: str):
    assert not holds_chat([source])


def test_an_archive(archive: Callable[..., Path]):
    assert holds_chat([archive({"_chat.txt": WHATSAPP, "IMG-1.jpg": b"\xff\xd8"})])
    assert not holds_chat([archive({"book.txt": "Once upon a time\n" * 99}, "book.zip")])


def test_chats_of_signal_export_among_notes(archive: Callable[..., Path], folder: Callable[..., Path]):
    chat = "[2024-01-02 03:04:05] Aya: hi  \n\n[2024-01-02 03:04:06] Me: ho  \n"
    files = {"Aya/chat.md": chat, "Aya/index.html": "<html>", "Aya/data.json": "{}"}
    assert holds_chat([archive(files)]) and holds_chat([folder(files)])
    assert not holds_chat([archive({"notes/index.md": "# Notes\n"}, "notes.zip")])


def test_a_hostile_archive_is_refused(archive: Callable[..., Path]):
    with pytest.raises(InputError):
        holds_chat([archive({"../../_chat.txt": WHATSAPP})])


def test_a_line_that_does_not_end_is_told_by_how_it_begins(tmp_path: Path):
    chat, book = tmp_path / "chat.txt", tmp_path / "book.txt"
    chat.write_text("1/13/20, 10:00 - Anna: " + "x" * 100_000, encoding="utf-8")
    book.write_text("It was a dark and stormy night. " * 4000, encoding="utf-8")
    assert holds_chat([chat])
    assert not holds_chat([book])
