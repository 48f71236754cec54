"""Lines of `me:` and `them:`, written by hand."""

from pathlib import PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.text.chats.collect import Options
from pellucid.text.chats.files import read_file
from pellucid.text.chats.turns import read as read_turns
from pellucid.text.readers.tree import Entry


def test_turns(read):
    found = read(
        "\nme: hi\nThem:  two\n\nlines\n\nME:no space\nthem:\n---\nlost\nuser: a\nassistant : b\n", "us.txt"
    )
    assert found.format == "turns"
    assert [(m.conversation, m.author, m.text) for m in found.messages] == [
        ("us", "me", "hi"), ("us", "them", " two\n\nlines"), ("us", "me", "no space"), ("us", "them", ""),
        ("us 2", "user", "a"), ("us 2", "assistant", "b"),
    ]  # fmt: skip
    assert [(u.line, u.text) for u in found.unparsed] == [(10, "lost")]


LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).filter(
    lambda line: ":" not in line and not line.startswith("---")
)
TURN = st.tuples(
    st.sampled_from(["me", "them"]), st.lists(LINE, min_size=1, max_size=3).filter(lambda body: body[-1])
)


@given(st.lists(TURN, min_size=1))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_what_is_rendered_is_read_back(sent):
    data = "".join(f"{name}: {chr(10).join(body)}\n" for name, body in sent).encode()
    file = read_file(Entry("us.txt", PurePosixPath("us.txt"), lambda: data), data)
    expected = [(name, "\n".join(body)) for name, body in sent]
    assert [(m.author, m.text) for m in read_turns([file], Options()).messages] == expected
