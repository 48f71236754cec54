"""The network: web pages and pinned wheels, fetched once into a cache, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pellucid.errors import InputError
from pellucid.text.documents import Progress

MOST_BYTES = 2 << 30
TRIES = 3
PAUSE = 1.0  # seconds before the second try, twice that before the third
TIMEOUT = 30.0  # seconds without a byte
INSTALLER_TIMEOUT = 300.0  # seconds for a whole wheel


def cache_dir() -> Path:
    """Where fetched text is kept: `PELLUCID_CACHE`, or the place the platform has for caches."""
    if chosen := os.environ.get("PELLUCID_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "pellucid" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pellucid"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # the XDG specification: a path that is not absolute is to be ignored
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "pellucid"


def cached_path(url: str) -> Path:
    """Where `download` keeps what `url` gave."""
    return cache_dir() / "web" / hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]


def download(
    url: str,
    *,
    max_bytes: int = MOST_BYTES,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
    html: bool = False,
) -> Path:
    """The path of a cached copy of `url`, fetched if there is none yet.

    Three tries, one and then two seconds apart; a copy appears in the cache only when it is complete.

    Args:
        max_bytes: more than this is refused, whether announced or not.
        timeout: seconds to wait for a connection, and for each next piece.
        html: whether HTML pages are wanted too.

    Raises:
        InputError: no http(s) address, no network, an error or an unwanted HTML page, too large, disk full.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{url} is not a web address that can be read: begin it with https:// or http://")
    path = cached_path(url)
    if path.is_file():
        return path
    import httpx  # 0.1 s: only where the network is used

    reason = ""
    for attempt in range(TRIES):
        if progress:
            progress(f"fetching {url}" + (f" (try {attempt + 1} of {TRIES})" if attempt else ""))
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            with _new_file(path) as partial:
                _fetch(url, partial, max_bytes, timeout, html)
            return path
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status < 500 and status != 429:  # asking again will not help
                raise InputError(
                    f"{url} answered {status} {error.response.reason_phrase}: check the address"
                ) from None
            reason = f"it answered {status} {error.response.reason_phrase}"
        except httpx.TimeoutException:
            reason = f"no answer within {timeout:g} s"
        except httpx.InvalidURL as error:
            raise InputError(f"{url} is not a web address that can be read: {error}") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            reason = str(error) or type(error).__name__
    raise InputError(
        f"{url} could not be fetched ({reason}): check the network, "
        "or download the file with a browser and give its path"
    )


def _fetch(url: str, path: Path, max_bytes: int, timeout: float, html: bool) -> None:
    import httpx

    from pellucid import __version__

    headers = {"User-Agent": f"pellucid/{__version__}"}
    with (
        httpx.stream("GET", url, follow_redirects=True, timeout=timeout, headers=headers) as response,
        path.open("wb") as file,
    ):
        response.raise_for_status()
        announced = response.headers.get("content-length", "")
        too_large = InputError(
            f"{url} is larger than {max_bytes:,} bytes: download a part of it and give that file"
        )
        if announced.isdecimal() and int(announced) > max_bytes:
            raise too_large
        n_bytes = 0
        for piece in response.iter_bytes():  # unpacked, so a small archive cannot become a huge file
            if n_bytes == 0 and not html and _is_html(piece, response.headers.get("content-type", "")):
                raise InputError(
                    f"{url} is an HTML page, not plain text: give the address of its text version, "
                    "or save the page as text and give that file"
                )
            n_bytes += len(piece)
            if n_bytes > max_bytes:
                raise too_large
            file.write(piece)


def _is_html(beginning: bytes, content_type: str) -> bool:
    start = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower()
    return content_type.lower().startswith(("text/html", "application/xhtml")) or start.startswith(
        (b"<!doctype html", b"<html")
    )


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`, which becomes `path` if all goes well, and is removed if not."""
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
        os.close(handle)
        yield Path(partial)
        Path(partial).replace(path)
    except OSError as error:
        raise InputError(
            f"Nothing can be kept in {path.parent} ({error.strerror or error}): make room there, "
            "or set PELLUCID_CACHE to a folder that can be written"
        ) from error
    finally:
        if partial:
            Path(partial).unlink(missing_ok=True)


# ---------------------------------------------------------------------- wheels


def fetch_wheel(name: str, version: str, sha256: str, *, progress: Progress | None = None) -> Path:
    """The path of a cached wheel from the package index, its SHA-256 checked; nothing is installed.

    Goes through pip, or uv where there is no pip, so that a mirror, a proxy or an offline folder of wheels
    configured for them is used here too.

    Raises:
        InputError: neither can get it, or what they get is not that file.
    """
    path = cache_dir() / "wheels" / f"{name}-{version}.whl"
    if path.is_file() and _sha256(path) == sha256:
        return path
    if progress:
        progress(f"fetching {name} {version} from the package index")
    reason = "neither pip nor uv is installed"
    for command in _installers():
        with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
            failure = _pip_download(command, f"{name}=={version}", folder)
            wheels = list(Path(folder).glob("*.whl"))
            if failure is None and wheels:
                if _sha256(wheels[0]) != sha256:
                    raise InputError(
                        f"The package index gave a {name} {version} that is not the one expected (its "
                        "SHA-256 differs), so it is not used: check which index pip is configured for"
                    )
                with _new_file(path) as partial:
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
