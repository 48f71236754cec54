"""The run of the first process, as the others have it: they know what it knows, and write nothing.

They need no file system in common: what the first process reads of the run, they hear from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.text.tokenizers.tokenizer import Tokenizer, parse_tokenizer
from pellucid.training.checkpoints import Checkpoint, Checkpoints
from pellucid.training.journal import Journal
from pellucid.training.ranks import Ranks
from pellucid.training.run_folder import RunFolder, find_run


class JournalElsewhere(Journal):
    """Remembers what is written to the first process's journal."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = entries

    def write(self, event: str, **details: Any) -> dict[str, Any]:
        self.entries.append({"event": event, **details})
        return self.entries[-1]


class CheckpointsElsewhere(Checkpoints):
    """Knows which checkpoints there are."""

    def __init__(self, folder: Path, steps: list[int]) -> None:
        super().__init__(folder)
        self._steps = steps

    def steps(self) -> list[int]:
        return self._steps

    def save(self, checkpoint: Checkpoint, keep_also: int | None = None) -> Path:
        return self.path(checkpoint.step)


class RunElsewhere(RunFolder):
    """A run folder of another process; its `path` is for messages.

    Args:
        known: what `_known` of the first process gives.
    """

    def __init__(self, path: Path, known: dict[str, Any]) -> None:
        super().__init__(path)
        self._config, self._tokenizer = known["config"], known["tokenizer"]
        self._journal = JournalElsewhere(known["journal"])
        self.checkpoints = CheckpointsElsewhere(path / "checkpoints", known["steps"])

    def config(self) -> dict[str, Any]:
        return self._config

    def write_config(self, values: dict[str, Any]) -> None:
        self._config = values

    def tokenizer(self) -> Tokenizer:
        return parse_tokenizer(self._tokenizer.encode(), str(self.tokenizer_path))

    def append_metrics(self, record: dict[str, Any]) -> None: ...

    def rewind_metrics(self, step: int) -> None: ...

    def append_sample(self, step: int, text: str) -> None: ...

    def rewind_samples(self, step: int) -> None: ...

    def lock(self) -> None: ...

    def unlock(self) -> None: ...


def new_elsewhere(path: str) -> RunElsewhere:
    """A run that the first process has just made."""
    return RunElsewhere(Path(path), {"config": {}, "tokenizer": "", "journal": [], "steps": []})


def find_shared(ranks: Ranks, run: RunFolder | str | Path | None) -> RunFolder:
    """The run folder itself, or its name or path as `find_run` takes it, found by the first process for all.

    Raises:
        InputError: there is none, or it is damaged.
    """
    folder = path = known = None
    if ranks.is_first:
        folder = run if isinstance(run, RunFolder) else find_run(run)
        path, known = str(folder.path), _known(folder) if ranks.world > 1 else None
    path, known = ranks.agree([path, known])
    return folder or RunElsewhere(Path(str(path)), known or {})


def _known(run: RunFolder) -> dict[str, Any]:
    stored = run.config()
    return {
        "config": stored,
        "tokenizer": "" if "imported" in stored else run.tokenizer().to_json(),
        "journal": run.journal.entries,
        "steps": run.checkpoints.steps(),
    }


def newest_shared(ranks: Ranks, run: RunFolder) -> tuple[Checkpoint, list[str]]:
    """As `Checkpoints.newest_sound`, read by the first process for all."""
    found, problems = run.checkpoints.newest_sound() if ranks.is_first else (None, [])
    if ranks.world > 1:
        step, trainer, problems = ranks.agree([found and found.step, found and found.trainer, problems])
        model, optimizer = ranks.share(found and found.model), ranks.share(found and found.optimizer)
        found = Checkpoint(step, model, optimizer, trainer)
    assert found is not None
    return found, problems
