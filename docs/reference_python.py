"""The page of the reference on Python: signatures and docstrings of what `import pellucid` offers."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable
from typing import Any

from reference_markdown import page, plain


def python() -> str:
    import pellucid
    from pellucid.text.documents import Corpus
    from pellucid.training.evaluation import Score

    about = (
        "What `import pellucid` offers, and what its functions give. Settings are those of "
        "[settings.md](settings.md), by the same names; [the README](../../README.md#from-python) has "
        "examples that run."
    )
    functions = [
        getattr(pellucid, name) for name in pellucid.__all__ if inspect.isfunction(getattr(pellucid, name))
    ]
    return page(
        "Python",
        about,
        *(_function(f"pellucid.{function.__name__}", function) for function in functions),
        "## What they take",
        _class("pellucid.LoRA", pellucid.LoRA),
        _class("pellucid.ChatOptions", pellucid.ChatOptions),
        "## What they give",
        _class("pellucid.Run", pellucid.Run),
        _class("pellucid.LoadedRun", pellucid.LoadedRun),
        _class("pellucid.Outcome", pellucid.Outcome),
        _class("Score", Score),
        _class("Corpus", Corpus),
        f"### pellucid.InputError\n\n{_prose(pellucid.InputError.__doc__)}",
    )


def _function(name: str, function: Callable[..., Any], level: str = "##") -> str:
    signature = _signature(name.split(".")[-1], function)
    return f"{level} {name}\n\n```python\n{signature}\n```\n\n{_prose(function.__doc__)}"


def _signature(name: str, function: Callable[..., Any]) -> str:
    """As it stands in the source: on one line, or a line a parameter."""
    made = inspect.signature(function)
    parameters, before = list[str](), None
    for parameter in made.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and before not in (
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        ):
            parameters.append("*")
        before = parameter.kind
        parameters.append(_parameter(parameter))
    gives = "" if made.return_annotation is made.empty else f" -> {made.return_annotation}"
    one = f"{name}({', '.join(parameters)}){gives}"
    return (
        one
        if len(one) <= 100
        else f"{name}(\n" + "".join(f"    {line},\n" for line in parameters) + f"){gives}"
    )


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    kind = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
    given = parameter.default
    default = (
        "" if given is parameter.empty else f" = {json.dumps(given) if isinstance(given, str) else given}"
    )
    return f"{stars}{parameter.name}{kind}{default}"


def _class(name: str, kind: type) -> str:
    fields = [field.name for field in dataclasses.fields(kind)]
    offers = [
        (member, found)
        for member, found in vars(kind).items()
        if not member.startswith("_")
        and member not in fields
        and (inspect.isfunction(found) or _is_property(found))
    ]
    lines = [f"- `{member}`{_of_property(found)}" for member, found in offers if _is_property(found)]
    parts = [
        f"### {name}",
        _prose(kind.__doc__),
    ]
    if inherited := [base.__name__ for base in kind.__bases__ if dataclasses.is_dataclass(base)]:
        parts.append(f"It has all that `{inherited[0]}` has.")
    else:
        parts.append("It has " + ", ".join(f"`{field}`" for field in fields) + ".")
    if lines:
        parts.append("And, computed of them:\n\n" + "\n".join(lines))
    return "\n\n".join(
        [*parts, *(_function(member, f, "####") for member, f in offers if inspect.isfunction(f))]
    )


def _is_property(found: object) -> bool:
    return isinstance(found, property) or type(found).__name__ == "cached_property"


def _of_property(found: Any) -> str:
    said = found.__doc__ if isinstance(found, property) else found.func.__doc__
    return f": {' '.join(said.split())}" if said else ""


def _prose(doc: str | None) -> str:
    """A docstring as Markdown: its sections as lists."""
    lines = list[str]()
    for line in inspect.cleandoc(doc or "").splitlines():
        if section := re.fullmatch(r"(Args|Returns|Raises|Attributes):(.*)", line):
            lines += [f"**{section[1]}:**{plain(section[2]) and ' ' + plain(section[2])}", ""]
        elif named := re.fullmatch(r"    (\w+(?:, \w+)*): (.*)", line):
            lines.append(f"- `{named[1]}`: {named[2]}")
        elif line.startswith("    "):
            lines.append(("  " if lines[-1].startswith(("- ", "  ")) else "") + line.strip())
        else:
            lines.append(line)
    return "\n".join(lines)
