"""Splits: nanoGPT's numbers, and every character in exactly one part."""

import hashlib
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.documents import Document
from pellucid.text.splits import MOST_DEV, plan_splits, split

TINYSHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare.txt"


def make(*lengths: int) -> list[Document]:
    """Documents in which every character tells where it is from."""
    start, documents = 0, list[Document]()
    for number, length in enumerate(lengths):
        text = "".join(chr(0x10000 + start + i) for i in range(length))
        documents.append(Document(text, f"document {number}"))
        start += length
    return documents


def texts(part: tuple[Document, ...]) -> str:
    return "".join(document.text for document in part)


def test_tinyshakespeare_is_cut_where_nanogpt_cuts():
    if not TINYSHAKESPEARE.exists():
        pytest.skip("no copy of tinyshakespeare in ../shared/data")
    text = TINYSHAKESPEARE.read_text()
    splits = split([Document(text, "tinyshakespeare")], seed=1, dev_fraction=0)
    assert len(texts(splits.train)) == 1_003_854
    assert len(texts(splits.validation)) == 111_540
    assert texts(splits.validation) == text[int(0.9 * len(text)) :]
    assert splits.dev == ()
    with_dev = split([Document(text, "tinyshakespeare")], seed=1)
    assert with_dev.validation == splits.validation
    assert texts(with_dev.train) + texts(with_dev.dev) == texts(splits.train)
    assert len(texts(with_dev.dev)) == 50_192  # 5 % of the training part


@pytest.mark.parametrize("length", [2, 11, 999, 1_115_394])
def test_one_text_is_cut_as_nanogpt_cuts(length: int):
    text = "ab" * length
    splits = split([Document(text[:length], "x")], seed=1, dev_fraction=0)
    assert len(texts(splits.train)) == int(0.9 * length)


def test_few_documents_lose_their_last_tenth():
    splits = split(make(1000, 200), seed=1, dev_fraction=0)
    assert [len(d.text) for d in splits.validation] == [100, 20]
    assert [d.name for d in splits.validation] == ["document 0", "document 1"]


def test_twenty_documents_are_kept_whole():
    documents = make(*[50] * 40)
    splits = split(documents, seed=1)
    assert len(splits.validation) == 4
    assert len(splits.dev) == 1  # 5 % of 36
    assert {*splits.train, *splits.dev, *splits.validation} == set(documents)


def test_the_seed_decides_which_documents():
    documents = make(*[50] * 100)
    assert split(documents, seed=1) == split(documents, seed=1)
    assert split(documents, seed=1).validation != split(documents, seed=2).validation
    # the same in every Python and on every machine: part of what a run's record promises
    drawn = " ".join(d.name[9:] for d in split(documents, seed=1).validation)
    assert drawn == "13 17 22 28 31 40 47 48 57 67"


def test_one_giant_among_many_is_cut():
    splits = split(make(*[10] * 30, 30_000), seed=1)
    assert 2900 <= len(texts(splits.validation)) <= 3200
    assert splits.record["rule"] == "the last 0.1 of each document"


@pytest.mark.parametrize("lengths", [[3_000_000], [123_457] * 19, [60_000] * 60, [100] * 30_000])
def test_dev_is_bounded(lengths: list[int]):
    documents = [Document("x" * length, str(i)) for i, length in enumerate(lengths)]
    dev = split(documents, seed=3, dev_fraction=0.5).dev
    assert 0.5 * MOST_DEV <= len(texts(dev)) <= MOST_DEV


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=45), st.integers(0, 5))
def test_every_character_is_in_exactly_one_part_in_its_order(lengths: list[int], seed: int):
    documents = make(*lengths)
    if not any(lengths):
        with pytest.raises(InputError, match="no text to split"):
            split(documents, seed=seed)
        return
    splits = split(documents, seed=seed)
    everything = [texts(part) for part in (splits.train, splits.dev, splits.validation)]
    assert sorted("".join(everything)) == sorted(texts(tuple(documents)))
    for part in everything:
        assert part == "".join(sorted(part))  # the characters were made in this order
    assert everything[0]
    assert all(d.text for part in (splits.train, splits.dev, splits.validation) for d in part)
    assert splits.record["characters"] == {
        "train": len(everything[0]),
        "dev": len(everything[1]),
        "validation": len(everything[2]),
    }


