"""How a chat export is to be read, and who in it a model becomes: from the page, as flags of a command."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from pellucid.server.complaints import given
from pellucid.server.fields import Body, Name
from pellucid.text.chats.formats import FORMATS
from pellucid.text.chats.record import NO_CHAT
from pellucid.text.chats.redaction import KINDS

LONGEST_GAP = 60.0 * 24 * 366  # minutes


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"a kind to keep is one of {', '.join(KINDS)}, not {given(kind)}")
    return kind


def _known_format(name: str) -> str:
    if name != NO_CHAT and name not in FORMATS:
        raise ValueError(f"a format is {NO_CHAT} or one of {', '.join(FORMATS)}, not {given(name)}")
    return name


Kind = Annotated[str, Field(max_length=20), AfterValidator(_known_kind)]
Format = Annotated[str, Field(max_length=40), AfterValidator(_known_format)]


class Export(Body):
    """What may be decided of a chat; `base` names the run that is fine-tuned, by default the server's default."""

    as_name: Name | None = None
    format: Format | None = None
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    gap: Annotated[float, Field(gt=0, le=LONGEST_GAP, allow_inf_nan=False)] | None = None
    keep: list[Kind] = Field(default_factory=list, max_length=len(KINDS))
    names: bool = False
    base: Name | None = None
    lora: bool = False
    anyway: bool = False

    def record(self) -> dict[str, Any]:
        """What was decided."""
        return self.model_dump(exclude_defaults=True)

    def flags(self) -> list[str]:
        """As `preview` and `finetune` take them, without `base`, `lora` and `anyway`."""
        values = {
            "as": self.as_name,
            "format": self.format,
            "date-order": self.date_order,
            "gap": None if self.gap is None else repr(self.gap),
            "keep": ",".join(self.keep) or None,
        }
        given = [f"--{name}={value}" for name, value in values.items() if value is not None]
        return [*given, "--names"] if self.names else given
