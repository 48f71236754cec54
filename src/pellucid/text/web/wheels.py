"""Pinned wheels from the package index, fetched once into the cache to be read as archives."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.files import file_sha256
from pellucid.text.web.cache import cache_dir, new_file

TIMEOUT = 30.0  # seconds without a byte
INSTALLER_TIMEOUT = 300.0  # seconds for a whole wheel


def fetch_wheel(name: str, version: str, sha256: str, *, progress: Progress | None = None) -> Path:
    """The path of a cached wheel from the package index, its SHA-256 checked; nothing is installed.

    Goes through pip, or uv where there is no pip, so that a mirror, a proxy or an offline folder of wheels
    configured for them is used here too.

    Raises:
        InputError: neither can get it, or what they get is not that file.
    """
    path = cache_dir() / "wheels" / f"{name}-{version}.whl"
    if path.is_file() and file_sha256(path) == sha256:
        return path
    if progress:
        progress(f"fetching {name} {version} from the package index")
    reason = "neither pip nor uv is installed"
    for command in _installers():
        with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
            failure = _pip_download(command, f"{name}=={version}", folder)
            wheels = list(Path(folder).glob("*.whl"))
            if failure is None and wheels:
                if file_sha256(wheels[0]) != sha256:
                    raise InputError(
                        f"The package index gave a {name} {version} that is not the one expected (its "
                        "SHA-256 differs), so it is not used: check which index pip is configured for"
                    )
                with new_file(path) as partial:
                    shutil.copyfile(wheels[0], partial)
                return path
            reason = failure or "it gave no wheel"
    raise InputError(
        f"{name} {version} could not be fetched from the package index ({reason}): check the network"
    )


def _installers() -> Iterator[list[str]]:
    if importlib.util.find_spec("pip"):
        yield [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        yield [uv, "tool", "run", "pip"]  # uv cannot download a wheel itself, but can run pip


def _pip_download(command: list[str], requirement: str, folder: str) -> str | None:
    """Why `pip download` failed, in one line, or None."""
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input", "--quiet"]
    patience = ["--disable-pip-version-check", "--retries=1", f"--timeout={TIMEOUT:.0f}"]
    try:
        done = subprocess.run(
            [*command, "download", requirement, *options, *patience, "--dest", folder],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=INSTALLER_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {INSTALLER_TIMEOUT:.0f} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [f"pip ended with {done.returncode}"])[-1].removeprefix("ERROR: ").strip()
