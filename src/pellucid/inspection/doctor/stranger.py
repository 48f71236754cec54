"""A stranger's model: a class in a Python file, loaded and built. This executes the file."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pellucid.errors import InputError
from pellucid.inspection.doctor.patient import Patient, make_patient
from pellucid.text.files import expand_home

# What a constructor that insists on sizes is given.
SIZES: dict[str, Any] = {
    **dict.fromkeys(("vocab_size", "n_vocab", "vocab", "num_tokens", "n_tokens"), 61),
    **dict.fromkeys(("d_model", "n_embd", "embed_dim", "hidden_size", "dim", "emb_dim", "embedding_dim"), 32),
    **dict.fromkeys(("n_layers", "n_layer", "num_layers", "depth", "layers"), 2),
    **dict.fromkeys(("n_heads", "n_head", "num_heads", "heads"), 4),
    **dict.fromkeys(("context_length", "block_size", "max_seq_len", "seq_len", "max_len", "n_ctx"), 32),
    **dict.fromkeys(("d_ff", "ff_dim", "hidden_dim"), 64),
    "dropout": 0.0,
}


def is_stranger(name: str) -> bool:
    """Whether an argument names a class in a file, as FILE.py:Class does."""
    return ".py:" in name or name.endswith(".py")


def check_stranger(name: str) -> tuple[Path, str]:
    """The file and the name in it; nothing is executed.

    Raises:
        InputError: it is not FILE.py:Class, or there is no such file.
    """
    file, _, attribute = name.rpartition(":") if ".py:" in name else (name, "", "")
    path = expand_home(Path(file))
    if not attribute.isidentifier():
        raise InputError(
            f"{name} does not say which class: write {file}:NAME, the name of a class in that file"
        )
    if not path.is_file():
        raise InputError(f"there is no file {path}: give the path of a Python file, as FILE.py:Class")
    return path, attribute


def load_stranger(name: str) -> Patient:
    """Execute the file of FILE.py:Class and build the model.

    The class is called without arguments; arguments it insists on are given small sizes by their usual names, and a
    `config` is made from a class of the file whose name ends in Config. A function that returns a module will do, too.

    Raises:
        InputError: the file cannot be executed, has no such class, or that is no model.
    """
    path, attribute = check_stranger(name)
    module = _execute(path)
    if not hasattr(module, attribute):
        there = [n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, nn.Module)]
        raise InputError(f"{path} has no {attribute}: it has {', '.join(there) or 'no module'}")
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


def _execute(path: Path) -> ModuleType:
    unique = f"_patient_{path.stem}"
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    sys.modules[unique] = module  # dataclasses look their module up
    sys.path.insert(0, folder)  # the file may import its neighbours
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{path} cannot be executed ({type(error).__name__}: {error}): mend it first"
        ) from error
    finally:
        sys.path.remove(folder)
    return module


def _build(made: Callable[..., Any], name: str, module: ModuleType) -> Any:
    try:
        arguments = _arguments(made, module)
        return made(**arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{name} cannot be built ({type(error).__name__}: {error}): give its arguments defaults, or name a "
            "function without arguments that returns the model"
        ) from error


def _arguments(made: Callable[..., Any], module: ModuleType) -> dict[str, Any]:
    """What a constructor must be given."""
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(made).parameters.items():
        variadic = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if variadic or parameter.default is not inspect.Parameter.empty:
            continue
        if name in SIZES:
            given[name] = SIZES[name]
        elif name in ("config", "cfg", "args"):
            given[name] = _configuration(module)
        else:
            raise InputError(
                f"{made.__name__} insists on {name!r}: give it a default, or name a function without arguments that "
                "returns the model"
            )
    return given


def _configuration(module: ModuleType) -> Any:
    for name, value in vars(module).items():
        if inspect.isclass(value) and name.lower().endswith(("config", "args")):
            return value(**_arguments(value, module))
    raise InputError("the model insists on a config and its file has no class Config: give it a default")
