from __future__ import annotations

import dataclasses
from collections.abc import Collection, Generator, Sequence

import pytest

from pellucid.errors import InputError
from pellucid.generation.conversation import (
    Conversation,
    Speakers,
    TemplateForm,
    Turn,
    conversation_prompt,
)
from pellucid.generation.engine import Engine
from pellucid.generation.options import CHAT_DEFAULTS, SamplingOptions
from pellucid.text.template import Template


class ScriptedEngine(Engine):
    """Streams given pieces, and keeps the prompts it was given."""

    def __init__(self, inner: Engine, *replies: Sequence[str]) -> None:
        super().__init__(inner.model, inner.tokenizer)
        self.replies = list(replies)
        self.prompts: list[str] = []
        self.options: list[SamplingOptions | None] = []
        self.n_written = 0

    def stream(
        self,
        prompt: str | Sequence[int],
        options: SamplingOptions | None = None,
        tell_unknown: bool = True,
        ends: Collection[int] = (),
    ) -> Generator[str]:
        assert isinstance(prompt, str)
        assert not ends
        self.prompts.append(prompt)
        self.options.append(options)
        return self._pieces(self.replies.pop(0))

    def _pieces(self, pieces: Sequence[str]) -> Generator[str]:
        for piece in pieces:
            self.n_written += 1
            yield piece


@pytest.fixture(scope="module")
def inner(make_model, chars) -> Engine:
    return Engine(make_model(chars.vocab_size, context_length=128), chars)


SHORT = SamplingOptions(max_tokens=28)  # leaves a hundred tokens of 128 for what was said


def say(engine: Engine, message: str = "Hello", **names: str) -> str:
    return "".join(Conversation(engine, SHORT, **names).reply(message))


def test_both_sides_are_written_as_speeches(inner):
    engine = ScriptedEngine(inner, ["Good ", "morrow.\n", "\nYOU:\n"], "Ay.\n\n")
    conversation = Conversation(engine, SHORT, model_name="ROMEO")
    assert "".join(conversation.reply("Hello")) == "Good morrow."
    assert "".join(conversation.reply("  And you? ")) == "Ay."
    assert engine.prompts == [
        "YOU:\nHello\n\nROMEO:\n",
        "YOU:\nHello\n\nROMEO:\nGood morrow.\n\nYOU:\nAnd you?\n\nROMEO:\n",
    ]
    assert conversation.turns[-1] == Turn("ROMEO", "Ay.")


@pytest.mark.parametrize(
    ("written", "reply"),
    [
        ("one\ntwo\n\nthree", "one\ntwo"),
        ("\n\n  one\n\ntwo", "one"),  # leading blank lines are no answer
        ("one\nYOU:\nno", "one"),
        ("one\nMODEL:\nno", "one"),
        ("\nYOU:\nno", ""),
        ("MODEL:", ""),
        ("one\nYOUR hand", "one\nYOUR hand"),
        ("prose without any line that goes on", "prose without any line that goes on"),
        ("one\n", "one"),
        ("\n \n", ""),
        ("", ""),
    ],
)
def test_where_a_reply_ends(inner, written, reply):
    for pieces in ([written], list(written)):
        conversation = Conversation(ScriptedEngine(inner, pieces), SHORT)
        assert "".join(conversation.reply("Hello")) == reply
        assert conversation.turns == [Turn("YOU", "Hello")] + [Turn("MODEL", reply)] * bool(reply)


def test_the_model_stops_where_the_reply_does(inner):
    engine = ScriptedEngine(inner, list("one\n\nYOU:\nand so on and on"))
    assert say(engine) == "one"
    assert engine.n_written == len("one\n\n")


def test_breaking_off_keeps_what_was_said(inner):
    conversation = Conversation(ScriptedEngine(inner, ["one ", "two ", "three"]), SHORT)
    reply = conversation.reply("Hello")
    assert [next(reply), next(reply)] == ["one ", "two "]
    reply.close()
    assert conversation.turns[-1] == Turn("MODEL", "one two")


