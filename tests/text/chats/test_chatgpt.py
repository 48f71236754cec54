"""ChatGPT: the branch that was last shown, whatever stands in the nodes."""

from datetime import UTC, datetime

from pellucid.text.chats.exports import read_chats


def node(name, parent, role=None, *parts, time=1_700_000_000.5, content_type="text", **fields):
    content = {"content_type": content_type, "parts": list(parts)}
    message = {"id": name, "author": {"role": role}, "create_time": time, "content": content,
               "recipient": "all", "metadata": {}, **fields} if role else None  # fmt: skip
    return {"id": name, "message": message, "parent": parent, "children": []}


def conversation(*nodes, title="Soup", **fields):
    mapping = {item["id"]: item for item in nodes}
    for item in nodes:
        if item["parent"] in mapping:
            mapping[item["parent"]]["children"].append(item["id"])
    return {"title": title, "create_time": 1.0, "mapping": mapping, "current_node": nodes[-1]["id"],
            "conversation_id": title, **fields}  # fmt: skip


def words(found):
    return [(m.kind, m.author, m.text) for m in found.messages]


def test_the_branch_that_was_shown_last(read):
    chat = conversation(
        node("root", None),
        node("s", "root", "system", ""),
        node("q", "s", "user", "How?"),
        node("old", "q", "assistant", "Not so."),
        node("older", "old", "user", "Hm."),
        node("new", "q", "assistant", "Like ", "this."),
    )
    found = read([chat], "conversations.json")
    assert found.format == "chatgpt"
    assert words(found) == [("text", "user", "How?"), ("text", "assistant", "Like \nthis.")]
    assert found.messages[0].time == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)
    assert {m.conversation for m in found.messages} == {"Soup"}


def test_parts_of_other_kinds(read):
    chat = conversation(
        node("a", None, "user", {"content_type": "image_asset_pointer"}, "What is it?", content_type="multimodal_text"),
        node("b", "a", "user", {"content_type": "image_asset_pointer"}, content_type="multimodal_text"),
        node("c", "b", "user", {"content_type": "audio_transcription", "text": "spoken"},
             {"content_type": "audio_asset_pointer"}, content_type="multimodal_text"),
        node("d", "c", "assistant", "calls", recipient="python"),
        node("e", "d", "tool", "42", content_type="execution_output"),
        node("f", "e", "assistant", "", content_type="text"),
        node("g", "f", "assistant", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
        node("h", "g", "assistant", "thought", content_type="thoughts"),
        node("i", "h", "assistant", "42."),
    )  # fmt: skip
    assert words(read([chat])) == [
        ("media", "user", "What is it?"), ("media", "user", "<file>"), ("text", "user", "spoken"),
        ("system", None, "calls"), ("system", None, "42"), ("system", None, "hidden"), ("system", None, "thought"),
        ("text", "assistant", "42."),
    ]  # fmt: skip


def test_talk_aloud_is_text_and_film_is_not(read):
    said = {"content_type": "audio_transcription", "text": "hello", "direction": "in"}
    sound = {"content_type": "real_time_user_audio_video_asset_pointer", "audio_asset_pointer": {},
             "video_container_asset_pointer": None, "frames_asset_pointers": []}  # fmt: skip
    film = sound | {"video_container_asset_pointer": {"content_type": "video_container_asset_pointer"}}
    chat = conversation(
        node("a", None, "user", said, sound, content_type="multimodal_text"),
        node("b", "a", "user", said, film, content_type="multimodal_text"),
        node("c", "b", "assistant", "I plan.", channel="analysis"),
        node("d", "c", "assistant", "Hi!", channel="final"),
    )
    assert words(read([chat])) == [
        ("text", "user", "hello"),
        ("media", "user", "hello"),
        ("system", None, "I plan."),
        ("text", "assistant", "Hi!"),
    ]


def test_marks_of_sources_become_what_the_page_shows(read):
    text = (
        'By \ue200entity\ue202["people","Zoë B",0]\ue201 it is \ue200url\ue202here\ue202turn0search1\ue201.'
        " \ue200cite\ue202turn0search3\ue202turn0search8\ue201\nEnd \ue200entity\ue202[broken\ue201, \ue200open"
    )
    chat = conversation(node("a", None, "user", "?"), node("b", "a", "assistant", text))
    assert words(read([chat]))[1][2] == "By Zoë B it is here.\nEnd, \ue200open"


def test_null_times_and_missing_trees(read):
    good = conversation(node("a", None, "user", "Hi", time=None))
    found = read([good, {"title": "lost"}, {"title": "also", "mapping": None}, 3])
    assert words(found) == [("text", "user", "Hi")] and found.messages[0].time is None
    assert len(found.unparsed) == 3


def test_without_a_current_node_the_newest_leaf_stands_for_it(read):
    chat = conversation(node("a", None, "user", "Hi"), node("b", "a", "assistant", "new", time=9.0),
                        node("c", "a", "assistant", "old", time=8.0), current_node=None)  # fmt: skip
    assert words(read([chat])) == [("text", "user", "Hi"), ("text", "assistant", "new")]


def test_a_circle_ends(read):
    chat = conversation(node("a", "b", "user", "Hi"), node("b", "a", "assistant", "Ho"))
    assert words(read([chat])) == [("text", "user", "Hi"), ("text", "assistant", "Ho")]


def test_shards(archive):
    shards = {f"conversations-{number:03}.json": [conversation(node("a", None, "user", str(number)), title=str(number))]
              for number in range(3)}  # fmt: skip
    found = read_chats(archive({**shards, "user.json": {"id": "x"}, "chat.html": "<html>"}))
    assert [m.text for m in found.messages] == ["0", "1", "2"]


def test_two_chats_of_one_title(read):
    chats = [conversation(node("a", None, "user", "Hi"), conversation_id=str(number)) for number in range(2)]
    assert [m.conversation for m in read(chats).messages] == ["Soup", "Soup (2)"]
