"""Messenger and Instagram: text put right, the newest first turned round, parts in order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.meta import repaired
from pellucid.text.chats.record import Message

START = datetime(2020, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def spoiled(text):
    """As Meta writes it: the bytes of UTF-8, each as a character."""
    return text.encode().decode("latin-1")


def message(number, content="hi", sender="Zoë", **fields):
    stamp = round((START + timedelta(minutes=number)).timestamp() * 1000)
    text = {} if content is None else {"content": spoiled(content)}
    return {
        "sender_name": spoiled(sender),
        "timestamp_ms": stamp,
        **text,
        "is_geoblocked_for_viewer": False,
        **fields,
    }


def thread(*messages, title="Zoë", **fields):
    return {"participants": [{"name": spoiled("Zoë")}, {"name": "Bob"}], "messages": list(messages),
            "title": spoiled(title), "is_still_participant": True, "thread_path": "inbox/zoe_1", **fields}  # fmt: skip


def test_text_is_repaired_and_the_order_turned(read):
    found = read(thread(message(2, "naïve 😀 中文", "Bob"), message(1, "plain")))
    assert found.format == "messenger"
    assert found.messages == (
        Message("Zoë", START + timedelta(minutes=1), "Zoë", "Zoë", "plain"),
        Message("Zoë", START + timedelta(minutes=2), "Bob", "Bob", "naïve 😀 中文"),
    )


def test_as_json_with_escapes(read):
    text = r'{"participants": [], "title": "T", "messages": [{"sender_name": "Zo\u00c3\u00ab", "timestamp_ms": 1000,'
    text += r' "content": "\u00f0\u009f\u0098\u0080"}]}'
    found = read(text)
    assert [(m.author, m.text) for m in found.messages] == [("Zoë", "😀")]


@given(st.text())
@settings(max_examples=100, derandomize=True, deadline=None)
def test_what_meta_spoils_is_repaired(text):
    assert repaired(spoiled(text)) == text


@pytest.mark.parametrize("text", ["中文", "Zoë", "naïve", "Ã", "€"])
def test_what_is_right_stays(text):
    assert repaired(text) == text


def test_messages_of_one_moment_stay_in_order(read):
    found = read(thread(message(1, "c"), message(1, "b"), message(1, "a"), message(0, "first")))
    assert [m.text for m in found.messages] == ["first", "a", "b", "c"]


def test_parts_of_a_thread(archive):
    inbox = "your_facebook_activity/messages/inbox/zoe_1"
    parts = {
        f"{inbox}/message_{part}.json": thread(message(20 - part, str(20 - part))) for part in range(1, 12)
    }
    found = read_chats(archive({**parts, f"{inbox}/photos/1.jpg": b"\xff\xd8\xff\0"}))
    assert [m.text for m in found.messages] == [str(number) for number in range(9, 20)]
    assert {m.conversation for m in found.messages} == {"Zoë"} and not found.notes


def test_two_threads_of_one_title(folder):
    place = folder({"inbox/zoe_1/message_1.json": thread(message(1, "1")),
                    "inbox/zoe_2/message_1.json": thread(message(1, "2"), thread_path="inbox/zoe_2")})  # fmt: skip
    assert [(m.conversation, m.text) for m in read_chats(place).messages] == [("Zoë", "1"), ("Zoë (2)", "2")]


def test_instagram_is_known_by_its_folder_or_by_the_flag(archive, read):
    found = read_chats(
        archive({"your_instagram_activity/messages/inbox/zoe_1/message_1.json": thread(message(1))})
    )
    assert found.format == "instagram"
    assert read(thread(message(1)), format="instagram").format == "instagram"


def test_kinds(read):
    share = {"link": "https://example.org"}
    messages = [
        message(0, None, photos=[{"uri": "1.jpg"}]),
        message(1, "look", videos=[{"uri": "1.mp4"}]),
        message(2, None, sticker={"uri": "s.png"}),
        message(3, None, is_unsent=True),
        message(4, "Bob called you.", call_duration=62),
        message(5, "see https://example.org", share=share),
        message(6, "Bob sent an attachment.", share=share),
        message(7, None, share=share),
        message(8, "Reacted ❤ to your message "),
        message(9, "Bob joined.", type="Subscribe"),
        message(10, ""),
    ]
    found = read(thread(*reversed(messages)))
    assert [(m.kind, m.text) for m in found.messages] == [
        ("media", "<photo>"), ("media", "look"), ("media", "<sticker>"), ("deleted", ""), ("call", "Bob called you."),
        ("text", "see https://example.org"), ("media", "Bob sent an attachment."),
        ("media", "<share>\nhttps://example.org"), ("system", "Reacted ❤ to your message "), ("system", "Bob joined."),
        ("text", ""),
    ]  # fmt: skip


def test_what_the_program_says_in_any_language(read):
    share = {"link": "https://example.org/p/1"}
    messages = [
        message(0, "Anna Braun hat einen Anhang gesendet.", "Anna Braun", share=share),
        message(1, "Anna Braun hat das Thema geändert.", "Anna Braun"),
        message(2, "Anna sagt: schau!", "Anna Braun", share=share),
        message(3, "Anna Braun", "Anna Braun"),
        message(4, "gone", ""),
    ]
    assert [(m.kind, m.author, m.text) for m in read(thread(*reversed(messages))).messages] == [
        ("media", "Anna Braun", "Anna Braun hat einen Anhang gesendet."),
        ("system", None, "Anna Braun hat das Thema geändert."),
        ("text", "Anna Braun", "Anna sagt: schau!"),
        ("text", "Anna Braun", "Anna Braun"),
        ("text", "Facebook User", "gone"),
    ]


def test_files_of_early_2018_have_seconds_and_names_alone(read):
    old = {"sender_name": "Bob", "timestamp": 1_523_283_232, "content": "hi"}
    found = read({"participants": ["Bob"], "messages": [old], "title": "Bob", "thread_type": "Regular"})
    assert found.messages == (
        Message("Bob", datetime(2018, 4, 9, 14, 13, 52, tzinfo=UTC), "Bob", "Bob", "hi"),
    )
    assert read({"messages": [message(1)], "title": "alone"}, "b.json").format == "messenger"


def test_parts_of_a_thread_in_two_archives(folder):
    place = folder({"facebook-1/inbox/zoe_1/message_1.json": thread(message(2, "2")),
                    "facebook-2/inbox/zoe_1/message_2.json": thread(message(1, "1"))})  # fmt: skip
    assert [(m.conversation, m.text) for m in read_chats(place).messages] == [("Zoë", "1"), ("Zoë", "2")]


def encrypted(*messages):
    return {"participants": ["Zoë", "Bob"], "threadName": "Zoë_12", "messages": list(messages)}


def test_end_to_end_encrypted_chats_are_clean(archive):
    def sent(number, **fields):
        stamp = round((START + timedelta(minutes=number)).timestamp() * 1000)
        return {"isUnsent": False, "media": [], "reactions": [], "senderName": "Zoë", "text": "", "timestamp": stamp,
                "type": "text", **fields}  # fmt: skip

    chat = encrypted(sent(3, isUnsent=True), sent(2, media=[{"uri": "1.jpg"}], type="media"),
                     sent(4, type="placeholder", text="No longer there"),
                     sent(1, text="Ã©té 😀", senderName="Bob"), sent(0, text="naïve"))  # fmt: skip
    found = read_chats(archive({"messages/Zoe_12.json": chat, "messages/media/1.jpg": b"\xff\xd8\xff"}))
    assert found.messages == (
        Message("Zoë", START, "Zoë", "Zoë", "naïve"),
        Message("Zoë", START + timedelta(minutes=1), "Bob", "Bob", "Ã©té 😀"),
        Message("Zoë", START + timedelta(minutes=2), "Zoë", "Zoë", "<media>", "media"),
        Message("Zoë", START + timedelta(minutes=3), "Zoë", "Zoë", "", "deleted"),
        Message("Zoë", START + timedelta(minutes=4), "Zoë", "Zoë", "No longer there", "media"),
    )


def test_what_is_not_understood_is_counted(read):
    odd = [None, {"timestamp_ms": 1}, message(1, sender="x", content=None) | {"content": 3}]
    found = read(thread(message(1), *odd))
    assert len(found.messages) == 1 and len(found.unparsed) == len(odd)
