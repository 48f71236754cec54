"""What requests are made of: typed, and bounded in every number, text and list."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from pellucid.generation.options import LARGEST_SEED
from pellucid.server.complaints import given
from pellucid.server.limits import MAX_TOKENS, NAME, PROMPT_CHARACTERS


def _no_nulls(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text must not hold the character U+0000")
    return text


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
