"""A small chat as WhatsApp exports it: two people, some numbers to redact, and enough replies to learn from."""

from __future__ import annotations

import datetime
import random

ASKED = ("where are you?", "did you eat?", "how is the cat?", "are you coming on sunday?")
ANSWERED = ("on the train, as ever", "soup again", "asleep on the radiator", "yes if it does not rain")


def whatsapp(n_sessions: int = 120, seed: int = 0) -> str:
    """Anna asks and Bob answers, twice a session; every third session he gives his number, once an address."""
    draw = random.Random(seed)
    lines = ["a line of no message"]
    for session in range(n_sessions):
        start = datetime.datetime(2023, 5, 14, 9) + datetime.timedelta(hours=5 * session)
        for minute in (0, 2):
            place = draw.randrange(len(ASKED))
            more = " call +49 170 1234567" if session % 3 == 0 and minute == 0 else ""
            more += " or bob@example.org" if session == 5 and minute == 0 else ""
            for late, who, text in (
                (0, "Anna", ASKED[place]),
                (1, "Bob", f"{ANSWERED[place]}, day {session}{more}"),
            ):
                time = start + datetime.timedelta(minutes=minute + late)
                lines.append(f"{time:%d/%m/%Y, %H:%M} - {who}: {text}")
    return "\n".join(lines) + "\n"


def ambiguous() -> str:
    """Two readings of every date, and nothing that decides between them."""
    return "1/2/21, 10:00 - Anna: hello\n2/1/21, 10:01 - Bob: hi\n3/2/21, 10:02 - Anna: and?\n"
