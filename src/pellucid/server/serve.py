"""The server as a process: its address, its key, the browser, and a clean end."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

from pellucid.errors import InputError
from pellucid.server.app import build_app
from pellucid.server.house import House, RunsRoot
from pellucid.server.jobs import Jobs
from pellucid.server.limits import HEADER_BYTES, PORT
from pellucid.server.models import Models
from pellucid.server.scheduler import Scheduler
from pellucid.server.security import EVERYWHERE, Guard, Hosts, is_loopback
from pellucid.training.run_folder import find_run

PORTS_TRIED = 50
SECONDS_TO_END = 2  # that streams get before they are cut
HEADER_ROOM = 2 * HEADER_BYTES  # uvicorn's own bound is above ours, which says what is wrong


class PageServer(uvicorn.Server):
    """A uvicorn server that stops writing replies as soon as it is asked to end."""

    def __init__(self, config: uvicorn.Config, house: House) -> None:
        super().__init__(config)
        self.house = house

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.house.end()
        await super().shutdown(sockets)


def make_server(house: House, hosts: Hosts) -> PageServer:
    """A server of this house's app behind its guard; `run` or `serve` it on a socket of `listen`."""
    app: FastAPI = build_app(house)
    config = uvicorn.Config(
        Guard(app, hosts, house.token, house.key),
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # nobody stands before us, so nobody may say who asks
        server_header=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=SECONDS_TO_END,
        h11_max_incomplete_event_size=HEADER_ROOM,
    )
    return PageServer(config, house)


def listen(host: str, port: int) -> socket.socket:
    """A socket at `port`, or at the next free one after it; 0 takes any.

    Raises:
        InputError: this machine has no such address, or all these ports are taken.
    """
    last = port if port == 0 else min(port + PORTS_TRIED, 65535)
    for candidate in range(port, last + 1):
        try:
            return _bound(host, candidate)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or (
                error.errno == errno.EACCES and port < 1024
            ):
                raise InputError(
                    f"cannot listen on {host} port {candidate} ({error.strerror or error}): "
                    "choose another --host or --port"
                ) from None
    raise InputError(f"ports {port} to {last} are all taken: choose another --port")


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere this would let two programs share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except BaseException:
        made.close()
        raise
    return made


def address_of(bound: socket.socket, host: str, key: str | None) -> str:
    """Where a browser finds the page."""
    port = bound.getsockname()[1]
    name = socket.gethostname() if host in EVERYWHERE else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"enter?key={quote(key, safe='')}" if key else "")


def make_house(
    runs: Sequence[str] = (),
    key: str | None = None,
    device: str = "auto",
    say: Callable[[str], None] | None = None,
) -> House:
    """The parts of a server for all runs under `runs/` and those named; `say` hears what became of trainings.

    Raises:
        InputError: a named run is not there, or two have one name.
    """
    given = [find_run(name) for name in runs]
    names = [run.name for run in given]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two of these runs are called {twice}: rename one of the folders")
    root = RunsRoot(given=given)
    models, jobs = Models(root, device), Jobs(root, say)
    return House(root, models, Scheduler(), jobs, key)  # last what starts a thread


def serve(
    runs: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = PORT,
    key: str | None = None,
    open_browser: bool = True,
    device: str = "auto",
    say: Callable[[str], None] = print,
    place: str = "",
    begin: Callable[[House, PageServer], object] | None = None,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        runs: names or folders; the first is the default. All runs under `runs/` are there anyway.
        host: the address to listen on; off loopback a key is needed, and made where none is given.
        port: the first to be tried.
        key: what clients must know.
        open_browser: show the page, where there is a terminal and PELLUCID_NO_BROWSER is not set.
        say: hears the address, and what else a person should know.
        place: the part of the address after #, as `place=train`.
        begin: called when the address is known, before anybody is answered.

    Raises:
        InputError: a run is not there, or no port is free.
    """
    if key is None and not is_loopback(host):
        key = secrets.token_urlsafe(18)
        say(f"{host} can be reached from other machines, so a key is needed to enter.")
    with contextlib.closing(make_house(runs, key, device, say)) as house, listen(host, port) as bound:
        if port and bound.getsockname()[1] != port:
            say(f"Port {port} is taken: serving at {bound.getsockname()[1]}.")
        address = address_of(bound, host, key) + (f"#{place}" if place else "")
        say(f"The page is at {address}")
        say("Ctrl-C ends it.")
        server = make_server(house, Hosts(host))
        if begin:
            begin(house, server)
        if open_browser and may_open_browser():
            threading.Timer(0.5, webbrowser.open, [address]).start()  # once it answers
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how it is meant to end
            server.run(sockets=[bound])


def may_open_browser() -> bool:
    """Whether a person sits here who would see it."""
    return not os.environ.get("PELLUCID_NO_BROWSER") and sys.stdin.isatty() and sys.stderr.isatty()
