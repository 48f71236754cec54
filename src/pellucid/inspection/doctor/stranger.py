"""A stranger's model: a class in a Python file, loaded and built. This executes the file."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pellucid.errors import InputError
from pellucid.inspection.doctor.patient import Patient, make_patient
from pellucid.text.files import read_bytes
from pellucid.training.class_file import CONTEXT, VOCABULARY, Arguments, execute, find_class, modules_in

MOST_BYTES = 1 << 30
ELSE = "or name a function without arguments that returns the model"

# What a constructor that insists on sizes is given.
SIZES: dict[str, Any] = {
    **dict.fromkeys(VOCABULARY, 61),
    **dict.fromkeys(("d_model", "n_embd", "embed_dim", "hidden_size", "dim", "emb_dim", "embedding_dim"), 32),
    **dict.fromkeys(("n_layers", "n_layer", "num_layers", "depth", "layers"), 2),
    **dict.fromkeys(("n_heads", "n_head", "num_heads", "heads"), 4),
    **dict.fromkeys(CONTEXT, 32),
    **dict.fromkeys(("d_ff", "ff_dim", "hidden_dim"), 64),
    "dropout": 0.0,
}


def load_stranger(name: str) -> Patient:
    """Execute the file of FILE.py:Class and build the model.

    The class is called without arguments; arguments it insists on are given small sizes by their usual names, and a
    `config` is made from a class of the file whose name ends in Config. A function that returns a module will do, too.

    Raises:
        InputError: the file cannot be executed, has no such class, or that is no model.
    """
    path, attribute = find_class(name)
    source = read_bytes(path, str(path), MOST_BYTES)
    module = execute(path, source, "_patient_", neighbours=True)
    if not hasattr(module, attribute):
        raise InputError(f"{path} has no {attribute}: it has {modules_in(module)}")
    made = getattr(module, attribute)
    torch.manual_seed(0)
    if isinstance(made, nn.Module):
        return make_patient(attribute, made)
    if not callable(made):
        raise InputError(
            f"{attribute} in {path} is no class: name a torch.nn.Module, or a function that makes one"
        )

    def factory() -> nn.Module:
        return _build(made, attribute, module)

    model = factory()
    if not isinstance(model, nn.Module):
        raise InputError(
            f"{attribute} in {path} makes a {type(model).__name__}: it must be a torch.nn.Module, or make one"
        )
    return make_patient(attribute, model, factory)


def _build(made: Callable[..., Any], name: str, module: ModuleType) -> Any:
    try:
        return made(**Arguments(module, SIZES, remedy=f", {ELSE}").of(made))
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{name} cannot be built ({type(error).__name__}: {error}): give its arguments defaults, {ELSE}"
        ) from error
