"""Slack: people and channels by name, markup as a person reads it, days in order."""

from datetime import UTC, datetime

import pytest

from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.record import Message
from pellucid.text.chats.slack import plain

USERS = [
    {"id": "U1", "team_id": "T", "name": "anna", "profile": {"display_name": "Anna", "real_name": "Anna A"}},
    {"id": "U2", "team_id": "T", "name": "bob", "real_name": "Bob B", "profile": {"display_name": ""}},
]
CHANNELS = [{"id": "C1", "name": "general", "created": 1, "members": ["U1", "U2"]}]
DMS = [{"id": "D1", "created": 1, "members": ["U1", "U2"]}]
TIME = datetime(2021, 5, 6, 7, 8, 9, 200, tzinfo=UTC)


def message(text="hi", user="U1", ts="1620284889.000200", **fields):
    return {"type": "message", "text": text, "user": user, "ts": ts, **fields}


def workspace(**folders):
    tables = {"users.json": USERS, "channels.json": CHANNELS, "dms.json": DMS, "groups.json": []}
    return tables | {name.replace("__", "/") + ".json": days for name, days in folders.items()}


def test_channels_and_direct_messages(archive, folder):
    files = workspace(
        **{"general__2021-05-06": [message(), message("yes", "U2")], "D1__2021-05-06": [message("psst")]}
    )
    expected = {
        Message("#general", TIME, "U1", "Anna", "hi"),
        Message("#general", TIME, "U2", "Bob B", "yes"),
        Message("Anna, Bob B", TIME, "U1", "Anna", "psst"),
    }
    for place in (archive(files), folder(files)):
        found = read_chats(place)
        assert found.format == "slack" and set(found.messages) == expected and len(found.messages) == 3
        assert not found.unparsed


def test_days_are_in_order_and_no_microsecond_is_lost(archive):
    days = {
        f"general__2021-05-{day:02}": [message(str(day), ts=f"16202{day:05}.999999")] for day in (10, 2, 30)
    }
    found = read_chats(archive(workspace(**days)))
    assert [m.text for m in found.messages] == ["2", "10", "30"]
    assert {m.time.microsecond for m in found.messages} == {999999}


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<@U1>: hi", "@Anna: hi"),
        ("<@U9|carla> <@U9>", "@carla @U9"),
        ("<#C1|general> <#C1> <#C9>", "#general #general #C9"),
        ("<!here> <!channel>", "@here @channel"),
        ("<!here|here> <!channel|@channel> <!subteam^S2>", "@here @channel @subteam"),
        ("<#C1|>", "#general"),
        ("<!subteam^S1|@team>", "@team"),
        ("<!date^1^{date}|1 May>", "1 May"),
        ("see <https://example.org/?a=1&amp;b=2>", "see https://example.org/?a=1&b=2"),
        ("<https://example.org|our &lt;site&gt;>", "our <site>"),
        ("<mailto:a@example.org|a@example.org>", "a@example.org"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;", "&lt;"),
        ("a < b", "a < b"),
    ],
)
def test_markup(markup, text):
    assert plain(markup, {"U1": "Anna"}, {"C1": "general"}) == text


def test_kinds(archive):
    day = [
        message("<@U1> has joined the channel", subtype="channel_join"),
        message("both", subtype="thread_broadcast"),
        message("look", files=[{"name": "cat.png"}], subtype="file_share"),
        message("", files=[{"name": "cat.png"}, {"mode": "tombstone"}]),
        message("This message was deleted.", subtype="tombstone"),
        {
            "type": "message",
            "subtype": "bot_message",
            "text": "beep",
            "ts": "1.0",
            "bot_id": "B1",
            "username": "Robot",
        },
        message("", subtype="huddle_thread"),
        message("", attachments=[{"is_share": True, "fallback": "what Bob said"}]),
        message("see", attachments=[{"fallback": "a page"}]),
    ]
    found = read_chats(archive(workspace(**{"general__2021-05-06": day})))
    assert [(m.kind, m.author, m.text) for m in found.messages] == [
        ("system", None, "@Anna has joined the channel"),
        ("text", "Anna", "both"),
        ("media", "Anna", "look"),
        ("media", "Anna", "<cat.png>\n<file>"),
        ("deleted", "Anna", "This message was deleted."),
        ("system", None, "beep"),
        ("call", "Anna", ""),
        ("media", "Anna", "what Bob said"),
        ("text", "Anna", "see"),
    ]


def test_programs(archive):
    users = [*USERS, {"id": "U3", "name": "robot", "is_bot": True, "profile": {"real_name": "Robot"}}]
    day = [
        message("beep", "U3", bot_id="B1", bot_profile={"name": "Robot"}),
        message("Reminder: soup.", "USLACKBOT"),
        message("from an app of mine", bot_id="B2"),
        {"type": "message", "text": "", "ts": "1.0", "bot_id": "B1", "attachments": [{"fallback": "a card"}]},
        message(None, files=[{"name": "cat.png"}]),
        message("A huddle started", "USLACKBOT", subtype="huddle_thread"),
    ]
    files = workspace(**{"general__2021-05-06": day}) | {"users.json": users}
    assert [(m.kind, m.author, m.text) for m in read_chats(archive(files)).messages] == [
        ("system", None, "beep"),
        ("system", None, "Reminder: soup."),
        ("text", "Anna", "from an app of mine"),
        ("system", None, "a card"),
        ("media", "Anna", "<cat.png>"),
        ("call", "USLACKBOT", "A huddle started"),
    ]


def test_people_of_an_organisation(archive):
    files = {"org_users.json": USERS, "channels.json": CHANNELS, "general/2021-05-06.json": [message()]}
    found = read_chats(archive(files))
    assert found.messages == (Message("#general", TIME, "U1", "Anna", "hi"),) and not found.notes


def test_one_day_alone_names_people_by_their_messages(read):
    day = [message(user_profile={"display_name": "Anna"}), message("yes", "U2")]
    found = read(day, "2021-05-06.json")
    assert [(m.author_id, m.author) for m in found.messages] == [("U1", "Anna"), ("U2", "U2")]
    assert "no users.json" in found.notes[0]


def test_what_is_not_understood_is_counted(archive):
    odd = [
        "?",
        message(None),
        {"type": "message", "text": "whose?", "ts": "1.0"},
        {"type": "other", "ts": "1.0"},
    ]
    found = read_chats(archive(workspace(**{"general__2021-05-06": [message(), *odd]})))
    assert len(found.messages) == 1 and len(found.unparsed) == len(odd)
