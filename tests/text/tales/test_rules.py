"""The checks of the tales' rules: all is right in a tale, and a planted mistake is found where it is."""

from __future__ import annotations

import pytest

from pellucid.text.tales.rules import DISTANCES, RULES, check, observe
from pellucid.text.tales.tales import log_probability, write

STORY = (
    "Once upon a time there lived Mira in a mill. She wished for a golden key, and she set out with two foxes.\n"
    "One morning she lost her way in the wood. The foxes, who had heard of the cat that was asleep, were merry.\n"
    "Soon Mira looked for the golden key at the gate, but found only dust.\n"
    "The next day she met a witch by the well. \"The giants who live near the sea say, 'Go to the cave,'\" "
    "said the witch. She shook her head.\n"
    "After a while she rested under a stone, and the foxes kept watch.\n"
    "At last she found the golden key by the well and went home to the mill. The foxes were afraid. "
    "And Mira never wished for anything again.\n"
)


def of(rule: str, text: str) -> tuple[int, int]:
    """Right, total."""
    return next((kept.right, kept.total) for kept in check([text]) if kept.rule == rule)


def test_the_story_is_a_tale():
    assert log_probability(STORY) < 0


def test_a_tale_keeps_every_rule():
    for kept in check(write(5, index) for index in range(500)):
        assert kept.right == kept.total > 100, kept
        assert sum(total for _, _, total in kept.by_distance) == kept.total
        assert [upper for upper, _, _ in kept.by_distance] == [*DISTANCES, None]


def test_what_there_is_to_keep_is_counted():
    counts = {rule: of(rule, STORY) for rule in RULES}
    assert counts == {
        "names": (2, 2),
        "pronouns": (9, 9),
        "agreement": (5, 5),
        "quotes": (2, 2),
        "wishes": (2, 2),
        "homes": (1, 1),
        "companions": (1, 1),
    }


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("names", "Soon Mira", "Soon Elsa"),
        ("names", "Soon Mira", "Soon Miro"),
        ("pronouns", "shook her head", "shook his head"),
        ("pronouns", "And Mira never", "And it never"),
        ("agreement", "were merry", "was merry"),
        ("agreement", "that was asleep", "that were asleep"),
        ("agreement", "sea say", "sea says"),
        ("agreement", "who live ", "who lives "),
        ("agreement", "foxes were afraid", "fox were afraid"),
        ("quotes", "cave,'\"", "cave,'"),
        ("quotes", "cave,'\"", "cave,\"'"),
        ("quotes", "say, '", "say, "),
        ("wishes", "looked for the golden key", "looked for the silver bell"),
        ("wishes", "found the golden key", "found the paper crown"),
        ("homes", "home to the mill", "home to the tower"),
        ("companions", "the foxes kept", "the fox kept"),
    ],
)
def test_a_planted_mistake_is_found(rule: str, before: str, after: str):
    assert STORY.count(before) == 1
    right, total = of(rule, STORY.replace(before, after))
    assert right < total


def test_distances_are_characters_between_what_belongs_together():
    seen = [one for one in observe(STORY) if one.rule == "agreement"]
    assert sorted(one.distance for one in seen)[:2] == [1, 5]  # `foxes were`; `giants who live`
    far = STORY.index(" were merry") + 1 - (STORY.index("The foxes, who") + len("The foxes"))
    assert far in [one.distance for one in seen]
    planted = STORY.replace("were merry", "was merry")
    kept = next(kept for kept in check([planted]) if kept.rule == "agreement")
    assert {upper: total - right for upper, right, total in kept.by_distance}[64] == 1


def test_a_last_line_that_breaks_off_is_not_judged():
    assert of("quotes", STORY + 'Soon she met a cat. "Go to') == of("quotes", STORY)


@pytest.mark.parametrize("text", ["", "\n", "nothing of the kind\n", "there lived \n", "'\"'\n"])
def test_any_text_can_be_judged(text: str):
    assert all(kept.right <= kept.total for kept in check([text]))
