"""Requests made up from the server's own description: whatever comes, it is never the server's fault."""

from __future__ import annotations

import contextlib
import json
import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from patience import PATIENCE

schemathesis = pytest.importorskip("schemathesis")

CHECKED = {
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "deadline": None,
    "database": None,
}
WITHOUT = ("/events",)  # a stream without an end
STARTS_WORK = ("/api/jobs", "/api/uploads")  # tested by name: here they would fill the disk


MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


def bounded(case) -> None:
    """Replies need not be long to be right."""
    if isinstance(case.body, dict) and isinstance(case.body.get("max_tokens"), int | float):
        case.body["max_tokens"] = min(case.body["max_tokens"], 3)
    if isinstance(case.body, dict) and isinstance(case.body.get("max_completion_tokens"), int | float):
        case.body["max_completion_tokens"] = min(case.body["max_completion_tokens"], 3)


def attack(server, n_examples: int) -> dict[str, int]:
    """How often each operation answered with which status, to requests as described and to others."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    answers: dict[str, int] = {}

    def ask(case) -> None:
        bounded(case)
        answer = case.call(headers=server.token, timeout=PATIENCE)
        key = f"{case.operation.method.upper()} {case.operation.path} {answer.status_code}"
        answers[key] = answers.get(key, 0) + 1
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        if answer.status_code >= 400:
            assert "message" in json.loads(answer.text)["error"]

    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.endswith(WITHOUT) or operation.path.startswith(STARTS_WORK):
            continue
        for mode in MODES:
            cases = operation.as_strategy(generation_mode=mode)
            with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked for
                settings(max_examples=n_examples, phases=[Phase.generate], **CHECKED)(
                    given(case=cases)(ask)
                )()
    return answers


def test_no_request_is_answered_by_a_server_error(start, runs):
    answers = attack(start(runs), int(os.environ.get("EXAMPLES", "4")))
    assert len({key.rsplit(" ", 1)[0] for key in answers}) > 15
    assert {key.rsplit(" ", 1)[1] for key in answers} >= {"200", "400", "404"}


@pytest.mark.slow
def test_many_requests(start, runs):
    attack(start(runs), 150)
