"""A class in a Python file, named FILE.py:Class: found, executed, and given its arguments.

Executing a file runs its code: only who named it, or allowed it, may have it executed.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pellucid.errors import InputError
from pellucid.text.files import expand_home

VOCABULARY = ("vocab_size", "n_vocab", "vocab", "num_tokens", "n_tokens")
CONTEXT = ("context_length", "block_size", "max_seq_len", "seq_len", "max_len", "n_ctx")
"""Usual names of what a model is told of its text."""
CONFIGURATIONS = ("config", "cfg", "args")


def names_a_class(name: str) -> bool:
    """Whether an argument names a class in a file, as FILE.py:Class does."""
    return ".py:" in name or name.endswith(".py")


def find_class(name: str) -> tuple[Path, str]:
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


def execute(path: Path, source: bytes, prefix: str, neighbours: bool = False) -> ModuleType:
    """Run `source`, the bytes that are in a file, as a module: no other bytes, such as compiled ones beside it.

    Args:
        prefix: of the module's name.
        neighbours: whether it may import the files beside it.

    Raises:
        InputError: that fails.
    """
    unique = f"{prefix}{path.stem}"
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    sys.modules[unique] = module  # dataclasses look their module up
    if neighbours:
        sys.path.insert(0, folder)
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{path} cannot be executed ({type(error).__name__}: {error}): mend it first"
        ) from error
    finally:
        if neighbours:
            sys.path.remove(folder)
    return module


def modules_in(module: ModuleType) -> str:
    """The names of the torch modules that a file has, for a message."""
    there = [n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, nn.Module)]
    return ", ".join(there) or "no module"


class Arguments:
    """What the constructors of a file are given.

    Args:
        sizes: values by usual names; for what a constructor insists on.
        settings: values for this class, by its own names, whether it insists on them or not.
        over_defaults: whether `sizes` take the place of defaults, too.
        remedy: what helps where a constructor insists on more, besides a default.

    Attributes:
        used: the names of `settings` that were given to something.
    """

    def __init__(
        self,
        module: ModuleType,
        sizes: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        over_defaults: bool = False,
        remedy: str = "",
    ) -> None:
        self.module, self.sizes, self.settings = module, sizes, settings or {}
        self.over_defaults, self.remedy = over_defaults, remedy
        self.used: set[str] = set()
        self.taken: list[str] = []  # the names of what could be set

    def of(self, made: Callable[..., Any]) -> dict[str, Any]:
        """By name.

        Raises:
            InputError: it insists on something that is not known.
        """
        given: dict[str, Any] = {}
        for name, parameter in inspect.signature(made).parameters.items():
            optional = parameter.default is not inspect.Parameter.empty
            if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
                continue
            if name not in (*self.sizes, *CONFIGURATIONS):
                self.taken.append(name)
            if name in self.settings:
                given[name] = self.settings[name]
                self.used.add(name)
            elif name in self.sizes and (self.over_defaults or not optional):
                given[name] = self.sizes[name]
            elif optional:
                continue
            elif name in CONFIGURATIONS:
                given[name] = self._configuration()
            else:
                raise InputError(f"{made.__name__} insists on {name!r}: give it a default{self.remedy}")
        return given

    def _configuration(self) -> Any:
        """What a class of the file whose name ends in Config makes; a model of such a name is none."""
        for name, value in vars(self.module).items():
            if not inspect.isclass(value) or issubclass(value, nn.Module):
                continue
            if name.lower().endswith(("config", "args")):
                return value(**self.of(value))
        raise InputError("the model insists on a config and its file has no class Config: give it a default")
