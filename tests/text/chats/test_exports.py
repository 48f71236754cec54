"""Exports as a person names them: found by content, in folders and archives; what is wrong is one sentence."""

import io
import json
import os
import time
import tracemalloc
import zipfile
from pathlib import PurePosixPath

import pytest

from pellucid.errors import InputError
from pellucid.text.chats import entries, files
from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.files import File
from pellucid.text.chats.formats import FORMATS, conversation_of

TURNS = "me: hi\nthem: hello\n"
TELEGRAM = {
    "name": "Anna",
    "type": "personal_chat",
    "id": 7,
    "messages": [
        {"type": "message", "date": "2022-12-09T21:25:39", "from": "Zoë", "from_id": "user1", "text": "été"}
    ],
}
MESSAGES = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}


def refused(source, **options):
    with pytest.raises(InputError) as error:
        read_chats(source, **options)
    text = str(error.value)
    assert "\n" not in text and len(text) < 500
    return text


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ---------------------------------------------------------------------- what is read


def test_the_content_tells_the_format_whatever_the_name(read):
    assert read(TELEGRAM, "notes.txt").format == "telegram"
    assert read(MESSAGES, "result.json").format == "messages"
    assert read(TURNS, "conversations.json").format == "turns"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(tmp_path, encoding):
    path = write(tmp_path / "us.txt", "me: été 😀\r\nthem: oui\r\n".encode(encoding))
    assert [m.text for m in read_chats(path).messages] == ["été 😀", "oui"]
    path = write(tmp_path / "a.json", json.dumps(TELEGRAM, ensure_ascii=False).encode(encoding))
    assert read_chats(path).messages[0].text == "été"


def test_latin_1_is_read_and_told(tmp_path):
    found = read_chats(write(tmp_path / "us.txt", "me: été\nthem: oui\n".encode("latin-1")))
    assert found.messages[0].text == "été" and found.notes == ("us.txt: read as Windows-1252",)


def test_invalid_bytes_are_counted_and_told(tmp_path):
    found = read_chats(write(tmp_path / "us.txt", "me: été é\nthem: oui ".encode() + b"\xff\xfe\n"))
    assert "byte sequences without a meaning became" in found.notes[0]


def test_several_sources_of_several_formats(tmp_path):
    one = write(tmp_path / "us.txt", TURNS)
    other = write(tmp_path / "result.json", json.dumps(TELEGRAM))
    found = read_chats([one, other, one])
    assert found.format == "mixed" and [m.text for m in found.messages] == ["hi", "hello", "été"]
    assert found.notes == (f"{one} is named twice and read once",)


def test_a_folder_with_other_files(folder):
    found = read_chats(folder({"result.json": TELEGRAM, "photos/1.jpg": b"\xff\xd8\xff\0", "notes.txt": "Buy milk.",
                               "data.bin": b"\0\1\2", "copy/result.json": TELEGRAM, ".hidden": TURNS}))  # fmt: skip
    assert found.format == "telegram" and len(found.messages) == 1
    assert sorted(found.notes) == [
        "2 files hold no chat and are left alone: export/data.bin, export/notes.txt",
        "export/copy/result.json holds the same as a file before it and is read once",
    ]


def test_a_broken_file_among_others_is_counted(folder):
    found = read_chats(folder({"a.json": TELEGRAM, "b.json": '{"name": "Bob", "messages": [{"type": "mess'}))
    assert len(found.messages) == 1
    assert [u.source for u in found.unparsed] == ["export/b.json"] and "cut short" in found.unparsed[0].text


def test_archives_in_archives(archive):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("chat/us.txt", TURNS)
    found = read_chats(
        archive({"deep/inner.zip": inner.getvalue(), "__MACOSX/._us.txt": b"\0", "p/1.jpg": b"\0"})
    )
    assert [m.text for m in found.messages] == ["hi", "hello"] and not found.notes


def test_the_flag_says_what_the_content_does_not(read):
    found = read("a title\n\nme: hi\nthem: hello\n", "us.txt", format="turns")
    assert [m.text for m in found.messages] == ["hi", "hello"] and [u.text for u in found.unparsed] == [
        "a title"
    ]


def test_the_flag_leaves_other_formats_alone(folder):
    place = folder({"result.json": TELEGRAM, "us.txt": TURNS})
    found = read_chats(place, format="turns")
    assert found.format == "turns" and "result.json" in found.notes[0]


@pytest.mark.parametrize(
    ("path", "conversation"),
    [
        ("WhatsApp Chat with Bob.txt", "Bob"),
        ("WhatsApp Chat - Bob/_chat.txt", "Bob"),
        ("Chat de WhatsApp con Bob.txt", "Chat de WhatsApp con Bob"),
        ("_chat.txt", "_chat"),
        ("Family/_chat 2.txt", "Family"),
    ],
)
def test_a_whatsapp_chat_is_called_after_whom_it_is_with(path, conversation):
    assert conversation_of(File(path, PurePosixPath(path), "text")) == conversation


