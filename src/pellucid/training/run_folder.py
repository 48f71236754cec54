"""A run is a folder: everything about one training, to be copied anywhere.

`FILES` says what each file holds, and docs/reference/run-folder.md the same in a table.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pellucid.errors import InputError
from pellucid.text.files import expand_home
from pellucid.text.tokenizers.tokenizer import Tokenizer, load_tokenizer
from pellucid.training.checkpoints import Checkpoints
from pellucid.training.files import lock, read_json, write_atomically, write_json
from pellucid.training.journal import Journal

FORMAT = 1  # of the run folder
RUNS = Path("runs")
LOCK_TRIES = 25  # half a second
UPLOADED = "uploaded"  # the folder in a run for text that came through the page

# What there may be in a run, what it holds, and what of the text: "" is nothing.
FILES: dict[str, tuple[str, str]] = {
    "config.json": ("model, training and data settings, versions, machine", "the paths of the text"),
    "tokenizer.json": ("the tokenizer", "its symbols or frequent words"),
    "model.safetensors": ("the best weights on the dev split", "what the model remembers"),
    "adapter_model.safetensors": ("of `finetune --lora`: the adapters alone", "what they learned of it"),
    "adapter_config.json": ("how they are put beside the base model, as PEFT reads it", ""),
    "bigram.safetensors": (
        "how often each token of the training split follows each other (its first 20 million)",
        "which words follow which",
    ),
    "metrics.jsonl": ("a line a step, a line an evaluation", ""),
    "journal.jsonl": ("decisions, and the final scores", ""),
    "samples.txt": ("what it wrote while learning", "it may quote it"),
    "loss.png": ("its loss curve", ""),
    "README.md": ("its card: what it is, its scores, what is private in it", "its name"),
    "floor.json": ("of a model of `tales`: how far it is above the best there can be", ""),
    "audit.json": ("what an audit found of its memory", "it may quote it"),
    "AUDIT.md": ("the same as a page", "it may quote it"),
    "checkpoints/": (
        "a folder a step: weights, optimizer, random states, counters, manifest",
        "what the model remembers",
    ),
    "model.py": ("of a model of one's own: its code, which loading executes where that is allowed", ""),
    "tensorboard/": ("with `--track`: losses and speed for other programs; `wandb/` the same", ""),
    "chats/": ("conversations held on the page, a file each", "they are private text"),
    "uploaded/": ("the text, if it came through the page: there `--resume` finds it", "it is the text"),
    "control/": ("only while it trains: what is asked of it (pause, stop, weights)", ""),
    "live.safetensors": (
        "only while it trains: a copy of its weights, where one was asked for",
        "what the model remembers",
    ),
    ".lock": ("empty; keeps two trainings from writing here at once", ""),
}


class RunFolder:
    """Paths and small files of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = Checkpoints(path / "checkpoints")
        self._lock: IO[bytes] | None = None
        self._journal: Journal | None = None

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @property
    def name(self) -> str:
        return self.path.resolve().name

    config_path = property(lambda self: self.path / "config.json")
    tokenizer_path = property(lambda self: self.path / "tokenizer.json")
    model_path = property(lambda self: self.path / "model.safetensors")
    live_path = property(lambda self: self.path / "live.safetensors")
    bigram_path = property(lambda self: self.path / "bigram.safetensors")
    metrics_path = property(lambda self: self.path / "metrics.jsonl")
    samples_path = property(lambda self: self.path / "samples.txt")
    plot_path = property(lambda self: self.path / "loss.png")
    card_path = property(lambda self: self.path / "README.md")
    own_code_path = property(lambda self: self.path / "model.py")
    floor_path = property(lambda self: self.path / "floor.json")
    audit_path = property(lambda self: self.path / "audit.json")
    audit_page_path = property(lambda self: self.path / "AUDIT.md")

    def tokenizer(self) -> Tokenizer:
        """Raises: InputError when it is missing or damaged."""
        return load_tokenizer(self.tokenizer_path)

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self.path / "journal.jsonl")
        return self._journal

    def write_config(self, values: dict[str, Any]) -> None:
        write_json(self.config_path, {"format": FORMAT, **values})

    def config(self) -> dict[str, Any]:
        """Raises: InputError when it is missing, damaged, or of a later format than this version reads."""
        values = read_json(self.config_path)
        if "format" not in values and "model_type" in values:
            raise InputError(
                f"{self.path} is a model of Hugging Face, not a run: make it one with `pellucid import {self.path}`"
            )
        if not isinstance(values.get("format"), int) or values["format"] > FORMAT:
            raise InputError(
                f"{self.config_path} has run format {values.get('format')!r}; this version reads up to {FORMAT}: "
                "update pellucid"
            )
        for part in ("model", "training", "data", "machine"):
            if not isinstance(values.get(part), dict):
                raise InputError(
                    f"{self.config_path} is damaged (it has no {part!r} part): restore it from a copy"
                )
        return values

    def discard_if_not_begun(self) -> None:
        """Remove a folder that never became a run, but for a text that was put there before."""
        if not is_run(self.path):
            self.unlock()
            if (self.path / UPLOADED).exists():
                (self.path / ".lock").unlink(missing_ok=True)
                self.tokenizer_path.unlink(missing_ok=True)
            else:
                shutil.rmtree(self.path, ignore_errors=True)

    # ------------------------------------------------------------------ metrics and samples

    def append_metrics(self, record: dict[str, Any]) -> None:
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Every whole line of metrics.jsonl; a torn last one is passed over."""
        if not self.metrics_path.exists():
            return []
        records = []
        for line in self.metrics_path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                break
            if not isinstance(record, dict) or "step" not in record:
                break
            records.append(record)
        return records

    def rewind_metrics(self, step: int) -> None:
        """Drop what a resume at `step` will write again: steps after it, and evaluations from it on."""
        kept = [
            record
            for record in self.metrics()
            if record["step"] < step or (record["step"] == step and "dev_loss" not in record)
        ]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        write_atomically(self.metrics_path, lambda path: path.write_text(text, encoding="utf-8"))

    def append_sample(self, step: int, text: str) -> None:
        with self.samples_path.open("a", encoding="utf-8") as file:
            file.write(f"--- step {step} ---\n{text}\n\n")

    def rewind_samples(self, step: int) -> None:
        """Drop the samples of `step` and later, which a resume there will write again."""
        if not self.samples_path.exists():
            return
        text = self.samples_path.read_text(encoding="utf-8")
        headings = re.finditer(r"^--- step (\d+) ---$", text, re.MULTILINE)
        end = next((heading.start() for heading in headings if int(heading[1]) >= step), len(text))
        write_atomically(self.samples_path, lambda path: path.write_text(text[:end], encoding="utf-8"))

    # ------------------------------------------------------------------ lock

    def lock(self) -> None:
        """Keep other processes from writing here; the system frees the lock however this process ends.

        Raises:
            InputError: another process holds it.
        """
        for _ in range(LOCK_TRIES - 1):  # who asks whether the run is in use holds it for a moment
            try:
                self._lock = lock(self.path, "training")
                return
            except InputError:
                time.sleep(0.02)
        self._lock = lock(self.path, "training")

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def in_use(self) -> bool:
        """Whether another process is training here."""
        if self._lock is not None or not self.path.is_dir():
            return False
        try:
            lock(self.path, "training", asking=True).close()
        except InputError:
            return True
        except OSError:  # a folder in which nobody may write
            return False
        return False

    # ------------------------------------------------------------------ how far it is

    @property
    def imported(self) -> bool:
        """Whether its weights came from elsewhere, so that there is no training to tell of or to go on with."""
        return "imported" in read_json(self.config_path)

    @property
    def finished(self) -> dict[str, Any] | None:
        """The journal's last word, with the scores, if the run has come to the end of its budget."""
        finished = None
        for entry in self.journal.entries:
            if entry["event"] == "finished":
                finished = entry
            elif entry["event"] == "extension":
                finished = None
        return finished