def test_old_turns_are_forgotten_whole(inner):
    engine = ScriptedEngine(inner, *["a short reply\n\n"] * 9)
    conversation = Conversation(engine, SHORT)
    for number in "abcdefghi":
        "".join(conversation.reply(f"this is message {number}"))
    assert len(conversation.turns) == 18
    for prompt in engine.prompts:
        assert len(prompt) <= 100
        assert prompt.startswith(("YOU:\n", "MODEL:\n"))
    assert engine.prompts[-1].count("this is message") == 2  # as many as fit


def test_as_many_turns_as_fit_to_the_token(inner):
    conversation = Conversation(inner, SHORT)
    speech = len("YOU:\n\n\n")
    room = 100 - len("MODEL:\n")
    conversation.turns = [Turn("YOU", "a"), Turn("YOU", "b" * (room - 2 * speech - 1)), Turn("YOU", "c")]
    assert len(conversation.prompt()) == 100 and "a" not in conversation.prompt()
    conversation.turns[1] = Turn("YOU", conversation.turns[1].text + "b")
    assert "b" not in conversation.prompt()


def test_a_long_message_is_read_from_its_end(inner):
    notes: list[str] = []
    engine = Engine(inner.model, inner.tokenizer, note=notes.append)
    conversation = Conversation(engine, SHORT)
    "".join(conversation.reply("word " * 99 + "end"))
    assert notes == ["The message has 498 tokens and there is room for 86: only the last 86 are read."]
    conversation.turns = [Turn("YOU", "word " * 99 + "end")]
    prompt = conversation.prompt()
    assert len(prompt) == 100 and prompt.startswith("YOU:\n") and prompt.endswith("word end\n\nMODEL:\n")


def test_what_is_forgotten_is_told(inner):
    notes: list[str] = []
    conversation = Conversation(Engine(inner.model, inner.tokenizer, note=notes.append), SHORT)
    conversation.turns = [Turn("YOU", f"this is message {letter}") for letter in "abcdef"]
    conversation.prompt()
    assert notes == [
        "This model sees 100 tokens of what was said so far: of 6 turns only the last 3 are read."
    ]


def test_a_preface_stands_before_the_turns_and_stays(inner):
    turns = [Turn("YOU", "a long message that takes some room " + letter) for letter in "abcdef"]
    prompt, notes = conversation_prompt(turns, "MODEL", inner.tokenizer, 100, " ACT I.\n\nA room. ")
    assert prompt.startswith("ACT I.\n\nA room.\n\nYOU:\na long message") and len(prompt) <= 100
    assert len(notes) == 1 and "6 turns" in notes[0]
    prompt, notes = conversation_prompt(turns[:1], "MODEL", inner.tokenizer, 100, "so " * 300 + "it is")
    assert len(prompt) <= 100 and prompt.split("\n\n")[0].endswith("so it is")
    assert len(notes) == 1 and "The text before the conversation has 905 tokens" in notes[0]


def test_a_context_too_small_for_the_names_still_gets_a_prompt(inner):
    prompt, notes = conversation_prompt([Turn("YOU", "Hello")], "MODEL", inner.tokenizer, 4, "so")
    assert prompt.endswith("o\n\nMODEL:\n") and notes


def test_messages_keep_to_the_template(inner):
    engine = ScriptedEngine(inner, "x", "y")
    conversation = Conversation(engine, SHORT)
    "".join(conversation.reply("one\n\n\ntwo\n \nthree\n"))
    assert engine.prompts[0] == "YOU:\none\ntwo\nthree\n\nMODEL:\n"
    "".join(conversation.reply(" "))  # nothing said: the model goes on
    assert engine.prompts[1] == "YOU:\none\ntwo\nthree\n\nMODEL:\nx\n\nMODEL:\n"


