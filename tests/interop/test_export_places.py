"""Where an export goes, which weights it takes, and what it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from exported import CASES, make_run

from pellucid import export, import_model
from pellucid.errors import InputError
from pellucid.interop.exportable import open_run


def test_steps_and_places(finished_run: Path):
    made = export(finished_run, out="here", check=False)
    assert made.comparison is None and made.path == Path("here")
    with pytest.raises(InputError, match="here is there already"):
        export(finished_run, out="here")
    with pytest.raises(InputError, match="has no checkpoint of step 1234567"):
        export(finished_run, step=1_234_567)
    with pytest.raises(InputError, match="'onnx' is no format"):
        export(finished_run, "onnx")
    with pytest.raises(InputError, match="a step is a number or best"):
        export(finished_run, step="live")
    assert not list(Path().glob(".*writing"))


def test_places_that_cannot_be(finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    Path("a-file").write_text("mine", encoding="utf-8")
    Path("empty").mkdir()
    with pytest.raises(InputError, match="a-file is a file, so that nothing"):
        export(finished_run, out="a-file/under/it")
    with pytest.raises(InputError, match="a-file is there already"):
        export(finished_run, "gguf", "a-file")
    monkeypatch.chdir("empty")
    for nameless in (".", "", "/"):
        with pytest.raises(InputError, match="has no name of its own"):
            export(finished_run, out=nameless)
    with pytest.raises(InputError, match="hf has no type 'f16': numbers stay as they are; leave out --type"):
        export(finished_run, type="f16")
    assert not list(Path().iterdir()) and Path("../a-file").read_text(encoding="utf-8") == "mine"


def test_an_export_is_no_run(finished_run: Path, tmp_path: Path):
    run = make_run(tmp_path / "run", CASES["RMSNorm, rotary, SwiGLU"])
    made = export(run.path, check=False)
    with pytest.raises(
        InputError, match=r"is a model of Hugging Face, not a run: .* `pellucid import exports"
    ):
        export(made.path)
    with pytest.raises(InputError, match="holds a run already: give another --out"):
        import_model(made.path, run.path)


def test_the_checkpoint_of_a_step(finished_run: Path):
    steps = open_run(finished_run).run.checkpoints.steps()
    settings = json.loads((finished_run / "config.json").read_text())["model"]
    try:
        made = export(finished_run, step=steps[0])
    except InputError as error:
        assert "has no twin" in str(error) and settings["activation"] != "swiglu"
        return
    assert made.comparison is not None and made.comparison.difference <= 1e-4
