"""A word about the others in a chat, said once on a machine."""

from __future__ import annotations

import contextlib
import os
import textwrap

from pellucid.cli import console
from pellucid.errors import InputError

NOTICE = (
    "A chat is not yours alone: the others in it did not agree to be learned from. A model can recite what it was "
    "trained on, word for word, and redaction finds what has a shape, not everything that is private. Ask them, keep "
    "the model to yourself, and do not pass it off as the person. Nothing here leaves this machine. (Said once.)"
)
FILE = "chat-notice-was-read"


def say_once() -> bool:
    """Says the notice, unless it was said on this machine before; where nothing can be kept it is said again.

    Returns:
        whether it was said now.
    """
    from pellucid.text.web.cache import cache_dir, new_file

    path = cache_dir() / FILE
    if path.exists():
        return False
    console.say(textwrap.fill(NOTICE, 100) + "\n")
    if os.environ.get("PELLUCID_NO_CACHE", "") in ("", "0"):
        with contextlib.suppress(InputError), new_file(path) as partial:
            partial.write_text("", encoding="utf-8")
    return True
