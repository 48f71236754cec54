"""What an export fills in because its family asks for it, and an import takes out again: biases of 0, scales of 1.

The export says so under `pellucid`, in its config.json or in the metadata of GGUF. It is believed where the tensors are
still what was filled in: whoever trained on has changed them, and keeps them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from pellucid.interop.assembling import assemble
from pellucid.interop.mapping import Plan
from pellucid.interop.rewriting import bias_kind, norm_names
from pellucid.interop.tensors import TensorFiles
from pellucid.model.config import ModelConfig

KEY = "pellucid"


def filled_in(before: ModelConfig, after: ModelConfig) -> dict[str, Any]:
    """What was filled in when `before` became `after`, as fields that `before` has otherwise."""
    said = dict[str, Any]()
    if after.bias and not before.bias:
        said["bias"] = False
    if before.norm == "rmsnorm_fixed":
        said["norm"] = before.norm
    return said


def without_fillers(
    said: Any, config: ModelConfig, made: Plan, files: TensorFiles
) -> tuple[ModelConfig, Plan]:
    """The model and the plan without what `said`, of an export, calls filled in, where it still is that."""
    if not isinstance(said, dict):
        return config, made
    biases = [name for name in made if bias_kind(name)]
    if said.get("bias") is False and config.bias and _all(0, biases, made, files):
        config, made = dataclasses.replace(config, bias=False), _without(made, biases)
    scales = norm_names(config)
    if said.get("norm") == "rmsnorm_fixed" and config.norm == "rmsnorm" and _all(1, scales, made, files):
        config, made = dataclasses.replace(config, norm="rmsnorm_fixed"), _without(made, scales)
    return config, made


def _all(value: float, names: Iterable[str], made: Plan, files: TensorFiles) -> bool:
    return all(bool((assemble(made[name], files) == value).all()) for name in names)


def _without(made: Plan, names: Iterable[str]) -> Plan:
    left_out = set(names)
    return {name: place for name, place in made.items() if name not in left_out}
