"""Runs the tests of a lesson's folder, piece by piece, and says of each whether it is right. This executes the folder.

A piece is a class of test_parts.py or test_model.py: its docstring is its title, `needs` the pieces that must be right
before it can be judged, `stretch` whether it may be left out. A test's docstring says what to think of when it breaks
with an error. pytest runs the same files.
"""

from __future__ import annotations

import dataclasses
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch

from pellucid.errors import InputError
from pellucid.inspection.lesson.judging import Wrong

Verdict = Literal["right", "not yet", "wrong"]
TESTS = ("test_parts", "test_model")  # in the order of their pieces
MODULES = ("model", *TESTS)
FILES = (*(f"{name}.py" for name in MODULES), "README.md")


@dataclasses.dataclass(frozen=True)
class PieceResult:
    """What is known of one piece.

    Args:
        number: its place in the order of writing, from 1.
        title: what is to be written.
        said: what to do, where it is not right.
        stretch: whether it may be left out.
    """

    number: int
    title: str
    verdict: Verdict
    said: str = ""
    stretch: bool = False

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def copy_skeleton(folder: Path) -> list[Path]:
    """Write the model to be completed, its tests and a README into a folder, which is made; returns their paths.

    Raises:
        InputError: one of the files is there, or the folder cannot be made.
    """
    taken = [name for name in FILES if (folder / name).exists()]
    if taken:
        raise InputError(f"{folder} has a {taken[0]} already: name another folder, so that nothing is lost")
    skeleton = resources.files("pellucid.inspection.lesson") / "skeleton"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).write_text((skeleton / name).read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): name another folder") from None
    return [folder / name for name in FILES]


def check_pieces(folder: Path) -> Iterator[PieceResult]:
    """The pieces of a lesson's folder, in their order, each when it has been judged.

    Raises:
        InputError: the folder has no lesson, or its files cannot be executed.
    """
    for name in MODULES:
        if not (folder / f"{name}.py").is_file():
            raise InputError(
                f"{folder} has no {name}.py: `pellucid lesson new FOLDER` writes a lesson into a new folder"
            )
    with _alone(folder.resolve()):
        _execute(folder / "model.py")
        tests = [_execute(folder / f"{name}.py") for name in TESTS]
        pieces = [value for module in tests for value in vars(module).values() if _is_piece(value, module)]
        if not pieces:
            raise InputError(f"the tests in {folder} have no pieces: take the files of a new lesson")
        results = dict[type, PieceResult]()
        for number, piece in enumerate(pieces, 1):
            results[piece] = _judge(piece, number, results, folder / "model.py")
            yield results[piece]


def _is_piece(value: object, module: ModuleType) -> bool:
    return (
        isinstance(value, type) and value.__name__.startswith("Test") and value.__module__ == module.__name__
    )


def _judge(piece: type, number: int, known: dict[type, PieceResult], model: Path) -> PieceResult:
    title, stretch = (piece.__doc__ or piece.__name__).strip(), getattr(piece, "stretch", False)
    for needed in getattr(piece, "needs", ()):
        if known[needed].verdict != "right":
            return PieceResult(
                number, title, "not yet", f"after {known[needed].number}: {known[needed].title}", stretch
            )
    for name in vars(piece):
        if name.startswith("test"):
            torch.manual_seed(0)
            try:
                getattr(piece(), name)()
            except NotImplementedError as error:
                return PieceResult(number, title, "not yet", str(error), stretch)
            except Wrong as error:
                return PieceResult(number, title, "wrong", str(error), stretch)
            except Exception as error:
                hint = getattr(piece, name).__doc__
                said = _told(error, model) + (f". Likely cause: {hint}" if hint else "")
                return PieceResult(number, title, "wrong", said, stretch)
    return PieceResult(number, title, "right", "", stretch)


def _told(error: Exception, model: Path) -> str:
    """An error in the learner's code, in one line, with its place."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == model.name
    ]
    own = [frame for frame in own if Path(frame.filename).resolve() == model.resolve()]
    first = str(error).partition("\n")[0]
    where = f"line {own[-1].lineno} of {model.name} (`{own[-1].line}`): " if own else ""
    return f"{where}{type(error).__name__}: {first}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder's modules can be imported by their short names, and are forgotten afterwards."""
    before = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _execute(path: Path) -> ModuleType:
    """A module from its source as it is now: bytecode of a moment ago could be taken for it."""
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    sys.modules[path.stem] = module
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise InputError(
            f"{path} cannot be executed ({type(error).__name__}{where}: {error}): mend it first"
        ) from error
    return module
