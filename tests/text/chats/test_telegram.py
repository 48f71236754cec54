"""Telegram: every message with its author, time and text, whatever the age of the export."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from pellucid.text.chats.record import Message

DATE, TIME = "2022-12-09T21:25:39", datetime(2022, 12, 9, 21, 25, 39)


def message(text="hi", **fields):
    return {
        "id": 1,
        "type": "message",
        "date": DATE,
        "from": "Anna",
        "from_id": "user1",
        "text": text,
        **fields,
    }


def service(actor, action):
    return {
        "type": "service",
        "date": DATE,
        "actor": actor,
        "actor_id": "user1",
        "action": action,
        "text": "",
    }


def chat(*messages, **fields):
    return {"name": "Anna", "type": "personal_chat", "id": 7, "messages": list(messages), **fields}


def test_one_chat(read):
    found = read(chat(message(), message("hello", **{"from": "Bob", "from_id": "user2"})))
    assert found.format == "telegram"
    assert found.messages == (
        Message("Anna", TIME, "user1", "Anna", "hi"),
        Message("Anna", TIME, "user2", "Bob", "hello"),
    )
    assert not found.unparsed and not found.notes


def test_all_chats_of_an_account(read):
    chats = [
        chat(message(str(number)), name=name, id=number)
        for number, name in enumerate(("Anna", "Bob", "Anna"))
    ]
    chats.append(chat(message("left"), name=None, id=9))
    account = {"about": "…", "chats": {"about": "…", "list": chats[:3]}, "left_chats": {"list": chats[3:]}}
    found = read(account)
    assert [(m.conversation, m.text) for m in found.messages] == [
        ("Anna", "0"), ("Bob", "1"), ("Anna (2)", "2"), ("Deleted Account", "left"),
    ]  # fmt: skip


def test_text_in_parts_is_joined_with_nothing_between(read):
    parts = ["see ", {"type": "link", "text": "example.org"}, "\n", {"type": "bold", "text": "now"}, "!"]
    assert read(chat(message(parts))).messages[0].text == "see example.org\nnow!"


def test_people_are_told_apart_by_id(read):
    found = read(chat(message(), message(**{"from": None}), message(**{"from": "Anna", "from_id": "user3"})))
    assert [(m.author_id, m.author) for m in found.messages] == [
        ("user1", "Anna"), ("user1", "Deleted Account"), ("user3", "Anna"),
    ]  # fmt: skip


def test_old_exports_have_bare_ids_and_no_seconds_since_1970(read):
    old = message(from_id=4512345678)
    assert read(chat(old)).messages == (Message("Anna", TIME, "user4512345678", "Anna", "hi"),)


@pytest.mark.parametrize("hours", [-9.5, -3, 0, 1, 5.75, 14])
def test_both_clocks_together_tell_the_zone(read, hours):
    instant = datetime(2022, 12, 9, 21, 25, 39, tzinfo=timezone(timedelta(hours=hours)))
    found = read(chat(message(date_unixtime=str(int(instant.timestamp()))))).messages[0].time
    assert found == instant and found.replace(tzinfo=None) == TIME


def test_escapes_that_json_does_not_know_are_put_right_and_told(read):
    text = r"""{"name": "Anna", "type": "personal_chat", "id": 7, "messages": [
      {"id": 1, "type": "message", "date": "2022-12-09T21:25:39", "from": "Anna", "from_id": "user1",
       "text": "a\x1Bb \\x1B \q \u00e9 \" end"}]}"""
    found = read(text)
    assert found.messages[0].text == 'a\x1bb \\x1B \\q é " end'
    assert "2 escapes that JSON does not know were put right" in found.notes[0]


def test_control_characters_as_they_are(read):
    assert read(json.dumps(chat(message("a?b"))).replace("?", "\x1b")).messages[0].text == "a\x1bb"


def test_what_newer_versions_write(read):
    plain = [{"type": "plain", "text": "Where "}, {"type": "custom_emoji", "text": "🏝", "document_id": "1"}]
    found = read(
        chat(
            message("", poll={"question": plain, "closed": False, "answers": []}),
            message("", todo_list={"title": plain, "answers": []}),
            message("", paid_stars_amount=5),
            message("", location_information=None),
            message("", place_name="Park", address="Road 1"),
            message("", giveaway_results={"winners": []}),
            message(
                ["so ", {"type": "blockquote", "text": "it\n", "collapsed": False}, "is"], text_entities=[]
            ),
            service("Anna", "send_star_gift"),
            service("Anna", "conference_call"),
            {**service("Anna", None), "information_text": "was told"},
        )
    )
    assert [(m.kind, m.text) for m in found.messages] == [
        ("media", "<poll>\nWhere 🏝"), ("media", "<todo_list>\nWhere 🏝"), ("media", "<paid_media>"),
        ("media", "<location>"), ("media", "<location>"), ("media", "<giveaway_results>"), ("text", "so it\nis"),
        ("system", "Anna send_star_gift"), ("call", "conference_call"), ("system", "Anna was told"),
    ]  # fmt: skip


def test_what_the_exporter_itself_could_not_read_is_counted(read):
    found = read(chat(message(), {"id": 2, "type": "unsupported"}))
    assert len(found.messages) == 1 and len(found.unparsed) == 1


def test_chats_that_telegram_opens_have_no_name(read):
    types = ("saved_messages", "replies", "verification_codes")
    chats = [{"type": type_, "id": number, "messages": [message()]} for number, type_ in enumerate(types)]
    found = read({"chats": {"about": "", "list": chats}})
    assert [m.conversation for m in found.messages] == ["Saved Messages", "Replies", "Verification Codes"]


def test_kinds(read):
    found = read(
        chat(
            message("look", photo="photos/1.jpg"),
            message("", media_type="sticker", file="s.webp", sticker_emoji="👍"),
            message("", poll={"question": "Where?"}),
            message("theirs", forwarded_from="Carla"),
            message("nobody's", forwarded_from=None),
            message(""),
            service("Anna", "pin_message"),
            service("Bob", "phone_call"),
        )
    )
    assert [(m.kind, m.author, m.text) for m in found.messages] == [
        ("media", "Anna", "look"),
        ("media", "Anna", "<sticker>"),
        ("media", "Anna", "<poll>\nWhere?"),
        ("forwarded", "Anna", "theirs"),
        ("forwarded", "Anna", "nobody's"),
        ("text", "Anna", ""),
        ("system", None, "Anna pin_message"),
        ("call", "Bob", "phone_call"),
    ]


def test_what_is_not_understood_is_counted(read):
    odd = [message(3), {"type": "unsupported", "date": DATE}, "?", message([1]), {}]
    found = read(chat(message(), *odd, message("last")))
    assert [m.text for m in found.messages] == ["hi", "last"]
    assert len(found.unparsed) == len(odd)


def test_a_time_that_cannot_be_read_is_told(read):
    found = read(chat(message(date="yesterday"), message()))
    assert [m.time for m in found.messages] == [None, TIME]
    assert found.notes == ("1 message has no time that can be read, and the place of the one before",)