whatsapp = pytest.mark.skipif("whatsapp" not in FORMATS, reason="the reader of WhatsApp is not there")


@whatsapp
@pytest.mark.parametrize(
    "name", ["_chat.txt", "WhatsApp Chat with Bob.txt", "Media/WhatsApp Chat with Bob.txt"]
)
def test_whatsapp_in_an_archive(archive, name):
    chat = "13/12/20, 23:55 - Alice: hi\n13/12/20, 23:56 - Bob: hello\n"
    found = read_chats(archive({name: chat, "IMG-1.jpg": b"\xff\xd8\xff\0"}, "WhatsApp Chat - Bob.zip"))
    assert found.format == "whatsapp"
    assert [(m.conversation, m.author, m.text) for m in found.messages] == [
        ("Bob", "Alice", "hi"), ("Bob", "Bob", "hello"),
    ]  # fmt: skip


@whatsapp
def test_a_telegram_export_is_no_whatsapp(read):
    with pytest.raises(
        InputError, match=r"is not a WhatsApp export: it looks like a Telegram export.*--format"
    ):
        read(TELEGRAM, format="whatsapp")


# ---------------------------------------------------------------------- what is refused


def test_a_wrong_flag_says_what_the_file_looks_like(tmp_path):
    path = write(tmp_path / "us.txt", TURNS)
    assert refused(path, format="telegram") == (
        "us.txt is not a Telegram export: it looks like lines of me: and them:; "
        "leave --format away, or give --format turns"
    )
    assert "--format takes telegram, discord" in refused(path, format="carrier pigeon")
    assert "dmy, mdy or ymd" in refused(path, date_order="ydm")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "content", ["Once upon a time.\n", "{}", "[]", '{"a": [1]}', '"x"', "[1, 2]", "{}\n{}\n", "\n"]
)
def test_every_format_refuses_what_is_none(tmp_path, name, content):
    refused(write(tmp_path / "a.txt", content), format=name)
    refused(write(tmp_path / "a.txt", content))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "content",
    [
        '{"messages": [null, 1, "x", [], {}]}',
        '{"name": 1, "type": 2, "id": [], "messages": [{"text": {}, "date": 1, "from": [], "from_id": {}}]}',
        '{"participants": 1, "title": [], "messages": [{"sender_name": 1, "timestamp_ms": "x", "content": []}]}',
        '{"guild": 1, "channel": [], "messages": [{"content": "a", "author": 1, "type": {}, "attachments": 1}]}',
        '[{"type": "message", "ts": [], "text": "a", "user": {}, "files": [1], "subtype": "x"}]',
        '[{"mapping": {"a": 1, "b": {"parent": [], "message": {"author": 1, "content": 3}}}, "current_node": "b"}]',
        '[{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": 1}}}}}]',
        '{"conversation": 1, "author": 2, "text": "a"}',
        '[{"instruction": [], "output": {}}]',
        '{"conversations": [{"from": 1, "value": 2}]}',
        '{"chats": {"list": [1, {"messages": 3}, {"messages": [1e400, NaN]}]}}',
    ],
)
def test_values_of_any_kind_are_no_crash(tmp_path, name, content):
    path = write(tmp_path / "a.json", content)
    for options in ({}, {"format": name}):
        try:
            read_chats(path, **options)
        except InputError as error:
            assert "\n" not in str(error)


def test_nothing_there(tmp_path):
    assert "does not exist" in refused(tmp_path / "missing.zip")
    assert "does not exist" in refused("")
    assert "does not exist" in refused("a\0b")
    assert "no export is named" in refused([])
    (tmp_path / "empty").mkdir()
    assert "holds no file of text or JSON" in refused(tmp_path / "empty")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "holds no file of text or JSON" in refused(tmp_path / "empty.zip")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refused(tmp_path / "pipe")


def test_no_messages(tmp_path):
    assert "holds no messages" in refused(write(tmp_path / "a.json", json.dumps(TELEGRAM | {"messages": []})))
    odd = TELEGRAM | {"messages": [{"type": "message", "from_id": "x", "date": "x", "text": 3}]}
    assert "the first of 1 part that was not understood" in refused(
        write(tmp_path / "a.json", json.dumps(odd))
    )


def test_text_to_learn_from_is_no_chat(tmp_path):
    for name, content in (
        ("a.txt", "It was a dark night.\n" * 50),
        ("a.jsonl", '{"text": "a"}\n{"text": "b"}\n'),
    ):
        assert "`pellucid train`, which reads plain text" in refused(write(tmp_path / name, content))


