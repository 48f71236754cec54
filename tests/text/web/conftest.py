"""What tests of downloads share: a server that is new for each test, an empty cache, no pauses."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from downloads import Server

from pellucid.text.web import download as download_module


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(running: Server) -> Server:
    running.pages.clear()
    running.asked.clear()
    return running


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no pauses between tries, and no proxy to the server of this test."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download_module, "PAUSE", 0.001)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the pauses are; none is made."""
    pauses = list[float]()
    monkeypatch.setattr(download_module, "time", SimpleNamespace(sleep=pauses.append))
    return pauses
