"""Exports as they are, by hand: layouts, names, notices, media, pieces of one chat inside another."""

from __future__ import annotations

import io
from datetime import datetime

import pytest

from pellucid.errors import InputError
from pellucid.text.chats.record import Unparsed
from pellucid.text.chats.whatsapp import parse, recognises

LRM, NARROW, FIXED = "\u200e", "\u202f", "\u00a0"


def read(text: str, **options: str):
    return [(m.author, m.time, m.text) for m in parse(text, "a chat", **options).messages]


def kinds(text: str, **options: str):
    return [(m.kind, m.author, m.text) for m in parse(text, "a chat", **options).messages]


def at(*parts: int) -> datetime:
    return datetime(*parts)


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("12/19/20, 23:55 - a: m", at(2020, 12, 19, 23, 55)),
        (f"[13/11/2025, 12:25:55{NARROW}PM] a: m", at(2025, 11, 13, 12, 25, 55)),
        ("13.6.2018 klo 21.25.15 - a: m", at(2018, 6, 13, 21, 25, 15)),
        (f"28/3/2025, 9:29{NARROW}p.{FIXED}m. - a: m", at(2025, 3, 28, 21, 29)),
        (f"28/3/2025, 12:29{NARROW}a.{FIXED}m. - a: m", at(2025, 3, 28, 0, 29)),
        ("[1/29/18, 7:02:15 PM] a: m", at(2018, 1, 29, 19, 2, 15)),
        ("1/29/18, 0:24 PM - a: m", at(2018, 1, 29, 12, 24)),
        ("13.06.18 21.25.15: a: m", at(2018, 6, 13, 21, 25, 15)),
        ("[06.13.18 21:25:15] a: m", at(2018, 6, 13, 21, 25, 15)),
        ("13. 6. 2018. 21:25:15 a: m", at(2018, 6, 13, 21, 25, 15)),
        ("13. 6. 2018. 21:25 - a: m", at(2018, 6, 13, 21, 25)),
        ("[2018/06/13, 21:25:15] a: m", at(2018, 6, 13, 21, 25, 15)),
        ("[06/2018/13, 21:25:15] a: m", at(2018, 6, 13, 21, 25, 15)),
        ("2018/06/13 21:25 - a: m", at(2018, 6, 13, 21, 25)),
        ("2018. 06. 03. 21:25 - a: m", at(2018, 6, 3, 21, 25)),
        ("2018년 6월 3일 오후 9:25 - a: m", at(2018, 6, 3, 21, 25)),
        ("2018. 6. 3. 오전 9:25 - a: m", at(2018, 6, 3, 9, 25)),
        ("[18. 6. 3. 오후 9:25:15] a: m", at(2018, 6, 3, 21, 25, 15)),
        ("2018/6/3 下午3:50 - a: m", at(2018, 6, 3, 15, 50)),
        ("[2018/6/3 下午3:50:15] a: m", at(2018, 6, 3, 15, 50, 15)),
        ("2018/6/3 上午3:50 - a: m", at(2018, 6, 3, 3, 50)),
        ("2018/6/3 上午12:50 - a: m", at(2018, 6, 3, 0, 50)),
        ("2018/6/3 凌晨3:50 - a: m", at(2018, 6, 3, 3, 50)),
        ("2018/6/3 早上7:50 - a: m", at(2018, 6, 3, 7, 50)),
        ("2018/6/3 中午12:50 - a: m", at(2018, 6, 3, 12, 50)),
        ("2018/6/3 中午11:50 - a: m", at(2018, 6, 3, 11, 50)),
        ("2018/6/3 中午1:50 - a: m", at(2018, 6, 3, 13, 50)),
        ("2018/6/3 傍晚6:50 - a: m", at(2018, 6, 3, 18, 50)),
        ("2018/6/3 晚上9:50 - a: m", at(2018, 6, 3, 21, 50)),
        ("2018年6月3日 下午3:50 - a: m", at(2018, 6, 3, 15, 50)),
        ("2018/6/3 午後3:50 - a: m", at(2018, 6, 3, 15, 50)),
        ("13.06.18 г., 21:25 - a: m", at(2018, 6, 13, 21, 25)),
        ("13/6/18, 9:25 μ.μ. - a: m", at(2018, 6, 13, 21, 25)),
        ("13/6/2018, 9:25 ÖS - a: m", at(2018, 6, 13, 21, 25)),
        ("13/6/2018, 9:25 CH - a: m", at(2018, 6, 13, 21, 25)),
        ("13/6/2018, 9:25 in the evening - a: m", at(2018, 6, 13, 21, 25)),
        ("[21:25:15, 13/6/18] a: m", at(2018, 6, 13, 21, 25, 15)),
        ("19:23, 28 Aug 2013 - a: m", at(2013, 8, 28, 19, 23)),
        ("28 de oct. de 2013, 19:23 - a: m", at(2013, 10, 28, 19, 23)),
        ("Aug 28, 2013, 7:23 PM - a: m", at(2013, 8, 28, 19, 23)),
        ("2018-06-03 21 h 25 - a: m", at(2018, 6, 3, 21, 25)),
        ("[2018-06-03 21 h 25 min 15 s] a: m", at(2018, 6, 3, 21, 25, 15)),
        ("[١٨\u200f/٣\u200f/٢٠٢٢، ٢:٥٦:٠٠ م] a: m", at(2022, 3, 18, 14, 56)),
        ("[\u200f18\u200f/3\u200f/2022، 14:56:01] a: m", at(2022, 3, 18, 14, 56, 1)),
        ("[3/18/2565 BE, 14:56:01] a: m", at(2022, 3, 18, 14, 56, 1)),
        ("18/3/65 14:56 น. - a: m", at(2022, 3, 18, 14, 56)),
        ("[3/18/R4, 14:56:01] a: m", at(2022, 3, 18, 14, 56, 1)),
        ("令和4年3月18日 14:56 - a: m", at(2022, 3, 18, 14, 56)),
        ("۱۳۹۷/۳/۲۳،\u200f ۲۱:۲۵ - a: m", at(2018, 6, 13, 21, 25)),
        ("107/6/13 下午9:25 - a: m", at(2018, 6, 13, 21, 25)),
    ],
)
def test_layouts(line: str, time: datetime):
    assert read(line) == [("a", time, "m")]
    assert recognises(line)


