"""The engine of the tales on grammars so small that their numbers are known by hand."""

from __future__ import annotations

import math
import random

import pytest

from pellucid.errors import InputError
from pellucid.text.tales.grammar import END, Grammar, Option, call, even, weighted


def coin() -> tuple[Option, ...]:
    """Heads until the first tails: a story of k heads has the probability 2^-(k+1)."""
    return even(("h", call(coin)), ("t",))


def lamp() -> tuple[Option, ...]:
    return weighted((3, ("lamp",)), (1, ("land", call(coin))))


def test_a_geometric_story_has_two_bits_and_two_characters():
    grammar = Grammar(call(coin))
    assert grammar.faults() == []
    assert grammar.entropy_bits() == pytest.approx(2)
    assert grammar.expected_characters() == pytest.approx(2 + 1)  # and the end
    assert grammar.log_probability("hht") == pytest.approx(3 * math.log(0.5))


def test_what_two_options_have_in_common_is_certain():
    grammar = Grammar(call(lamp))
    assert grammar.next_character("la") == {"m": 0.75, "n": 0.25}
    assert grammar.next_character("") == {"l": 1.0}
    assert grammar.next_character("land") == {"h": 0.5, "t": 0.5}
    assert grammar.next_character("lamp") == {END: 1.0}
    one_bit = -0.75 * math.log2(0.75) - 0.25 * math.log2(0.25)
    assert grammar.entropy_bits() == pytest.approx(one_bit + 0.25 * 2)


@pytest.mark.parametrize("text", ["x", "lax", "lampp", "landhx", "landtt"])
def test_what_no_story_begins_with_is_refused(text: str):
    with pytest.raises(InputError, match=rf"at character {len(text) - 1}"):
        Grammar(call(lamp)).next_character(text)


@pytest.mark.parametrize("text", ["", "la", "landhh"])
def test_what_is_not_finished_is_no_story(text: str):
    with pytest.raises(InputError, match="not finished"):
        Grammar(call(lamp)).log_probability(text)


def test_faults_are_found():
    def beginning() -> tuple[Option, ...]:
        return even(("fox",), ("foxes",), ("hen",))

    def nothing() -> tuple[Option, ...]:
        return even(("",), ("a",))

    def symbol_first() -> tuple[Option, ...]:
        return even((call(coin), "a"), ("b",))

    def sum_is_wrong() -> tuple[Option, ...]:
        return (Option(0.5, ("a",)), Option(0.4, ("b",)))

    assert Grammar(call(beginning)).faults() == ["beginning: 'fox' begins 'foxes'"]
    assert "nothing: an option does not begin with a text" in Grammar(call(nothing)).faults()
    assert "symbol_first: an option does not begin with a text" in Grammar(call(symbol_first)).faults()
    assert Grammar(call(sum_is_wrong)).faults() == ["sum_is_wrong: probabilities do not sum to 1"]


def test_stories_are_drawn_by_their_probabilities():
    draw, grammar = random.Random(1), Grammar(call(lamp))
    share = sum(grammar.write(draw) == "lamp" for _ in range(4000)) / 4000
    assert abs(share - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 4000)