def test_the_record_is_json_and_notices_another_split():
    record = split(make(1000, 200), seed=1).record
    assert json.loads(json.dumps(record)) == record
    assert record["seed"] == 1
    other = split(make(1000, 201), seed=1).record
    assert record["fingerprints"]["validation"] != other["fingerprints"]["validation"]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_fractions_out_of_range(fraction: float):
    with pytest.raises(InputError, match="dev_fraction"):
        split(make(100), seed=1, dev_fraction=fraction)


# The rules as they were first written, on texts and one document at a time: `plan_splits` must give the same.


def reference_split(
    documents: list[Document], seed: int, dev_fraction: float, validation_fraction: float
) -> list[list[Document]]:
    many = len(documents) >= 20
    rest, validation = reference_hold_out(
        documents, validation_fraction, many, f"validation {seed}", lambda n, share: int((1 - share) * n)
    )
    bounded = min(dev_fraction, MOST_DEV / max(1, sum(len(d.text) for d in rest)))
    train, dev = reference_hold_out(rest, bounded, many, f"dev {seed}", lambda n, share: n - int(share * n))
    return [train, dev, validation]


def reference_hold_out(
    documents: list[Document], fraction: float, many: bool, salt: str, cut: Callable[[int, float], int]
) -> tuple[list[Document], list[Document]]:
    if fraction == 0:
        return documents, []
    if many:
        target = round(fraction * sum(len(d.text) for d in documents))
        order = sorted(
            range(len(documents)), key=lambda index: hashlib.sha256(f"{salt} {index}".encode()).digest()
        )
        chosen, total = set[int](), 0
        for index in order:
            if total >= 0.95 * target:
                break
            if total + len(documents[index].text) <= target:
                chosen.add(index)
                total += len(documents[index].text)
        if 2 * total >= target:
            rest = [document for index, document in enumerate(documents) if index not in chosen]
            return rest, [documents[index] for index in sorted(chosen)]
    kept, held = list[Document](), list[Document]()
    for document in documents:
        at = cut(len(document.text), fraction) or len(document.text)
        kept.append(Document(document.text[:at], document.name))
        if at < len(document.text):
            held.append(Document(document.text[at:], document.name))
    return kept, held


lengths = st.one_of(
    st.lists(st.integers(1, 60), min_size=1, max_size=60),
    st.lists(st.sampled_from([1, 2, 3, 10, 5000]), min_size=15, max_size=60),
)
shares = st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9])


@settings(deadline=None)
@given(lengths, st.integers(0, 9), shares, shares)
def test_planning_on_lengths_splits_as_the_rules_on_texts_did(
    lengths: list[int], seed: int, dev_fraction: float, validation_fraction: float
):
    documents = make(*lengths)
    splits = split(documents, seed=seed, dev_fraction=dev_fraction, validation_fraction=validation_fraction)
    expected = reference_split(documents, seed, dev_fraction, validation_fraction)
    assert [list(part) for part in (splits.train, splits.dev, splits.validation)] == expected


def test_many_documents_are_planned_in_bounded_memory():
    lengths = np.full(100_000, 800, dtype=np.uint32)
    tracemalloc.start()
    plan = plan_splits(lengths, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * len(lengths)  # bytes: a few NumPy integers a document
    record = plan.record({})
    assert (
        record["documents"]["train"] + record["documents"]["dev"] + record["documents"]["validation"]
        == 100_000
    )
    assert record["characters"]["validation"] == pytest.approx(8_000_000, rel=0.06)


def test_more_than_four_thousand_million_characters():
    plan = plan_splits([5 << 32, 100], seed=0)
    assert plan.bounds(0) == (0, (5 << 32) * 9 // 10 - 100_000 + 1, (5 << 32) * 9 // 10, 5 << 32)
