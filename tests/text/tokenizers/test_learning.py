"""Learning a tokenizer: what is said meanwhile, and the cache of those that were learned."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid.errors import InputError
from pellucid.text.tokenizers import byte_level
from pellucid.text.tokenizers import cache as tokenizer_cache
from pellucid.text.tokenizers.bpe import train_bpe
from pellucid.text.tokenizers.byte_level import told
from pellucid.text.tokenizers.tokenizer import build_tokenizer, load_tokenizer

TEXT = "the owl and the pussycat went to sea in a beautiful pea-green boat. " * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of learned tokenizers, which is not there yet."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PELLUCID_NO_CACHE")
    return tmp_path / "cache" / "tokenizers"


class Clock:
    """Time that passes as told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(byte_level, "time", made)
    return made


# ---------------------------------------------------------------------- progress


def slowly(clock: Clock, n: int, seconds: float) -> Iterator[str]:
    for _ in range(n):
        yield "x" * 1000
        clock.now += seconds


def test_progress_is_told_every_two_seconds_at_most(clock: Clock):
    lines = list[str]()
    assert list(told(slowly(clock, 100, 0.3), 100_000, lines.append)) == ["x" * 1000] * 100
    assert len(lines) == 30 // 2.1 + 1  # every seventh piece, and the end
    assert lines[0] == "read 8,000 of 100,000 characters, about 24 s left"
    assert lines[-1] == "read all 100,000 characters; merging"


def test_quick_learning_says_little(clock: Clock):
    lines = list[str]()
    assert len(list(told(slowly(clock, 3, 0.1), 3000, lines.append))) == 3
    assert lines == []
    assert len(list(told(slowly(clock, 3, 9.0), 1, None))) == 3


def test_learning_reports_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(byte_level, "PROGRESS_SECONDS", 0.0)
    lines = list[str]()
    build_tokenizer("wordpiece", [TEXT] * 2, 540, progress=lines.append)
    assert lines[0] == "learning a vocabulary of 540 tokens"
    assert f"of {2 * len(TEXT):,} characters" in lines[1]
    assert lines[-1].endswith("merging")


# ---------------------------------------------------------------------- the cache


@pytest.mark.parametrize(("kind", "size"), [("bpe", 300), ("wordpiece", 540)])
def test_the_same_text_is_learned_from_once(cache: Path, kind: str, size: int):
    first, line = build_tokenizer(kind, [TEXT], size)
    (kept,) = cache.iterdir()
    assert load_tokenizer(kept).fingerprint == first.fingerprint
    lines = list[str]()
    again, same_line = build_tokenizer(kind, [TEXT], size, progress=lines.append)
    assert (again.fingerprint, same_line) == (first.fingerprint, line)
    assert lines == [f"a vocabulary of {size} tokens was learned from this text before"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_only_the_user_may_read_it(cache: Path):
    build_tokenizer("bpe", [TEXT], 300)
    (kept,) = cache.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_another_text_kind_size_or_library_is_another_key(cache: Path, monkeypatch: pytest.MonkeyPatch):
    keys = [
        tokenizer_cache.key([TEXT], "bpe", 300),
        tokenizer_cache.key([TEXT[:-1], TEXT[-1]], "bpe", 300),
        tokenizer_cache.key([TEXT + "."], "bpe", 300),
        tokenizer_cache.key([TEXT], "wordpiece", 300),
        tokenizer_cache.key([TEXT], "bpe", 301),
    ]
    monkeypatch.setattr("tokenizers.__version__", "99.0")
    assert len({*keys, tokenizer_cache.key([TEXT], "bpe", 300)}) == 6
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_one_is_learned_again(cache: Path, damage: str):
    first, _ = build_tokenizer("bpe", [TEXT], 300)
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    changed = whole.replace(b'"sea"', b'"aes"').replace(b'"the"', b'"eht"')
    kept.write_bytes({"cut": whole[:-40], "changed": changed, "emptied": b""}[damage])
    assert kept.read_bytes() != whole
    lines = list[str]()
    again, _ = build_tokenizer("bpe", [TEXT], 300, progress=lines.append)
    assert again.fingerprint == first.fingerprint
    assert lines == ["learning a vocabulary of 300 tokens"]
    assert kept.read_bytes() == whole


def test_at_most_fifty_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokenizer_cache, "MOST_KEPT", 3)
    tokenizer = train_bpe([TEXT], 300)
    names = [str(n) * 64 for n in range(5)]
    for age, name in enumerate(names):
        tokenizer_cache.keep(name, tokenizer)
        (path,) = cache.glob(f"{name}-*")
        os.utime(path, (1e9 + age, 1e9 + age))
    assert sorted(path.name[0] for path in cache.iterdir()) == ["2", "3", "4"]
    assert tokenizer_cache.load(names[2], "bpe")  # used, so it is the newest now
    tokenizer_cache.keep("5" * 64, tokenizer)
    assert sorted(path.name[0] for path in cache.iterdir()) == ["2", "4", "5"]
    assert not list(cache.glob(".partial*"))


def test_it_can_be_turned_off(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PELLUCID_NO_CACHE", "1")
    build_tokenizer("bpe", [TEXT], 300)
    assert not cache.exists()
    monkeypatch.setenv("PELLUCID_NO_CACHE", "0")
    build_tokenizer("bpe", [TEXT], 300, keep=False)
    assert not cache.exists()
    assert tokenizer_cache.clear() == (0, 0)


def test_a_cache_that_cannot_be_written_stops_nobody(cache: Path):
    cache.parent.write_text("a file where the cache should be")
    lines = list[str]()
    tokenizer, _ = build_tokenizer("bpe", [TEXT], 300, progress=lines.append)
    assert tokenizer.vocab_size == 300
    assert "PELLUCID_CACHE" in lines[-1]
    with pytest.raises(InputError, match="PELLUCID_CACHE"):
        tokenizer_cache.keep("0" * 64, tokenizer)


def test_clearing_counts_what_it_removes(cache: Path):
    build_tokenizer("bpe", [TEXT], 300)
    build_tokenizer("wordpiece", [TEXT], 540)
    (cache.parent / "web").mkdir()
    (cache.parent / "web" / "page").write_text("stays")
    n_bytes = sum(path.stat().st_size for path in cache.iterdir())
    assert tokenizer_cache.clear() == (2, n_bytes)
    assert list(cache.iterdir()) == []
    assert (cache.parent / "web" / "page").exists()
