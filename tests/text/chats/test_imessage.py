"""iMessage: what imessage-exporter writes as text."""

from datetime import datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.text.chats.collect import Options
from pellucid.text.chats.files import read_file
from pellucid.text.chats.imessage import MONTHS
from pellucid.text.chats.imessage import read as read_imessage
from pellucid.text.chats.record import Message
from pellucid.text.readers.tree import Entry


def stamp(time: datetime) -> str:
    hour = f"{time.hour % 12 or 12:>2}:{time:%M:%S} {'AM' if time.hour < 12 else 'PM'}"
    return f"{MONTHS[time.month - 1]} {time.day:02}, {time.year} {hour}"


def test_messages(read):
    text = """May 17, 2022  5:29:42 PM
Me
Hello

May 17, 2022 12:00:01 AM (Read by you after 1 hour, 49 seconds)
Sample Contact
two

lines of May 17, 2022

"""
    found = read(text, "Sample Contact.txt")
    assert found.format == "imessage"
    assert found.messages == (
        Message("Sample Contact", datetime(2022, 5, 17, 17, 29, 42), "Me", "Me", "Hello"),
        Message("Sample Contact", datetime(2022, 5, 17, 0, 0, 1), "Sample Contact", "Sample Contact",
                "two\n\nlines of May 17, 2022"),
    )  # fmt: skip


def test_what_the_exporter_tells_of_messages_is_no_part_of_them(read):
    text = """May 17, 2022  5:29:42 PM
Me
See you at eight
Tapbacks:
Loved by Sample Contact
Laughed at by Me

    May 17, 2022  5:30:00 PM
    Sample Contact
    ok!

May 17, 2022  5:30:00 PM
Sample Contact
ok!
This message responded to an earlier message.

May 17, 2022  5:31:00 PM Sample Contact renamed the conversation to Two

May 17, 2022  5:32:00 PM
Me
Hurray
Sent with Confetti

May 17, 2022  5:33:00 PM
Me
/Users/me/Library/Messages/Attachments/ab/01/IMG_1.heic

May 17, 2022  5:34:00 PM
Me
May 17, 2022  5:34:00 PM helo
Edited 4 seconds later: hello

May 17, 2022  5:35:00 PM
Sample Contact
They deleted a message.

"""
    found = read(text, "x.txt")
    assert [(m.kind, m.author, m.text) for m in found.messages] == [
        ("text", "Me", "See you at eight"),
        ("text", "Sample Contact", "ok!"),
        ("system", None, "Sample Contact renamed the conversation to Two"),
        ("text", "Me", "Hurray"),
        ("media", "Me", "/Users/me/Library/Messages/Attachments/ab/01/IMG_1.heic"),
        ("text", "Me", "hello"),
        ("deleted", "Sample Contact", "They deleted a message."),
    ]
    assert not found.unparsed


def kinds(found):
    return [(m.kind, m.author, m.text) for m in found.messages]


