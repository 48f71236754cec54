"""Writes docs/reference/ from the code: `make reference`. A test says when the pages are stale.

What stands there is said in the source: a flag's help in its parser, a setting in its dataclass's docstring, a route in
its docstring. Nothing is written by hand, and the result hangs on neither the terminal nor the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import re
import sys
import tomllib
import typing
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from types import SimpleNamespace, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from reference_markdown import code, filled, page, plain, table, value
from reference_python import python

FOLDER = Path(__file__).parent / "reference"
UNMET = 1 << 31  # a bound that nobody meets


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8", newline="\n")
        print(f"wrote {FOLDER / name}", file=sys.stderr)


# ---------------------------------------------------------------------- commands.md


def commands() -> str:
    from pellucid.cli.flags import EPILOG
    from pellucid.cli.main import VERBS

    links = table(
        ("verb", "what it does"),
        [(f"[{verb}](#pellucid-{verb})", plain(about)) for verb, about in VERBS.items()],
    )
    about = f"Every verb and every flag, as `pellucid VERB --help` tells them. {EPILOG}"
    return page("Commands", about, links, *(part for verb in VERBS for part in _verb(verb)))


def _verb(verb: str) -> Iterator[str]:
    parser = importlib.import_module(f"pellucid.cli.{verb}").parser()
    groups = [
        (group, [a for a in group._group_actions if a.dest != "help"]) for group in parser._action_groups
    ]
    named = " ".join(
        _given(action) for _, actions in groups for action in actions if not action.option_strings
    )
    yield f"## pellucid {verb}"
    yield filled(plain(parser.description))
    yield f"    usage: {' '.join(['pellucid', verb, *([named] if named else []), '[FLAG…]'])}"
    example = parser.epilog.split("Example: ")[1]
    yield f"For example `{example}`."
    for group, actions in groups:
        rows = [_flag(action) for action in actions]
        if rows:
            title = {"positional arguments": "", "options": ""}.get(group.title, group.title)
            yield (f"**{plain(title)}**\n\n" if title else "") + table(("", "default", ""), rows)


def _given(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    if name.startswith("["):  # it says so itself
        return name
    several = "…" if action.nargs in ("*", "+") else ""
    return f"[{name}{several}]" if action.nargs in ("?", "*") else name + several


def _flag(action: argparse.Action) -> tuple[str, str, str]:
    if not action.option_strings:
        return code(_given(action)), "", plain(_help(action))
    takes = (
        ""
        if action.nargs == 0
        else f" {action.metavar or action.dest.upper()}" + ("…" if action.nargs else "")
    )
    none = action.default is False or action.default in ([], "", argparse.SUPPRESS)
    choices = ", ".join(map(str, action.choices or ()))
    listed = (
        not choices or "|" in takes or all(str(choice) in _help(action) for choice in action.choices or ())
    )
    said = _help(action) + ("" if listed else f": {choices}")
    return code(" / ".join(action.option_strings) + takes), "" if none else value(action.default), plain(said)


def _help(action: argparse.Action) -> str:
    said = (action.help or "").replace(" (%(default)s)", "")
    return said % {**vars(action), "prog": "pellucid"}


# ---------------------------------------------------------------------- settings.md


def settings() -> str:
    from pellucid.cli.settings import GROUPS
    from pellucid.generation.options import SamplingOptions
    from pellucid.model.config import ModelConfig
    from pellucid.training.config import RANGES, TrainConfig
    from pellucid.training.conversations import ChatOptions
    from pellucid.training.finetune import LoRA

    text = [(code(name.replace("-", "_")), plain(about)) for name, (_, about) in GROUPS["tokens"].items()]
    about = (
        "What can be set, by its name in a recipe file (`--config`) and in Python; the flag of the same name is "
        "written with hyphens. Where `auto` or a recipe chooses, its choice stands in place of the default. A size of "
        "0 follows from the others."
    )
    return page(
        "Settings",
        about,
        "## Text: `[text]` of a recipe\n\n" + table(("setting", "meaning"), text),
        "## Model: `ModelConfig`, `[model]` of a recipe\n\n" + _fields(ModelConfig, {}),
        "## Training: `TrainConfig`, `[training]` of a recipe\n\n" + _fields(TrainConfig, RANGES),
        "## How words are picked: `SamplingOptions`\n\n" + _fields(SamplingOptions, {}),
        "## How chats are read: `pellucid.training.conversations.ChatOptions`\n\n" + _fields(ChatOptions, {}),
        "## Adapters: `pellucid.training.finetune.LoRA`\n\n" + _fields(LoRA, {}),
    )


def _fields(kind: type, ranges: dict[str, tuple[float, float | str]]) -> str:
    said, hints = attributes(kind), get_type_hints(kind)
    rows = [
        (
            code(f.name),
            value(f.default),
            _values(hints[f.name], ranges.get(f.name)),
            plain(said[f.name].rstrip(".")),
        )
        for f in dataclasses.fields(kind)
    ]
    about = filled(plain(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]))
    return about + "\n\n" + table(("setting", "default", "values", "meaning"), rows)


def attributes(kind: type) -> dict[str, str]:
    """What a dataclass's docstring says of each of its fields, under Attributes."""
    found, names = dict[str, str](), list[str]()
    part = re.search(r"^Attributes:\n((?:    .*\n?|\n)+)", inspect.cleandoc(kind.__doc__ or ""), re.MULTILINE)
    for line in (part[1] if part else "").splitlines():
        if begins := re.match(r"    (\w+(?:, \w+)*): (.*)", line):
            names = begins[1].split(", ")
            found |= dict.fromkeys(names, begins[2])
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def _values(hint: Any, bounds: tuple[float, float | str] | None) -> str:
    """What a setting may be: choices, or a kind of value with its bounds."""
    if get_origin(hint) is Literal:
        return ", ".join(code(choice) for choice in get_args(hint))
    if get_origin(hint) in (typing.Union, UnionType):
        return (
            ", ".join(_values(kind, bounds) for kind in get_args(hint) if kind is not type(None))
            + ", or none"
        )
    if get_origin(hint) is tuple:
        return "texts"
    if dataclasses.is_dataclass(hint):
        return code(hint.__name__)
    kind = {int: "whole number", float: "number", bool: "true or false", str: "text"}[hint]
    return kind if bounds is None else _within(kind, *bounds)


