"""A conversation written as any telephone would is read back equal, or the order of its dates is asked for."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from whatsapp_exports import LOCALES, PLATFORMS, Line, Locale, Platform, expected_time, write

from pellucid.errors import InputError
from pellucid.text.chats.whatsapp import parse, recognises

AUTHORS = (
    "Alice",
    "Bob",
    "Dr: Strange",
    "🤓",
    "+49 151 2345678",
    "Zoë van der Berg",
    "山田太郎",
    "O'Brien - work",
)
LINES = (
    "hi", "", " ", "two  spaces", "12/9/20, something", "23:55", "1. eggs", "a: b", "[note] x: y", "- item",
    "https://example.org/a?b=c:d", "13.6.2018", "2018/06/13 was good", "<3", "x <y> z", "😂😂", "שלום", "مرحبا",
    "10:30 - 11:00 lunch: soup", "\u00a0", "tab\there", "nul\u2028line", "...", "null and void", "deleted",
)  # fmt: skip
WORDS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff\u061c<>[]" + "".join(
        map(chr, (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
    )),
    max_size=20,
)  # fmt: skip
BODIES = st.lists(st.one_of(st.sampled_from(LINES), WORDS), min_size=1, max_size=4).map("\n".join)


@st.composite
def conversations(draw: st.DrawFn) -> list[Line]:
    """Messages in the order of time; everyone's first one is plain, and a line of their own ends every text."""
    time = datetime.datetime(
        draw(st.sampled_from((2015, 2018, 2024))), draw(st.integers(1, 9)), draw(st.integers(13, 28))
    )
    people = draw(st.lists(st.sampled_from(AUTHORS), min_size=1, max_size=4, unique=True))
    lines = []
    for author, body in [(author, "hello") for author in people for _ in range(2)] + draw(
        st.lists(st.tuples(st.sampled_from(people), st.one_of(st.none(), BODIES)), min_size=1, max_size=8)
    ):
        time += datetime.timedelta(seconds=draw(st.integers(1, 200_000)))
        lines.append(Line(time, author, body))
    return [*lines, Line(time, people[0], "bye")]


def read(text: str, order: str):
    """What is read; an order that is asked for, or told in a note to be possible, is given."""
    try:
        parsed = parse(text, "a chat")
        told = any(f"give --date-order {order}" in note for note in parsed.notes)
        return parse(text, "a chat", date_order=order) if told else parsed
    except InputError as error:
        assert f"--date-order {order}" in str(error)
        assert str(error).count("--date-order") > 1
        return parse(text, "a chat", date_order=order)


def order_of(locale: Locale) -> str:
    places = [
        max(locale.stamp.find("{" + part) for part in parts) for parts in (("d}", "dd}"), ("m}", "mm}"))
    ]
    if locale.stamp.find("{y") < places[0] and "{y" in locale.stamp:
        return "ymd"
    return "dmy" if places[0] < places[1] else "mdy"


def check(lines: list[Line], locale: Locale, platform: Platform, bom: bool = False) -> None:
    text = write(lines, locale, platform, bom)
    parsed = read(text, order_of(locale))
    assert [(m.author, m.time, m.kind == "media") for m in parsed.messages] == [
        (line.author, expected_time(line, platform), line.body is None or not line.body.strip(" "))
        for line in lines
    ]
    assert [m.text for m, line in zip(parsed.messages, lines, strict=True) if line.body is not None] == [
        line.body for line in lines if line.body is not None
    ]
    assert not parsed.unparsed
    assert recognises(text)


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
@pytest.mark.parametrize("locale", LOCALES, ids=lambda locale: locale.name)
def test_every_locale_on_every_platform(locale: Locale, platform: Platform):
    """Each hour of the day, three days apart, with a photo, an empty text and one of several lines."""
    start = datetime.datetime(2018, 5, 14, 0, 30, 5)
    lines = [
        Line(
            start + datetime.timedelta(days=3 * hour, hours=hour),
            "AB"[hour % 2],
            f"at {hour}\n12/9/20, it's\n",
        )
        for hour in range(24)
    ]
    late = start + datetime.timedelta(days=80)
    check([*lines, Line(late, "A", None), Line(late, "B", ""), Line(late, "A", "bye")], locale, platform)


@seed(5)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(conversations(), st.sampled_from(LOCALES), st.sampled_from(PLATFORMS), st.booleans())
def test_any_conversation(lines: list[Line], locale: Locale, platform: Platform, bom: bool):
    check(lines, locale, platform, bom)
