"""What programs write beside the format that is read is refused with what to do."""

import pytest

from pellucid.errors import InputError

LINE = "=" * 62
TEXT = f"{LINE}\nGuild: Friends\nChannel: general\n{LINE}\n\n[12/30/2023 1:23 PM] anna\nhello\n"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", TEXT, "export the channel again, as JSON"),
        (
            "a.csv",
            'AuthorID,Author,Date,Content,Attachments,Reactions\n"1","anna","x","hi","",""\n',
            "again, as JSON",
        ),
        ("a.json", [{"uuid": "1", "name": "x", "chat_messages": []}], "is an export of Claude"),
        (
            "a.jsonl",
            '{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d"}\n',
            "'completion': name",
        ),
        (
            "b.jsonl",
            [{"instruction": "a", "context": "", "response": "b"}],
            "'response': name them 'instruction'",
        ),
        ("c.jsonl", [{"prompt": "a", "chosen": "b", "rejected": "c"}], "write the chosen ones"),
    ],
)
def test_advice(read, name, content, told):
    with pytest.raises(InputError, match=rf"^{name} .*{told}"):
        read(content, name)


@pytest.mark.parametrize("content", ["just words\n", [1], [], {"a": 1}, '{"a": 1}\n{"a": 2}\n'])
def test_what_is_not_known_is_refused_as_before(read, content):
    with pytest.raises(InputError, match="no chat in a format that is read"):
        read(content, "a.json")
