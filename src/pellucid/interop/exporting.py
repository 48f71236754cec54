"""`export`: a run in the format of other programs, whole or not at all, and compared with what it came from."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

from pellucid.errors import InputError
from pellucid.interop.comparison import Comparison
from pellucid.interop.exportable import Exportable, open_run
from pellucid.interop.formats import FORMATS, Format
from pellucid.text.files import expand_home
from pellucid.text.wording import size
from pellucid.training.files import sync
from pellucid.training.run_folder import RunFolder

EXPORTS = Path("exports")
Advanced = Callable[[str, int, int], object]


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        path: the folder or the file.
        format: a key of FORMATS.
        family: the architecture, as the format calls it.
        notes: what was changed on the way, in words.
        comparison: with the run; None where it was not made.
    """

    path: Path
    format: str
    family: str
    notes: tuple[str, ...]
    comparison: Comparison | None


def export(
    run: RunFolder | str | Path | None = None,
    to: str = "hf",
    out: str | Path | None = None,
    *,
    step: int | str = "best",
    type: str | None = None,
    check: bool | None = None,
    progress: Callable[[str], object] | None = None,
    advanced: Advanced | None = None,
) -> Exported:
    """Write a run in another program's format, exactly; adapters are merged.

    Args:
        run: by path or name; None is the latest.
        to: a key of FORMATS.
        out: where to; by default under `exports/`. It must not be there yet.
        step: "best", or the step of a checkpoint.
        type: of numbers, one of the format's `types`.
        check: load what was written with the program it is for, and compare it; None: where that is installed.
        progress: hears what is being done.
        advanced: hears what is written, and how many bytes of how many.

    Raises:
        InputError: there is no such run or format, something is in the way, or the model has no exact twin there; the
            part that has none is named, and nothing is written.
        Unequal: what was written computes something else; it is left there to be looked at.
    """
    if to not in FORMATS:
        raise InputError(f"{to!r} is no format to export to: choose {' or '.join(FORMATS)}")
    format = FORMATS[to]
    options = _options(format, to, type)
    if check and not is_installed(format.checker):
        raise InputError(
            f"{format.checker}, which checks what is exported, is not installed: `pip install {format.checker}`, "
            "or leave out --check"
        )
    model = open_run(run, step)
    path = _place(out, EXPORTS / format.name.format(run=model.run.name, **options))
    _check_room(path, model)
    writer = importlib.import_module(format.writer)
    heard = advanced or (lambda what, done, total: None)
    temporary = path.with_name(f".{path.name}.writing")
    try:
        _remove(temporary)
        written = writer.write(
            model, temporary, lambda done, total: heard("writing the weights", done, total), **options
        )
        if path.exists():
            path.rmdir()
        temporary.rename(path)
        sync(path.parent)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{path} cannot be written ({reason}): make room there, or give another --out"
        ) from None
    finally:
        with contextlib.suppress(OSError):  # what went wrong before is what is told
            _remove(temporary)
    comparison = None
    if check is not False and is_installed(format.checker):
        if progress:
            progress(f"comparing it with the run, in {format.checker}")
        comparison = writer.compare(model, path)
    return Exported(path, to, written.family, tuple(written.notes), comparison)


def _options(format: Format, to: str, type: str | None) -> dict[str, str]:
    """What the format's `write` is told beside the model."""
    if type is not None and type not in format.types:
        choice = (
            f"choose {', '.join(format.types)}"
            if format.types
            else "numbers stay as they are; leave out --type"
        )
        raise InputError(f"{to} has no type {type!r}: {choice}")
    return {"type": type or format.types[0]} if format.types else {}


def _place(out: str | Path | None, usual: Path) -> Path:
    """Where to write: at `out`, which is not there yet or an empty folder, or at the usual place."""
    if out is None:
        if usual.exists():
            raise InputError(f"{usual} is there already: delete it, or give another --out")
        return usual
    path = expand_home(Path(out))
    if path.name in ("", ".."):
        raise InputError(
            f"--out {path} has no name of its own: give one that is not there yet, as in {usual}"
        )
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path} is there already: give an --out that is not, as in {usual}")
    if file := next((parent for parent in path.parents if parent.is_file()), None):
        raise InputError(f"{file} is a file, so that nothing can be written under it: give another --out")
    return path


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check_room(path: Path, model: Exportable) -> None:
    """Raises: InputError where the disk has no room for the weights."""
    there = next(parent for parent in [path.absolute(), *path.absolute().parents] if parent.exists())
    needed = sum(tensor.n_bytes for tensor in model.weights.tensors.values())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"{model.run.name} takes {size(needed)}, and {size(free)} are free at {there}: "
            "make room there, or give --out on another disk"
        )