@pytest.mark.parametrize(
    "line", ["3/6/18, 1:55 p.m. - a: m", "[3/6/18 1:55:00 p. m.] a: m", "03-06-2018, 01.55 PM - a: m"]
)
def test_an_order_that_nothing_tells_is_asked_for(line: str):
    with pytest.raises(InputError) as error:
        parse(line, "a chat", source="_chat.txt")
    for part in (
        "_chat.txt",
        "line 1",
        "3 June 2018",
        "6 March 2018",
        "--date-order dmy",
        "--date-order mdy",
    ):
        assert part in str(error.value)
    assert read(line, date_order="dmy") == [("a", at(2018, 6, 3, 13, 55), "m")]
    assert read(line, date_order="mdy") == [("a", at(2018, 3, 6, 13, 55), "m")]


def test_an_order_that_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"line 2 has the date 13/6/18, which cannot be month, day, year"):
        parse("3/6/18, 1:55 - a: m\n13/6/18, 1:55 - a: m", "a chat", date_order="mdy")
    with pytest.raises(InputError, match="none of dmy, mdy, ymd"):
        parse("3/6/18, 1:55 - a: m", "a chat", date_order="dym")


def test_a_year_that_stands_first_needs_no_answer():
    for order in (None, "dmy"):
        options = {} if order is None else {"date_order": order}
        assert read("2018/03/06, 1:55 - a: m", **options) == [("a", at(2018, 3, 6, 1, 55), "m")]


def test_one_date_above_twelve_decides_for_the_file():
    assert [time for _, time, _ in read("3/6/18, 1:55 - a: m\n3/13/18, 1:55 - a: n")] == [
        at(2018, 3, 6, 1, 55),
        at(2018, 3, 13, 1, 55),
    ]


def test_time_that_goes_on_decides():
    parsed = parse("5/6/18, 1:55 - a: 1\n6/6/18, 1:55 - a: 2\n4/7/18, 1:55 - a: 3", "a chat", source="x.txt")
    assert [m.time.month for m in parsed.messages if m.time] == [6, 6, 7]
    assert parsed.notes == (
        "x.txt: dates are read as day, month, year: in another order time would go back 1 time",
    )


def test_a_year_of_two_digits_that_may_stand_first():
    days = range(14, 20)
    by_day = "\n".join(f"[{day}/06/18 21:25:00] a: m" for day in days)
    assert [time.day for _, time, _ in read(by_day)] == list(days)
    by_year = "\n".join(f"[18/06/{day} 21:25:00] a: m" for day in days)
    assert read(by_year)[0] == ("a", at(2018, 6, 14, 21, 25), "m")


def test_dates_that_are_the_same_in_any_order():
    assert read("5/5/18, 1:55 - a: 1\n5/5/18, 1:55 - a: 2")[1] == ("a", at(2018, 5, 5, 1, 55), "2")


