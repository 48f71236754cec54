"""Substack's export: posts.csv with titles and dates, and a page of HTML for each post."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from pellucid.errors import InputError
from pellucid.text.decoding import decode
from pellucid.text.documents import Document
from pellucid.text.readers.extract import Extract, plural
from pellucid.text.readers.html import decode_html, html_to_text
from pellucid.text.readers.tree import Entry

COLUMNS = frozenset(("post_id", "post_date", "is_published", "title"))


def take_substack(entries: Sequence[Entry]) -> tuple[list[Extract], list[Entry]]:
    """The exports among `entries`, and the entries that are no part of one."""
    extracts, rest = list[Extract](), list(entries)
    for table in [entry for entry in entries if entry.path.name.lower() == "posts.csv"]:
        folder = table.path.parent / "posts"
        pages = [
            entry for entry in rest if entry.path.parent == folder and entry.path.suffix.lower() == ".html"
        ]
        if not pages:
            continue
        try:
            posts = _posts(table)
        except InputError as error:
            extracts.append(Extract(unreadable=[(table.name, str(error))]))
            continue
        if posts is not None:
            extracts.append(_read_export(posts, pages, table.name))
            rest = [entry for entry in rest if entry is not table and entry not in pages]
    return extracts, rest


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


def _read_export(posts: list[dict[str, str]], pages: Sequence[Entry], name: str) -> Extract:
    """Published posts by date, each `title`, `subtitle` and body; drafts and pages without a post are not read."""
    found, by_id = Extract(), dict[str, Entry]()
    for page in pages:
        by_id[page.path.stem] = page
        by_id.setdefault(page.path.stem.split(".")[0], page)
    published = [post for post in posts if post["is_published"].strip().lower() == "true"]
    missing = 0
    for post in sorted(published, key=lambda post: post["post_date"]):
        page = _page_of(post, by_id)
        if page is None:
            missing += 1
            continue
        try:
            body = html_to_text(decode_html(page.load(), page.name)[0])
        except InputError as error:
            found.unreadable.append((page.name, str(error)))
            continue
        found.n_files += 1
        parts = [post["title"].strip(), post.get("subtitle", "").strip(), body]
        found.documents.append(Document("\n\n".join(part for part in parts if part), page.name))
    for count, what in (
        (len(posts) - len(published), "draft"),
        (missing, "post without its page of HTML"),
    ):
        if count:
            many = "posts without their pages of HTML" if what.startswith("post") else None
            found.notes.append(f"{name}: {plural(count, what, many)} left out")
    return found


def _page_of(post: Mapping[str, str], by_id: Mapping[str, Entry]) -> Entry | None:
    identifier = post["post_id"].strip()
    return by_id.get(identifier) or by_id.get(PurePosixPath(identifier).name.split(".")[0])
