"""Small chats to learn from: Anna asks where an animal is, and Bob tells; in sessions of four replies."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

ANIMALS = ("cat", "dog", "cow", "owl", "bee", "pig")
PLACES = ("in the barn", "by the river", "under the old oak", "on the hill", "behind the mill")
REPLIES = 4  # a session


def lines(n_sessions: int, seed: int = 0) -> list[tuple[datetime, str, str]]:
    """Time, author and text of each message; an address and a phone number are in some."""
    draw = random.Random(seed)
    made: list[tuple[datetime, str, str]] = []
    for session in range(n_sessions):
        time = datetime(2023, 5, 14, 9, 0) + timedelta(hours=7 * session)
        for turn in range(REPLIES):
            animal, place = draw.choice(ANIMALS), draw.choice(PLACES)
            private = (
                " Mail bob@example.org or call +49 170 1234567." if not session % 10 and not turn else ""
            )
            made.append((time, "Anna", f"Bob, where is the {animal} {session}?"))
            made.append((time + timedelta(minutes=1), "Bob", f"Anna, the {animal} is {place}.{private}"))
            time += timedelta(minutes=3)
    return made


def whatsapp(path: Path, n_sessions: int = 60, seed: int = 0) -> Path:
    """As Android writes it; 60 sessions are 240 replies."""
    text = "".join(f"{time:%d/%m/%Y, %H:%M} - {who}: {said}\n" for time, who, said in lines(n_sessions, seed))
    path.write_text(text, encoding="utf-8")
    return path


def messages(path: Path, n: int = 220, seed: int = 0) -> Path:
    """JSON lines of `messages`, one question and its answer each."""
    said = [text for _, _, text in lines(-(-n // REPLIES), seed)]
    pairs = list(zip(said[::2], said[1::2], strict=True))[:n]
    rows = [
        {"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": other}]}
        for one, other in pairs
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
