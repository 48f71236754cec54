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
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
WITH_COMMANDS = [*PAGES, "CHANGELOG.md", "src/pellucid/cli/main.py", *(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "src/pellucid").rglob("*.md")
)]  # fmt: skip
MADE = "docs/reference/"  # from the code: its signatures are no snippets
SNIPPETS = [
    pytest.param(snippet, id=f"{page}-{number}")
    for page in PAGES
    if not page.startswith(MADE)
    for number, snippet in enumerate(
        re.findall(
            r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
    )
]


def commands(text: str) -> list[str]:
    """Everything shown as `pellucid …`, in code blocks and in running text, also of several processes."""
    text = re.sub(r"\\\n\s*", "", text)  # a line that goes on
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^(?: {4}|\t).*", text, re.MULTILINE) + fenced.splitlines()
    shown = re.compile(r"\s*(?:\S*[/\\]|torchrun .* -m )?(pellucid(?: .*)?)$")
    blocks = [found[1] for line in lines if (found := shown.match(line))]
    return list(dict.fromkeys(blocks + re.findall(r"`(pellucid [^`]*)`", text)))


def test_the_readme_shows_snippets_and_commands():
    assert sum("README" in snippet.id for snippet in SNIPPETS) >= 2
    assert {command.split()[1] for command in commands(README)} == set(VERBS)


@pytest.mark.parametrize("snippet", SNIPPETS)
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
    assert ("print(" in snippet) == bool(capsys.readouterr().out.strip())


def test_commands_are_found_wherever_they_are_shown():
    text = """
    pellucid train a.txt --out \\
        b

```sh
.venv/bin/pellucid runs
```

    torchrun --nproc-per-node=2 -m pellucid train c.txt

and `pellucid chat`, not `make pellucid`.
"""
    assert commands(text) == [
        "pellucid train a.txt --out b",
        "pellucid train c.txt",
        "pellucid runs",
        "pellucid chat",
    ]


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_a_command_that_is_shown_parses(document: str):
    for command in commands((ROOT / document).read_text(encoding="utf-8")):
        if "VERB" in command:
            continue
        _, verb, *arguments = shlex.split(re.sub(r"[][…]", "", command.split("#")[0]))
        assert verb in VERBS, command
        if arguments and "--help" not in arguments:  # a verb alone is its name
            importlib.import_module(f"pellucid.cli.{verb}").parser().parse_args(arguments)


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [*PAGES, "CHANGELOG.md"])
def test_what_is_linked_is_there(document: str):
    path = ROOT / document
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"\w+:", target):
            file, _, heading = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            assert there.exists(), target
            assert there.is_relative_to(ROOT), target
            assert not heading or heading in anchors(there), target


def test_every_page_can_be_reached_from_the_index():
    seen, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        if path not in seen and path.suffix == ".md":
            seen.add(path)
            links = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
            ahead += [(path.parent / link).resolve() for link in links if not re.match(r"\w+:", link)]
    assert {ROOT / page for page in PAGES} <= seen


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
    assert named == {"pdf", "parquet", "languages", "tracking"}
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


CHANGES = re.findall(
    r"^\| (.+?) \| (.+?) \| (.+?) \|$",
    (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("## To change X, edit Y")[1],
    re.MULTILINE,
)[1:]


@pytest.mark.parametrize(("change", "where", "tests"), CHANGES, ids=[row[0] for row in CHANGES])
def test_what_to_edit_is_there(change: str, where: str, tests: str):
    """The files that a row names are there, each of its names stands in one of them, and so do its tests."""
    source, paths = "", list[Path]()
    for named in re.findall(r"(?<![\w`])((?:[\w-]+/)+(?:[\w.-]+\.\w+)?)", where):
        path = ROOT / named if named.startswith("docs/") else ROOT / "src/pellucid" / named
        assert path.exists(), f"{change}: {named}"
        paths.append(path)
        source += (
            path.read_text(encoding="utf-8")
            if path.is_file()
            else "".join(
                file.read_text(encoding="utf-8")
                for file in path.iterdir()
                if file.suffix in (".py", ".toml", ".js")
            )
        )
    assert paths, change
    for name in re.findall(r"`([^`]+)`", where):
        assert all(re.search(rf"\b{part}\b", source) for part in name.split(".")), f"{change}: {name}"
    for named in tests.split(", "):
        assert (ROOT / "tests" / named).is_file(), f"{change}: {named}"


def test_there_are_many_changes_to_make():
    assert len(CHANGES) >= 30


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