def test_another_calendar_is_told_or_refused():
    assert "by the Buddhist calendar" in parse("[3/18/2565 BE, 14:56:01] a: m", "a chat").notes[0]
    with pytest.raises(InputError, match="Islamic calendar, as 1/9/1443 in line 1"):
        parse("1/9/1443, 14:56 - a: m", "a chat")


def test_unknown_halves_of_a_day_are_refused():
    with pytest.raises(InputError, match=r"'mbxo' and 'xbmo'"):
        parse("13/6/18, 9:25 mbxo - a: m\n13/6/18, 9:25 xbmo - a: n", "a chat")


def test_dates_without_a_year_have_no_time_unless_one_came_before():
    parsed = parse("9 Mar 9:25 - a: m", "a chat")
    assert [m.time for m in parsed.messages] == [None]
    assert "1 message has a date without a year" in parsed.notes[0]
    assert [time for _, time, _ in read("9:25, 28 Dec 2013 - a: m\n9:25, 3 Jan - a: m")] == [
        at(2013, 12, 28, 9, 25),
        at(2014, 1, 3, 9, 25),
    ]


def test_lines_are_kept_as_they_are():
    text = (
        "13/6/18, 9:25 - a: one\n\n  two\u00a0\u2028x \r\n12/9/20, three\n"
        "13/6/18, 9:26 - b: \n13/6/18, 9:27 - b:\n\n"
    )
    assert [m[2] for m in read(text)] == ["one\n\n  two\u00a0\u2028x \n12/9/20, three", "", ""]
    assert read(text.replace("\r\n", "\n").replace("\n", "\r\n")) == read(text)
    assert parse(text.split("\n"), "a chat") == parse(text, "a chat")
    assert parse(io.StringIO(text, newline=""), "a chat") == parse(text, "a chat")


def test_marks_go_everywhere_and_joiners_stay():
    text = (
        f"\ufeff{LRM}[13/6/18, 9:25:00] \u202a+49{FIXED}151{FIXED}1\u202c: @\u2068Zoë\u2069 👩\u200d💻\ufeff"
    )
    assert read(text) == [("+49 151 1", at(2018, 6, 13, 9, 25), "@Zoë 👩\u200d💻")]


def test_lines_before_the_first_message_are_shown():
    parsed = parse("who knows\n\n[13/6/18, 9:25:00] You: hey", "a chat", source="_chat.txt")
    assert parsed.unparsed == (Unparsed("_chat.txt", 1, "who knows"),)
    assert [m.author for m in parsed.messages] == ["You"]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "hello\nworld", "12/9/20, something", "Alice: hi", '{"messages": []}']
)
def test_a_text_that_is_no_export(text: str):
    assert not recognises(text)
    with pytest.raises(InputError, match="no line that begins with a date, a time and a name"):
        parse(text, "a chat")


def test_signals_lines_are_left_to_it():
    assert not recognises("[2019-05-29, 15:04] Me: hi")


def test_names():
    text = (
        "13/6/18, 9:25 - Dr: Strange: a: b\n13/6/18, 9:25 - Dr: Strange: x\n13/6/18, 9:25 - ~ Mika: hey\n"
        f"13/6/18, 9:25 - ~{FIXED}Mika: https://x.org: y\n13/6/18, 9:25 - Bob: Note: y\n13/6/18, 9:25 - Bob: z\n"
        "13/6/18, 9:25 - O-_*🤓: z\n13/6/18, 9:25 - Bob:tight\n"
    )
    assert [(author, body) for author, _, body in read(text)] == [
        ("Dr: Strange", "a: b"), ("Dr: Strange", "x"), ("Mika", "hey"), ("Mika", "https://x.org: y"),
        ("Bob", "Note: y"), ("Bob", "z"), ("O-_*🤓", "z"), ("Bob", "tight"),
    ]  # fmt: skip


def test_a_chat_named_after_a_name_with_a_colon():
    parsed = parse("13/6/18, 9:25 - Dr: Strange: hi", "Dr: Strange")
    assert [(m.author, m.text) for m in parsed.messages] == [("Dr: Strange", "hi")]


def test_notices_of_android_have_no_author():
    text = (
        "13/6/18, 9:25 - Messages and calls are end-to-end encrypted. No one outside of this chat can read them.\n"
        '13/6/18, 9:25 - Bob created group "Plan: dinner"\n13/6/18, 9:26 - Bob: hi\n13/6/18, 9:26 - Bob: ho\n'
        '13/6/18, 9:27 - Bob changed the subject from "A: x" to "B: y"\n13/6/18, 9:28 - Eve left\n'
        "13/6/18, 9:29 - Your security code with Dr: Strange changed. Tap to learn more.\n"
    )
    assert [kind for kind, author, _ in kinds(text) if author is None] == ["system"] * 5
    assert [body for _, author, body in kinds(text) if author] == ["hi", "ho"]


