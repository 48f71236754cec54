"""The pages under docs/reference are those that the code makes now, and say something of everything."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pellucid import presets
from pellucid.cli.main import VERBS
from pellucid.model.config import ModelConfig
from pellucid.training.config import TrainConfig
from pellucid.training.run_folder import FILES

DOCS = Path(__file__).parents[1] / "docs"


def load() -> ModuleType:
    """docs/reference.py, which imports its neighbours; not the module of that name that other tests share."""
    spec = importlib.util.spec_from_file_location("docs_reference", DOCS / "reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        spec.loader.exec_module(module)
    return module


reference = load()


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_what_the_code_makes_now(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "37")  # of a terminal, which must not matter
    made = reference.PAGES[name]()
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == made, (
        f"{name} is stale: run `make reference`"
    )
    assert not re.search(r"0x[0-9a-f]{6}|PosixPath|<function|<class", made)


def test_no_page_is_left_over():
    assert {path.name for path in (DOCS / "reference").iterdir()} == set(reference.PAGES)


def test_every_flag_and_setting_is_there_with_a_meaning():
    commands = reference.commands()
    assert all(f"\n## pellucid {verb}\n" in commands for verb in VERBS)
    for page in (commands, reference.settings()):
        rows = [line for line in page.splitlines() if line.startswith("| `")]
        assert len(rows) > 60 and not [row for row in rows if re.search(r"\|\s*\|$", row)]


def test_what_a_docstring_says_of_a_field_is_found():
    @dataclasses.dataclass
    class Example:
        """A thing.

        Attributes:
            one: a sentence
                that goes on.
            two, three: of both.

        Raises:
            Error: never.
        """

    assert reference.attributes(Example) == {
        "one": "a sentence that goes on.",
        "two": "of both.",
        "three": "of both.",
    }
    for kind in (ModelConfig, TrainConfig):
        assert reference.attributes(kind).keys() == {field.name for field in dataclasses.fields(kind)}


def test_every_recipe_is_whole():
    page = reference.recipes()
    for name in presets.names():
        assert f"\n## {name}\n" in page
        for settings in (presets.load(name).model, presets.load(name).training, presets.load(name).text):
            assert all(re.search(rf"^{setting} = ", page, re.MULTILINE) for setting in settings)


def test_the_files_of_a_run_are_those_that_are_described(train_tiny: Any, tmp_path: Path, finished_run: Path):
    from pellucid.training.finetune import LoRA, finetune

    text = tmp_path / "more.txt"
    text.write_text("The cat in the barn sees the moon and purrs.\n" * 50, encoding="utf-8")
    tuned = tmp_path / "tuned"
    finetune(
        finished_run, text, lora=LoRA(), out=tuned, steps=2, epochs=None, device="cpu", precision="float32"
    )
    for run in (finished_run, tuned):
        found = {path.name + ("/" if path.is_dir() else "") for path in run.iterdir()}
        assert {"config.json", "model.safetensors", "checkpoints/"} <= found <= set(FILES)
    assert "adapter_config.json" in found
