"""Text of any size becomes a prepared folder, once: what `pellucid prepare` does. Memory stays bounded.

A first pass counts the characters of every document; the split and the vocabulary follow; a second pass encodes. What
is on disk is always enough to go on from, and whatever stops it, the files end up the same, byte for byte.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Any

import numpy as np

from pellucid.errors import InputError
from pellucid.text.corpora.registry import is_named
from pellucid.text.documents import Progress
from pellucid.text.files import expand_home
from pellucid.text.parts import Reading, TrainingPieces
from pellucid.text.splits import PARTS, SplitPlan, plan_splits
from pellucid.text.streaming import Inventory, take_inventory
from pellucid.text.tokenizers.tokenizer import (
    KINDS,
    Tokenizer,
    build_tokenizer,
    check_tokenizer,
    load_tokenizer,
)
from pellucid.training.config import TrainConfig
from pellucid.training.data import absolute_sources, text_record, token_dtype
from pellucid.training.encoding import Position, batches, encoded
from pellucid.training.files import lock, read_json, sync, write_atomically, write_json
from pellucid.training.prepared import (
    FORMAT,
    PROGRESS,
    STATE,
    TOKENIZER,
    as_source,
    is_prepared,
    read_state,
    token_file,
)
from pellucid.training.report import unknown_text

NOT_BEGUN = (".lock", f".{STATE}.tmp")  # what is left where preparing was killed as it began
SAVE_SECONDS = 5.0  # of work that a crash can cost, at most about

# hears what is done ("reading", "encoding"), how far, and of how much
Observe = Callable[[str, int, int], object]


class Stopped(RuntimeError):
    """Preparing ended before it was done, and goes on when it is asked for again."""


@dataclass(frozen=True)
class Watcher:
    """Hears what happens: `note` takes lines to be read, `advanced` how far the work has come."""

    note: Progress = lambda _: None
    advanced: Observe = lambda _what, _done, _total: None


def prepare(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    tokenizer: str | Path = "auto",
    vocab_size: int | None = None,
    seed: int = TrainConfig.seed,
    dev_fraction: float = TrainConfig.dev_fraction,
    overwrite: bool = False,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Tokenise text into the folder `out`, or go on with it, and return what prepared.json says then.

    Args:
        sources: files of any size, folders, globs, addresses or named corpora.
        tokenizer: `auto`, `char`, `bpe`, `wordpiece`, or the path of a tokenizer.json or of a run.
        vocab_size: for `bpe` and `wordpiece`.
        seed: of the split.
        dev_fraction: share of the training text that chooses the best weights.

    Raises:
        InputError: bad text or settings; `out` is finished, or was begun with others; the text has changed.
        Stopped: the disk is full.
        KeyboardInterrupt: with a message that says how to go on.
    """
    TrainConfig(steps=1, seed=seed, dev_fraction=dev_fraction)  # refuses what no training takes
    folder = expand_home(Path(out))
    request = {
        "sources": absolute_sources(sources),
        "tokenizer": absolute_sources(tokenizer)[0] if _is_path(tokenizer) else str(tokenizer),
        "vocab_size": vocab_size,
        "seed": seed,
        "dev_fraction": dev_fraction,
    }
    _check(folder, request, overwrite)
    with _locked(folder):
        try:
            return _Preparation(folder, request, watcher or Watcher()).run(sources, overwrite)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("stopped; the same command goes on from there") from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Stopped(
                f"the disk of {folder} is full: free some space and give the same command again, which goes on"
            ) from None


def _is_path(tokenizer: str | Path) -> bool:
    """Whether a file or a run is meant, not a kind of tokenizer."""
    return str(tokenizer) not in ("auto", *KINDS)


