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
        ("media", "Me", "look  ![1.jpg](./media/1.jpg)"),
        ("deleted", "Aya", "(This message was deleted)"),
        ("call", "Aya", "Incoming voice call (accepted, 3m 2s)"),
        ("system", None, "changed"),
        ("text", "Me", "read [this](https://example.org) and tell me"),
        ("text", "Aya", ""),
    ]
    assert [m.time.second for m in found.messages] == list(range(5, 15))


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


@pytest.mark.parametrize("text", ["[" * 200_000, "(( " * 100_000, "\n(- " * 50_000, "> " * 100_000])
def test_hostile_lines_end_soon(read, text):
    assert len(read(f"[2019-05-29, 15:04] Me: {text}\n", "a.md").messages) == 1
