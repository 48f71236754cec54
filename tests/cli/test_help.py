"""Help answers at once, says what there is, and imports nothing heavy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, get_args

import pytest

from pellucid.cli.main import VERBS
from pellucid.cli.settings import GROUPS
from pellucid.model.config import CHOICES
from pellucid.training.config import OptimizerKind
from pellucid.training.schedules import Schedule

Cli = Callable[..., Any]
COUNT_IMPORTS = """
import sys
from pellucid.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
heavy = {"torch", "numpy", "rich", "matplotlib", "safetensors", "tokenizers", "httpx"} & sys.modules.keys()
print("HEAVY", sorted(heavy), file=sys.stderr)
raise SystemExit(code)
"""


def test_top_level_help_names_every_verb(cli: Cli):
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        result = cli(*arguments)
        assert result.code == 0
        assert all(f"\n  {verb} " in result.out for verb in VERBS)
        assert "pellucid demo" in result.out


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_help_has_its_flags_and_an_example(cli: Cli, verb: str):
    result = cli(verb, "--help")
    assert result.code == 0
    assert result.out.startswith(f"usage: pellucid {verb}")
    assert "--json" in result.out
    assert f"Example: pellucid {verb}" in " ".join(result.out.split())
    assert "%(" not in result.out


def test_verbs_that_take_text_describe_it_and_its_tokens_alike(cli: Cli):
    from pellucid.text.corpora.registry import list_of_corpora

    tokens = GROUPS["tokens"]
    for verb in ("train", "prepare", "preview"):
        words = " ".join(cli(verb, "--help").out.split())
        assert "TEXT" in words
        for said in (tokens["tokenizer"][1], tokens["vocab-size"][1]):
            assert said in words
        if verb != "preview":  # which says "as for `pellucid train`"
            assert list_of_corpora() in words


@pytest.mark.parametrize("name", [*CHOICES, "optimizer", "schedule"])
def test_a_flag_names_every_value_it_takes(name: str):
    flags = {flag: about for settings in GROUPS.values() for flag, (_, about) in settings.items()}
    about = flags.get(name.replace("_", "-"))
    if about is None:
        assert name == "architecture", "it can be chosen in recipe files alone"
        return
    for value in get_args({**CHOICES, "optimizer": OptimizerKind, "schedule": Schedule}[name]):
        assert re.search(rf"\b{value}\b", about), value


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_example_parses(verb: str):
    import shlex

    parser = import_module(f"pellucid.cli.{verb}").parser()
    example = parser.epilog.split("Example: ")[1]
    program, named, *arguments = shlex.split(example)
    assert (program, named) == ("pellucid", verb)
    parser.parse_args(arguments)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["sample", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    result = subprocess.run(
        [sys.executable, "-c", COUNT_IMPORTS, *arguments], capture_output=True, text=True, check=True
    )
    assert result.stderr.splitlines()[-1] == "HEAVY []"


def processor_seconds() -> float:
    """Of all children of this process that have ended."""
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell what children took")
def test_help_answers_in_under_three_tenths_of_a_second():
    """The whole process, the best of five, in processor time: how busy the machine is with others does not count.

    Where Python is slow, thrice what it takes to do nothing.
    """
    laps: dict[tuple[str, ...], list[float]] = {("-m", "pellucid", "--help"): [], ("-c", "pass"): []}
    for _ in range(5):
        for arguments, times in laps.items():
            before = processor_seconds()
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            times.append(processor_seconds() - before)
    help, nothing = map(min, laps.values())
    assert help < max(0.3, 3 * nothing)


def test_the_version_is_told(cli: Cli):
    import pellucid

    assert cli("--version").out == f"pellucid {pellucid.__version__}\n"
