"""Bodies in which everything is wrong: few complaints are made, as each takes time in which nobody else is answered."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pellucid.server.chat import Chat
from pellucid.server.job_routes import Start
from pellucid.server.openai_bodies import ChatBody, TextBody

MANY = 50_000
FIELDS = {f"x{i}": "y" for i in range(MANY)}
PARTS = {"role": "user", "content": [{}] * 900}
WRONG: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (TextBody, {"prompt": ["x", *[1] * MANY]}),
    (TextBody, {"prompt": [1, *[""] * MANY]}),
    (TextBody, {"prompt": [["x"] * MANY] * 30}),
    (TextBody, {"prompt": [[]] + [3] * 30}),
    (TextBody, {"prompt": "x", "stop": [""] * MANY}),
    (TextBody, {"prompt": "x", "logit_bias": FIELDS}),
    (ChatBody, {"messages": [PARTS] * 900}),
    (ChatBody, {"messages": [{}] * MANY}),
    (Chat, {"message": "x", "history": [{}] * MANY}),
    (Chat, {"message": "x", "reply_ids": [""] * MANY}),
    (Chat, {"message": "x", **FIELDS}),
    (Start, {"kind": "train", "source": {"corpus": "lesson"}, "settings": {name: [] for name in FIELDS}}),
]


@pytest.mark.parametrize(("kind", "body"), WRONG, ids=lambda value: str(value)[:60])
def test_there_are_never_many_complaints(kind, body):
    with pytest.raises(ValidationError) as caught:
        kind.model_validate({"model": "farm-1", **body} if kind in (TextBody, ChatBody) else body)
    assert caught.value.error_count() < 10_000


def test_as_many_as_are_possible_are_taken():
    TextBody.model_validate(
        {"model": "m", "prompt": [1] * 100_000, "logit_bias": dict.fromkeys(range(1000), 1)}
    )
