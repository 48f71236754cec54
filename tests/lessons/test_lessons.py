"""The lessons: each is executed shortened, its exercise tells right from wrong, and what is kept of it is clean."""

from __future__ import annotations

import base64
import importlib.util
import inspect
import os
import re
import shlex
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from checking import NotYet
from lesson_answers import RIGHT, WRONG
from nbclient import NotebookClient

import pellucid
from pellucid.cli.main import VERBS
from pellucid.errors import InputError
from pellucid.text.tales import tales

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "docs/lessons").glob("*.ipynb"))
README = ROOT / "docs/lessons/README.md"
DATA = Path(os.environ.get("PELLUCID_CORPORA") or ROOT.parent / "shared" / "data")
MOST_SECONDS = 300  # a cell, on a busy machine
MOST_NOTEBOOK, MOST_PICTURE = 150_000, 60_000  # bytes
MOST_LESSON = 180  # seconds, in full
# an absolute path, a date, a time of day
MACHINE = r"(?<![\w.:/])/\w+/\w+|[A-Z]:\\+\w+\\|site-packages|\b20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d"

by_name = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def module(name: str) -> ModuleType:
    """A module beside the lessons."""
    spec = importlib.util.spec_from_file_location(f"lessons_{name}", ROOT / f"docs/lessons/{name}.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def exercise(notebook: Any) -> Any:
    (cell,) = (cell for cell in notebook.cells if "exercise" in cell.metadata.get("tags", ()))
    return cell


def errors(cell: Any) -> list[Any]:
    return [output for output in cell.get("outputs", ()) if output.output_type == "error"]


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `grimm`: the copies of the corpora, or, where there are none, a book of tales."""
    if DATA.is_dir():
        return DATA
    folder = tmp_path_factory.mktemp("corpora")
    told = "\n".join(tales.write(1, index) for index in range(100))
    marks = (
        "*** START OF THE PROJECT GUTENBERG EBOOK TALES ***",
        "*** END OF THE PROJECT GUTENBERG EBOOK TALES ***",
    )
    (folder / "grimm.txt").write_text(f"{marks[0]}\n\n{told}\n\n{marks[1]}\n", encoding="utf-8")
    return folder


@pytest.fixture
def place(tmp_path: Path, corpora: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to execute a lesson in, with what lies beside it."""
    monkeypatch.setenv("PELLUCID_QUICK", "1")
    monkeypatch.setenv("PELLUCID_CORPORA", str(corpora))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    for file in (ROOT / "docs/lessons").glob("*.py"):
        shutil.copy(file, tmp_path)
    try:
        pellucid.read("shakespeare")
    except InputError as error:
        pytest.skip(f"Shakespeare's plays cannot be had: {error}")
    return tmp_path


@by_name
def test_a_lesson_runs_and_its_exercise_wants_an_answer_and_takes_the_right_one(path: Path, place: Path):
    notebook = read(path)
    asked, answer = exercise(notebook), inspect.getsource(RIGHT[path.stem])
    check = asked.source.strip().splitlines()[-1]
    notebook.cells.append(nbformat.v4.new_code_cell(f"{answer}\n\n{check}"))
    resources = {"metadata": {"path": str(place)}}
    NotebookClient(notebook, timeout=MOST_SECONDS, kernel_name="python3", resources=resources).execute()
    (refusal,) = errors(asked)
    assert refusal.ename == "NotYet" and "Write it where the dots are" in refusal.evalue
    assert len(refusal.traceback) == 1, "one sentence, and not the way through the checks"
    assert notebook.cells[-1].outputs[0].text.startswith("Right.")
    assert pictures(notebook), "every lesson ends with a picture"


def test_every_lesson_has_an_answer():
    assert [path.stem for path in LESSONS] == list(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_is_taken(name: str, capsys: pytest.CaptureFixture[str]):
    answer = RIGHT[name]
    checks = module("exercises")
    the_check(checks, answer.__name__, name)(answer)
    assert capsys.readouterr().out.startswith("Right.")


@pytest.mark.parametrize(("name", "answer", "help"), WRONG, ids=[f"{name}-{help}" for name, _, help in WRONG])
def test_a_wrong_answer_is_told_what_is_wrong(name: str, answer: Any, help: str):
    checks = module("exercises")
    answer.__name__ = name
    lesson = next(lesson for lesson, right in RIGHT.items() if right.__name__ == name)
    with pytest.raises(NotYet) as found:
        the_check(checks, name, lesson)(answer)
    assert help in str(found.value)


def test_an_answer_that_fails_is_told_how():
    checks = module("exercises")
    with pytest.raises(NotYet, match="stops with ZeroDivisionError"):
        checks.check_floor(lambda p: 1 / 0)


def the_check(checks: ModuleType, name: str, lesson: str) -> Any:
    """The check that the exercise of a lesson calls with the function of that name."""
    path = ROOT / f"docs/lessons/{lesson}.ipynb"
    called = re.fullmatch(rf"(check_\w+)\({name}\)", exercise(read(path)).source.strip().splitlines()[-1])
    assert called, "an exercise ends with its check"
    return getattr(checks, called[1])


# ---------------------------------------------------------------------- what is kept of them


def pictures(notebook: Any) -> list[bytes]:
    return [
        base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]


@by_name
def test_a_lesson_is_kept_whole_and_small(path: Path):
    notebook = read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "executed once, in order"
    assert [cell for cell in code if errors(cell)] == [exercise(notebook)] == [code[-1]]
    assert path.stat().st_size < MOST_NOTEBOOK
    (picture,) = pictures(notebook)
    assert len(picture) < MOST_PICTURE
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"


@by_name
def test_a_lesson_says_nothing_of_when_and_where(path: Path):
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert set(cell.metadata) <= {"tags"}
            for output in cell.outputs:
                shown = str({k: v for k, v in output.get("data", {}).items() if k != "image/png"})
                assert not re.search(MACHINE, shown + output.get("text", "") + output.get("evalue", ""))


@by_name
def test_a_lesson_begins_with_what_one_can_say_at_its_end(path: Path):
    first = read(path).cells[0].source
    assert re.match(rf"# {int(path.stem[:2])}\. \w", first) and "At the end you can say:\n- " in first


def test_the_readme_lists_every_lesson_with_its_time():
    rows = re.findall(r"\[[^]]+\]\(([\w-]+\.ipynb)\) \| (\d+) s \|", README.read_text(encoding="utf-8"))
    assert [name for name, _ in rows] == [path.name for path in LESSONS]
    assert all(int(seconds) <= MOST_LESSON for _, seconds in rows)


def commands() -> list[str]:
    """Every command that a lesson or their README shows."""
    said = [cell.source for path in LESSONS for cell in read(path).cells if cell.cell_type == "markdown"]
    return re.findall(r"`(pellucid [^`]+)`", "\n".join([*said, README.read_text(encoding="utf-8")]))


def test_the_commands_that_are_shown_parse():
    assert len(commands()) > 20
    for command in commands():
        verb, *arguments = shlex.split(command.replace("\n", " "))[1:]
        if verb in VERBS and arguments:
            importlib.import_module(f"pellucid.cli.{verb}").parser().parse_args(arguments)


# ---------------------------------------------------------------------- `make lessons`


def test_executing_keeps_what_was_shown_and_when_and_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # what `main` sets is taken back after the test
    execute = module("execute")
    monkeypatch.setattr(execute, "HERE", tmp_path)
    monkeypatch.setattr(execute, "README", tmp_path / "README.md")
    (tmp_path / "README.md").write_text(
        "| [a](a.ipynb) | 99 s |\n| [b](b.ipynb) | 99 s |\n", encoding="utf-8"
    )
    source = "import os, sys\nprint(os.getcwd())\nsys.stdout.flush()\nprint('PELLUCID_QUICK' in os.environ)"
    monkeypatch.setenv("PELLUCID_QUICK", "1")
    for name in "ab":
        nbformat.write(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), tmp_path / f"{name}.ipynb"
        )
    execute.main(["a"])
    (cell,) = read(tmp_path / "a.ipynb").cells
    (output,) = cell.outputs
    assert output.text.splitlines() == [str(tmp_path), "False"], "beside the lessons, in full, as one output"
    assert cell.metadata == {} and cell.id == "01"
    assert not read(tmp_path / "b.ipynb").cells[0].outputs
    told = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\(a\.ipynb\) \| \d s \|\n\| \[b\]\(b\.ipynb\) \| 99 s \|", told)