def _within(kind: str, least: float, most: float | str, above: str = "", below: str = "") -> str:
    """A kind of number with its bounds, but for those that nobody meets."""
    if least <= -UNMET:
        return kind
    if not isinstance(most, str) and most >= UNMET:
        return f"{kind}, {'above' if above else 'at least'} {_number(least)}"
    return f"{kind}, {above}{_number(least)} to {below}{most if isinstance(most, str) else _number(most)}"


def _number(bound: float) -> str:
    return f"{bound:,.0f}" if float(bound).is_integer() else f"{bound:.7g}"


# ---------------------------------------------------------------------- http.md


def http() -> str:
    from pellucid.server.app import build_app
    from pellucid.server.limits import PORT

    house: Any = SimpleNamespace(
        models=SimpleNamespace(device="cpu"), jobs=SimpleNamespace(uploads=None), runs=None
    )
    schema = build_app(house).openapi()
    about = (
        f"What a server of `pellucid serve` answers, by default at http://127.0.0.1:{PORT}; the same as JSON is at "
        "`/openapi.json`. Bodies are JSON. A mistake is answered with a status of 4xx and "
        '`{"error": {"message": …}}`, a sentence that says what to do.'
    )
    key = (
        "On this machine no key is needed; where the server is open to others, each request but `/health` has "
        "`Authorization: Bearer KEY`. What changes something, which is all but GET under `/api` but `/api/chat` and "
        "`/api/inspect`, also needs the token that `/api/session` gives, as the header `X-Pellucid-Token`."
    )
    parts = dict[str, list[str]]()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.setdefault(operation["tags"][0], []).append(_operation(path, method, operation, schema))
    sections = [f"## {name}\n\n" + "\n\n".join(told) for name, told in parts.items()]
    return page("HTTP", about, filled(key), *sections)