def test_an_export_in_html_says_to_choose_json(tmp_path, folder):
    place = folder({"messages.html": "<html>", "css/style.css": "a {}", "photos/1.jpg": b"\xff\xd8\xff"})
    assert "choose JSON" in refused(place)
    assert "choose JSON" in refused(place / "messages.html")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_json_cut_short_says_where_it_ends(tmp_path, share):
    text = json.dumps(TELEGRAM | {"messages": TELEGRAM["messages"] * 50}, indent=1)
    cut = text[: int(len(text) * share)]
    error = refused(write(tmp_path / "result.json", cut))
    assert f"it ends at line {cut.count(chr(10)) + 1:,}, after {len(cut):,} characters" in error


def test_damaged_json_says_where(tmp_path):
    assert "damaged JSON (Expecting" in refused(write(tmp_path / "a.json", '{"messages": [}, 1]}'))


def test_json_nested_deep_and_numbers_without_end(tmp_path):
    assert "nested too deep" in refused(
        write(tmp_path / "a.json", '{"a":' + "[" * 200_000 + "]" * 200_000 + "}")
    )
    refused(write(tmp_path / "a.json", '{"a": ' + "9" * 10_000 + "}"))


def test_a_bomb_is_not_unpacked(archive, tmp_path):
    bomb = archive({"_chat.txt": b"0" * (20 << 20)})
    tracemalloc.start()
    assert "times its size" in refused(bomb)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_what_is_unpacked_together_is_bounded(archive, monkeypatch):
    monkeypatch.setattr(entries, "MOST_BYTES", 1000)
    assert "is left" in refused(archive({f"{number}.txt": TURNS * 20 + str(number) for number in range(9)}))


@pytest.mark.parametrize(
    "name", ["../us.txt", "a/../../us.txt", "/etc/us.txt", "..\\us.txt", "C:\\us.txt", "C:us.txt"]
)
def test_a_path_that_leads_out_is_refused(archive, name, tmp_path):
    place = archive({"us.txt": TURNS})
    with zipfile.ZipFile(place, "a") as file:
        file.writestr(zipfile.ZipInfo(name), "me: out\nthem: side\n")
    assert "leads out of the archive" in refused(place)
    assert [path.name for path in tmp_path.iterdir()] == ["export.zip"]


def test_damaged_and_locked_archives(archive, tmp_path):
    place = archive({"us.txt": TURNS * 100, "b.txt": TURNS})
    whole = place.read_bytes()
    assert "cut short" in refused(write(tmp_path / "cut.zip", whole[: len(whole) // 2]))
    spoiled = bytearray(whole)
    spoiled[60:64] = b"\xff\xff\xff\xff"
    assert "cannot be unpacked" in refused(write(tmp_path / "spoiled.zip", bytes(spoiled)))
    locked = bytearray(whole)
    for place_of_flags in (whole.index(b"PK\3\4") + 6, whole.index(b"PK\1\2") + 8):
        locked[place_of_flags] |= 1
    assert "protected by a password" in refused(write(tmp_path / "locked.zip", bytes(locked)))


def test_archives_too_deep(archive, tmp_path):
    data = archive({"us.txt": TURNS}).read_bytes()
    for _ in range(4):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as file:
            file.writestr("inner.zip", data)
        data = packed.getvalue()
    assert "archive in archives" in refused(write(tmp_path / "deep.zip", data))


@pytest.mark.parametrize(
    "begin", ["me: ", "[2019-05-29, 15:04] Me: ", '{"a": 1}\n{"text": "', "", "12/9/20, 23:55 - Alice: "]
)
def test_a_line_without_an_end_is_refused_soon(tmp_path, begin):
    path = write(
        tmp_path / "us.txt",
        TURNS * (not begin.startswith("{")) + begin + "a" * (files.LONGEST_LINE + 1) + "\n",
    )
    start = time.perf_counter()
    assert "has a line of 16.8 MB" in refused(path)
    assert time.perf_counter() - start < 10


def test_a_message_without_an_end_is_not_read(tmp_path):
    long = {"role": "user", "content": "a" * (2 << 20)}
    found = read_chats(write(tmp_path / "a.json", json.dumps({"messages": [*MESSAGES["messages"], long]})))
    assert len(found.messages) == 2 and len(found.unparsed) == 1 and len(found.unparsed[0].text) <= 500


@pytest.mark.slow
@pytest.mark.parametrize("begin", ["", "me: hi\nthem: ", '{"messages": "', '[{"mapping": {'])
def test_a_line_of_200_mb(tmp_path, begin):
    start = time.perf_counter()
    refused(write(tmp_path / "us.txt", begin.encode() + b"a" * (200 << 20)))
    assert time.perf_counter() - start < 60


@pytest.mark.parametrize(
    "data", [b"\0" * 100, bytes(range(256)) * 10, b"%PDF-1.4 x", b"\x89PNG\r\n", b"SQLite format 3\0"]
)
def test_what_is_no_text_is_refused(tmp_path, data):
    refused(write(tmp_path / "a.json", data))
