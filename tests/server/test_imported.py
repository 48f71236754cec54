"""An imported run on the server: listed as finished, chatted with and looked into like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import llama_folder

from pellucid import import_model

NAME = "tiny"


@pytest.fixture
def live(start: Callable[..., Any], tmp_path: Path) -> Any:
    """A server around one imported run."""
    import_model(llama_folder(tmp_path / "published"), tmp_path / "runs" / NAME)
    return start(tmp_path / "runs")


def test_its_record(live: Any):
    record = live.client.get(f"/api/runs/{NAME}").json()
    assert record["state"] == "finished"
    assert record["steps"] == ["best"]
    assert record["problem"] is None
    assert record["tokenizer"] == {"kind": "imported", "symbols": 297}
    assert record["model"]["parameters"] > 0
    assert [run["name"] for run in live.client.get("/api/runs").json()["runs"]] == [NAME]


def test_it_answers(live: Any):
    assert live.chat("the day", run=NAME, max_tokens=4).status_code == 200
    asked = {"model": NAME, "messages": [{"role": "user", "content": "the day"}], "max_tokens": 4}
    assert live.client.post("/v1/chat/completions", json=asked).status_code == 200


@pytest.mark.parametrize("settings", [{}, {"minutes": 1}])
def test_there_is_no_training_to_go_on_with(live: Any, settings: dict[str, Any]):
    asked = {"action": "resume", "settings": settings}
    answer = live.client.post(f"/api/runs/{NAME}/control", json=asked, headers=live.token)
    assert answer.status_code == 409
    assert "was imported" in answer.text
