"""Protected chats: nothing private in texts, names or ids, and people still apart."""

from __future__ import annotations

from pellucid.text.chats.privacy import protect
from pellucid.text.chats.record import Chats, Message


def said(author: str | None, text: str, id: str | None = None, conversation: str = "c") -> Message:
    kind = "text" if author else "system"
    return Message(conversation, None, id or author, author, text, kind)


def test_texts_names_and_conversations_are_redacted():
    chats = Chats(
        "whatsapp",
        (
            said("+49 170 1234567", "mail a@b.org", conversation="+49 170 1234567"),
            said("+49 170 7654321", "ok", conversation="+49 170 1234567"),
            said(None, "+49 170 9999999 joined", conversation="+49 170 1234567"),
        ),
    )
    found = protect(chats)
    assert [(m.conversation, m.author_id, m.author, m.text) for m in found.chats.messages] == [
        ("[phone]", "[phone]", "[phone]", "mail [email]"),
        ("[phone]", "[phone] 2", "[phone] 2", "ok"),
        ("[phone]", None, None, "[phone] joined"),
    ]
    assert found.ids == {"+49 170 1234567": "[phone]", "+49 170 7654321": "[phone] 2"}
    assert found.found.counts["email"] == 1


def test_conversations_that_become_alike_stay_apart():
    chats = Chats("x", (said("A", "x", conversation="a@b.org"), said("A", "y", conversation="c@d.org")))
    assert [m.conversation for m in protect(chats).chats.messages] == ["[email]", "[email] 2"]


def test_without_names_people_keep_their_own():
    chats = Chats(
        "x", (said("Anna", "Bob!", "u1"), said("Anna", "hi", "u2"), said("Bob", "Anna?", "123456789012"))
    )
    assert protect(chats).chats.messages == chats.messages


def test_names_are_others_everywhere_and_ids_tell_nothing():
    chats = Chats(
        "telegram",
        (
            said("Anna Lund", "hi Bob", "user77", "Chat with Anna"),
            said("Bob", "hi anna, mail anna@lund.org", "user78", "Chat with Anna"),
            said("anna lund", "yes", "user79", "Chat with Anna"),
        ),
    )
    found = protect(chats, names=True)
    assert [(m.conversation, m.author_id, m.author, m.text) for m in found.chats.messages] == [
        ("Chat with Robin", "person-1", "Robin Hill", "hi Alex"),
        ("Chat with Robin", "person-2", "Alex", "hi Robin, mail [email]"),
        ("Chat with Robin", "person-3", "Robin Hill 2", "yes"),
    ]
    assert protect(chats, names=True) == found
    assert any("3 names" in note for note in found.notes)


def test_roles_stay_roles():
    chats = Chats("messages", (said("user", "hi", "user"), said("assistant", "hello user", "assistant")))
    assert protect(chats, names=True).chats == chats
