"""Named corpora as they are, from a folder of one's own."""

import hashlib
import os
from pathlib import Path

import pytest

from pellucid.text.corpora.registry import CORPORA, COURSE
from pellucid.text.documents import Corpus
from pellucid.text.sources import read

DATA = Path(os.environ.get("PELLUCID_CORPORA") or Path(__file__).parents[4] / "shared" / "data")


def titles(corpus: Corpus) -> list[str]:
    return [document.name for document in corpus.documents]


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (DATA / "gutenberg").is_dir():
        pytest.skip("no copies of the corpora in ../shared/data, nor in a folder PELLUCID_CORPORA names")
    monkeypatch.setenv("PELLUCID_CORPORA", str(DATA))


@pytest.mark.usefixtures("real")
def test_the_real_course():
    corpus = read("gutenberg-course")
    assert titles(corpus) == [
        "Personal Memoirs of U. S. Grant, Complete",
        "Frankenstein; Or, The Modern Prometheus",
        "The Legend of Sleepy Hollow",
        "The Origin of Species by Means of Natural Selection",
        "Makers of Many Things",
        "Common Sense",
        "The Economic Consequences of the Peace",
        "The Story of the Great War, Volume 3",
        "The Elements of Style",
        "The Problems of Philosophy",
        "Nights in London",
    ]
    for (number, file), document in zip(COURSE.items(), corpus.documents, strict=True):
        whole = (DATA / "gutenberg" / f"{file}.txt").read_text("utf-8-sig")
        assert f"[eBook #{number}]" in whole
        assert len(document.text) > 0.77 * len(whole), document.name
        assert "PROJECT GUTENBERG EBOOK" not in document.text
    assert f"11 books: read from {DATA / 'gutenberg'}" in corpus.notes


@pytest.mark.usefixtures("real")
def test_the_real_tales():
    corpus = read("grimm")
    assert titles(corpus) == ["Grimms' Fairy Tales"]
    assert "THE GOLDEN BIRD" in corpus.documents[0].text
    assert "FULL LICENSE" not in corpus.documents[0].text


@pytest.mark.usefixtures("real")
def test_the_real_files():
    tiny = read("tinyshakespeare")
    assert tiny.n_characters == 1_115_394
    assert hashlib.sha256(tiny.documents[0].text.encode()).hexdigest() == CORPORA["tinyshakespeare"].sha256
    assert len(tiny.notes) == 1
    stories = read("tinystories")
    assert len(stories.documents) == 7957
    assert "numbers on it do not compare" in stories.notes[-1]
