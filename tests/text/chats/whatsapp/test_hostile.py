"""Lines made to take long, or to break something: time goes with their length, and nothing is lost."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.chats.whatsapp import parse, recognises

START = "13/6/18, 9:25 - Bob: hi\n"
LONG = 2_000_000
ENOUGH = (
    20.0  # seconds of this process, where half a one will do: what grows with the square would take hours
)


@pytest.mark.parametrize(
    "line",
    [
        "1" * LONG, "1/" * LONG, " " * LONG, "[" * LONG, "\u200e" * LONG,
        "13/6/18, " * (LONG // 9), ": " * LONG, "<" * LONG,
        "13/6/18, 9:25 - " + "a: " * LONG, "13/6/18, 9:25 - Bob: " + "\u200e" * LONG,
        "13/6/18, 9:25 - Bob: " + " <" * LONG,
        "13/6/18, 9:25 - Bob: " + "https://maps.google.com/?q=1" * (LONG // 28), "a\r" * LONG, "Abc " * LONG,
    ],
    ids=range(14),
)  # fmt: skip
def test_one_long_line(line: str):
    began = time.process_time()
    parsed = parse(START + line, "a chat")
    assert time.process_time() - began < ENOUGH
    assert sum(len(m.text) for m in parsed.messages) <= len(START + line)
    recognises(START + line)


@pytest.mark.parametrize(
    "row",
    [
        "13/6/18, 9:25 - a: b\n", "1/2/18, 9:25 - x{}: b\n", "13/6/18, {}:25 - \n", "9:25 - \n",
        "\u200e[13/6/18, 9:25:00] \u200ex\n",
        "[1/{0}/18, 9:25:0{0}] A: [1/1/18, 9:25:00] B\n",
    ],
)  # fmt: skip
def test_many_lines(row: str):
    began = time.process_time()
    parse(START + "".join(row.format(n % 9 + 1) for n in range(20_000)), "a chat", date_order="dmy")
    assert time.process_time() - began < ENOUGH


PIECES = st.sampled_from(
    ["13/6/18, ", "9:25", " - ", "Bob", ": ", "\n", "[", "] ", "\u200e", "\ufeff", "PM", "下午", "<", ">", "/", ".",
     "\r",      "2565", "令和", "٣", "\u202f", "image omitted", "Aug ", "~", '"', "31/2/18, 99:99 - x: y\n"]
)  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_nothing_breaks(text: str):
    recognises(text)
    try:
        parse(text, "a chat", date_order="dmy")
    except InputError as error:
        assert str(error).startswith("the chat ")


FRAMES = (
    "13/6/18, 9:25 - ",
    "14/6/18, 9:25 - ",
    "1/2/18, 23:00 - ",
    "[13/6/18, 9:25:01] ",
    "2018/6/13 下午9:25 - ",
    "",
)
ROWS = st.tuples(
    st.sampled_from(FRAMES), st.sampled_from(("", "\u200e")), st.sampled_from(("", "Bob: ", "Eve: "))
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(ROWS, min_size=1, max_size=30), st.sampled_from(("\n", "\r\n")))
def test_no_line_is_lost(rows: list[tuple[str, str, str]], end: str):
    """Each line has a word of its own: it is in one message, or shown as unparsed, and the order is kept."""
    text = "".join(f"{frame}{mark}{author}word{n}.{end}" for n, (frame, mark, author) in enumerate(rows))
    if not any(frame for frame, _, _ in rows):
        return
    parsed = parse(text, "a chat", date_order="dmy")
    found = "\n".join([*(line.text for line in parsed.unparsed), *(m.text for m in parsed.messages)])
    assert re.findall(r"word\d+\.", found) == [f"word{n}." for n in range(len(rows))]
