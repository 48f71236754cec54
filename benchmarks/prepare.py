"""Memory and speed of `pellucid prepare`, beside the `tokenizers` library's own batch rate.

    python benchmarks/prepare.py --text tinystories.txt [--small 50] [--large 1000] [--repeats 3] [--out results.json]

Two texts of each size are written into a temporary folder from the given one: many small documents (the stories of the
text, with `<|endoftext|>` lines between), and one huge document without separators; every repetition of a story gets a
number, so that no two documents are the same.

- Memory: the largest resident size of a whole `pellucid prepare`, for the small and the large size of both kinds.
- Rate: characters a second. In one process and in turn, the encoding pass of `prepare` (reading, hashing, encoding,
  writing), and `encode_batch` of the library over the same pieces, all threads, already in memory as lists of about
  half a million characters; of it only the calls themselves are timed. The ratio is that of the medians. Processor
  seconds are given too: they say how much the rest of the work adds, also where other programs take turns.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

KINDS = ("many documents", "one document")
SEPARATOR = "<|endoftext|>"


def write_text(source: Path, path: Path, megabytes: int, kind: str) -> None:
    stories = [
        story.strip() for story in source.read_text(encoding="utf-8").split(SEPARATOR) if story.strip()
    ]
    between = f"\n{SEPARATOR}\n" if kind == KINDS[0] else "\n\n"
    with path.open("w", encoding="utf-8") as file:
        for number in itertools.count():
            for story in stories:
                file.write(f"{story} ({number}){between}")
                if file.tell() >= megabytes * 1_000_000:
                    return


def peak_memory(text: Path, out: Path) -> dict[str, float]:
    """MB resident at most, and what it took, of a process that prepares `text`."""
    command = [sys.executable, "-m", "pellucid", "prepare", str(text), "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    scale = 1 if platform.system() == "Darwin" else 1024  # ru_maxrss is in bytes there, in KB on Linux
    wall = time.perf_counter() - started
    return {
        "megabytes": round(usage.ru_maxrss * scale / 1e6, 1),
        "seconds": round(wall, 1),
        "cores_busy": round((usage.ru_utime + usage.ru_stime) / wall, 2),
    }


def rates(text: Path, folder: Path, repeats: int) -> dict[str, object]:
    """The rates, measured in another process: a child's peak of memory is at least that of its parent."""
    command = [
        sys.executable,
        __file__,
        "--text",
        str(text),
        "--repeats",
        str(repeats),
        "--rates",
        str(folder),
    ]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def measure_rates(text: Path, folder: Path, repeats: int) -> dict[str, object]:
    """Characters a second, and processor seconds, of the encoding pass and of the library alone."""
    import tokenizers

    from pellucid.text.parts import Reading
    from pellucid.text.splits import plan_splits
    from pellucid.text.streaming import take_inventory
    from pellucid.text.tokenizers.tokenizer import load_tokenizer
    from pellucid.training import encoding, prepare

    found = take_inventory(text)
    plan = plan_splits(found.lengths, seed=0)
    tokenizer = load_tokenizer(folder)
    library = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    library.encode_special_tokens = True

    def batches() -> Iterator[list[str]]:
        for batch in encoding.batches(Reading(found, plan), tokenizer, encoding.Position()):
            yield [piece for _, piece, _ in batch.pieces]

    def ours() -> tuple[float, float]:
        with tempfile.TemporaryDirectory() as out:
            work = prepare._Preparation(Path(out), {}, prepare.Watcher())
            started, busy = time.perf_counter(), time.process_time()
            work._encode(found, plan, tokenizer)
            return time.perf_counter() - started, time.process_time() - busy

    def theirs(method: str) -> tuple[float, float]:
        seconds = processor = 0.0
        for batch in batches():
            started, busy = time.perf_counter(), time.process_time()
            getattr(library, method)(batch, add_special_tokens=False)
            seconds += time.perf_counter() - started
            processor += time.process_time() - busy
        return seconds, processor

    measured: dict[str, list[tuple[float, float]]] = {
        "prepare": [],
        "encode_batch": [],
        "encode_batch_fast": [],
    }
    for _ in range(repeats):
        measured["prepare"].append(ours())
        measured["encode_batch"].append(theirs("encode_batch"))
        measured["encode_batch_fast"].append(theirs("encode_batch_fast"))
    speeds = {name: [round(found.n_characters / wall) for wall, _ in each] for name, each in measured.items()}
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    return {
        "characters_per_second": speeds,
        "processor_seconds": {name: [round(busy, 2) for _, busy in each] for name, each in measured.items()},
        "ratio_to_encode_batch": round(medians["prepare"] / medians["encode_batch"], 3),
        "ratio_to_encode_batch_fast": round(medians["prepare"] / medians["encode_batch_fast"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, required=True, help="stories with <|endoftext|> between them")
    parser.add_argument("--small", type=int, default=50, help="megabytes (%(default)s)")
    parser.add_argument("--large", type=int, default=1000, help="megabytes (%(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="of the rates, over the small text (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="where the results go as JSON, besides standard output")
    # in this process, by the tokenizer in a folder
    parser.add_argument("--rates", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rates:
        print(json.dumps(measure_rates(args.text, args.rates, args.repeats)))
        return
    results: dict[str, object] = {"machine": platform.platform(), "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as name:
        for kind in KINDS:
            measured: dict[str, object] = {}
            for size in (args.small, args.large):
                text, folder = Path(name) / "text.txt", Path(name) / f"{kind} {size}"
                write_text(args.text, text, size, kind)
                measured[f"{size} MB"] = peak_memory(text, folder)
                if size == args.small and args.repeats:
                    measured["rates"] = rates(text, folder, args.repeats)
                print(kind, json.dumps(measured), file=sys.stderr, flush=True)
            results[kind] = measured
    line = json.dumps(results, indent=1)
    print(line)
    if args.out:
        args.out.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
