"""A prepared folder: text that `pellucid prepare` has tokenised once, for training to map into memory.

prepared.json    what is in it: format, request, sources, and (once finished) the record of its text
tokenizer.json   the tokenizer
train.bin, dev.bin, validation.bin   tokens, little-endian uint16 or int32 as prepared.json says
progress.json    while unfinished: how far the writing of tokens has come
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import InputError
from pellucid.text.corpora.registry import is_named
from pellucid.text.files import expand_home
from pellucid.text.splits import PARTS
from pellucid.text.tokenizers.tokenizer import KINDS, load_tokenizer
from pellucid.training.data import TrainingData
from pellucid.training.files import read_json

if TYPE_CHECKING:
    from pellucid.training.settings import Request

FORMAT = 1
DTYPES = ("<u2", "<i4")  # NumPy's names, the same on every machine
STATE, TOKENIZER, PROGRESS = "prepared.json", "tokenizer.json", "progress.json"


def token_file(folder: Path, part: str) -> Path:
    return folder / f"{part}.bin"


def is_prepared(folder: Path) -> bool:
    """Whether this is a prepared folder, finished or not."""
    return (folder / STATE).is_file()


def prepared_folder(source: str | Path) -> Path | None:
    """The prepared folder that a source is, or None where it is text; a corpus's name is the corpus, as for `read`."""
    folder = expand_home(Path(source))
    return folder if not is_named(str(source)) and is_prepared(folder) else None


def as_source(folder: Path) -> str:
    """How to write a folder where a source is asked for, so that it is not taken for a named corpus."""
    return f"./{folder}" if is_named(str(folder)) else str(folder)


def find_prepared(sources: str | Path | Sequence[str | Path]) -> Path | None:
    """The prepared folder that `sources` are, or None where they are text.

    Raises:
        InputError: a prepared folder and something else.
    """
    listed = [sources] if isinstance(sources, str | Path) else list(sources)
    prepared = [folder for source in listed if (folder := prepared_folder(source))]
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


def keep_as_prepared(
    data: TrainingData, asked: Request, folder: Path, note: Callable[[str], object]
) -> Request:
    """What is asked for, with the tokenizer and the dev split that were prepared.

    Of a recipe, these give way, and `note` hears of it. The seed is another one, of the training.

    Raises:
        InputError: a setting that was given by itself is not what was prepared.
    """
    kind, size = data.tokenizer.kind, data.tokenizer.vocab_size
    fraction = data.record["splits"]["dev_fraction"]
    before = read_state(folder).get("request")
    before = before if isinstance(before, dict) else {}
    tokenizer, vocab_size = asked.tokenizer, asked.text.get("vocab_size")
    given = "tokenizer" in asked.given
    differ = {
        "tokenizer": not _is_tokenizer_of(data, tokenizer) if given else tokenizer not in ("auto", kind),
        "vocab_size": vocab_size not in (None, size, before.get("vocab_size")),
        "dev_fraction": asked.training.get("dev_fraction", fraction) != fraction,
    }
    others = [name for name, differs in differ.items() if differs]
    what = f"{folder} was prepared with a {kind} tokenizer of {size:,} tokens and --dev-fraction {fraction}"
    if refused := [f"--{name.replace('_', '-')}" for name in others if name in asked.given]:
        raise InputError(f"{what}: leave out {' and '.join(refused)}, or prepare the text again")
    if others:
        note(f"{what}: it is trained on so, whatever the recipe has for {', '.join(others)}.")
    return dataclasses.replace(
        asked,
        text={"tokenizer": kind, "vocab_size": size},
        training={**asked.training, "dev_fraction": fraction},
    )


def _is_tokenizer_of(data: TrainingData, wanted: str) -> bool:
    """Whether a kind of tokenizer, or the path of one, is what the tokens were made with."""
    if wanted in ("auto", *KINDS):
        return wanted in ("auto", data.tokenizer.kind)
    return load_tokenizer(wanted).fingerprint == data.tokenizer.fingerprint


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
