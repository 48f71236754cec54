"""Substack's export: posts.csv with titles and dates, and a page of HTML for each post."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pellucid.errors import InputError
from pellucid.text.decoding import decode
from pellucid.text.documents import Document
from pellucid.text.readers.extract import Extract
from pellucid.text.readers.html import decode_html, html_to_text
from pellucid.text.readers.tree import Entry
from pellucid.text.wording import plural

COLUMNS = frozenset(("post_id", "post_date", "is_published", "title"))


@dataclass(frozen=True)
class Export:
    """The table of an export and its pages."""

    name: str
    entries: list[Entry]
    read: Callable[[], list[Extract]]


def take_substack(entries: Sequence[Entry]) -> tuple[list[Export], list[Entry]]:
    """The exports among `entries`, and the entries that are no part of one."""
    exports, rest = list[Export](), list(entries)
    for table in [entry for entry in entries if entry.path.name.lower() == "posts.csv"]:
        folder = table.path.parent / "posts"
        pages = [
            entry for entry in rest if entry.path.parent == folder and entry.path.suffix.lower() == ".html"
        ]
        if not pages:
            continue
        try:
            posts = _posts(table)
        except InputError as error:  # the pages are still there to be read
            exports.append(Export(table.name, [table], partial(_refused, table.name, str(error))))
        else:
            if posts is None:
                continue
            read = partial(_read_export, posts, pages, table.name)
            exports.append(Export(table.name, [table, *pages], read))
            rest = [entry for entry in rest if entry is not table and entry not in pages]
    return exports, rest


def _refused(name: str, reason: str) -> list[Extract]:
    return [Extract(unreadable=[(name, reason)])]


def _posts(table: Entry) -> list[dict[str, str]] | None:
    """The rows of posts.csv; None if it is not Substack's."""
    text, _ = decode(table.load(), table.name)
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if not set(rows.fieldnames or ()) >= COLUMNS:
            return None
        return [{key: value or "" for key, value in row.items() if isinstance(key, str)} for row in rows]
    except csv.Error as error:
        raise InputError(f"{table.name} cannot be read ({error}): export the posts again") from None


def _read_export(posts: list[dict[str, str]], pages: Sequence[Entry], name: str) -> list[Extract]:
    """Published posts by date, each `title`, `subtitle` and body; drafts and pages without a post are not read."""
    by_id = dict[str, Entry]()
    for page in pages:
        by_id[page.path.stem] = page
        by_id.setdefault(page.path.stem.split(".")[0], page)
    found, listed = Extract(), [(post, _page_of(post, by_id)) for post in posts]
    n_drafts = n_missing = 0
    for post, page in sorted(listed, key=lambda item: item[0]["post_date"]):
        if post["is_published"].strip().lower() != "true":
            n_drafts += 1
        elif page is None:
            n_missing += 1
        else:
            _add_post(found, post, page)
    n_strangers = len(pages) - len({page.name for _, page in listed if page})
    for count, one, many in (
        (n_drafts, "draft", None),
        (n_missing, "post without its page of HTML", "posts without their pages of HTML"),
        (n_strangers, "page that it does not list", "pages that it does not list"),
    ):
        if count:
            found.notes.append(f"{name}: {plural(count, one, many)} left out")
    return [found]


def _add_post(found: Extract, post: Mapping[str, str], page: Entry) -> None:
    try:
        body = html_to_text(decode_html(page.load(), page.name)[0])
    except InputError as error:
        found.unreadable.append((page.name, str(error)))
        return
    parts = [post["title"].strip(), post.get("subtitle", "").strip(), body]
    text = "\n\n".join(part for part in parts if part)
    found.documents.append(Document(text.rstrip("\n") + "\n", page.name))
    found.n_files += 1


def _page_of(post: Mapping[str, str], by_id: Mapping[str, Entry]) -> Entry | None:
    identifier = post["post_id"].strip()
    return by_id.get(identifier) or by_id.get(identifier.split(".")[0])
