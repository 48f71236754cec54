"""How numbers and characters are said to a person."""

from __future__ import annotations

import pytest

from pellucid.text.wording import named_characters


@pytest.mark.parametrize(
    ("characters", "named"),
    [
        ("é", "'é'"),
        ("é→é→", "'é', '→'"),
        ("\u200b\u00a0 \n\x1b", "U+200B, U+00A0, U+0020, U+000A, U+001B"),
        ("\u0301\u202e\ud800", "U+0301, U+202E, U+D800"),  # accents, directions and halves are not seen alone
        ("abcde", "'a', 'b', 'c', 'd', 'e'"),
        ("abcdef", "'a', 'b', 'c', 'd', 'e' and 1 other"),
        ("abcdefgabc", "'a', 'b', 'c', 'd', 'e' and 2 others"),
        ("😀", "'😀'"),
        ("", ""),
    ],
)
def test_characters_are_named_so_that_they_can_be_seen(characters: str, named: str):
    assert named_characters(characters) == named
