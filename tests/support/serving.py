"""A real server on a free port, and a client that speaks to it as the page does."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from patience import PATIENCE

from pellucid.server.house import House, RunsRoot
from pellucid.server.jobs import Jobs
from pellucid.server.models import Models
from pellucid.server.scheduler import Scheduler
from pellucid.server.security import Hosts
from pellucid.server.serve import listen, make_server

TINY = {
    "n_layers": 1,
    "n_heads": 2,
    "d_model": 16,
    "context_length": 16,
    "batch_size": 4,
    "device": "cpu",
    "precision": "float32",
    "tokenizer": "char",
}


class Client(httpx.Client):
    """Speaks to one server; `house` is what the server is made of."""

    house: House
    said: list[str]  # what the server's terminal would show at its end

    def ok(self, method: str, path: str, **how: Any) -> Any:
        answer = self.request(method, path, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, method: str, path: str, status: int, *words: str, **how: Any) -> str:
        answer = self.request(method, path, **how)
        assert answer.status_code == status, answer.text
        message = answer.json()["error"]["message"]
        assert all(word in message for word in words), message
        assert "\n" not in message
        return message

    def upload(self, files: dict[str, bytes]) -> str:
        name = self.ok("POST", "/api/uploads")["upload"]
        for path, content in files.items():
            assert self.ok("PUT", f"/api/uploads/{name}/{path}", content=content) == {"bytes": len(content)}
        return name

    def train(self, upload: str, **settings: Any) -> dict[str, Any]:
        body = {"kind": "train", "source": {"upload": upload}, "settings": {**TINY, **settings}}
        return self.ok("POST", "/api/jobs", json=body)

    def job(self, job: str) -> dict[str, Any]:
        return self.ok("GET", f"/api/jobs/{job}")

    def run(self, run: str) -> dict[str, Any]:
        return self.ok("GET", f"/api/runs/{run}")

    def ended(self, job: str) -> dict[str, Any]:
        return until(lambda: (found := self.job(job))["state"] != "running" and found)


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `true` gives as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def address_of(house: House) -> Iterator[str]:
    """Where a server of this house answers, in a thread, until the end of the block."""
    bound = listen("127.0.0.1", 0)
    server = make_server(house, Hosts())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        assert thread.is_alive(), "the server did not start"
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server did not end"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Client]:
    """A server of the runs in `folder`."""
    said: list[str] = []
    root = RunsRoot(folder)
    house = House(root, Models(root), Scheduler(), Jobs(root, said.append))
    headers = {"X-Pellucid-Token": house.token}
    with address_of(house) as url, Client(base_url=url, headers=headers, timeout=PATIENCE) as client:
        client.house, client.said = house, said
        yield client


class Events:
    """What a stream of events says, read in a thread."""

    def __init__(self, client: Client, path: str, last: str | None = None) -> None:
        self.got: list[tuple[str, str, Any]] = []  # name, id, data
        self.ended = False
        self._client = httpx.Client(base_url=client.base_url, headers=client.headers, timeout=PATIENCE)
        self._headers = {"Last-Event-ID": last} if last else {}
        self._left = False
        self._thread = threading.Thread(target=self._read, args=(path,), daemon=True)
        self._thread.start()

    def _read(self, path: str) -> None:
        with (
            contextlib.suppress(httpx.HTTPError),
            self._client.stream("GET", path, headers=self._headers) as answer,
        ):
            assert answer.status_code == 200, answer.read()
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if self._left:
                    return
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    self.got.append((fields["event"], fields["id"], json.loads(fields["data"])))
                    fields = {}
            self.ended = True

    def leave(self) -> list[tuple[str, str, Any]]:
        """Hear no more; what came until then."""
        self._left = True
        return list(self.got)

    def all(self, *names: str) -> list[Any]:
        return [data for name, _, data in list(self.got) if name in names]

    def steps(self) -> list[int]:
        return steps_of(list(self.got))

    def until(self, name: str, true: Callable[[Any], object], seconds: float = PATIENCE) -> Any:
        return until(lambda: next((data for data in self.all(name) if true(data)), None), seconds)


def steps_of(events: list[tuple[str, str, Any]]) -> list[int]:
    """The steps of training that events tell of, since the last reset."""
    found: list[int] = []
    for name, _, data in events:
        if name == "reset":
            found = []
        elif name == "step":
            found.append(data["step"])
        elif name == "steps":
            found += [record["step"] for record in data]
    return found
