"""A model class of a person's own: named, executed, kept in the run, and loaded from there again.

docs/how-to/own-model.md is the protocol; own_trial.py holds a class against it. Loading such a run executes the code in
its folder. So that opening a run that someone else sent does not, only code that this person has trained with, or
allowed, is executed (`allow`): known by what decides what it does, the bytes of the file, the name of the class and its
settings.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig, OwnCode
from pellucid.model.own import is_known, know
from pellucid.shell import quoted
from pellucid.text.files import read_bytes
from pellucid.text.web.cache import cache_dir, writing_in
from pellucid.training.class_file import (
    CONTEXT,
    VOCABULARY,
    Arguments,
    execute,
    find_class,
    modules_in,
    names_a_class,
)
from pellucid.training.files import write_atomically
from pellucid.training.ranks import ALONE, Ranks
from pellucid.training.run_folder import RunFolder

MOST_BYTES = 1 << 24
HOW = "see docs/how-to/own-model.md"
_SOURCES: dict[str, bytes] = {}  # of the files that were named in this process, by their sha256


# ---------------------------------------------------------------------- naming and executing


def load_own(named: str) -> OwnCode:
    """Execute the file of `FILE.py:Class` or `FILE.py:Class,hidden=256,dropout=0.1`, which a person has named.

    Raises:
        InputError: there is no such file or class, or the file cannot be executed.
    """
    spec, *settings = named.split(",")
    if not names_a_class(spec):
        raise InputError(f"{named} does not name a model of your own: write FILE.py:Class")
    path, name = find_class(spec)
    source = read_bytes(path, str(path), MOST_BYTES)
    own = OwnCode(path.name, name, hashlib.sha256(source).hexdigest(), dict(map(_setting, settings)))
    if not is_known(own):
        _load(own, path, source)
    _SOURCES[own.sha256] = source
    return own


def _setting(text: str) -> tuple[str, Any]:
    """`hidden=256` as a name and a value: JSON, where it is that, else a text."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip().isidentifier():
        raise InputError(
            f"{text!r} is no setting: write FILE.py:Class,hidden=256,dropout=0.1, without spaces"
        )
    with contextlib.suppress(ValueError):
        return name.strip(), json.loads(value, parse_constant=_refuse_constant)
    return name.strip(), value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _load(own: OwnCode, path: Path, source: bytes) -> None:
    module = execute(path, source, "_own_model_")
    made = getattr(module, own.name, None)
    if made is None:
        raise InputError(f"{path} has no {own.name}: it has {modules_in(module)}")
    if not (inspect.isclass(made) and issubclass(made, nn.Module) and made.__module__ == module.__name__):
        raise InputError(f"{own.name} in {path} is no class of that file that is a torch.nn.Module: {HOW}")
    know(own, functools.partial(_make, made, module))


def _make(made: type[nn.Module], module: ModuleType, config: ModelConfig) -> nn.Module:
    """The model of a configuration.

    Raises:
        InputError: it has no such setting, insists on something else, or its constructor fails.
    """
    own = config.own
    assert own is not None
    sizes = {**dict.fromkeys(VOCABULARY, config.vocab_size), **dict.fromkeys(CONTEXT, config.context_length)}
    remedy = f", or a value as in --model {own.file}:{own.name},NAME=VALUE"
    arguments = Arguments(module, sizes, own.settings, over_defaults=True, remedy=remedy)
    try:
        given = arguments.of(made)
        if unknown := sorted(own.settings.keys() - arguments.used):
            raise InputError(
                f"{own.name} has no setting {unknown[0]!r}: it takes {', '.join(arguments.taken) or 'none'}"
            )
        return made(**given)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{own.name} cannot be built ({said(error)}): mend {own.file}, {HOW}") from error


def said(error: BaseException) -> str:
    """An error as a few words: its kind, and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


# ---------------------------------------------------------------------- in a run


def keep(run: RunFolder, config: ModelConfig) -> None:
    """Put the code of a model that was named here into its run, and remember that this person trusts it."""
    if config.own is None:
        return
    source = _SOURCES[config.own.sha256]
    write_atomically(run.own_code_path, lambda path: path.write_bytes(source))
    allow(config.own)


def take_up(run: RunFolder, config: ModelConfig, trust: bool = False, ranks: Ranks = ALONE) -> None:
    """Execute the code that a run brings with it, if it may be; of other runs nothing.

    Args:
        trust: whether it may be, even though it is not known.

    Raises:
        InputError: nobody here has allowed it, or it is not what the run was trained with.
    """
    own = config.own
    if own is None:
        return
    source = ""
    if ranks.is_first:
        source = read_bytes(run.own_code_path, str(run.own_code_path), MOST_BYTES).decode("latin-1")
    content = ranks.agree(source).encode("latin-1")
    if hashlib.sha256(content).hexdigest() != own.sha256:
        raise InputError(
            f"{run.own_code_path} is not the code that {run.name} was trained with: restore it from a copy"
        )
    if not trust and ranks.is_first and not is_allowed(own):
        raise InputError(
            f"{run.name} is a model of its own code, which loading it would run: read {run.own_code_path}, and if you "
            f"trust it, allow it with `pellucid runs --trust-code {quoted(run.path)}`"
        )
    if not is_known(own):
        _load(own, run.own_code_path, content)
    _SOURCES[own.sha256] = content


# ---------------------------------------------------------------------- what may be executed


def allow(own: OwnCode) -> None:
    """Remember, for this person on this machine, that this code may be executed; where nothing can be kept, do not."""
    if is_allowed(own):
        return
    with (
        contextlib.suppress(InputError),
        writing_in(_list().parent),
        _list().open("a", encoding="utf-8") as file,
    ):
        # the name is for people; it comes from a config.json that anybody may have written
        file.write(f"{_fingerprint(own)}  {json.dumps(f'{own.file}:{own.name}')}\n")


def is_allowed(own: OwnCode) -> bool:
    try:
        lines = _list().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return _fingerprint(own) in {line.split(" ")[0] for line in lines}


def _list() -> Path:
    return cache_dir() / "trusted-code.txt"


def _fingerprint(own: OwnCode) -> str:
    """Of all that decides what is executed."""
    decides = [own.sha256, own.name, own.settings]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
