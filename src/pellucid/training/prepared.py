"""A prepared folder: text that `pellucid prepare` has tokenised once, for training to map into memory.

prepared.json    what is in it: format, request, sources, and (once finished) the record of its text
tokenizer.json   the tokenizer
train.bin, dev.bin, validation.bin   tokens, little-endian uint16 or int32 as prepared.json says
progress.json    while unfinished: how far the writing of tokens has come
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import InputError
from pellucid.text.splits import PARTS
from pellucid.text.tokenizers.tokenizer import load_tokenizer
from pellucid.training.data import TrainingData
from pellucid.training.files import read_json

if TYPE_CHECKING:
    from pellucid.training.settings import Request

FORMAT = 1
DTYPES = ("<u2", "<i4")  # NumPy's names, the same on every machine
STATE, TOKENIZER, PROGRESS = "prepared.json", "tokenizer.json", "progress.json"


def token_file(folder: Path, part: str) -> Path:
    return folder / f"{part}.bin"


def is_prepared(path: str | Path) -> bool:
    """Whether this is a prepared folder, finished or not."""
    return (Path(path).expanduser() / STATE).is_file()


def find_prepared(sources: str | Path | Sequence[str | Path]) -> Path | None:
    """The prepared folder that `sources` are, or None where they are text.

    Raises:
        InputError: a prepared folder and something else.
    """
    listed = [sources] if isinstance(sources, str | Path) else list(sources)
    prepared = [Path(source).expanduser() for source in listed if is_prepared(source)]
    if prepared and len(listed) > 1:
        raise InputError(
            f"{prepared[0]} is a prepared folder, and is trained on alone: "
            "to train on more, prepare all the text together"
        )
    return prepared[0] if prepared else None


def read_state(folder: Path) -> dict[str, Any]:
    """What prepared.json says.

    Raises:
        InputError: it is missing, damaged, or of a later format than this version reads.
    """
    state = read_json(folder / STATE)
    version = state.get("format")
    if type(version) is not int or version > FORMAT:
        raise InputError(
            f"{folder / STATE} has format {version!r}; this version reads up to {FORMAT}: update pellucid"
        )
    return state


def load_prepared(folder: Path) -> TrainingData:
    """The token streams of a prepared folder, memory-mapped.

    Raises:
        InputError: it is unfinished, damaged, or of a later format.
    """
    state = read_state(folder)
    if state.get("finished") is not True:
        raise InputError(
            f"{folder} is not finished: give the `pellucid prepare` command again, and it goes on"
        )
    tokenizer = load_tokenizer(folder / TOKENIZER)
    try:
        record, dtype = state["record"], np.dtype(DTYPES[DTYPES.index(state["dtype"])])
        known = record["tokenizer"]["fingerprint"]
        counts = {part: int(record["tokens"][part]) for part in PARTS}
        seed, dev_fraction = record["splits"]["seed"], record["splits"]["dev_fraction"]
        valid = isinstance(seed, int) and isinstance(dev_fraction, int | float)
    except (KeyError, TypeError, ValueError, AttributeError):
        valid, record, dtype, known, counts = False, {}, np.dtype(DTYPES[0]), "", {}
    if not valid:
        raise InputError(f"{folder / STATE} is damaged: prepare the text again, with --overwrite")
    if known != tokenizer.fingerprint or tokenizer.vocab_size > np.iinfo(dtype).max + 1:
        raise InputError(
            f"{folder / TOKENIZER} is not the tokenizer that the tokens were made with: restore it, or prepare again"
        )
    parts = {part: _mapped(token_file(folder, part), dtype, count) for part, count in counts.items()}
    return TrainingData(record, tokenizer, **parts)


def keep_as_prepared(data: TrainingData, asked: Request, folder: Path) -> None:
    """Let what is asked for be what was prepared; the seed is another one, of the training.

    Raises:
        InputError: a tokenizer or a dev split of another kind is asked for.
    """
    kind, size, fraction = (
        data.tokenizer.kind,
        data.tokenizer.vocab_size,
        data.record["splits"]["dev_fraction"],
    )
    wanted = asked.tokenizer
    same_tokenizer = wanted in ("auto", kind) or (
        wanted not in ("char", "bpe") and load_tokenizer(wanted).fingerprint == data.tokenizer.fingerprint
    )
    if not same_tokenizer or asked.text.get("vocab_size") not in (None, size):
        raise InputError(
            f"{folder} was prepared with a {kind} tokenizer of {size:,} tokens: leave out --tokenizer "
            "and --vocab-size, or prepare the text again"
        )
    if asked.training.setdefault("dev_fraction", fraction) != fraction:
        raise InputError(
            f"{folder} was prepared with --dev-fraction {fraction}: leave that out, or prepare the text again"
        )


def _mapped(path: Path, dtype: np.dtype, count: int) -> np.ndarray:
    try:
        size = path.stat().st_size
        if size != count * dtype.itemsize:
            raise InputError(
                f"{path} has {size:,} bytes, not the {count * dtype.itemsize:,} it was written with: "
                "restore it from a copy, or prepare the text again, with --overwrite"
            )
        if not count:
            return np.empty(0, dtype)  # no system maps an empty file
        return np.memmap(path, dtype, "r").view(np.ndarray)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): prepare the text again") from None
