"""`pellucid serve` as a person meets it: a process, an address, a browser, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from patience import PATIENCE
from serving import until

from pellucid.errors import InputError
from pellucid.server import serve as serve_module
from pellucid.server.serve import address_of, listen, make_house


def get(address: str) -> httpx.Response:
    return httpx.get(address, timeout=PATIENCE)


def answers(address: str) -> bool:
    try:
        get(address)
    except httpx.ConnectError:
        return False
    return True


@contextlib.contextmanager
def served(folder: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A process, the page's address, and what it said until then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pellucid", "serve", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PELLUCID_NO_BROWSER": "1"},
    )
    said: list[str] = []
    try:
        assert process.stderr
        for line in process.stderr:
            said.append(line.strip())
            if found := re.search(r"The page is at (\S+)", line):
                break
        else:
            pytest.fail("\n".join(said))
        address = found[1]
        until(lambda: answers(address))
        yield process, address, said
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="a signal to one process alone")
def test_ctrl_c_ends_it_in_peace_even_while_it_speaks(runs):
    with (
        served(runs.parent, "--port", 0) as (process, address, _),
        httpx.Client(base_url=address, timeout=PATIENCE) as client,
        client.stream(
            "POST", "/api/chat/stream", json={"message": "The cat", "max_tokens": 4000}
        ) as response,
    ):
        lines = response.iter_lines()
        next(lines)
        process.send_signal(signal.SIGINT)
        list(lines)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "Traceback" not in err and "Error" not in err and "Next:  pellucid" in err


def test_without_a_run_it_serves_the_beginning(tmp_path):
    with served(tmp_path, "--port", 0) as (_, address, _said):
        assert get(address + "api/session").json()["default_run"] is None
        assert get(address + "api/runs").json() == {"runs": []}
        answer = httpx.post(address + "api/chat", json={"message": "x"}, timeout=PATIENCE)
        assert "there is no run here yet" in answer.text


def test_a_taken_port_is_said_and_the_next_one_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(tmp_path, "--port", port) as (_, address, said):
            assert any(f"Port {port} is taken" in line for line in said)
            assert port < int(address.rstrip("/").rsplit(":", 1)[1]) <= port + serve_module.PORTS_TRIED
            assert get(address + "health").status_code == 200


def test_off_loopback_a_key_is_made_and_printed(tmp_path):
    with served(tmp_path, "--host", "0.0.0.0", "--port", 0) as (_, address, said):
        assert any("a key is needed" in line for line in said)
        port = re.search(r":(\d+)/enter\?key=(\S{20,})", address)
        assert port
        base = f"http://127.0.0.1:{port[1]}"
        assert get(base + "/api/session").status_code == 401
        with httpx.Client(base_url=base, follow_redirects=False, timeout=PATIENCE) as browser:
            assert browser.get(f"/enter?key={port[2]}").status_code == 303
            assert browser.get("/api/session").status_code == 200


def test_all_ports_taken(monkeypatch):
    monkeypatch.setattr(serve_module, "PORTS_TRIED", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"ports {port} to {port} are all taken"):
            listen("127.0.0.1", port)
    with pytest.raises(InputError, match=r"cannot listen on 192\.0\.2\.1"):
        listen("192.0.2.1", 0)
    with pytest.raises(InputError, match=r"cannot listen on no\.such"):
        listen("no.such.host.invalid", 0)


def test_bad_arguments(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, says in (
        (("nobody",), "nobody is not a run folder"),
        (("--port", "70000"), "a port is a number from 0 to 65535"),
        (("--key", " "), "the key is empty"),
        (("--device", "tpu"), "device 'tpu' is unknown"),
    ):
        result = cli("serve", "--port", 0, *arguments)
        assert result.code == 2 and says in result.err, result.err


def test_two_runs_of_one_name_are_refused(runs):
    with pytest.raises(InputError, match="two of these runs are called farm-1"):
        make_house([str(runs / "farm-1"), str(runs / "farm-1")])


def test_addresses():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        assert address_of(bound, "127.0.0.1", None) == f"http://127.0.0.1:{port}/"
        assert address_of(bound, "::1", "a b") == f"http://[::1]:{port}/enter?key=a%20b"


@pytest.mark.parametrize(
    ("terminal", "variable", "opens"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_when_a_browser_is_opened(monkeypatch, terminal, variable, opens):
    monkeypatch.setenv("PELLUCID_NO_BROWSER", variable)
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
    assert serve_module.may_open_browser() is opens


@pytest.mark.parametrize("step", ["listen", "begin", "run"])
def test_a_server_that_cannot_start_closes_its_house(tmp_path, monkeypatch, step):
    monkeypatch.chdir(tmp_path)
    houses, make = [], serve_module.make_house

    def kept(*arguments):
        houses.append(make(*arguments))
        return houses[0]

    def fail(*_, **__):
        raise InputError("it cannot be")

    monkeypatch.setattr(serve_module, "make_house", kept)
    if step == "listen":
        monkeypatch.setattr(serve_module, "listen", fail)
    elif step == "run":
        monkeypatch.setattr(serve_module.PageServer, "run", fail)
    with pytest.raises(InputError, match="it cannot be"):
        serve_module.serve(port=0, say=lambda _: None, begin=fail if step == "begin" else None)
    assert houses[0].ending.is_set() and not houses[0].scheduler._thread.is_alive()
