"""What a training loses by being watched: with a server that runs and no view open, and with a page on its events.

    python benchmarks/watching.py [--steps 1500] [--repeats 5] [--preset lesson] [--text lesson] [--out results.json]

Whole trainings in turn, each in a process of its own: alone; with `pellucid serve` running beside it and nobody there;
and with a client that follows the run's events as the page does. Compared are the seconds of the training loop, pair by
pair, and the processor seconds of the trainer, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

KINDS = ("alone", "server", "watched")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """`pellucid serve` of the runs in `folder`; gives its address."""
    command = [sys.executable, "-m", "pellucid", "serve", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = None
        while found is None:
            line = process.stderr.readline()
            if not line:
                raise SystemExit("the server did not start")
            found = re.search(r"http://\S+?/", line)
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield found[0]
    finally:
        process.terminate()
        process.wait()


class Page:
    """Follows the events of a run from its beginning, as a page does; counts them."""

    def __init__(self, address: str, run: str) -> None:
        self.url, self.n_steps, self.over = f"{address}api/runs/{run}/events", 0, False
        self.thread = threading.Thread(target=self._follow)
        self.thread.start()

    def _follow(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.over:
                with client.stream("GET", self.url) as answer:
                    if answer.status_code == 200:
                        self._read(answer)
                        break
                time.sleep(0.2)

    def _read(self, answer: httpx.Response) -> None:
        event = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                self.n_steps += len(data) if event == "steps" else event == "step"
                if event == "state" and data["state"] not in ("training", "paused"):
                    return


def train(folder: Path, name: str, args: argparse.Namespace) -> dict[str, float]:
    """Seconds of the training loop, and processor seconds of its process."""
    settings = ["--preset", args.preset, "--steps", str(args.steps)]
    command = [sys.executable, "-m", "pellucid", "train", args.text, *settings]
    out = folder / "out.json"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--out", f"runs/{name}", "--json"], cwd=folder, stdout=file, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    seconds = json.loads(out.read_text().splitlines()[-1])["seconds"]
    return {"seconds": seconds, "processor": usage.ru_utime + usage.ru_stime}


def measure(folder: Path, kind: str, name: str, args: argparse.Namespace) -> dict[str, float]:
    if kind == "alone":
        return train(folder, name, args)
    with server(folder) as address:
        page = Page(address, name) if kind == "watched" else None
        found = train(folder, name, args)
        if page:
            page.over = True
            page.thread.join()
            if page.n_steps != args.steps:
                raise SystemExit(f"the page heard of {page.n_steps} steps of {args.steps}")
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", default="lesson")
    parser.add_argument("--preset", default="lesson")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), "alone", "warm-up", args)
        for turn in range(args.repeats):
            for kind in KINDS if turn % 2 == 0 else reversed(KINDS):
                found[kind].append(measure(Path(folder), kind, f"{kind}-{turn}", args))
                print(kind, found[kind][-1], flush=True)
    results: dict[str, object] = {"steps": args.steps, "runs": found}
    for what in ("seconds", "processor"):
        alone = [each[what] for each in found["alone"]]
        for kind in KINDS[1:]:
            ratios = [each[what] / base for each, base in zip(found[kind], alone, strict=True)]
            of_medians = statistics.median(each[what] for each in found[kind]) / statistics.median(alone)
            results[f"{kind} / alone, {what}"] = round(of_medians, 4)
            print(
                f"{kind} / alone, {what}: {of_medians:.4f} (pairs {', '.join(f'{r:.3f}' for r in sorted(ratios))})"
            )
    if args.out:
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
