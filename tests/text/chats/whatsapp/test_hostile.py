"""Lines made to take long, or to break something: time goes with their length, and nothing is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.chats.whatsapp import parse, recognises

START = "13/6/18, 9:25 - Bob: hi\n"
LONG = 2_000_000
ENOUGH = 20.0  # seconds, on a machine that does other things too: what grows with the square would take hours


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
    began = time.perf_counter()
    parsed = parse(START + line, "a chat")
    assert time.perf_counter() - began < ENOUGH
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
    began = time.perf_counter()
    parse(START + "".join(row.format(n % 9 + 1) for n in range(20_000)), "a chat", date_order="dmy")
    assert time.perf_counter() - began < ENOUGH


PIECES = st.sampled_from(
    ["13/6/18, ", "9:25", " - ", "Bob", ": ", "\n", "[", "] ", "\u200e", "\ufeff", "PM", "下午", "<", ">", "/", ".",
     "\r",      "2565", "令和", "٣", "\u202f", "image omitted", "Aug ", "~", '"', "31/2/18, 99:99 - x: y\n"]
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_nothing_breaks_and_nothing_is_lost(text: str):
    """Every word of the text is in a message, in its author or frame, or is shown as unparsed."""
    recognises(text)
    try:
        parsed = parse(text, "a chat", date_order="dmy")
    except InputError:
        return
    found = "".join(m.text for m in parsed.messages) + "".join(line.text for line in parsed.unparsed)
    heads = len(parsed.messages)
    assert text.count("omitted") <= found.count("omitted") + heads
