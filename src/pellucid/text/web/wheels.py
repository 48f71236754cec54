"""Pinned wheels from the package index, fetched once into the cache to be read as archives."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.files import file_sha256
from pellucid.text.web.cache import cache_dir, new_file, writing_in
from pellucid.text.web.download import download
from pellucid.text.web.index import addresses
from pellucid.text.web.speed import SpeedLines

TIMEOUT = 30.0  # seconds without a byte
INSTALLER_TIMEOUT = 300.0  # seconds in which an installer gets no further
POLL = 0.2  # seconds between two looks at how far it is


def fetch_wheel(name: str, version: str, sha256: str, *, progress: Progress | None = None) -> Path:
    """The path of a cached wheel from the package index, its SHA-256 checked; nothing is installed.

    Downloaded as any file is from the indexes on the web that pip is configured for, so that one that was cut off is
    gone on with, in a later process too. What they do not give comes through pip, or uv where there is no pip: a
    folder of wheels, or an index that wants a key.

    Raises:
        InputError: neither way gets it, or what they get is not that file.
    """
    path = cache_dir() / "wheels" / f"{name}-{version}.whl"
    if path.is_file() and file_sha256(path) == sha256:
        return path
    if progress:
        progress(f"fetching {name} {version} from the package index")
    reason, refused = "neither pip nor uv is installed", None
    for command in _installers():
        try:
            if refused is None and _from_an_index(command, name, sha256, path, progress):
                return path
        except (
            InputError
        ) as error:  # pip may know a way round, and has the last word only if it gets the file
            refused = error
        failure = _through(command, f"{name}=={version}", sha256, path, progress)
        if failure is None:
            return path
        reason = failure
    raise refused or InputError(
        f"{name} {version} could not be fetched from the package index ({reason}): check the network"
    )


def _from_an_index(command: list[str], name: str, sha256: str, path: Path, progress: Progress | None) -> bool:
    """Whether an index on the web has the file; `path` is then it.

    Raises:
        InputError: it has, and the file could not be fetched.
    """
    for url in addresses(name, sha256, command):
        fetched = download(url, sha256=sha256, progress=progress, remedy="and try again")
        with writing_in(path.parent):
            fetched.replace(path)
        return True
    return False


def _through(
    command: list[str], requirement: str, sha256: str, path: Path, progress: Progress | None
) -> str | None:
    """Why `pip download` did not get the file, in one line; None when `path` is it.

    Raises:
        InputError: it got another file.
    """
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        failure = _pip_download(command, requirement, Path(folder), progress)
        wheels = list(Path(folder).glob("*.whl"))
        if failure or not wheels:
            return failure or "it gave no wheel"
        if file_sha256(wheels[0]) != sha256:
            raise InputError(
                f"The package index gave a {requirement.replace('==', ' ')} that is not the one expected (its "
                "SHA-256 differs), so it is not used: check which index pip is configured for"
            )
        with new_file(path) as partial:
            shutil.copyfile(wheels[0], partial)
        return None


def _installers() -> Iterator[list[str]]:
    if importlib.util.find_spec("pip"):
        yield [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        yield [uv, "tool", "run", "pip"]  # uv cannot download a wheel itself, but can run pip


def _pip_download(
    command: list[str], requirement: str, folder: Path, progress: Progress | None
) -> str | None:
    """Why `pip download` failed, in one line, or None."""
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input", "--quiet"]
    patience = ["--disable-pip-version-check", "--retries=1", f"--timeout={TIMEOUT:.0f}"]
    said = folder / "said.txt"
    try:
        with said.open("wb") as file:
            running = subprocess.Popen(
                [*command, "download", requirement, *options, *patience, "--dest", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                env={**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)},
            )
            with running:
                stuck = not _watched(running, folder, requirement.partition("==")[0], progress)
    except OSError as error:
        return str(error)
    if stuck:
        return f"no answer within {INSTALLER_TIMEOUT:.0f} s"
    if running.returncode == 0:
        return None
    text = said.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    reason = (errors or lines or [f"pip ended with {running.returncode}"])[-1]
    return reason.removeprefix("ERROR: ").strip()


def _watched(running: subprocess.Popen[bytes], folder: Path, name: str, progress: Progress | None) -> bool:
    """Waits for an installer, telling how much it has put into `folder`; False: it got no further, and was ended."""
    lines, n_bytes, further = SpeedLines(name, progress, 0, None), 0, time.monotonic()
    while True:
        try:
            running.wait(POLL)
            return True
        except subprocess.TimeoutExpired:
            now = _size(folder)
        except BaseException:  # Ctrl-C
            running.kill()
            raise
        if now != n_bytes:
            n_bytes, further = now, time.monotonic()
        if time.monotonic() - further > INSTALLER_TIMEOUT:
            running.kill()
            return False
        lines.say(n_bytes)


def _size(folder: Path) -> int:
    """Bytes in a folder whose files come and go."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total
