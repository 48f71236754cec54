"""Discord: channels of DiscordChatExporter; the data package of Discord itself is refused."""

from datetime import datetime, timedelta, timezone

import pytest

from pellucid.errors import InputError
from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.record import Message

ANNA = {"id": "10", "name": "anna", "discriminator": "0001", "nickname": "Anna", "isBot": False}
BOB = {"id": "11", "name": "bob", "isBot": False}


def message(content="hi", author=ANNA, type="Default", **fields):
    return {"id": "1", "type": type, "timestamp": "2021-03-04T05:06:07.123+02:00", "content": content,
            "author": author, "attachments": [], "embeds": [], "stickers": [], **fields}  # fmt: skip


def channel(*messages, id="5", name="general"):
    return {"guild": {"id": "0", "name": "Friends"}, "channel": {"id": id, "type": "GuildTextChat", "name": name},
            "dateRange": {}, "messages": list(messages), "messageCount": len(messages)}  # fmt: skip


def test_words_and_replies(read):
    found = read(channel(message(), message("yes\nreally", BOB, "Reply", reference={"messageId": "1"})))
    time = datetime(2021, 3, 4, 5, 6, 7, 123000, tzinfo=timezone(timedelta(hours=2)))
    assert found.format == "discord"
    assert found.messages == (
        Message("Friends / general", time, "10", "Anna", "hi"),
        Message("Friends / general", time, "11", "bob", "yes\nreally"),
    )


def test_line_ends_are_one_character(read):
    assert read(channel(message("a\r\nb"))).messages[0].text == "a\nb"


def test_old_and_new_types(read):
    forward = {"content": "", "attachments": [{"fileName": "cat.png"}], "embeds": [], "stickers": []}
    found = read(
        channel(
            message("yes", type="19"),  # a reply, before the exporter had a word for it
            message("pong", type="20", interaction={"name": "ping"}),
            message("", type="21"),
            message("", reference={"type": "Forward"}, forwardedMessage=forward),
        )
    )
    assert [(m.kind, m.author, m.text) for m in found.messages] == [
        ("text", "Anna", "yes"),
        ("system", None, "Anna pong"),
        ("system", None, "Anna 21"),
        ("forwarded", "Anna", "<cat.png>"),
    ]


def test_kinds(read):
    found = read(
        channel(
            message("Joined the server.", type="GuildMemberJoin"),
            message("look", attachments=[{"fileName": "cat.png"}]),
            message("", attachments=[{"fileName": "cat.png"}, {"fileName": "dog.png"}]),
            message("", stickers=[{"name": "wave"}]),
            message("see https://example.org", embeds=[{"title": "Example"}]),
            message("", embeds=[{"title": "Example"}]),
            message("", forwardedMessage={"content": "theirs"}),
            message("Started a call that lasted 3 minutes.", type="Call"),
            message(""),
        )
    )
    assert [(m.kind, m.author, m.text) for m in found.messages] == [
        ("system", None, "Anna Joined the server."),
        ("media", "Anna", "look"),
        ("media", "Anna", "<cat.png>\n<dog.png>"),
        ("media", "Anna", "<wave>"),
        ("text", "Anna", "see https://example.org"),
        ("media", "Anna", "<Example>"),
        ("forwarded", "Anna", "theirs"),
        ("call", "Anna", "Started a call that lasted 3 minutes."),
        ("text", "Anna", ""),
    ]


def test_one_file_a_channel(folder):
    place = folder({"a.json": channel(message("1")), "b.json": channel(message("2"), id="6"),
                    "c.json": channel(message("3"), id="7", name="off-topic")})  # fmt: skip
    assert [(m.conversation, m.text) for m in read_chats(place).messages] == [
        ("Friends / general", "1"), ("Friends / general (2)", "2"), ("Friends / off-topic", "3"),
    ]  # fmt: skip


def test_what_is_not_understood_is_counted(read):
    odd = [message(None), message(author=None), 3, {}]
    found = read(channel(message(), *odd))
    assert len(found.messages) == 1 and len(found.unparsed) == len(odd)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "messages.json",
            [{"ID": 1, "Timestamp": "2021-03-04 05:06:07", "Contents": "hi", "Attachments": ""}],
        ),
        ("messages.csv", "ID,Timestamp,Contents,Attachments\n1,2021-03-04 05:06:07,hi,\n"),
    ],
)
def test_the_data_package_is_refused_with_what_to_do(archive, name, content):
    package = archive({"README.txt": "Hello", "account/user.json": {}, f"messages/c5/{name}": content,
                       "messages/c5/channel.json": {"id": "5", "type": 1}})  # fmt: skip
    with pytest.raises(InputError, match=r"only what you wrote.* DiscordChatExporter as JSON"):
        read_chats(package)
