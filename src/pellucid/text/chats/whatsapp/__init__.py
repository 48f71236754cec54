"""WhatsApp's exported chats, of any telephone and language: the text in _chat.txt or `WhatsApp Chat with ….txt`."""

from __future__ import annotations

from pellucid.text.chats.whatsapp.parse import Parsed, parse, recognises

__all__ = ["Parsed", "parse", "recognises"]