def _operation(path: str, method: str, operation: dict[str, Any], schema: dict[str, Any]) -> str:
    said = [f"### {method.upper()} {path}", operation["description"]]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        said.append(_body(body, schema))
    return "\n\n".join(said)


def _body(body: dict[str, Any], schema: dict[str, Any]) -> str:
    kind = _resolved(body, schema)
    rows = [
        (
            code(name),
            "needed" if name in kind.get("required", ()) else value(field.get("default")),
            plain(_json_kind(field, schema)),
        )
        for name, field in kind["properties"].items()
    ]
    return table(("field", "default", "values"), rows)


def _resolved(kind: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return schema["components"]["schemas"][kind["$ref"].split("/")[-1]] if "$ref" in kind else kind


def _json_kind(kind: dict[str, Any], schema: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in kind:
        own = _resolved(kind, schema)
        return "an object of " + ", ".join(code(name) for name in own["properties"])
    if several := kind.get("anyOf", kind.get("oneOf")):
        return ", or ".join(_json_kind(one, schema) for one in several)
    if "enum" in kind or "const" in kind:
        return ", ".join(code(one) for one in kind.get("enum", [kind.get("const")]))
    if kind.get("type") == "array":
        most = f", {kind['maxItems']:,} at most" if "maxItems" in kind else ""
        return f"a list{most}, each {_json_kind(kind['items'], schema)}"
    name = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}.get(
        kind.get("type", ""), "null" if kind.get("type") == "null" else "an object"
    )
    least = kind.get("minimum", kind.get("exclusiveMinimum"))
    most = kind.get("maximum", kind.get("exclusiveMaximum"))
    if least is not None and most is not None:
        above = "above " if "exclusiveMinimum" in kind else ""
        return _within(name, least, most, above, "below " if "exclusiveMaximum" in kind else "")
    return f"{name}, {kind['maxLength']:,} characters at most" if "maxLength" in kind else name


# ---------------------------------------------------------------------- presets.md, run-folder.md


def recipes() -> str:
    from pellucid import presets

    about = (
        "The recipes that come with Pellucid, for `--preset NAME`. What a recipe does not set has its default "
        "([settings.md](settings.md)); single flags are laid over it, and a file of the same form is given with "
        "`--config FILE.toml`."
    )
    parts = []
    for name in presets.names():
        recipe = presets.load(name)
        parts.append(f"## {name}\n\n{filled(recipe.about[:1].upper() + recipe.about[1:])}.")
        if name != "auto":
            source = resources.files("pellucid.presets").joinpath(f"{name}.toml").read_text(encoding="utf-8")
            assert tomllib.loads(source)
            parts.append(f"```toml\n{source.partition(chr(10))[2].strip()}\n```")
    return page("Recipes", about, *parts)


def run_folder() -> str:
    from pellucid.training.run_folder import FILES

    about = (
        "A run is a folder: copy it anywhere and it works. There is no pickle in it. What stands in the last column "
        "was made from your text; `pellucid runs --delete RUN` removes the whole folder."
    )
    rows = [(code(name), plain(holds), plain(private)) for name, (holds, private) in FILES.items()]
    return page(
        "A run folder",
        about,
        table(("file", "what it holds", "what of your text is in it"), rows),
        filled(
            "Beside the runs, `runs/.server/` holds uploads and logs of a server that runs; it goes when the server "
            "ends, or, after one that was killed, when the next one starts. Tokenizers that were learned are kept in "
            "the cache, and hold frequent words of the text: `pellucid runs --clear-cache` removes them.",
        ),
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "settings.md": settings,
    "python.md": python,
    "http.md": http,
    "presets.md": recipes,
    "run-folder.md": run_folder,
}

if __name__ == "__main__":
    main()
