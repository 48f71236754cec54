"""What every view asks of its inputs."""

from __future__ import annotations

from pellucid.errors import InputError
from pellucid.text.decoding import without_surrogates

MOST_CHARACTERS = 1_000_000  # of a prompt


def checked_text(text: object) -> str:
    """The text, without the halves of surrogate pairs that no file can hold.

    Raises:
        InputError: it is no text, or longer than a million characters.
    """
    if not isinstance(text, str):
        raise InputError(f"the prompt must be text, not {type(text).__name__}")
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"the prompt has {len(text):,} characters: give {MOST_CHARACTERS:,} at most, or its end alone"
        )
    return without_surrogates(text)


def checked_number(name: str, value: object, least: int, most: int, of: str = "") -> int:
    """A whole number in a range.

    Raises:
        InputError: it is none; `of` says what the range is of.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{name} must be a whole number from {least:,} to {most:,}{of}, not {value!r}")
    return value
