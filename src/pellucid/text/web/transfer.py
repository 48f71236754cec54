"""One try at a file over HTTP: from its beginning, or from where an earlier try was cut off."""

from __future__ import annotations

import email.utils
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.files import file_sha256
from pellucid.text.web.partial import Partial, Version
from pellucid.text.web.speed import SpeedLines
from pellucid.text.wording import size

if TYPE_CHECKING:
    import httpx

MOST_REDIRECTS = 10
ASK_AGAIN = (408, 425, 429)  # of the answers below 500, those that another try may change


class WrongBytes(InputError):
    """What comes is not what is wanted, so that it is no use to keep any of it."""


class CutOff(Exception):
    """This try failed and another may not; `wait` is how many seconds the server asks to be left alone."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Wanted:
    """A file to fetch, and what it must be to be kept."""

    url: str
    max_bytes: int
    size: int | None  # bytes, where they are known
    sha256: str | None
    html: bool  # whether a web page will do
    timeout: float  # seconds for a connection, and for each next piece
    remedy: str  # what else a person can do, as it follows "check the network, "

    @property
    def shown(self) -> str:
        """The address as messages show it."""
        return without_credentials(self.url)

    def is_at(self, path: Path) -> bool:
        """Whether `path` is a file that can be it."""
        if not path.is_file() or self.size not in (None, path.stat().st_size):
            return False
        return self.sha256 is None or file_sha256(path) == self.sha256

    def not_it(self, why: str) -> str:
        """The message that what came is another file."""
        return f"{self.shown} is not the file expected ({why}), so it is not used: check the address, {self.remedy}"


def without_credentials(url: str) -> str:
    """`url` as it can be shown: no user and password, and of a query only that there is one."""
    url = re.sub(r"(?<=//)[^/?#]*@", "", url, count=1)
    return re.sub(r"\?[^#]*", "?…", url, count=1)


def _last_part(url: str) -> str:
    return url.split("?")[0].rstrip("/").rpartition("/")[2]


def transfer(wanted: Wanted, partial: Partial, progress: Progress | None) -> int:
    """Makes `partial` whole; returns how many of its bytes were there before.

    Raises:
        CutOff: another try may help.
        InputError: it will not; as WrongBytes, what is here is to be thrown away.
        OSError: the disk.
    """
    import httpx  # 0.1 s: only where the network is used

    headers = _headers(partial)
    try:
        with (
            _client(wanted.timeout) as client,
            client.stream("GET", wanted.url, headers=headers) as response,
        ):
            _check_status(wanted, response, partial)
            start, whole = _begin(response, partial)
            if whole is not None:
                _check_announced(wanted, partial, start, whole)
            _receive(
                wanted, response, partial, whole, SpeedLines(_last_part(wanted.shown), progress, start, whole)
            )
            return start
    except httpx.TimeoutException:
        raise CutOff(f"no answer within {wanted.timeout:g} s") from None
    except (httpx.InvalidURL, UnicodeError):  # the latter: a host with a part that is empty or too long
        raise InputError(f"{wanted.shown} is not a web address that can be read: check it") from None
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects):
        raise InputError(
            f"{wanted.shown} could not be fetched (it leads in a circle, or to what is not http(s)): "
            f"check the address, {wanted.remedy}"
        ) from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise CutOff(str(error) or type(error).__name__) from None


def _headers(partial: Partial) -> dict[str, str]:
    from pellucid import __version__

    # identity: there is no going on from the middle of a packed stream
    headers = {"User-Agent": f"pellucid/{__version__}", "Accept-Encoding": "identity"}
    if version := partial.version():
        headers |= {"Range": f"bytes={partial.size}-", "If-Range": version.validator}
    return headers


def _client(timeout: float) -> httpx.Client:
    import httpx

    try:
        return httpx.Client(follow_redirects=True, max_redirects=MOST_REDIRECTS, timeout=timeout)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise InputError(
            f"The network cannot be used as it is set up ({error}): check the variables "
            "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and SSL_CERT_FILE"
        ) from None


def _check_status(wanted: Wanted, response: httpx.Response, partial: Partial) -> None:
    status = response.status_code
    going_on = "range" in response.request.headers
    if status in (200, 203) or (status == 206 and going_on):
        _check_packing(wanted, response)
        return
    answer = f"it answered {status} {response.reason_phrase}".rstrip()
    if status == 416 and going_on:  # what is here is not the beginning of what is there
        partial.discard()
        raise CutOff(answer)
    if status >= 500 or status in ASK_AGAIN:
        raise CutOff(answer, _retry_after(response.headers.get("retry-after", "").strip()))
    raise InputError(f"{wanted.shown} could not be fetched ({answer}): check the address, {wanted.remedy}")


def _check_packing(wanted: Wanted, response: httpx.Response) -> None:
    if (packing := _packing(response)) not in ("identity", "gzip", "deflate"):
        raise InputError(
            f"{wanted.shown} could not be fetched (it comes packed as {packing}, unasked): "
            f"check the address, {wanted.remedy}"
        )


def _retry_after(text: str) -> float | None:
    """The seconds to wait that the server names, as a number or as a date."""
    if text.isdecimal():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _begin(response: httpx.Response, partial: Partial) -> tuple[int, int | None]:
    """Where in the file the body begins, and the size of the whole file if it is announced.

    It begins where `partial` ends; or at 0, and then `partial` is emptied.
    """
    announced = response.headers.get("content-length", "")
    if response.status_code != 206:
        # of the size and the places in what is unpacked, nothing is known
        if _packing(response) != "identity":
            partial.begin(None)
            return 0, None
        whole = int(announced) if re.fullmatch(r"\d{1,18}", announced) else None
        validator = _validator(response)
        partial.begin(Version(validator, whole) if validator else None)
        return 0, whole
    version, etag = partial.version(), response.headers.get("etag", "")
    part = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d{1,18})", response.headers.get("content-range", "").strip())
    if (
        version is None
        or part is None
        or int(part[1]) != partial.size
        or version.total not in (None, int(part[2]))
        or (etag and version.validator.startswith('"') and etag != version.validator)
        or _packing(response) != "identity"
    ):
        partial.discard()
        raise CutOff("it sent another part than the one asked for")
    return partial.size, int(part[2])


def _validator(response: httpx.Response) -> str | None:
    etag = response.headers.get("etag", "")
    # RFC 9110, 13.1.5: parts may not be asked for with a weak ETag (`W/"…"`)
    return etag if etag.startswith('"') else response.headers.get("last-modified")


def _packing(response: httpx.Response) -> str:
    return response.headers.get("content-encoding", "").strip().lower() or "identity"


def _receive(
    wanted: Wanted, response: httpx.Response, partial: Partial, whole: int | None, lines: SpeedLines
) -> None:
    """Appends the body to `partial`, as long as it is what is wanted."""
    n_bytes = partial.size
    with partial.path.open("ab") as file:
        for piece in response.iter_bytes():  # unpacked, so a small archive cannot become a huge file
            if n_bytes == 0 and not wanted.html and _is_html(piece, response.headers.get("content-type", "")):
                raise WrongBytes(
                    f"{wanted.shown} is an HTML page, not plain text: give the address of its text version, "
                    "or save the page as text and give that file"
                )
            n_bytes += len(piece)
            _check_size(wanted, n_bytes)
            file.write(piece)
            lines.say(n_bytes)
        file.flush()
        os.fsync(file.fileno())
    if whole is not None and n_bytes != whole:
        raise CutOff(f"{n_bytes:,} of {whole:,} bytes came")
    if n_bytes == 0:
        raise InputError(f"{wanted.shown} is empty: check the address, {wanted.remedy}")


def _check_size(wanted: Wanted, n_bytes: int) -> None:
    if n_bytes > wanted.max_bytes:
        raise WrongBytes(
            f"{wanted.shown} is larger than {wanted.max_bytes:,} bytes: download a part of it and give that file"
        )


def _check_announced(wanted: Wanted, partial: Partial, start: int, whole: int) -> None:
    """Refuses at once what would be refused at the end: the wrong size, too large, more than there is room for."""
    _check_size(wanted, whole)
    if wanted.size not in (None, whole):
        raise WrongBytes(wanted.not_it(f"it has {whole:,} bytes, not {wanted.size:,}"))
    folder = partial.path.parent
    free = shutil.disk_usage(folder).free
    if whole - start > free:
        raise InputError(
            f"{wanted.shown} needs {size(whole - start)}, and {size(free)} are free in {folder}: "
            "make room there, or set PELLUCID_CACHE to a folder with more"
        )


def _is_html(beginning: bytes, content_type: str) -> bool:
    start = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower()
    return content_type.lower().startswith(("text/html", "application/xhtml")) or start.startswith(
        (b"<!doctype html", b"<html")
    )