def test_every_reply_has_a_seed_of_its_own(inner):
    engine = ScriptedEngine(inner, "a", "b")
    conversation = Conversation(engine, dataclasses.replace(SHORT, seed=7))
    for _ in range(2):
        "".join(conversation.reply("Hello"))
    assert [options and options.seed for options in engine.options] == [7, 8]


def test_with_a_real_model_that_never_learned_to_speak(inner):
    conversations = [Conversation(inner, dataclasses.replace(CHAT_DEFAULTS, seed=1)) for _ in range(2)]
    texts = ["".join(c.reply("Hello")) + "|" + "".join(c.reply("And?")) for c in conversations]
    assert texts[0] == texts[1]
    assert len(texts[0]) > 10 and "\n\n" not in texts[0]


@pytest.mark.parametrize("names", [("", "B"), ("A", "A"), ("A\nB", "C")])
def test_names_that_cannot_be_told_apart(inner, names):
    with pytest.raises(InputError):
        Conversation(inner, SHORT, *names)


def test_one_turn_that_is_left_is_told_in_the_singular(inner):
    turns = [Turn("YOU", "a" * 40), Turn("MODEL", "b" * 40), Turn("YOU", "c" * 40)]
    _, notes = conversation_prompt(turns, "MODEL", inner.tokenizer, 70)
    assert notes[0].endswith("of 3 turns only the last is read.")


def test_unknown_characters_are_counted_in_what_was_just_written_alone(inner):
    notes: list[str] = []
    engine = Engine(inner.model, inner.tokenizer, note=notes.append)
    conversation = Conversation(engine, SHORT, user="§§", model_name="¤¤")  # names that no training text has
    "".join(conversation.reply("Hello"))
    assert notes == []
    "".join(conversation.reply("a §"))
    assert notes == ["1 of the prompt's characters never occurred in training ('§'): it is read as unknown."]
    notes.clear()
    "".join(conversation.reply("and so"))
    assert not any("never occurred" in said for said in notes)
    notes.clear()
    engine.draft("§§", SHORT)
    assert notes == [
        "2 of the prompt's characters never occurred in training ('§'): they are read as unknown."
    ]


# ---------------------------------------------------------------------- a template's form


def shown(chars, turns: Sequence[tuple[str, str]], room: int, preface: str = "") -> tuple[str, list[str]]:
    """What is read of a conversation, its marks by their names, and the notes."""
    form = TemplateForm(Speakers(), Template("markers", chars))
    ids, notes = form.prompt([Turn(*turn) for turn in turns], room, preface)
    assert len(ids) <= room
    return chars.decode(ids, keep_special=True), notes


def test_a_message_that_is_too_long_loses_its_beginning_and_not_its_frame(chars):
    text, notes = shown(chars, [("YOU", "so"), ("MODEL", "on"), ("YOU", "to be " * 20 + "is")], 30, "be")
    assert text.startswith("<|system|>be<|end|><|user|>") and text.endswith("is<|end|><|assistant|>")
    assert [note.split()[:2] for note in notes] == [["This", "model"], ["The", "message"]]


def test_a_system_text_that_is_too_long_leaves_room_for_the_message(chars):
    text, notes = shown(chars, [("YOU", "so")], 40, "to be or not " * 20)
    assert text.startswith("<|system|>") and text.endswith("<|end|><|user|>so<|end|><|assistant|>")
    assert len(notes) == 1 and notes[0].startswith("The text before the conversation")


@pytest.mark.parametrize(
    ("turns", "read"),
    [
        ([], "<|user|><|end|>"),
        ([("MODEL", "so")], "<|user|><|end|><|assistant|>so<|end|>"),
        ([("YOU", "so"), ("YOU", "on")], "<|user|>so\non<|end|>"),  # a reply that was stopped at once
    ],
)
def test_turns_are_written_as_training_had_them(chars, turns, read):
    assert shown(chars, turns, 100) == (f"{read}<|assistant|>", [])
