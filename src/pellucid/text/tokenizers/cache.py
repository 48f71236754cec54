"""Learned tokenizers, kept so that the same text need not be learned from twice.

They hold frequent words of a text that may be private: only the user may read them, `PELLUCID_NO_CACHE=1` keeps none,
and `pellucid runs --clear-cache` removes them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import tokenizers

from pellucid.errors import InputError
from pellucid.text.documents import fingerprint
from pellucid.text.tokenizers.tokenizer import RESERVED, Tokenizer, parse_tokenizer
from pellucid.text.web.cache import cache_dir, new_file

MOST_KEPT = 50
LEARNING = 1  # raise it when the same text, kind and size come to give another tokenizer


def folder() -> Path:
    return cache_dir() / "tokenizers"


def enabled() -> bool:
    return os.environ.get("PELLUCID_NO_CACHE", "") in ("", "0")


def key(texts: Iterable[str], kind: str, vocab_size: int) -> str:
    """SHA-256, in hexadecimal, of all that decides what is learned."""
    parts = [LEARNING, tokenizers.__version__, kind, vocab_size, RESERVED, fingerprint(texts)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def load(key: str, kind: str) -> Tokenizer | None:
    """The tokenizer kept under `key`; None if there is none, or if it is damaged, and then it is removed."""
    for path in _files(key):
        try:
            data = path.read_bytes()
            if path.stem == f"{key}-{_checksum(data)}":
                tokenizer = parse_tokenizer(data, str(path))
                if tokenizer.kind == kind:
                    os.utime(path)  # the one used last is removed last
                    return tokenizer
            path.unlink()
        except (OSError, InputError):
            continue
    return None


def keep(key: str, tokenizer: Tokenizer) -> None:
    """Store `tokenizer` under `key`, and remove the oldest beyond 50.

    Raises:
        InputError: the cache cannot be written.
    """
    data = tokenizer.to_json().encode()
    with new_file(folder() / f"{key}-{_checksum(data)}.json") as partial:  # made for this user's eyes alone
        folder().chmod(0o700)
        partial.touch(0o600)
        partial.write_bytes(data)
    for path in _files()[:-MOST_KEPT]:
        path.unlink(missing_ok=True)


def clear() -> tuple[int, int]:
    """Remove all that is kept; returns how many files there were, and how many bytes."""
    files = _files()
    n_bytes = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink(missing_ok=True)
    return len(files), n_bytes


def _files(key: str = "") -> list[Path]:
    """What is kept, oldest first: `<key>-<sha256 of the file>.json`, so that damage shows."""
    ages = list[tuple[float, Path]]()
    for path in folder().glob(f"{key}*-*.json"):
        with contextlib.suppress(OSError):  # another process removed it
            ages.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(ages)]


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
