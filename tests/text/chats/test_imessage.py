"""iMessage: what imessage-exporter writes as text."""

from datetime import datetime
from pathlib import PurePosixPath

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
