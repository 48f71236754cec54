"""Where a package index keeps a file that is known by its SHA-256.

Source: the simple repository API, PEP 503: a project's page links to each of its files, with its hash.
"""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator
from urllib.parse import urljoin

PYPI = "https://pypi.org/simple"
MOST_PAGE = 32 << 20  # bytes; the page of a project with thousands of files has 10 MB
TIMEOUT = 10.0  # seconds without a byte
CONFIG_TIMEOUT = 30.0  # seconds for pip to say how it is set up
OPTION = re.compile(r"(?:global|install|download|:env:)\.(no-index|index-url|extra-index-url)='?([^'\n]*)'?")
ACCEPT = "application/vnd.pypi.simple.v1+html;q=0.9, text/html;q=0.8"


def addresses(name: str, sha256: str, pip: list[str]) -> Iterator[str]:
    """Web addresses of the file of the project `name` that has this SHA-256, by the indexes pip is set up for.

    Nothing is raised: an index that does not answer, wants a key that only pip has, or tells no hashes gives none.

    Args:
        pip: the command that runs pip.
    """
    for index in _indexes(pip):
        page = _page(f"{index.rstrip('/')}/{name}/")
        if page is None:
            continue
        url, text = page
        links = re.findall(r"""href\s*=\s*["']([^"'#]+)#sha256=([0-9a-f]{64})""", text)
        for link in {link for link, digest in links if digest == sha256}:
            yield urljoin(url, html.unescape(link))


def _indexes(pip: list[str]) -> list[str]:
    """Those of pip's configuration that are on the web, in its order."""
    try:
        done = subprocess.run(
            [*pip, "config", "list", "--disable-pip-version-check"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=CONFIG_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    # later ones, of the environment, win as they do in pip
    found = dict[str, str](OPTION.findall(done.stdout))
    if done.returncode or found.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return []
    own, others = found.get("index-url", PYPI), found.get("extra-index-url", "")
    return [
        index for index in [own, *re.split(r"\s|\\n", others)] if index.startswith(("https://", "http://"))
    ]


def _page(address: str) -> tuple[str, str] | None:
    """A project's page and where it was found after redirects; None where there is none to be had."""
    import httpx  # 0.1 s: only where the network is used

    body = bytearray()
    try:
        with (
            httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client,
            client.stream("GET", address, headers={"Accept": ACCEPT}) as response,
        ):
            for piece in response.iter_bytes():
                body += piece
                if response.status_code != 200 or len(body) > MOST_PAGE:
                    return None
            url = str(response.url)
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError, ImportError):
        return None
    return url, body.decode("utf-8", "replace")
