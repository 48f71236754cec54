"""Word documents (.docx): paragraphs and tables as they read once all tracked changes are accepted."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from pellucid.errors import InputError
from pellucid.text.readers.archive import Archive
from pellucid.text.readers.extract import Extract, one_document
from pellucid.text.readers.xml import parse_xml

OLE = b"\xd0\xcf\x11\xe0"  # what Word wrote before 2007, and writes around an encrypted document
BODY = "word/document.xml"
CHARACTERS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
# Deleted or moved away; the code of fields; properties (where <tab> is a stop); text boxes, which come after.
NOT_INLINE = frozenset(("del", "moveFrom", "instrText", "delInstrText", "pPr", "rPr", "txbxContent", "rt"))
NOT_BLOCKS = frozenset(("del", "moveFrom", "sectPr", "pPr", "tblPr"))


def read_docx(data: bytes, name: str) -> Extract:
    """Paragraphs apart by a blank line, lists and table rows a line each, footnotes and endnotes at the end.

    Raises:
        InputError: not a Word document of 2007 or later, damaged, or protected by a password.
    """
    if data.startswith(OLE):
        raise InputError(
            f"{name} is protected by a password or of a Word before 2007: open it, save it as .docx without "
            "a password, and give that file"
        )
    archive = Archive(data, name)
    path = _body_path(archive)
    blocks = list(_blocks(parse_xml(archive.read(path), f"{name}/{path}")))
    for notes in ("footnotes.xml", "endnotes.xml"):
        notes_path = posixpath.join(posixpath.dirname(path), notes)
        if notes_path in archive:
            blocks += _notes(parse_xml(archive.read(notes_path), f"{name}/{notes_path}"))
    return one_document(_join(blocks), name)


def _body_path(archive: Archive) -> str:
    """Where the package says that its main part is; some programs call it `word/document2.xml`."""
    if BODY in archive:
        return BODY
    if "_rels/.rels" in archive:
        relations = parse_xml(archive.read("_rels/.rels"), f"{archive.name}/_rels/.rels")
        for relation in relations.iter("Relationship"):
            target = relation.get("Target", "").lstrip("/")
            if relation.get("Type", "").endswith("/officeDocument") and target.startswith("word/"):
                return target
    raise InputError(f"{archive.name} is not a Word document: it holds no {BODY}")


def _notes(root: Element) -> Iterator[tuple[str, bool]]:
    for note in root:
        if note.get("type", "normal") == "normal":  # not the lines that separate notes from the page
            yield from _blocks(note)


def _join(blocks: list[tuple[str, bool]]) -> str:
    pieces, in_list = list[str](), False
    for text, is_item in blocks:
        if text.strip():
            if pieces:
                pieces.append("\n" if in_list and is_item else "\n\n")
            pieces.append(text.strip("\n"))
            in_list = is_item
    return "".join(pieces) + "\n"


def _blocks(parent: Element) -> Iterator[tuple[str, bool]]:
    """The text of each paragraph or table in `parent`, and whether it is an item of a list."""
    held = ""  # a paragraph whose end was deleted goes on in the next
    for child in _accepted(parent):
        if child.tag == "p":
            text = held + "".join(_inline(child))
            held = text if child.find("pPr/rPr/del") is not None else ""
            if not held:
                yield text, child.find("pPr/numPr") is not None
            for box in _text_boxes(child):
                yield from _blocks(box)
        elif child.tag == "tbl":
            yield "\n".join(_rows(child)), False
        elif child.tag not in NOT_BLOCKS:
            yield from _blocks(child)
    yield held, False


def _inline(parent: Element) -> Iterator[str]:
    for child in _accepted(parent):
        if child.tag == "t":
            yield child.text or ""
        elif child.tag in CHARACTERS:
            yield CHARACTERS[child.tag]
        elif child.tag not in NOT_INLINE:
            yield from _inline(child)


def _accepted(parent: Element) -> Iterator[Element]:
    """The children; of alternatives, which say the same in two ways, those of the first that has any."""
    for child in parent:
        if child.tag == "AlternateContent":
            chosen = child.find("Choice")
            chosen = child.find("Fallback") if chosen is None else chosen
            yield from () if chosen is None else chosen
        else:
            yield child


def _text_boxes(parent: Element) -> Iterator[Element]:
    for child in _accepted(parent):
        if child.tag == "txbxContent":
            yield child
        elif child.tag not in NOT_INLINE:
            yield from _text_boxes(child)


def _rows(table: Element) -> Iterator[str]:
    for row in _nearest(table, "tr"):
        if row.find("trPr/del") is None:
            yield "\t".join(" ".join(_text(cell).split()) for cell in _nearest(row, "tc"))


def _nearest(parent: Element, tag: str) -> Iterator[Element]:
    """The rows or cells of this table, also those inside content controls, but not those of tables in it."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _nearest(child, tag)


def _text(cell: Element) -> str:
    return "\n".join(text for text, _ in _blocks(cell))
