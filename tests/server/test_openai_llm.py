"""The command line `llm` with the server as an OpenAI-compatible endpoint of its own, as README.md says to add it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("llm", reason="llm is not installed: pip install -e '.[parity]'")

from click.testing import CliRunner, Result
from llm.cli import cli

ENDPOINTS = """
- model_id: farm
  model_name: farm-1
  api_base: "{url}/v1"
- model_id: farm-text
  model_name: farm-1
  api_base: "{url}/v1"
  completion: true
- model_id: nobody
  model_name: gpt-x
  api_base: "{url}/v1"
"""
Llm = Callable[..., Result]


@pytest.fixture
def llm(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Llm:
    """`llm` with a user folder of its own."""
    (tmp_path / "extra-openai-models.yaml").write_text(ENDPOINTS.format(url=server.url), encoding="utf-8")
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    return lambda *args: CliRunner().invoke(cli, list(args), catch_exceptions=False)


def options(**named: object) -> list[str]:
    return [word for name, value in named.items() for word in ("-o", name, str(value))]


@pytest.mark.parametrize("stream", [True, False])
def test_it_chats(llm: Llm, server, stream: bool):
    asked = options(seed=3, max_tokens=30, temperature=0.5)
    result = llm("-m", "farm", "The cat", *asked, *(() if stream else ("--no-stream",)))
    assert result.exit_code == 0, result.output
    assert result.output.strip() == server.chat("The cat", seed=3, max_tokens=30).json()["reply"].strip()


def test_it_goes_on_with_the_conversation(llm: Llm, server):
    first = llm("-m", "farm", "The cat", *options(seed=3, max_tokens=20)).output.strip()
    second = llm("-c", "And the bee?", *options(seed=4, max_tokens=20))
    assert second.exit_code == 0, second.output
    history = [{"role": "user", "content": "The cat"}, {"role": "assistant", "content": first}]
    reply = server.chat("And the bee?", history=history, seed=4, max_tokens=20).json()["reply"]
    assert second.output.strip() == reply.strip()


@pytest.mark.parametrize("stream", [True, False])
def test_it_goes_on_with_a_text(llm: Llm, server, stream: bool):
    asked = options(seed=3, max_tokens=20, temperature=0.7)
    result = llm("-m", "farm-text", "The c", *asked, *(() if stream else ("--no-stream",)))
    assert result.exit_code == 0, result.output
    body = {"model": "farm-1", "prompt": "The c", "seed": 3, "max_tokens": 20, "temperature": 0.7}
    said = server.client.post("/v1/completions", json=body).json()["choices"][0]["text"]
    assert result.output.strip() == said.strip()


def test_it_tells_what_is_wrong(llm: Llm):
    result = llm("-m", "nobody", "The cat")
    assert result.exit_code == 1 and "no run called 'gpt-x'" in result.output
