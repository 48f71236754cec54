"""EPUB books: the chapters in reading order, one document a book."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from pellucid.errors import InputError
from pellucid.text.readers.archive import Archive
from pellucid.text.readers.extract import Extract, one_document
from pellucid.text.readers.html import decode_html, html_to_text
from pellucid.text.readers.xml import parse_xml
from pellucid.text.wording import plural

PAGES = ("application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/xml", "text/xml")
# Fonts may be obfuscated in a book that anyone can read: https://www.w3.org/TR/epub-33/#sec-font-obfuscation
FONT_OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(data: bytes, name: str) -> Extract:
    """Chapters as the spine orders them, without the table of contents and what is out of the order.

    Raises:
        InputError: not an EPUB book, damaged, or encrypted.
    """
    book = Archive(data, name)
    package_path = _package_path(book)
    paths = _spine(parse_xml(book.read(package_path), f"{name}/{package_path}"), package_path)
    if not paths:
        raise InputError(f"{name} lists no chapters, so there is nothing to read in it")
    if set(paths) & _encrypted(book):
        raise InputError(
            f"{name} is encrypted (DRM) and can only be read by its shop's program: give a book without DRM"
        )
    chapters, missing = list[str](), 0
    for path in paths:
        if path in book:
            markup, _ = decode_html(book.read(path), f"{name}/{path}")
            chapters.append(html_to_text(markup))
        else:
            missing += 1
    text = "\n".join(chapter for chapter in chapters if chapter)  # each ends with a line end
    return one_document(text, name, f"{plural(missing, 'chapter')} missing in it" if missing else None)


def _package_path(book: Archive) -> str:
    if "META-INF/container.xml" not in book:
        raise InputError(f"{book.name} is not an EPUB book: it holds no META-INF/container.xml")
    container = parse_xml(book.read("META-INF/container.xml"), f"{book.name}/META-INF/container.xml")
    for root in container.iter("rootfile"):
        if path := root.get("full-path"):
            return path if path in book else unquote(path)
    raise InputError(f"{book.name} is not an EPUB book: its container names no package")


def _spine(package: Element, package_path: str) -> list[str]:
    """The paths, in the archive, of the pages in reading order."""
    folder = posixpath.dirname(package_path)
    items = {item.get("id"): item for item in package.iter("item")}
    paths = list[str]()
    for reference in package.iter("itemref"):
        item = items.get(reference.get("idref"))
        if item is None or reference.get("linear") == "no" or "nav" in item.get("properties", "").split():
            continue
        if item.get("media-type", PAGES[0]) in PAGES:
            paths.append(_resolve(folder, item.get("href", "")))
    return list(dict.fromkeys(paths))


def _resolve(folder: str, href: str) -> str:
    """`Text/chapter%201.xhtml#top`, relative to `folder`, as a path in the archive."""
    try:
        path = unquote(urlsplit(href).path)
    except ValueError:  # `http://[` is no address
        path = unquote(href)
    return posixpath.normpath(posixpath.join(folder, path)).lstrip("/")


def _encrypted(book: Archive) -> set[str]:
    path = "META-INF/encryption.xml"
    if path not in book:
        return set()
    encrypted = set[str]()
    for data in parse_xml(book.read(path), f"{book.name}/{path}").iter("EncryptedData"):
        methods = {method.get("Algorithm") for method in data.iter("EncryptionMethod")}
        if not methods & set(FONT_OBFUSCATION):
            encrypted |= {
                _resolve("", reference.get("URI", "")) for reference in data.iter("CipherReference")
            }
    return encrypted