def test_notices_of_ios_look_like_messages():
    text = (
        f"[13/6/18, 9:25:00] Family: {LRM}Messages and calls are end-to-end encrypted. Not even WhatsApp can read.\n"
        f"[13/6/18, 9:25:00] Family: {LRM}Bob created this group\n[13/6/18, 9:26:00] Bob: hi\n"
        f"[13/6/18, 9:26:01] Bob: {LRM}Your security code with Bob changed.\n"
        f"[13/6/18, 9:26:02] Family: {LRM}Bob did what no table knows of\n"
    )
    assert [(kind, author) for kind, author, _ in kinds(text)] == [
        ("system", None), ("system", None), ("text", "Bob"), ("system", None), ("system", None),
    ]  # fmt: skip


def test_a_mark_that_someone_typed_makes_no_notice():
    text = "".join(
        f"[13/6/18, 9:25:0{n}] Bob: {LRM}a sentence of Bob's own, which is number {n}\n" for n in range(5)
    )
    assert {(kind, author) for kind, author, _ in kinds(text)} == {("text", "Bob")}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<Media omitted>", "media"), ("<Medien ausgeschlossen>", "media"), ("<whatever is here>", "media"),
        ("image omitted", "media"), (f"{LRM}image omitted", "media"), ("<\u200eaudio omitted>", "media"),
        (f"Plan.pdf • {LRM}2 pages {LRM}document omitted", "media"), ("פריט וידאו", "text"),
        (f"{LRM}<attached: 00000042-PHOTO-2020-06-07-15-13-20.jpg>", "media"),
        ("<pièce jointe : 00000042-PHOTO-2020.jpg>", "media"), ("IMG-20210428-WA0001.jpg (file attached)", "media"),
        ("IMG-20210428-WA0001.jpg (in a tongue unheard of)\nthe caption", "media"),
        (f"{LRM}Alex.vcf (soubor byl přiložen)", "media"), ("2015-08-04-PHOTO-00004762.jpg <\u200eattached>", "media"),
        ("<Media omitted>\nthe caption", "media"), ("", "media"),
        ("Location: https://maps.google.com/?q=1.5,-2", "media"),
        ("live location shared", "media"), ("This message was deleted", "deleted"),
        ("このメッセージは削除されました。", "deleted"), ("Waiting for this message", "deleted"),
        ("null", "call"), ("Missed voice call", "call"), (f"{LRM}Voice call, {LRM}2 min", "call"),
        ("POLL:\nWhere?\nOPTION: here (2 votes)", "text"), ("I never deleted this message", "text"),
        ("image omitted lol", "text"), ("notes.txt (see below)", "text"), ("see https://maps.google.com/", "text"),
        ("a <b> c", "text"), ("<3", "text"),
    ],
)  # fmt: skip
def test_kinds(body: str, kind: str):
    (found,) = parse(f"13/6/18, 9:25 - Bob: {body}", "a chat").messages
    assert (found.kind, found.author) == (kind, "Bob")
    assert found.text == body.replace(LRM, "")


def test_what_is_put_around_a_text_is_taken_off():
    text = (
        f"13/6/18, 9:25 - Bob: hi {LRM}<This message was edited>\n"
        "13/6/18, 9:25 - Bob: ho <Diese Nachricht wurde bearbeitet>\n"
        f"13/6/18, 9:25 - Bob: a\nb {LRM}<in a tongue unheard of>\n13/6/18, 9:25 - Bob: [Forwarded] news\n"
        "13/6/18, 9:25 - Bob: a <b>\n"
    )
    assert [(kind, body) for kind, _, body in kinds(text)] == [
        ("text", "hi"), ("text", "ho"), ("text", "a\nb"), ("forwarded", "news"), ("text", "a <b>"),
    ]  # fmt: skip


def test_a_piece_of_a_chat_in_another_layout_stays_in_its_message():
    text = (
        "13/6/18, 9:25 - Bob: look:\n[9:20, 13/6/2018] Eve: hi\n[9:21, 13/6/2018] Bob: ho\n13/6/18, 9:26 - Eve: ok\n"
        "13/6/18, 9:27 - Bob: ok\n"
    )
    parsed = parse(text, "a chat", source="x.txt")
    assert [m.text for m in parsed.messages] == [
        "look:\n[9:20, 13/6/2018] Eve: hi\n[9:21, 13/6/2018] Bob: ho",
        "ok",
        "ok",
    ]
    assert "2 lines inside messages look like the beginning of a message" in parsed.notes[-1]
    assert "line 2: [9:20, 13/6/2018] Eve: hi" in parsed.notes[-1]


