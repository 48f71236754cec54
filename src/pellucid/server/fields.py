"""What requests are made of: typed, and bounded in every number, text and list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticKnownError

from pellucid.generation.options import LARGEST_SEED
from pellucid.server.complaints import given
from pellucid.server.limits import MAX_TOKENS, NAME, PROMPT_CHARACTERS

MOST_FIELDS = 100  # of a body


def _no_nulls(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text must not hold the character U+0000")
    return text


def at_most(most: int) -> Callable[[Any], Any]:
    """Refuses a JSON object of more fields before they are looked at.

    A complaint about each of half a million takes many seconds, in which nobody else is answered; lists of many have
    pydantic's `fail_fast` for that.
    """

    def few(value: Any) -> Any:
        if isinstance(value, dict) and len(value) > most:
            context = {"field_type": "Dictionary", "max_length": most, "actual_length": len(value)}
            raise PydanticKnownError("too_long", context)
        return value

    return few


Text = Annotated[str, Field(max_length=PROMPT_CHARACTERS), AfterValidator(_no_nulls)]
Name = Annotated[str, Field(min_length=1, max_length=NAME), AfterValidator(_no_nulls)]
TokenId = Annotated[int, Field(ge=0, le=1 << 31)]
Temperature = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
TopK = Annotated[int, Field(ge=0, le=1 << 31)]
TopP = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
MinP = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
MaxTokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
WholeStep = Annotated[int, Field(ge=0, le=10**12)]


class Body(BaseModel):
    """A body of /api: strict in its types, and without fields that nobody reads."""

    model_config = ConfigDict(strict=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, body: Any) -> Any:
        return at_most(MOST_FIELDS)(body)


class OfRun(Body):
    """A body that names weights: those of the default run where it does not say."""

    run: Name | None = None
    step: WholeStep | str = "best"

    @field_validator("step", mode="before")
    @classmethod
    def _known_step(cls, step: Any) -> Any:
        whole = isinstance(step, int) and not isinstance(step, bool) and 0 <= step <= 10**12
        if not whole and step not in ("best", "live"):
            raise ValueError(f"a step is a whole number, 'best' or 'live', not {given(step)}")
        return step
