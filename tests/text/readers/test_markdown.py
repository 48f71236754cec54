"""Markdown and Obsidian: what a person wrote stays, what only the program needs goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.text.readers import extract
from pellucid.text.readers.markdown import clean_markdown


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("---\ntitle: A\ntags:\n  - b\n- c\n# x\n\nurl: http://x\n---\n\nText", "Text"),
        ("---\na: 1\n...\nText", "Text"),
        ("[[note]] and [[note|words]]", "note and words"),
        ("[[note#Part]], [[#Part]], [[note#^id]], [[note#A#B]]", "note > Part, Part, note, note > A > B"),
        ("| [[note\\|words]] |", "| words |"),
        ("see ![[picture.png]] and ![[note#part|300]].", "see  and ."),
        ("a %%secret%% b", "a  b"),
        ("%%\nmany\n\nlines\n%%\nafter", "after"),
        ("%% from here\nto here %%\nafter", "after"),
        ("`[[code]]` [[link]] ``x ` [[y]]`` %%a%%", "`[[code]]` link ``x ` [[y]]`` "),
        ("```sh\n[[ -f x ]] [[y]] %%z%%\n```\n[[y]]", "```sh\n[[ -f x ]] [[y]] %%z%%\n```\ny"),
        ("~~~~\n[[x]]\n~~~\n[[y]]\n~~~~\n[[z]]", "~~~~\n[[x]]\n~~~\n[[y]]\n~~~~\nz"),
        ("```\n[[never closed]]", "```\n[[never closed]]"),
        ("[[漱石|夏目 漱石]]", "夏目 漱石"),
    ],
)
def test_obsidian(written: str, kept: str):
    assert clean_markdown(written) == kept


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nA rule above a paragraph. It has: colons.\n\n---\n\nMore",
        "---\nJust a sentence\n---\n",
        "---\ntitle: never closed\n\nText",
        "---\n---\ntext",
        "50%% of a, 60%% of b",
        "%%time\nprint(1)\n%%time\nprint(2)",
        "100 %% sure",
        "%% never closed\n\ntext",
        "x[[1]] and y[[2]] in R, [[1]](https://example.org), if [[ -f x ]]; then",
        "[[two\nlines]] and [[]] and [[a]b]]",
        "#tag #other/tag and # Heading",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "- [ ] todo\n> [!note] callout\n==marked== and $x^2$ ^block",
        "![alt](picture.png) and [a](b)",
        "<div>html</div> <!-- a comment --> &amp;",
    ],
)
def test_what_is_not_touched(text: str):
    assert clean_markdown(text) == text


@given(st.text(alphabet="[]|#!%`~-: \nab", max_size=200))
def test_any_text_is_read(text: str):
    clean_markdown(text)


@given(st.text(st.characters(exclude_characters="[%", exclude_categories=["Cs"]), max_size=200))
def test_without_links_and_comments_nothing_is_lost(text: str):
    if not text.startswith("---"):
        assert clean_markdown(text) == text


@pytest.mark.parametrize("piece", ["`", "``` ", "[[", "%%\n", " %%a", "[[a", "`` ` ", "~~~\n", "%%a "])
def test_repetition_takes_linear_time(piece: str):
    clean_markdown(piece * 20_000)


def test_a_file():
    found = extract(b"---\na: b\n---\nSee [[x|y]].\r\n", "note.md")
    assert [(d.text, d.name) for d in found.documents] == [("See y.\n", "note.md")]
