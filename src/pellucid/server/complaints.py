"""What is wrong with a request, in one sentence of ours: the field, what was expected of it, and what was given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Place = tuple[str | int, ...]

LONGEST_QUOTED = 40  # characters
KINDS = {  # pydantic's names of errors, and what was expected there
    "string_type": ("a text",),
    "int_type": ("a whole number",),
    "int_parsing": ("a whole number",),
    "int_from_float": ("a whole number",),
    "float_type": ("a number",),
    "float_parsing": ("a number",),
    "bool_type": ("true", "false"),
    "bool_parsing": ("true", "false"),
    "list_type": ("a list",),
    "dict_type": ("a JSON object",),
    "model_type": ("a JSON object",),
    "model_attributes_type": ("a JSON object",),
}
BOUNDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "finite_number": lambda _: "a finite number",
    "int_parsing_size": lambda _: "a whole number of fewer digits",
    "string_unicode": lambda _: "a text of whole characters",
    "literal_error": lambda context: str(context["expected"]),
    "greater_than_equal": lambda context: f"{_number(context['ge'])} or more",
    "greater_than": lambda context: f"more than {_number(context['gt'])}",
    "less_than_equal": lambda context: f"{_number(context['le'])} or less",
    "less_than": lambda context: f"less than {_number(context['lt'])}",
}
LENGTHS = {
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
}


def complaint(errors: Sequence[Mapping[str, Any]], body: Any = None) -> str:
    """The first thing that is wrong with a request.

    Args:
        errors: pydantic's, of one request; where a field may be of several kinds, one or more for each kind.
        body: the request's, as it was read.
    """
    if not errors:
        return "the request is not as expected"
    places = [_place(error, body) for error in errors]
    first = places[0]
    about = [
        (place, error) for place, error in zip(places, errors, strict=True) if place[: len(first)] == first
    ]
    # a kind that fits but for its bounds, or something within it, says more than the kinds that do not fit
    place, error = next(
        (pair for pair in about if pair[0] != first or pair[1]["type"] not in KINDS), about[0]
    )
    if error["type"] not in KINDS:
        return _sentence(place, error)
    wanted = [kind for other, error in about if other == place for kind in KINDS.get(error["type"], ())]
    return f"{_name(place)} must be {_either(wanted)}, not {given(error.get('input'))}{_remedy(place, error)}"


def field(errors: Sequence[Mapping[str, Any]], body: Any = None) -> str | None:
    """The name of the field that `complaint` speaks of; None where it is the body as a whole."""
    place = _place(errors[0], body) if errors else ()
    return _short(str(place[0])) if place else None


def _sentence(place: Place, error: Mapping[str, Any]) -> str:
    kind, context, name = str(error["type"]), error.get("ctx") or {}, _name(place)
    if kind == "json_invalid":
        return "the body is not valid JSON: send one JSON object"
    if kind == "missing":
        return f"{name} is missing: it must be given" if place else "the body is missing: send a JSON object"
    if kind == "extra_forbidden":
        return f"{name} is not a field that is known here: leave it out"
    if kind == "value_error":  # one of ours
        return f"{name}: {context.get('error', 'it is not as expected')}"
    value = error.get("input")
    if kind in LENGTHS:
        bound, limit, unit = LENGTHS[kind]
        wanted = context[limit]
        n = len(value) if isinstance(value, str | list | dict) else context.get("actual_length")
        units = unit if wanted == 1 else f"{unit}s"
        return f"{name} must have {bound} {wanted:,} {units}, not {'none' if n == 0 else f'{n:,}'}"
    if kind in BOUNDS:
        return f"{name} must be {BOUNDS[kind](context)}, not {given(value)}"
    return f"{name} is not as expected: {given(value)} was given"


def _place(error: Mapping[str, Any], body: Any) -> Place:
    """Where the error is, without pydantic's names for the kinds that a field may be of."""
    where, *parts = error.get("loc") or ("body",)
    if where != "body":
        return tuple(parts)
    place: list[str | int] = []
    for part in parts:
        found, inner = _inside(body, part)
        if found or (error["type"] == "missing" and part is parts[-1]):
            place.append(part)
            body = inner
    return tuple(place)


def _inside(value: Any, part: str | int) -> tuple[bool, Any]:
    """Whether there is such a part of a JSON value, and what it is; itself where there is none."""
    if isinstance(value, dict) and part in value:
        return True, value[part]
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return True, value[part]
    return False, value


def _name(place: Place) -> str:
    return ".".join(_short(str(part)) for part in place) or "the body"


def _short(text: str) -> str:
    shown = text if len(text) <= LONGEST_QUOTED else f"{text[:LONGEST_QUOTED]}…"
    return "".join(c if c.isprintable() else " " for c in shown)


def _either(kinds: Sequence[str]) -> str:
    """`a text, true, false or a number`, each once."""
    named = list(dict.fromkeys(kinds))
    if "a number" in named and "a whole number" in named:
        named.remove("a whole number")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} or {named[-1]}"


def _remedy(place: Place, error: Mapping[str, Any]) -> str:
    """What to do where JSON was sent as something else."""
    return "" if place or not isinstance(error.get("input"), bytes) else ": send it as application/json"


def _number(bound: float) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound}"


def given(value: Any) -> str:
    """What a client sent, as short as it can be told."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}infinity"
    if isinstance(value, int | float):
        digits = str(value)
        return digits if len(digits) <= LONGEST_QUOTED else f"a number of {len(digits):,} digits"
    if isinstance(value, str):
        return f"'{_short(value)}'"
    if isinstance(value, list | dict):
        kind = "list" if isinstance(value, list) else "JSON object"
        return f"a {kind}" if value else f"an empty {kind}"
    return "plain text" if isinstance(value, bytes) else "something else"