def is_run(path: Path) -> bool:
    return (path / "config.json").is_file()


def create_run(out: str | Path | None, name: str, overwrite: bool = False) -> RunFolder:
    """A new, locked run folder: `out`, or the next free `runs/<name>-<n>`.

    Raises:
        InputError: `out` exists and is not empty, unless it is a run to be overwritten.
    """
    if out is None:
        taken = [
            int(match[1]) for path in RUNS.glob(f"{name}-*") if (match := re.search(r"-(\d+)$", path.name))
        ]
        path = RUNS / f"{name}-{max(taken, default=0) + 1}"
    else:
        path = expand_home(Path(out))
    if check_out(path, overwrite):
        folder = RunFolder(path)
        folder.lock()
        for old in path.iterdir():
            if old.name == ".lock":
                continue
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        return folder
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made ({error.strerror}): choose another --out") from None
    folder = RunFolder(path)
    folder.lock()
    return folder


def check_out(out: str | Path, overwrite: bool = False) -> bool:
    """Whether there is a run to be replaced at `out`; changes nothing.

    Raises:
        InputError: `out` is no place for a new run.
    """
    path = expand_home(Path(out))
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: --out names a folder")
    if not path.is_dir() or all(item.name in (".lock", UPLOADED) for item in path.iterdir()):
        return False
    if not is_run(path):
        raise InputError(f"{path} holds other files: choose a new folder for --out")
    if not overwrite:
        raise InputError(f"{path} holds a run already: add --resume to go on with it, or --overwrite")
    return True


def find_run(name: RunFolder | str | Path | None = None) -> RunFolder:
    """The run at a path or of a name under `runs/`, or itself; with no name, the latest.

    Raises:
        InputError: there is none.
    """
    if name is None:
        latest = max(all_runs(), key=lambda run: run.config_path.stat().st_mtime, default=None)
        if latest is None:
            raise InputError(
                "there is no run here yet: start one with `pellucid train FILE` or `pellucid demo`"
            )
        return latest
    if isinstance(name, RunFolder):
        name = name.path
    for path in (expand_home(Path(name)), RUNS / name):
        if is_run(path):
            return RunFolder(path)
    known = ", ".join(run.name for run in all_runs()) or "none"
    raise InputError(f"{name} is not a run folder; runs here: {known}")


def all_runs() -> Iterator[RunFolder]:
    """Every run under `runs/`, by name."""
    if RUNS.is_dir():
        yield from (RunFolder(path) for path in sorted(RUNS.iterdir()) if is_run(path))
