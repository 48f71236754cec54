from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.model.config import IGNORE
from pellucid.text.packing import NO_DOCUMENT, Example, Rows, fit
from pellucid.text.template import Template, Turn
from pellucid.text.tokenizers.char import CharTokenizer

CHARS = CharTokenizer.from_texts(["abcdefghijklmnopqrstuvwxyz "])
TEMPLATE = Template("markers", CHARS)
PAD = 0
LENGTH = 24


def example(number: int, length: int) -> Example:
    """All of its tokens are `number`, so that one can tell where they went; each second one is learned."""
    return Example(np.full(length + 1, number, dtype=np.int32), np.arange(length + 1) % 2 == 1)


lengths = st.lists(st.integers(1, LENGTH), min_size=1, max_size=30)


@given(lengths=lengths, seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_an_epoch_has_every_conversation_once_and_whole(lengths, seed, epoch):
    examples = [example(1 + i, length) for i, length in enumerate(lengths)]
    rows = Rows(examples, LENGTH, seed, PAD)
    inputs, targets, documents, positions = rows.batch(epoch * rows.per_epoch, rows.per_epoch)
    assert inputs.shape == targets.shape == documents.shape == positions.shape
    found = []
    for row in range(len(inputs)):
        for document in range(documents[row].max() + 1):
            here = np.flatnonzero(documents[row] == document)
            assert (np.diff(here) == 1).all()
            assert positions[row, here].tolist() == list(range(len(here)))
            (number,) = set(inputs[row, here].tolist())
            learned = targets[row, here] != IGNORE
            assert learned.tolist() == examples[number - 1].learned[1:].tolist()
            assert (targets[row, here][learned] == number).all(), "a target of another conversation"
            found.append((number, len(here)))
    padding = documents == NO_DOCUMENT
    assert (inputs[padding] == PAD).all() and (targets[padding] == IGNORE).all()
    assert sorted(found) == [(1 + i, length) for i, length in enumerate(lengths)]


@given(lengths=lengths)
def test_a_row_is_a_function_of_its_number(lengths):
    examples = [example(1 + i, length) for i, length in enumerate(lengths)]
    straight, jumping = Rows(examples, LENGTH, 3, PAD), Rows(examples, LENGTH, 3, PAD)
    jumping.batch(7 * straight.per_epoch, 1)
    for number in range(3 * straight.per_epoch):
        for mine, theirs in zip(straight.batch(number, 1), jumping.batch(number, 1), strict=True):
            assert (mine == theirs).all()


def test_epochs_and_seeds_have_orders_of_their_own():
    examples = [example(1 + i, 20) for i in range(30)]
    order = {
        (seed, epoch): tuple(Rows(examples, LENGTH, seed, PAD).batch(30 * epoch, 30)[0][:, 0].tolist())
        for seed in range(2)
        for epoch in range(2)
    }
    assert len(set(order.values())) == 4


def test_rows_are_nearly_full():
    draw = np.random.default_rng(0)
    examples = [example(1 + i, int(length)) for i, length in enumerate(draw.integers(20, 200, size=400))]
    rows = Rows(examples, 512, 0, PAD)
    documents = rows.batch(0, rows.per_epoch)[2]
    assert (documents != NO_DOCUMENT).mean() > 0.98


def test_a_batch_is_no_wider_than_it_must_be():
    rows = Rows([example(1, 9), example(2, 3)], 512, 0, PAD)
    assert rows.batch(0, 1)[0].shape == (1, 16)  # 12 tokens, and the next multiple of eight
    assert Rows([example(1, 9)], 9, 0, PAD).batch(0, 2)[0].shape == (2, 9)


def test_evaluation_sees_each_conversation_once():
    rows = Rows([example(1 + i, 1 + i % 9) for i in range(40)], LENGTH, 0, PAD)
    seen = [batch[0][batch[2] == d][0] for batch in rows.whole(1) for d in range(batch[2].max() + 1)]
    assert sorted(seen) == list(range(1, 41))


def test_there_must_be_something_to_learn():
    with pytest.raises(InputError, match="no reply to learn from"):
        Rows([], LENGTH, 0, PAD)


# ---------------------------------------------------------------------- conversations that are too long


def shown(one: Example) -> str:
    return CHARS.decode(one.ids, keep_special=True).replace("<|", "[").replace("|>", "]")


def pieces(turns: list[Turn], length: int) -> list[str]:
    return [shown(one) for one in fit(TEMPLATE, [turns], length).examples]


def test_the_oldest_turns_go_and_are_examples_of_their_own():
    turns = [Turn(role, letter * 5) for role, letter in zip(["user", "assistant"] * 3, "abcdef", strict=True)]
    frames = zip(["user", "assistant"] * 3, "abcdef", strict=True)
    whole = "".join(f"[{role}]{letter * 5}[end]" for role, letter in frames)
    assert pieces(turns, 41) == [whole]
    assert pieces(turns, 40) == [whole[len("[user]aaaaa[end][assistant]bbbbb[end]") :], whole[:37]]
    assert fit(TEMPLATE, [turns], 40).n_cut == 1
    assert fit(TEMPLATE, [turns], 41).n_cut == 0


def test_the_system_turn_stays_with_every_piece():
    turns = [
        Turn("system", "s"),
        Turn("user", "a"),
        Turn("assistant", "b"),
        Turn("user", "c"),
        Turn("assistant", "d"),
    ]
    assert pieces(turns, 10) == [
        "[system]s[end][user]c[end][assistant]d[end]",
        "[system]s[end][user]a[end][assistant]b[end]",
    ]


def test_a_long_question_loses_its_beginning_and_a_long_reply_its_end():
    fitted = fit(TEMPLATE, [[Turn("user", "abcdefghijkl"), Turn("assistant", "xy")]], 11)
    assert [shown(one) for one in fitted.examples] == ["[user]ghijkl[end][assistant]xy[end]"]
    assert fitted.n_cropped == 1
    fitted = fit(TEMPLATE, [[Turn("user", "a"), Turn("assistant", "abcdefgh")]], 5)
    assert [shown(one) for one in fitted.examples] == ["[assistant]abcde"]
    assert fitted.n_cropped == 1


def test_the_system_turn_stays_with_a_long_question_unless_it_takes_most_of_its_room():
    turns = [Turn("system", "s"), Turn("user", "abcdefghijkl"), Turn("assistant", "xy")]
    assert pieces(turns, 14) == ["[system]s[end][user]ghijkl[end][assistant]xy[end]"]
    turns[0] = Turn("system", "stuvwxyz")
    assert pieces(turns, 14) == ["[user]defghijkl[end][assistant]xy[end]"]


def test_what_follows_the_last_reply_is_not_read():
    turns = [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "never answered")]
    fitted = fit(TEMPLATE, [turns, [Turn("user", "alone")], []], LENGTH)
    assert [shown(one) for one in fitted.examples] == ["[user]a[end][assistant]b[end]"]


@given(
    st.lists(
        st.lists(
            st.builds(Turn, st.sampled_from(["system", "user", "assistant"]), st.text("abc", max_size=12)),
            max_size=7,
        ),
        max_size=5,
    )
)
def test_whatever_is_said_fits(conversations):
    for one in fit(TEMPLATE, conversations, LENGTH).examples:
        assert len(one) <= LENGTH and one.n_learned > 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["user", "assistant"]), st.integers(1, 9)).map(
            lambda pair: Turn(pair[0], "a" * pair[1])
        ),
        max_size=20,
    )
)
def test_every_reply_is_learned_once(turns):
    replies = [len(turn.text) + 1 for turn in turns if turn.role == "assistant"]
    assert sum(one.n_learned for one in fit(TEMPLATE, [turns], LENGTH).examples) == sum(replies)
