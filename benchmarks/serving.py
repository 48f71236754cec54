"""The server under load: many streaming clients against one, and its memory over many requests.

    python benchmarks/serving.py [--clients 32] [--requests 10000] [--d-model 256 --n-layers 6]

Trains a small run for some seconds in a folder of its own, starts `pellucid serve` on it as a process, and measures

- tokens a second of one streaming client and of many at once, each with a seed of its own; every reply of the many
  must be the one that its seed gives alone;
- the server's resident memory after the first fiftieth of the requests and after each further tenth (Linux).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from pellucid.text.corpora.lesson import lesson
from pellucid.training.train import train

MOST_AT_ONCE = 16  # requests of the memory test


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=100, help="of each reply")
    parser.add_argument("--d-model", type=int, default=256)
    parser.add_argument("--n-layers", type=int, default=6)
    parser.add_argument("--context-length", type=int, default=256)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shape = {"d_model": args.d_model, "n_layers": args.n_layers, "context_length": args.context_length}
        train_one(Path(folder), **shape)
        with served(Path(folder)) as (process, address):
            asyncio.run(speed(address, args.clients, args.tokens))
            if args.requests:
                asyncio.run(memory(address, process.pid, args.requests))


def train_one(folder: Path, **shape: int) -> None:
    text = folder / "lesson.txt"
    text.write_text("\n".join(document.text for document in lesson().documents), encoding="utf-8")
    outcome = train(text, out=folder / "runs" / "lesson-1", steps=20, batch_size=8, n_heads=4, **shape)
    config = outcome.run.config()["model"]
    print(f"model: {config['n_layers']} layers of {config['d_model']}, context {config['context_length']}")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server's process and address."""
    command = [sys.executable, "-m", "pellucid", "serve", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    address = next(found[1] for line in process.stderr if (found := re.search(r"is at (\S+)", line)))
    try:
        yield process, address
    finally:
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        process.communicate(timeout=30)


def asked(seed: int, max_tokens: int) -> dict[str, Any]:
    """A request whose reply seldom ends early: of unlikely letters."""
    return {"message": f"a cat {seed}", "seed": seed, "max_tokens": max_tokens, "temperature": 3, "top_k": 0}


async def stream(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[str, int]:
    """The reply, and its number of tokens."""
    text, n_tokens = [], 0
    async with client.stream("POST", "/api/chat/stream", json={**body, "tokens": True}) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            event = json.loads(line[6:]) if line else {}
            assert "error" not in event, event
            n_tokens += "token" in event
            text.append(event.get("delta", ""))
    return "".join(text), n_tokens


def connect(address: str, at_once: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=at_once)
    return httpx.AsyncClient(base_url=address, timeout=600, limits=limits)


async def speed(address: str, n_clients: int, n_tokens: int) -> None:
    bodies = [asked(seed, n_tokens) for seed in range(n_clients)]
    async with connect(address, n_clients) as client:
        await stream(client, bodies[0])  # loads the model
        started = time.perf_counter()
        alone = [await stream(client, body) for body in bodies]
        one = sum(n for _, n in alone) / (time.perf_counter() - started)
        started = time.perf_counter()
        together = await asyncio.gather(*(stream(client, body) for body in bodies))
        many = sum(n for _, n in together) / (time.perf_counter() - started)
    mixed = sum(a != b for a, b in zip(alone, together, strict=True))
    print(
        f"1 client: {one:,.0f} tokens/s; {n_clients} clients: {many:,.0f} tokens/s, {many / one:.1f} times as many"
    )
    print(f"replies that are not what their seed gives alone: {mixed} of {n_clients}")


async def memory(address: str, pid: int, n_requests: int) -> None:
    """Short replies, half of them broken off; memory must not grow with their number."""
    if not Path(f"/proc/{pid}/status").exists():
        print("memory: only measured on Linux")
        return
    marks = sorted({max(1, n_requests // 50), *(n_requests * tenth // 10 for tenth in range(1, 11))})
    done = 0
    started = time.perf_counter()
    async with connect(address, MOST_AT_ONCE) as client:
        for mark in marks:
            while done < mark:
                n = min(MOST_AT_ONCE, mark - done)
                await asyncio.gather(*(one_of_many(client, done + i) for i in range(n)))
                done += n
            print(f"after {done:>6,} requests: {resident(pid):7.1f} MB", flush=True)
    print(f"{n_requests / (time.perf_counter() - started):,.0f} requests/s")


async def one_of_many(client: httpx.AsyncClient, number: int) -> None:
    body = asked(number, 4)
    if number % 2:
        (await client.post("/api/chat", json=body)).raise_for_status()
        return
    async with client.stream("POST", "/api/chat/stream", json=body) as response:
        await anext(response.aiter_lines())  # and leaves


def resident(pid: int) -> float:
    """MB of a process that are in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+) kB", status)
    return int(found[1]) / 1000 if found else 0.0


if __name__ == "__main__":
    main()