def test_a_piece_of_the_same_chat_stays_in_its_message():
    """Copied on iOS it has the very frame of the export: it is older than the message that begins with it."""
    pasted = "[13/6/18, 9:20:00] Eve: hi\n[13/6/18, 9:21:00] Bob: ho"
    text = f"{pasted}\n[14/6/18, 9:25:00] Bob: {pasted}\n[14/6/18, 9:26:00] Eve: ok"
    assert [m[2] for m in read(text)] == ["hi", "ho", pasted, "ok"]


def test_a_piece_of_a_strangers_chat_stays_in_its_message():
    text = (
        "13/6/18, 9:25 - Bob: look what they wrote\n1/2/18, 9:20 - Mallory: hi\n1/2/18, 9:21 - Trent: ho\n"
        "13/6/18, 9:26 - Eve: ok\n13/6/18, 9:27 - Bob: well"
    )
    assert [(m[0], m[2].count("\n")) for m in read(text)] == [("Bob", 2), ("Eve", 0), ("Bob", 0)]


def test_plans_stay_in_their_message():
    text = (
        "13/6/18, 9:25 - Bob: plan\n20/6/18, 18:00 - dinner\n21/6/18, 10:00 - brunch\n13/6/18, 9:26 - Eve: ok"
    )
    assert [(m[0], m[2].count("\n")) for m in read(text)] == [("Bob", 2), ("Eve", 0)]


def test_messages_that_came_late_stay_messages():
    text = "13/6/18, 9:25 - Bob: a\n11/6/18, 9:20 - Eve: b\n13/6/18, 9:26 - Eve: c\n13/6/18, 9:27 - Bob: d"
    assert [m[2] for m in read(text)] == ["a", "b", "c", "d"]


def test_line_ends_tell_lines_of_a_message_from_messages():
    """On iOS a message ends with CR LF; where few do not, an editor may have been at work."""
    quote = "[13/6/18, 9:00:00] Bob: see\n[13/6/18, 9:00:30] Eve: quoted\r\n"
    rest = [
        f"[13/6/18, 9:{minute:02}:00] {'Bob' if minute % 2 else 'Eve'}: {minute}\r\n"
        for minute in range(1, 21)
    ]
    assert [m[2] for m in read(quote + "".join(rest))][:2] == ["see\n[13/6/18, 9:00:30] Eve: quoted", "1"]
    assert [m[2] for m in read(quote + "".join(rest[:5]))][:2] == ["see", "quoted"]


def test_times_that_an_editor_changed_are_read_with_a_note():
    rows = [
        f"13/6/2018 {n}:25 {'PM' if n % 3 else ''}".rstrip() + f" - {'AB'[n % 2]}: {n}" for n in range(1, 10)
    ]
    parsed = parse("\n".join(rows), "a chat", source="x.txt")
    assert [m.text for m in parsed.messages] == [str(n) for n in range(1, 10)]
    assert parsed.notes == ("x.txt: lines begin in 2 forms, as of several files: check the times",)


def test_a_line_of_someone_new_may_come_late():
    text = "13/6/18, 9:25 - A: a\n13/6/18, 7:20 - C: only once\n13/6/18, 9:26 - B: c\n13/6/18, 9:27 - A: d"
    assert [m[0] for m in read(text)] == ["A", "C", "B", "A"]
    autumn = "[27/10/24, 02:59:58] A: a\n[27/10/24, 01:59:00] C: only once\n[27/10/24, 03:10:00] A: c"
    assert [m[0] for m in read(autumn)] == ["A", "C", "A"]


def test_an_agenda_on_ios_stays_in_its_message():
    text = (
        "[13/06/2018, 21:25:00] A: plan\n[14/06/2018, 10:00:00] dentist\n[15/06/2018, 11:00:00] car\n"
        "[13/06/2018, 21:26:00] B: ok\n[13/06/2018, 21:27:00] A: ok"
    )
    assert [(m[0], m[2].count("\n")) for m in read(text)] == [("A", 2), ("B", 0), ("A", 0)]


def test_a_chat_is_called_after_a_name_that_has_no_colon():
    text = "13/6/18, 9:25 - Anna: PS: x\n13/6/18, 9:26 - Anna: PS: y"
    assert {m.author for m in parse(text, "Anna").messages} == {"Anna"}
