"""Signal: what signal-export writes, old and new."""

from datetime import datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.text.chats.collect import Options
from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.files import read_file
from pellucid.text.chats.record import Message
from pellucid.text.chats.signal import read as read_signal
from pellucid.text.readers.tree import Entry


def test_old_lines(read):
    found = read("[2019-05-29, 15:04] Me: How is everyone?\n[2019-05-29, 15:10] Aya: Fine!\n", "Family.txt")
    assert found.format == "signal"
    assert found.messages == (
        Message("Family", datetime(2019, 5, 29, 15, 4), "Me", "Me", "How is everyone?"),
        Message("Family", datetime(2019, 5, 29, 15, 10), "Aya", "Aya", "Fine!"),
    )


END = "  \n"  # as Markdown ends a line
NEW = [
    "[2024-01-02 03:04:05] Aya: first" + END,
    "[2024-01-02 03:04:06] Me: two\n\nlines [2024-01-01]: not a header" + END + "(- Aya: 👍, Jim: ❤ -)\n",
    "[2024-01-02 03:04:07] Aya: \n\n> what was\n> said\n\nthe answer" + END,
    "[2024-01-02 03:04:08] Me: ![1.jpg](./media/1.jpg)" + END,
    "[2024-01-02 03:04:09] Me: look  ![1.jpg](./media/1.jpg)" + END,
    "[2024-01-02 03:04:10] Aya: (This message was deleted)\n",
    "[2024-01-02 03:04:11] Aya: Incoming voice call (accepted, 3m 2s)" + END,
    "[2024-01-02 03:04:12] No-Sender: changed" + END,
    "[2024-01-02 03:04:13] Me: read [this](https://example.org) and tell me" + END,
    "[2024-01-02 03:04:14] Aya:\n",
]


def test_new_lines(folder):
    found = read_chats(folder({"Aya/chat.md": "".join(NEW), "Aya/media/1.jpg": b"\xff\xd8\xff"}))
    assert {m.conversation for m in found.messages} == {"Aya"}
    assert [(m.kind, m.author, m.text) for m in found.messages] == [
        ("text", "Aya", "first"),
        ("text", "Me", "two\n\nlines [2024-01-01]: not a header"),
        ("text", "Aya", "the answer"),
        ("media", "Me", "![1.jpg](./media/1.jpg)"),
        ("media", "Me", "look"),
        ("deleted", "Aya", "(This message was deleted)"),
        ("call", "Aya", "Incoming voice call (accepted, 3m 2s)"),
        ("system", None, "changed"),
        ("text", "Me", "read [this](https://example.org) and tell me"),
        ("text", "Aya", ""),
    ]
    assert [m.time.second for m in found.messages] == list(range(5, 15))


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("hi  \n(- Aya: 👍, Jim: ❤ -)![1.jpg](./media/1.jpg)  ", "media", "hi"),  # version 2 and on
        ("hi  ![1.jpg](./media/1.jpg)  \n(- Aya: 👍 -)", "media", "hi"),  # version 1
        ("hi  \n(- Aya: 👍 -)\n(( 😀 ))", "media", "hi"),
        ("  [😀](../exported_stickers/ab/3.webp)  ", "media", "[😀](../exported_stickers/ab/3.webp)"),
        ("  \n(( 😀 ))", "media", "(( 😀 ))"),
        ("two  ![a_(1).jpg](./media/a_(1).jpg)  [b[2].pdf](./media/b[2].pdf)  ", "media", "two"),
        ("hi  (media not exported)  ", "media", "hi"),
        ("  (attachment not exported)  ", "media", "(attachment not exported)"),
        ("Missed group call  ", "call", "Missed group call"),
        ("\n\n> one\n>two\n> \n> four\n\nfive  ", "text", "five"),  # of versions 1.6 to 1.8, and now
        ("\n>\n> one\nand two\n>\nthree  \nfour  ", "text", "three  \nfour"),  # before version 1.6
        ("\n>\n> nothing closes it", "text", ""),
        ("> no quote of the program's  ", "text", "> no quote of the program's"),
        ("(- not: 👍 -) a reaction  ", "text", "(- not: 👍 -) a reaction"),
    ],
)
def test_what_the_exporter_adds_is_no_part_of_the_words(read, body, kind, text):
    found = read(f"[2024-01-02 03:04:05] Me: {body}\n\n[2024-01-02 03:04:06] Aya: next  \n", "chat.md")
    assert [(m.kind, m.text) for m in found.messages] == [(kind, text), ("text", "next")]


def said(found):
    return [(m.author, m.text) for m in found.messages]


def test_names_with_a_colon(folder):
    lines = [f"[2024-01-02 03:04:0{number}] Dr: Strange: {number}: hi{END}" for number in range(4)]
    lines.append(f"[2024-01-02 03:05:00] Me: ps: hi{END}")
    expected = [("Dr: Strange", f"{number}: hi") for number in range(4)]
    found = read_chats(folder({"Group/chat.md": "".join(lines)}))
    assert said(found) == [*expected, ("Me", "ps: hi")]


def test_one_message_of_a_name_with_a_colon_is_told_by_the_folder(folder):
    lines = f"[2024-01-02 03:04:05] Dr: Strange: hi{END}[2024-01-02 03:05:00] Me: no: hi{END}"
    assert said(read_chats(folder({"Dr Strange/chat.md": lines}))) == [
        ("Dr: Strange", "hi"),
        ("Me", "no: hi"),
    ]


def test_words_that_all_messages_but_one_begin_with_are_no_name(read):
    lines = "".join(f"[2024-01-02 03:04:0{number}] Aya: Re: hi{END}" for number in range(5))
    found = read(lines + f"[2024-01-02 03:05:00] Aya: Oh{END}", "chat.md")
    assert {m.author for m in found.messages} == {"Aya"} and found.messages[0].text == "Re: hi"


def test_lines_before_the_first_message_are_counted(read):
    found = read("a note\n[2019-05-29, 15:04] Me: hi\n", "chat.txt", format="signal")
    assert [(u.line, u.text) for u in found.unparsed] == [(1, "a note")]


BODY = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).filter(
    lambda line: not line.startswith(("[", ">", "(", "!")) and line == line.strip() and "[" not in line
)
NAMES = st.sampled_from(["Me", "Aya", "Jim", "Mr. X", "Zoë 😀"])
BODIES = st.lists(BODY, min_size=1, max_size=3).filter(lambda lines: bool(lines[0]) and bool(lines[-1]))


@given(
    st.lists(st.tuples(st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)), NAMES, BODIES), min_size=1)
)
@settings(max_examples=60, derandomize=True, deadline=None)
def test_what_is_rendered_is_read_back(sent):
    lines = [f"[{time:%Y-%m-%d %H:%M:%S}] {name}: " + "\n".join(body) + "  \n" for time, name, body in sent]
    path = PurePosixPath("Aya/chat.md")
    data = "".join(lines).encode()
    found = read_signal([read_file(Entry("chat.md", path, lambda: data), data)], Options())
    expected = [(time.replace(microsecond=0), name, "\n".join(body)) for time, name, body in sent]
    assert [(m.time, m.author, m.text) for m in found.messages] == expected


HOSTILE = (
    *("[" * 200_000, "[](./media/)" * 20_000 + "x", "[](./media/) " * 20_000 + "x", "(( " * 100_000),
    *("\n(- " * 50_000, "> " * 100_000),
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_lines_end_soon(read, text):
    assert len(read(f"[2019-05-29, 15:04] Me: {text}\n", "a.md").messages) == 1