@pytest.mark.parametrize("is_old", [True, False])
def test_what_stands_behind_an_answer_is_of_the_message_that_it_answers(read, is_old):
    """Old versions indent only the first line of an answer."""
    indent = "" if is_old else "    "
    text = f"""May 17, 2022  5:29:42 PM (Read by them after 3 seconds)
Anna
one
    May 17, 2022  5:30:00 PM
    Me
    ok
{indent}twice
    Tapbacks:
        Loved by Anna

    May 17, 2022  5:31:00 PM
    Anna
    fine

two
Tapbacks:
    Liked by Me
    Outline Sticker from Me: StickerCache/1.heic from Me

This message responded to an earlier message.

May 17, 2022  5:30:00 PM (Read by you after 1 hour)
Me
ok
twice
Tapbacks:
    Loved by Anna

This message responded to an earlier message.

May 17, 2022  5:31:00 PM
Anna
fine
This message responded to an earlier message.

"""
    expected = [("text", "Anna", "one\ntwo"), ("text", "Me", "ok\ntwice"), ("text", "Anna", "fine")]
    assert kinds(read(text, "x.txt")) == expected


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("This message was deleted from the conversation!\nHello", "deleted", "Hello"),
        ("Subject\nMay 17, 2022  5:34:00 PM helo\nEdited 4 seconds later: hello\nyou", "text", "Subject\nhello\nyou"),
        ("attachments/1/2.heic\nMay 17, 2022  5:34:00 PM a\nb\nEdited 4 seconds later: c\n", "media", "c"),
        ("May 17, 2022  5:34:00 PM \nEdited 4 seconds later: c\nEdited 1 minute later: d\n", "text", "d"),
        ("Hallo\nTranslated from:\nHello", "text", "Hello"),
        ("left\nYou unsent this message part 5 seconds after sending!", "text", "left"),
        ("You unsent this message part!", "deleted", "You unsent this message part!"),
        ("look\nattachments/12/34.png", "media", "look"),
        ("attachments/12/34.caf\nTranscription: hello", "media", "Transcription: hello"),
        ("https://example.org\nIts title\nIts summary", "media", "https://example.org\nIts title\nIts summary"),
        ("https://example.org", "text", "https://example.org"),
        ("\ufffc", "media", "\ufffc"),
        ("so:\n\nMay 16, 2022  1:00:00 PM was it\n\nno", "text", "so:\n\nMay 16, 2022  1:00:00 PM was it\n\nno"),
        ("IMG_0123.HEIC", "media", "IMG_0123.HEIC"),
        ("Outline Sticker from Me: a/b.heic (App: Memoji)", "media", "Outline Sticker from Me: a/b.heic (App: Memoji)"),
        ("GamePigeon message:\nLet's play!", "media", "GamePigeon message:\nLet's play!"),
        ("SharePlay Message\nEnded", "media", "SharePlay Message\nEnded"),
        ("Started sharing location!", "media", "Started sharing location!"),
        ("Hurray\nSent with Invisible Ink", "text", "Hurray"),
        ("Hurray\nSent with Love", "text", "Hurray\nSent with Love"),
        ("I got your message: no", "text", "I got your message: no"),
        ("see example.png now", "text", "see example.png now"),
        ("", "text", ""),
    ],
)  # fmt: skip
def test_one_message(read, body, kind, text):
    found = read(f"May 17, 2022  5:29:42 PM\nMe\n{body}\n\nMay 17, 2022  5:40:00 PM\nBob\nnext\n\n", "x.txt")
    assert kinds(found) == [(kind, "Me", text), ("text", "Bob", "next")]


def test_an_edited_part_behind_an_empty_line_is_no_notice(read):
    text = "May 17, 2022  5:29:42 PM\nMe\none\nTapbacks:\nLoved by Bob\n\n"
    text += "May 17, 2022  5:29:42 PM twi\nEdited 4 seconds later: two\n\n\n"
    text += "May 17, 2022  5:30:00 PM You left the conversation.\n\n"
    expected = [("text", "Me", "one\ntwo"), ("system", None, "You left the conversation.")]
    assert kinds(read(text, "x.txt")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "May 17, 2022  5:29:42 PM\n" * 20_000,
        "May 17, 2022  5:29:42 PM\nMe\nhi\n\n" * 2000
        + "    May 17, 2022  5:29:42 PM\n    Me\n    ho\n" * 2000,
        "May 17, 2022  5:29:42 PM\nMe\n" + "a." * 200_000 + "\n",
    ],
)
def test_hostile_lines_end_soon(read, text):
    assert read(text, "x.txt").messages


def test_an_answer_that_stands_nowhere_else_is_kept(read):
    text = "May 17, 2022  5:29:42 PM\nMe\nHi\n    May 17, 2022  5:30:00 PM\n    Bob\n    ok!\n\n\n"
    assert [(m.author, m.text) for m in read(text, "x.txt").messages] == [("Me", "Hi"), ("Bob", "ok!")]


def test_lines_before_the_first_message_are_counted(read):
    found = read("a note\n\nMay 17, 2022  5:29:42 PM\nMe\nHi\n\n", "x.txt", format="imessage")
    assert [(u.line, u.text) for u in found.unparsed] == [(1, "a note")] and len(found.messages) == 1


LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs"]), min_size=1, max_size=12
).filter(lambda line: "/" not in line)
BODY = st.lists(LINE | st.just(""), min_size=1, max_size=4).filter(
    lambda lines: bool(lines[0]) and bool(lines[-1])
)
SENT = st.tuples(
    st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["Me", "Bob"]), BODY
)


@given(st.lists(SENT, min_size=1))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_what_is_rendered_is_read_back(sent):
    data = "".join(f"{stamp(time)}\n{name}\n{chr(10).join(body)}\n\n" for time, name, body in sent).encode()
    file = read_file(Entry("Bob.txt", PurePosixPath("Bob.txt"), lambda: data), data)
    expected = [(time.replace(microsecond=0), name, "\n".join(body)) for time, name, body in sent]
    assert [(m.time, m.author, m.text) for m in read_imessage([file], Options()).messages] == expected
