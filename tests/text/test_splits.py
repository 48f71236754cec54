"""Splits: nanoGPT's numbers, and every character in exactly one part."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.documents import Document
from pellucid.text.splits import MOST_DEV, split

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
