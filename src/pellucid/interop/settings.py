"""The settings of a published model: each is used, known to change nothing, or refused by name."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

from pellucid.errors import InputError
from pellucid.model.config import LARGEST

MOST_NUMBER = 1e30


class Settings:
    """Names and values of a configuration; what has been asked for is remembered.

    Args:
        values: as the file has them.
        where: the file, for errors.
    """

    def __init__(self, values: dict[str, Any], where: str) -> None:
        self.values, self.where = values, where
        self._asked: set[str] = set()

    def get(self, name: str) -> Any:
        """The value, None where there is none."""
        self._asked.add(name)
        return self.values.get(name)

    def size(self, name: str, default: int | None = None) -> int:
        """A whole number from 1 on.

        Raises:
            InputError: it is missing and has no default, or is something else.
        """
        value = self.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not int or not 1 <= value <= LARGEST:
            raise self.wrong(name, value, f"a whole number from 1 to {LARGEST:,}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A positive finite number."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < MOST_NUMBER:
            raise self.wrong(name, value, "a number above 0")
        return float(value)

    def switch(self, name: str, default: bool = False) -> bool:
        value = self.get(name)
        if value is None:
            return default
        if type(value) is not bool:
            raise self.wrong(name, value, "true or false")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value = self.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not str:
            raise self.wrong(name, value, "a text")
        return value

    def must_be(self, name: str, *allowed: Any) -> None:
        """Refuse a setting that our model does not have, unless it is missing, null or one of `allowed`."""
        value = self.get(name)
        if value is not None and not any(type(value) is type(one) and value == one for one in allowed):
            raise self.refused(name, value)

    def refuse_the_rest(self, harmless: Collection[str] = ()) -> None:
        """Raises: InputError for the first setting that nobody asked for, if it may change what is computed."""
        for name, value in self.values.items():
            off = value is None or value is False or value in ("", [], {})
            if name not in self._asked and name not in harmless and not off:
                raise InputError(
                    f"{self.where} has {name} = {_short(value)}, which is not known here and may change what the model "
                    "computes: if it does not, remove it from a copy of the file"
                )

    def refused(self, name: str, value: Any) -> InputError:
        return InputError(
            f"{self.where} has {name} = {_short(value)}, which Pellucid's model cannot express: "
            "it would not compute the same, so it is not imported"
        )

    def wrong(self, name: str, value: Any, expected: str) -> InputError:
        said = f"lacks {name}, " if value is None else f"has {name} = {_short(value)} instead of "
        return InputError(f"{self.where} {said}{expected}: take a whole copy of the model")


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """What a model cannot be is told with the file that asks for it."""
    try:
        yield
    except InputError as error:
        if where in str(error):
            raise
        raise InputError(f"{where} describes a model that cannot be: {error}") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
