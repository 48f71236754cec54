"""A port for a server that begins later, or comes back."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """One that nobody else is given meanwhile: systems give those from 32768 on to who asks for any."""
    draw = random.SystemRandom()
    for _ in range(100):
        port = draw.randrange(12_000, 32_000)
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
