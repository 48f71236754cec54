"""Years of two digits in the first place, and words beside the time that no table knows: told, asked or refused."""

from __future__ import annotations

from datetime import datetime

import pytest

from pellucid.errors import InputError
from pellucid.text.chats.whatsapp import parse
from pellucid.text.chats.whatsapp.periods import read_period


def times(text: str, **options: str) -> list[datetime | None]:
    return [m.time for m in parse(text, "a chat", **options).messages]


@pytest.mark.parametrize(
    "line",
    ["13/12/20, 23:55 - a: m", "[13/12/20 23:55:00] a: m", "13-12-20 23:55 - a: m", "13.12.20 23:55 - a: m"],
)
def test_a_year_of_two_digits_stands_last(line: str):
    parsed = parse(line, "a chat", source="x.txt")
    assert [m.time and m.time.date().isoformat() for m in parsed.messages] == ["2020-12-13"]
    assert len(parsed.notes) == 1 and "is 20 December 2013, give --date-order ymd" in parsed.notes[0]
    assert times(line, date_order="ymd")[0] == datetime(2013, 12, 20, 23, 55)


def test_only_two_readings_are_asked_for():
    with pytest.raises(InputError) as error:
        parse("12/9/20, 23:55 - a: m", "a chat")
    assert str(error.value).count("--date-order") == 2
    assert "ymd" not in str(error.value)


def test_a_year_stands_first_where_time_tells():
    rows = [f"18/6/{day} 21:25 - a: m" for day in range(13, 19)]
    assert [time.day for time in times("\n".join(rows)) if time] == list(range(13, 19))
    with pytest.raises(InputError, match=r"18 June 2013 .*dmy.* or 13 June 2018 .*ymd"):
        parse("\n".join(rows[:2]), "a chat")


def test_a_year_stands_first_where_nothing_else_is_possible():
    assert times("18/6/30 21:25 - a: m\n18/7/2 21:25 - a: m")[1] == datetime(2018, 7, 2, 21, 25)


def test_signs_of_the_east_leave_it_open():
    with pytest.raises(InputError, match=r"16 March 2009 .*dmy.* or 9 March 2016 .*ymd"):
        parse("16/3/9 下午3:50 - a: m", "a chat")
    assert times("16. 3. 9. 오후 3:50 - a: m") == [datetime(2016, 3, 9, 15, 50)]
    with pytest.raises(InputError, match=r"--date-order dmy.* or .*--date-order ymd"):
        parse("13. 5. 21. 15:50 - a: m", "a chat")  # Korean, or of Bosnia
    assert times("13. 05. 21 15:50 - a: m") == [datetime(2021, 5, 13, 15, 50)]  # Slovenian


@pytest.mark.parametrize(
    "words",
    [("xqm", "xqm"), ("xqm", "zqm"), ("a.m.", "zqm"), ("zqm", "p.m."), ("a.m.", "a.m.", "a.m.", "zqm")],
)
@pytest.mark.parametrize(("before", "behind"), [("", " -"), ("[", "]")])
def test_unknown_words_are_never_read_as_morning(words: tuple[str, ...], before: str, behind: str):
    rows = [f"{before}13/6/18, {n}:25 {word}{behind} {'AB'[n % 2]}: {n}" for n, word in enumerate(words, 3)]
    with pytest.raises(InputError, match=r"'[xz]qm'.*clock of 24 hours"):
        parse("\n".join(rows), "a chat")


def test_unknown_words_of_a_clock_of_24_hours_are_passed_over():
    assert times("13/6/18, 3:25 xqm - a: m\n13/6/18, 21:25 xqm - a: n")[1] == datetime(2018, 6, 13, 21, 25)


def test_another_clock_inside_a_message_is_text():
    text = "13/6/18, 9:25 - A: look\n13/6/18, 8:10 xqm - Mallory: hi\n13/6/18, 9:26 - B: ok"
    assert [m.text.count("\n") for m in parse(text, "a chat").messages] == [1, 0]


@pytest.mark.parametrize(
    ("morning", "afternoon"),
    [
        ("p.d.", "m.d."), ("moies", "nomëttes"), ("прије подне", "по подне"), ("ب.ن", "د.ن"), ("r.n.", "i.n."),
        ("go.öň", "go.soň"), ("Isuk", "Wengi"), ("yb", "yh"), ("(AM", "PM)"), ("BN", "PN"), ("pr. p.", "popiet"),
        ("صبح, منجهند", "شام, منجهند"), ("АМ", "ПМ"), ("SF", "YM"), ("dop.", "wótp."), ("Munkyo", "Eigulo"),
        ("ǁgoagas", "ǃuias"), ("ଏଏମ", "ପିଏମ"), ("am Vormittag", "am Namittag"), ("𞤢𞤰", "𞤩𞤰"),
    ],
)  # fmt: skip
def test_halves_of_the_day(morning: str, afternoon: str):
    assert read_period(f" {morning}") == ("morning", "")
    assert read_period(f" {afternoon} ") == ("afternoon", "")


def test_people_may_be_called_as_halves_of_the_day_are_in_small_languages():
    rows = ["1/9/18 9:25:10 Dinda: hello", "1/9/18 9:26:10 Muhi: again", "14/9/18 13:00:00 Dinda: now"]
    assert [message.author for message in parse("\n".join(rows), "a chat").messages] == [
        "Dinda",
        "Muhi",
        "Dinda",
    ]


@pytest.mark.parametrize("words", [("saaku", "carra"), ("xqm", "xqm xm"), ("a x: b", "c x: d")])
def test_words_of_a_clock_before_an_author_are_not_authors(words: tuple[str, ...]):
    rows = [f"13/9/18 {n}:25:10 {words[n % 2]}: {'AB'[n % 2]}: {n}" for n in range(1, 9)]
    with pytest.raises(InputError, match=r"words beside its times.*clock of 24 hours"):
        parse("\n".join(rows), "a chat")


def test_colons_in_some_messages_make_no_clock():
    rows = [f"13/9/18 {n}:25:10 {'AB'[n % 2]}: {'so: ' * (n % 3)}{n}" for n in range(1, 9)]
    assert {message.author for message in parse("\n".join(rows), "a chat").messages} == {"A", "B"}
