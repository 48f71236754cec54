"""config.json of Hugging Face, family by family, as a ModelConfig; what that cannot express is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.errors import InputError
from pellucid.interop import families_experts as experts
from pellucid.interop import families_learned as learned
from pellucid.interop import families_rotary as rotary
from pellucid.interop.families_rotary import Described
from pellucid.interop.harmless import HARMLESS
from pellucid.interop.settings import Settings, naming

FAMILIES: dict[str, Callable[[Settings], Described]] = {
    "llama": rotary.llama,
    "qwen2": rotary.qwen2,
    "qwen3": rotary.qwen3,
    "mistral": rotary.mistral,
    "arcee": rotary.arcee,
    "starcoder2": rotary.starcoder2,
    "stablelm": rotary.stablelm,
    "gpt2": learned.gpt2,
    "gpt_bigcode": learned.gpt_bigcode,
    "opt": learned.opt,
    "mixtral": experts.mixtral,
    "granitemoeshared": experts.granitemoeshared,
    "qwen2_moe": experts.qwen2_moe,
    "qwen3_moe": experts.qwen3_moe,
}


def describe(values: dict[str, Any], where: str) -> tuple[str, Described]:
    """The family and the model of a parsed config.json, which errors call `where`.

    Raises:
        InputError: a family, a setting or a value that our model does not have.
    """
    family = values.get("model_type")
    if not isinstance(family, str) or family not in FAMILIES:
        raise InputError(
            f"{where} is of model_type {family!r}: the families that are imported are {', '.join(FAMILIES)}"
        )
    settings = Settings(values, where)
    if quantised := values.get("quantization_config"):
        raise settings.refused("quantization_config", quantised)
    with naming(where):
        described = FAMILIES[family](settings)
    settings.refuse_the_rest(HARMLESS)
    return family, described
