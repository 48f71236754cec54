"""E-mail addresses, and web addresses that tell more than where a page is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pellucid.text.chats.private.spans import ALPHABETIC, Span

# Every repetition is possessive or of parts that cannot be read in two ways, and a look behind keeps a long run from
# being tried again from each of its characters: linear time.
EMAIL = re.compile(
    rf"(?<!{ALPHABETIC})(?<![.+%'-])(?:{ALPHABETIC}|[.+%'-])++"
    r"(?:[@＠]|\s?[(\[{]at[)\]}]\s?)"
    rf"(?:(?:{ALPHABETIC}|-)++(?:\.|\s?[(\[{{]dot[)\]}}]\s?)){{1,12}}"
    rf"(?:(?![\d_]){ALPHABETIC}){{2,24}}+(?!{ALPHABETIC}|@)",
    re.IGNORECASE,
)

URL = re.compile(
    r"(?:(?<![a-z0-9@.+-])[a-z][a-z0-9+.-]{1,15}+://"
    rf"|(?<!{ALPHABETIC})(?<![@.+-])(?:www\.|(?:(?:{ALPHABETIC}|-)++\.){{1,12}}[a-z]{{2,24}}+(?=/)))"
    r"[^\s<>\"“”«»\u3000-\u303f\uff00-\uffef]++",
    re.IGNORECASE,
)
TRAILING = ".,;:!?'’)]}*_…"
SEGMENT = re.compile(r"[^/._~%+=&,;:@-]++")
KEY_LENGTH, LONG_NUMBER = 10, 9  # characters of a path's part: below, names and dates; above, keys


def emails(text: str) -> Iterator[Span]:
    """`name@host.tld`, also with `(at)` and `(dot)`; not a handle such as `@name`."""
    for match in EMAIL.finditer(text):
        marks = len(match[0]) - len(match[0].lstrip(".'-%+"))
        yield match.start() + marks, match.end()


def urls(text: str) -> Iterator[Span]:
    """Web addresses with a query, a fragment, a password, or a part of the path that looks like a key.

    They go whole. What is left of a search, a reset or an invitation without its query is no use to a model, and the
    path often holds the secret as well (`/invite/9fK2…`, `wa.me/4917…`). An address of a page by its name stays.
    """
    for match in URL.finditer(text):
        url = _trimmed(match[0])
        if _tells_more(url):
            yield match.start(), match.start() + len(url)


def _trimmed(url: str) -> str:
    """Without the sentence's own marks at the end; a bracket that was opened inside stays."""
    if url.endswith(")") and "(" in url:
        return url
    return url.rstrip(TRAILING)


def _tells_more(url: str) -> bool:
    scheme, _, rest = url.rpartition("://") if "://" in url[:20] else ("", "", url)
    host, slash, path = rest.partition("/")
    if any(mark in rest for mark in "?#") or (scheme and "@" in host):
        return True
    return bool(slash) and any(_is_key(part) for part in SEGMENT.findall(path))


def _is_key(part: str) -> bool:
    """Whether a part of a path is no word: a long number, or letters and digits in one long mixture."""
    n_digits = sum(c.isdecimal() for c in part)
    if n_digits == len(part):
        return n_digits >= LONG_NUMBER
    if len(part) < KEY_LENGTH:
        return False
    changes = sum(one.isdecimal() != other.isdecimal() for one, other in itertools.pairwise(part))
    mixed_case = any(c.islower() for c in part) and sum(c.isupper() for c in part[1:]) >= 2
    return changes >= 3 or (n_digits > 0 and mixed_case) or (mixed_case and len(part) >= 16)
