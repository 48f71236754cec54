"""The table of formats: how each is known by its content, and who reads it."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pellucid.text.chats import chatgpt, discord, imessage, jsonl, meta, signal, slack, telegram, turns
from pellucid.text.chats.collect import Collector, Options
from pellucid.text.chats.files import File
from pellucid.text.chats.record import Chats

WHATSAPP = "whatsapp"
NAMED_AFTER = re.compile(r"WhatsApp Chat (?:with|-) (.+)")


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: as `--format` takes it.
        title: as a sentence calls it.
        recognises: whether a file is of it, or a table beside its files.
        read: the chats of all files of it together.
        fits: whether a file can be of it, where a person says so; None where `recognises` tells.
    """

    name: str
    title: str
    recognises: Callable[[File], bool]
    read: Callable[[Sequence[File], Options], Chats]
    fits: Callable[[File], bool] | None = None

    def can_read(self, file: File) -> bool:
        """Whether a file is, or as far as one can tell may be, of the format."""
        return (self.fits or self.recognises)(file)


def _whatsapp() -> Any:
    return importlib.import_module("pellucid.text.chats.whatsapp")


def _recognises_whatsapp(file: File) -> bool:
    return file.shape == "text" and _whatsapp().recognises(file.head)


def _read_whatsapp(files: Sequence[File], options: Options) -> Chats:
    whatsapp = _whatsapp()
    found = Collector(WHATSAPP)
    for file in files:
        found.begin(file)
        conversation = found.conversation(conversation_of(file), file.path)
        parsed = whatsapp.parse(file.text.split("\n"), conversation, options.date_order, source=file.name)
        found.messages += parsed.messages
        found.unparsed += parsed.unparsed
        found.notes += parsed.notes
    return found.done()


def conversation_of(file: File) -> str:
    """Whom a WhatsApp file names; `_chat.txt` is called after its archive or folder."""
    name = file.path.parent.name or file.stem if file.stem.startswith("_chat") else file.stem
    named = NAMED_AFTER.fullmatch(name)
    return named[1] if named else name


_ALL = (  # the order in which they are asked: iPhones of some countries write WhatsApp as signal-export writes Signal
    Format("telegram", "a Telegram export", telegram.recognises, telegram.read),
    Format("discord", "a channel from DiscordChatExporter", discord.recognises, discord.read),
    Format(
        meta.INSTAGRAM,
        "an Instagram thread",
        lambda file: meta.recognises(file) and meta.is_instagram(file),
        meta.read_instagram,
        fits=meta.recognises,
    ),
    Format(meta.MESSENGER, "a Messenger thread", meta.recognises, meta.read_messenger),
    Format("slack", "a Slack export", slack.recognises, slack.read),
    Format("chatgpt", "a ChatGPT export", chatgpt.recognises, chatgpt.read),
    *(
        Format(form, title, partial(jsonl.recognises, form), partial(jsonl.read, form))
        for form, title in (
            (jsonl.NEUTRAL, "Pellucid's neutral records"),
            (jsonl.MESSAGES, 'JSON of {"messages": …}'),
            (jsonl.SHAREGPT, "ShareGPT conversations"),
            (jsonl.ALPACA, "Alpaca instructions"),
        )
    ),
    Format("signal", "the text of signal-export", signal.recognises, signal.read, fits=signal.fits),
    Format("imessage", "the text of imessage-exporter", imessage.recognises, imessage.read),
    Format("turns", "lines of me: and them:", turns.recognises, turns.read),
    Format(WHATSAPP, "a WhatsApp export", _recognises_whatsapp, _read_whatsapp),
)
FORMATS: dict[str, Format] = {format_.name: format_ for format_ in _ALL}
if importlib.util.find_spec("pellucid.text.chats.whatsapp") is None:
    del FORMATS[WHATSAPP]


def format_of(file: File) -> Format | None:
    """The format of a file by its content, or None."""
    return next((format_ for format_ in FORMATS.values() if format_.recognises(file)), None)
