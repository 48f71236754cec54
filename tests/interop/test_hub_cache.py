"""A model in the cache of Hugging Face's hub is found by the folder that bears its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from published import llama_folder

from pellucid import import_model
from pellucid.errors import InputError


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    folder = tmp_path / "hub" / "models--someone--small-model"
    llama_folder(tmp_path / "made")
    (folder / "snapshots").mkdir(parents=True)
    shutil.move(tmp_path / "made", folder / "snapshots" / "abc123")
    return folder


def test_the_only_version(cached: Path):
    run = import_model(cached)
    assert run.path == Path("runs/small-model-1")
    assert import_model(cached / "snapshots" / "abc123").path == Path("runs/small-model-2")


def test_the_version_of_the_main_branch(cached: Path):
    (cached / "snapshots" / "aaa").mkdir()
    with pytest.raises(InputError, match=r"which version of the model is meant: give one of .*aaa, .*abc123"):
        import_model(cached)
    (cached / "refs").mkdir()
    main = cached / "refs" / "main"
    main.write_text("abc123\n", encoding="utf-8")
    assert import_model(cached).path == Path("runs/small-model-1")
    for elsewhere in ("../../../other", "nothing", ""):
        main.write_text(elsewhere, encoding="utf-8")
        with pytest.raises(InputError, match="which version"):
            import_model(cached)
    main.write_text("a" * 300, encoding="utf-8")
    with pytest.raises(InputError, match="larger than"):
        import_model(cached)


def test_no_version(cached: Path):
    shutil.rmtree(cached / "snapshots" / "abc123")
    with pytest.raises(InputError, match="it holds no version"):
        import_model(cached)
