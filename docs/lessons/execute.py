"""`make lessons`: executes the lessons in full, on one core, and keeps what they show; their times go into README.md.

python docs/lessons/execute.py                  # all
python docs/lessons/execute.py 03-positions     # some
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
README = HERE / "README.md"
MOST_SECONDS = 900  # a cell; a lesson is made to take three minutes in all
LANGUAGE = {"name": "python"}  # not the version, which would change with every machine


def lessons(names: list[str]) -> list[Path]:
    """The notebooks of these names, or all."""
    return [HERE / f"{name}.ipynb" for name in names] if names else sorted(HERE.glob("*.ipynb"))


def execute(path: Path) -> float:
    """Execute a notebook and write it back with its outputs; returns the seconds it took, as `clock` counts them."""
    notebook = nbformat.read(path, as_version=4)
    started = clock()
    NotebookClient(
        notebook,
        timeout=MOST_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        record_timing=False,
    ).execute()
    seconds = clock() - started
    tidy(notebook)
    nbformat.write(notebook, path)
    return seconds


def clock() -> float:
    """Seconds that a processor spent on the kernels: other programs add little to them. On Windows, plain seconds."""
    used = os.times()
    return used.children_user + used.children_system if os.name == "posix" else time.perf_counter()


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Leave nothing that says when and where it was executed."""
    notebook.metadata["language_info"] = dict(LANGUAGE)
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"{number:02d}"
        cell.metadata = {"tags": cell.metadata.tags} if "tags" in cell.metadata else {}
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
            for output in cell.outputs:
                output.get("metadata", {}).clear()


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Outputs with what was printed in a row as one of them: how it was cut hangs on the machine's speed."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = kept[-1] if kept else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            kept.append(output)
    return kept


def tell(path: Path, seconds: float) -> None:
    """Put the time into the lesson's line of README.md."""
    text = README.read_text(encoding="utf-8")
    line = rf"(\]\({re.escape(path.name)}\) \| )[^|]*( \|)"
    changed, found = re.subn(line, rf"\g<1>{seconds:.0f} s\g<2>", text)
    if found != 1:
        raise SystemExit(f"README.md has {found} lines for {path.name}: it needs one")
    README.write_text(changed, encoding="utf-8")


def main(names: list[str]) -> None:
    """Execute and tell."""
    os.environ.pop("PELLUCID_QUICK", None)
    os.environ["OMP_NUM_THREADS"] = "1"  # rounding, and with it every run, hangs on the number of threads
    if not names:
        shutil.rmtree(HERE / "runs", ignore_errors=True)  # so that every time holds what its lesson trains
    for path in lessons(names):
        seconds = execute(path)
        tell(path, seconds)
        print(f"{path.name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
