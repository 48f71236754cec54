"""What the documents show is so: Python snippets run, commands parse, and the rooms they name are there."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from pellucid.cli.main import VERBS
from pellucid.shell import install_extra

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = (".py", ".js")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Everything shown as `pellucid …`, in code blocks and in running text."""
    blocks = re.findall(r"^(?: {4}|\t)(?:\S*[/\\])?(pellucid(?: .*)?)$", text, re.MULTILINE)
    return list(dict.fromkeys(blocks + re.findall(r"`(pellucid [^`]*)`", text)))


def test_the_readme_shows_snippets_and_commands():
    assert len(SNIPPETS) >= 2
    assert {command.split()[1] for command in commands(README)} == set(VERBS)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_a_snippet_runs(
    snippet: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text_file: Path,
    quick_probe: object,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-book.txt").write_text(text_file.read_text(encoding="utf-8") * 4)
    exec(compile(snippet, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "document", ["README.md", "docs/architecture.md", "CHANGELOG.md", "src/pellucid/cli/main.py"]
)
def test_a_command_that_is_shown_parses(document: str):
    for command in commands((ROOT / document).read_text(encoding="utf-8")):
        if "VERB" in command:
            continue
        _, verb, *arguments = shlex.split(re.sub(r"[][…]", "", command.split("#")[0]))
        assert verb in VERBS, command
        if "--help" not in arguments:
            importlib.import_module(f"pellucid.cli.{verb}").parser().parse_args(arguments)


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md", "docs/LOG.md", "CHANGELOG.md"])
def test_a_file_that_is_linked_is_there(document: str):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not re.match(r"\w+:", target):
            assert (path.parent / target).exists(), target


def extras(text: str) -> set[str]:
    """The extras that a text says to install, as `.[pdf,parquet]` or by `install_extra`."""
    lists = re.findall(r"(?:pellucid|\.)\[([a-z, ]+)\]", text) + re.findall(
        r"install_extra\([\"'](\w+)", text
    )
    return {name.strip() for listed in lists for name in listed.split(",")}


def test_the_extras_that_are_named_are_there_and_the_readme_installs_them():
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*") if path.suffix in CODE]
    named = set[str]().union(*map(extras, sources))
    assert named == {"pdf", "parquet", "languages"}
    assert named <= extras(README) <= there
    assert extras(README) >= set(re.findall(r"with the extra `(\w+)`", README))


def test_a_hint_is_the_command_of_the_readme():
    assert 'pip install -c constraints.txt -e ".[' in README
    assert install_extra("pdf").startswith('pip install -e ".[pdf]"') and "## Your own text" in README
    modules = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    assert not any("pip install 'pellucid[" in text for text in modules), "that may be another's package"


def rooms() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "src/pellucid").glob("*/__init__.py"))


@pytest.mark.parametrize("room", rooms())
def test_the_architecture_names_every_room(room: str):
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert re.search(rf"^    {room} ", text, re.MULTILINE), f"docs/architecture.md does not list {room}"


def test_there_is_a_changelog():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.stem)
def test_a_module_is_short_and_says_its_job(file: Path):
    text = file.read_text(encoding="utf-8")
    assert text.startswith('"""'), "the first docstring says what a module is for"
    assert len(text.splitlines()) <= 400


def test_the_presets_in_help_and_readme_are_those_there_are(cli: Callable[..., object]):
    from pellucid import presets

    helped = importlib.import_module("pellucid.cli.train").parser().format_help()
    for name in presets.names():
        assert name in helped
        assert name == "auto" or f"--preset {name}" in README


def test_what_is_imported_is_what_the_readme_and_the_help_say():
    from pellucid.interop.blocks import BLOCKS, PLAIN
    from pellucid.interop.families import FAMILIES
    from pellucid.interop.named import MODELS

    section = README.split("## A published model")[1].split("\n## ")[0]
    helped = importlib.import_module("pellucid.cli.import").parser().format_help()
    for name in (*FAMILIES, *MODELS, *PLAIN, *BLOCKS):
        assert re.search(rf"\b{name}\b", section), name
        assert re.search(rf"\b{name}\b", helped), name
