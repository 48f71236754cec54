"""Where a site lists its posts: Substack's archive, RSS and Atom feeds, sitemaps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin
from xml.etree.ElementTree import Element

from pellucid.errors import InputError
from pellucid.text.decoding import without_surrogates
from pellucid.text.readers.xml import parse_xml


@dataclass(frozen=True)
class Post:
    """A post as a list names it."""

    url: str
    title: str = ""
    subtitle: str = ""
    body: str = ""  # HTML, where the list holds it
    is_paid: bool = False  # for paying readers only: its page shows no more than the beginning


def archive_posts(data: bytes, root: str) -> list[Post]:
    """The posts of a page of `/api/v1/archive`, newest first; raises InputError if it is no such page."""
    try:
        entries = json.loads(data)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise InputError(f"{root} gives no archive of posts")
    return [
        Post(
            f"{root}/p/{quote(entry['slug'])}",
            _string(entry.get("title")),
            _string(entry.get("subtitle")),
            is_paid=entry.get("audience") in ("only_paid", "founding"),
        )
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("slug"), str)
    ]


def feed_posts(data: bytes, address: str) -> list[Post]:
    """The posts of an RSS or Atom feed, in its order, which is newest first; raises InputError if it is broken."""
    root = parse_xml(data, address)
    entries = [*root.iter("item"), *root.iter("entry")]
    posts = [
        Post(link, (entry.findtext("title") or "").strip(), body=_body(entry))
        for entry in entries
        if (link := _link(entry, address))
    ]
    return list({post.url: post for post in posts}.values())


def sitemap_links(data: bytes, address: str) -> tuple[list[str], list[str]]:
    """The pages and the further sitemaps of a sitemap, newest first; raises InputError if it is broken."""
    root = parse_xml(data, address)

    def links(tag: str) -> list[str]:
        dated = [
            (item.findtext("lastmod") or "", (item.findtext("loc") or "").strip()) for item in root.iter(tag)
        ]
        return [link for _, link in sorted(dated, key=lambda item: item[0], reverse=True) if _is_web(link)]

    return links("url"), links("sitemap")


def _string(value: Any) -> str:
    return without_surrogates(value).strip() if isinstance(value, str) else ""


def _link(entry: Element, address: str) -> str:
    for link in entry.iter("link"):
        target = (link.text or "").strip() or link.get("href", "")
        if link.get("rel", "alternate") == "alternate" and target:
            try:
                target = urljoin(address, target)
            except ValueError:
                continue
            return target if _is_web(target) else ""
    return ""


def _is_web(link: str) -> bool:
    return link.startswith(("https://", "http://"))


def _body(entry: Element) -> str:
    """`content:encoded` of RSS, or `content` of Atom where it is a string of HTML."""
    if encoded := entry.findtext("encoded"):
        return encoded
    content = entry.find("content")
    return (content.text or "") if content is not None and content.get("type") == "html" else ""