def _check(folder: Path, request: dict[str, Any], overwrite: bool) -> None:
    """Raises InputError unless `folder` is new, begun with the same request, or to be overwritten."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: --out names a folder")
    _refuse_to_be_read(folder, request["sources"])
    if not is_prepared(folder):
        if folder.is_dir() and any(item.name not in NOT_BEGUN for item in folder.iterdir()):
            raise InputError(f"{folder} holds other files: choose a new folder for --out")
        return
    if overwrite:
        return
    state = read_state(folder)
    if state.get("finished") and not (folder / PROGRESS).exists():
        raise InputError(
            f"{folder} is prepared already: train on it with `pellucid train {as_source(folder)}`, or add --overwrite"
        )
    before = state.get("request")
    if before != request:
        names = sorted(
            name for name in request if not isinstance(before, dict) or before.get(name) != request[name]
        )
        raise InputError(
            f"{folder} was begun with other settings ({', '.join(names)}): give the same command as then, "
            "or add --overwrite to start again"
        )


def _refuse_to_be_read(folder: Path, sources: Sequence[str]) -> None:
    """Raises InputError where the tokens would come to lie among the text, which the next preparation reads."""
    for source in sources:
        if not is_named(source) and Path(source).is_dir() and folder.resolve().is_relative_to(source):
            raise InputError(
                f"{folder} is in {source}, whose text is prepared: choose an --out outside of it"
            )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder, "preparation")
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}): choose another --out") from None
    try:
        yield
    finally:
        held.close()
        if not is_prepared(folder):  # nothing was begun: leave nothing behind
            (folder / ".lock").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()


class _Preparation:
    def __init__(self, folder: Path, request: dict[str, Any], watcher: Watcher) -> None:
        self.folder, self.request, self.watcher = folder, request, watcher

    def run(self, sources: str | Path | Sequence[str | Path], overwrite: bool) -> dict[str, Any]:
        resumed = is_prepared(self.folder) and not overwrite
        before = read_state(self.folder) if resumed else {}
        if before.get("finished"):  # it was killed at its very last step
            (self.folder / PROGRESS).unlink(missing_ok=True)
            return before
        advanced = self.watcher.advanced
        if not resumed:
            check_tokenizer(self.request["tokenizer"], self.request["vocab_size"])
        text = take_inventory(
            sources, progress=self.watcher.note, watch=lambda done, total: advanced("reading", done, total)
        )
        for note in text.notes:
            self.watcher.note(note)
        plan = plan_splits(text.lengths, seed=self.request["seed"], dev_fraction=self.request["dev_fraction"])
        state = {"format": FORMAT, "finished": False, "request": self.request, "sources": _stamps(text)}
        if resumed:
            self._refuse_changes(before.get("sources"), state["sources"])
        tokenizer = self._tokenizer(text, plan, resumed)
        if not resumed:  # nothing can be wrong with the request any more
            self._clear()
            write_json(self.folder / STATE, state)
        if not (self.folder / TOKENIZER).exists():
            write_atomically(self.folder / TOKENIZER, tokenizer.save)
        record, reached = self._encode(text, plan, tokenizer)
        self._refuse_changes(state["sources"], _stamps(text))
        dtype = token_dtype(tokenizer).newbyteorder("<").str
        state |= {"finished": True, "dtype": dtype, "unknown": reached.unknown, "record": record}
        if reached.unknown:
            self.watcher.note(f"{unknown_text(reached.unknown, reached.unknown_characters)}.")
        write_json(self.folder / STATE, state)
        (self.folder / PROGRESS).unlink()
        return state

    def _clear(self) -> None:
        """Remove an earlier preparation; one that is killed half-way leaves a state that fits no request."""
        if is_prepared(self.folder):
            write_json(self.folder / STATE, {"format": FORMAT, "finished": False, "request": {}})
        for path in [self.folder / PROGRESS, self.folder / TOKENIZER, *self._token_files()]:
            path.unlink(missing_ok=True)

    def _token_files(self) -> list[Path]:
        return [token_file(self.folder, part) for part in PARTS]

    def _refuse_changes(self, before: Any, now: dict[str, Any]) -> None:
        before = before if isinstance(before, dict) else {}
        if differ := [path for path in {**before, **now} if before.get(path) != now.get(path)]:
            raise InputError(
                f"the text is not what it was when {self.folder} was begun ({', '.join(differ[:3])}): "
                "restore it, or add --overwrite to start again"
            )

    def _tokenizer(self, text: Inventory, plan: SplitPlan, resumed: bool) -> Tokenizer:
        """The tokenizer that is asked for, or the one that was made before; writes nothing."""
        path = self.folder / TOKENIZER
        if resumed and path.exists():
            return load_tokenizer(path)
        self.watcher.advanced("making the tokenizer", 0, 1)
        tokenizer, reason = build_tokenizer(
            self.request["tokenizer"],
            TrainingPieces(text, plan),
            self.request["vocab_size"],
            n_characters=int(plan.dev.sum(dtype=np.uint64)),
            progress=self.watcher.note,
        )
        self.watcher.note(f"Tokens: {reason}.")
        return tokenizer

    def _encode(
        self, text: Inventory, plan: SplitPlan, tokenizer: Tokenizer
    ) -> tuple[dict[str, Any], Position]:
        """Write the token files; returns the record of text and tokens, and the position at the end."""
        reading = Reading(text, plan)
        position = self._saved_position()
        with contextlib.ExitStack() as stack:
            itemsize = token_dtype(tokenizer).itemsize
            files = [
                stack.enter_context(_open_at(path, count * itemsize))
                for path, count in zip(self._token_files(), position.tokens, strict=True)
            ]
            saved = monotonic()
            for reached, tokens in encoded(batches(reading, tokenizer, position), tokenizer, position):
                position = reached
                for file, array in zip(files, tokens, strict=True):
                    file.write(array.data)
                self.watcher.advanced("encoding", position.characters, text.n_characters)
                if monotonic() - saved > SAVE_SECONDS:
                    self._save(files, position)
                    saved = monotonic()
            self._save(files, position)
        splits = plan.record(
            {part: digest.hexdigest() for part, digest in zip(PARTS, reading.parts, strict=True)}
        )
        record = text_record(
            name=text.name,
            fingerprint=reading.corpus.hexdigest(),
            documents=len(text.lengths),
            characters=text.n_characters,
            n_bytes=text.n_bytes,
            tokens=dict(zip(PARTS, position.tokens, strict=True)),
            splits=splits,
            tokenizer=tokenizer,
        )
        return record, position

    def _saved_position(self) -> Position:
        path = self.folder / PROGRESS
        if not path.exists():
            return Position()
        stored = read_json(path)
        try:
            tokens = tuple(int(stored["tokens"][part]) for part in PARTS)
            position = Position(
                int(stored["characters"]),
                str(stored["fingerprint"]),
                tokens,
                int(stored["unknown"]),
                "".join(map(chr, stored.get("unknown_characters", []))),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            raise InputError(f"{path} is damaged: add --overwrite to start again") from None
        self.watcher.note(f"Going on after {position.characters:,} characters.")
        return position

    def _save(self, files: Sequence[IO[bytes]], position: Position) -> None:
        """The tokens first, and only then the word that they are there."""
        for file in files:
            file.flush()
            sync(Path(file.name))
        write_json(
            self.folder / PROGRESS,
            {
                "characters": position.characters,
                "fingerprint": position.fingerprint,
                "tokens": dict(zip(PARTS, position.tokens, strict=True)),
                "unknown": position.unknown,
                "unknown_characters": [
                    *map(ord, position.unknown_characters)
                ],  # lone surrogates cannot be written
            },
        )


def _stamps(text: Inventory) -> dict[str, Any]:
    """What tells that a file was not touched, by its path."""
    stamps = {}
    for path in text.files:
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(f"{path} cannot be read any more ({error.strerror}): restore it") from None
        stamps[str(path.resolve())] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    return stamps


def _open_at(path: Path, size: int) -> IO[bytes]:
    """A token file cut back to what is known to be sound."""
    file = path.open("ab")
    try:
        if file.tell() < size:
            raise InputError(f"{path} is shorter than it was: add --overwrite to start again")
        file.truncate(size)
    except BaseException:
        file.close()
        raise
    return file
