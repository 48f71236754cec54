"""What a notebook shows of runs and texts, and a notebook executed from its first cell to its last."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import pellucid
from pellucid.errors import InputError
from pellucid.training.run_folder import RunFolder

PNG = b"\x89PNG"


def test_the_loss_is_drawn_from_the_runs_own_numbers(finished_run: Path):
    run = pellucid.load(finished_run)
    figure = run.plot_loss()
    lines = {re.split(r",| \d", str(line.get_label()))[0]: line for line in figure.axes[0].get_lines()}
    records = run.folder.metrics()
    assert list(lines["dev"].get_ydata()) == [r["dev_loss"] for r in records if "dev_loss" in r]
    assert list(lines["training batch"].get_xdata()) == [r["tokens"] for r in records if "loss" in r]
    assert run.folder.finished is not None
    assert lines["validation"].get_ydata()[0] == run.folder.finished["validation_loss"]
    assert figure._repr_png_().startswith(PNG)


def test_attention_is_that_of_a_forward_pass(finished_run: Path):
    from pellucid.inspection.attention import head
    from pellucid.inspection.subject import Subject

    run = pellucid.load(finished_run)
    figure = run.show_attention("The $cat", layer=0, head=1)
    shown = figure.axes[0].get_images()[0].get_array()
    assert shown is not None
    assert (shown == head(Subject(run), "The $cat", 0, 1).arrays["weights"]).all()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()][3] == "·"
    assert figure._repr_png_().startswith(PNG)
    with pytest.raises(InputError, match="head"):
        run.show_attention("The cat", head=9)
    assert "63 tokens and this model sees 16" in run.show_attention("The cat" * 9).axes[0].get_title(), (
        "what is left out is told"
    )


def test_tables_tell_what_it_is_and_hold_no_markup_of_a_text(finished_run: Path, tmp_path: Path):
    run = pellucid.load(RunFolder(finished_run))
    assert isinstance(run, pellucid.LoadedRun) and type(run) is pellucid.Run
    for shown in (run._repr_html_(), repr(run)):
        assert all(words in shown for words in ("farm-1", "parameters", "farm", "nats a token", "step 24"))
    assert len(repr(run)) < 500
    path = tmp_path / "book.txt"
    path.write_text("hello " * 50, encoding="utf-8")
    corpus = pellucid.read(path)
    assert repr(corpus) == "<corpus book: documents 1; characters 300; bytes 300>"
    assert "300" in corpus._repr_html_() and "book" in corpus._repr_html_()
    from pellucid.text.html import table

    assert "<b>" not in table("<b>x</b>", {"<b>": "<b>"})


CELLS = """
import pellucid
corpus = pellucid.read("book.txt")
corpus
---
outcome = pellucid.train("book.txt", steps=20, n_layers=1, d_model=32, context_length=32, out="runs/book")
outcome
---
run = pellucid.load("runs/book")
run
---
run.plot_loss()
---
run.show_attention("The cat in the barn", layer=0, head=0)
---
print(run.generate("The", max_tokens=10, seed=1))
"""


@pytest.mark.slow
def test_a_notebook_runs_and_shows_its_pictures(
    tmp_path: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch
):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    (tmp_path / "book.txt").write_text(text_file.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(pellucid.__file__).parents[1])]))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS.split("---")]
    )
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [{kind for output in cell.outputs for kind in output.get("data", {})} for cell in notebook.cells]
    assert all("text/html" in kinds for kinds in shown[:3])
    assert all("image/png" in kinds for kinds in shown[3:5])
    assert notebook.cells[5].outputs[0]["text"].strip()
