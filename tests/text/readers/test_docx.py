"""Word: what a reader sees once all changes are accepted."""

from collections.abc import Callable

import pytest

from pellucid.text.readers import extract

Zipped = Callable[..., bytes]
NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:v="urn:v"'
)


def body(xml: str) -> str:
    return f'<?xml version="1.0"?><w:document {NAMESPACES}><w:body>{xml}<w:sectPr/></w:body></w:document>'


def p(*runs: str, properties: str = "") -> str:
    return f"<w:p>{f'<w:pPr>{properties}</w:pPr>' if properties else ''}{''.join(runs)}</w:p>"


def r(text: str) -> str:
    return f'<w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def cell(*paragraphs: str) -> str:
    return f"<w:tc><w:tcPr/>{''.join(paragraphs)}</w:tc>"


BOX = f"<w:txbxContent>{p(r('in a box'))}</w:txbxContent>"
ITEM = "<w:numPr><w:ilvl w:val='0'/></w:numPr>"


GONE = r("gone")
ROW_IN_CELL = f"<w:tbl><w:tr>{cell(p(r('in')))}{cell(p(r('ner')))}</w:tr></w:tbl>"
TABLE = (
    f"<w:tbl><w:tblPr/><w:tr>{cell(p(r('a')))}{cell(p(r('b')), p(r('c')))}</w:tr>"
    f"<w:tr><w:trPr><w:del/></w:trPr>{cell(p(GONE))}</w:tr>"
    f"<w:tr>{cell(p(r('d')))}{cell(ROW_IN_CELL, p())}</w:tr></w:tbl>"
)
FIELD = (
    "<w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>PAGEREF x</w:instrText></w:r>"
    "<w:r><w:fldChar w:fldCharType='separate'/></w:r>"
)
CHOICE = f"<mc:Choice Requires='wps'><w:drawing><wps:txbx>{BOX}</wps:txbx></w:drawing></mc:Choice>"
FALLBACK = f"<mc:Fallback><w:pict><v:textbox>{BOX}</v:textbox></w:pict></mc:Fallback>"


def alternatives(*xml: str) -> str:
    return f"<w:r><mc:AlternateContent>{''.join(xml)}</mc:AlternateContent></w:r>"


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (
            p(r("Title"), properties="<w:pStyle w:val='Heading1'/>") + p(r("A "), r("line.")),
            "Title\n\nA line.",
        ),
        (p(r("a")) + p() + p(r(" ")) + p(r("b")), "a\n\nb"),
        (p(r("a"), "<w:r><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>"), "a\tb\nc"),
        (p(r("a"), properties="<w:tabs><w:tab w:val='left'/></w:tabs>"), "a"),
        (p(r("a"), "<w:r><w:noBreakHyphen/><w:softHyphen/><w:t>b</w:t><w:cr/></w:r>"), "a-b"),
        (p(r("kept"), f"<w:del>{GONE}<w:r><w:delText>gone</w:delText></w:r></w:del>"), "kept"),
        (p(r("kept"), f"<w:ins>{r(' new')}</w:ins>"), "kept new"),
        (p(f"<w:moveFrom>{GONE}</w:moveFrom><w:moveTo>{r('here')}</w:moveTo>"), "here"),
        (p(r("one "), properties="<w:rPr><w:del/></w:rPr>") + p(r("par")) + p(r("two")), "one par\n\ntwo"),
        (p(FIELD, r("7"), f"<w:fldSimple w:instr='DATE'>{r(' May')}</w:fldSimple>"), "7 May"),
        (p(f"<w:hyperlink>{r('a link')}</w:hyperlink><w:smartTag>{r(' and')}</w:smartTag>"), "a link and"),
        (f"<w:sdt><w:sdtPr/><w:sdtContent>{p(r('control'))}</w:sdtContent></w:sdt>", "control"),
        (p(r("a"), properties=ITEM) + p(r("b"), properties=ITEM) + p(r("c")), "a\nb\n\nc"),
        (TABLE, "a\tb c\nd\tin ner"),
        (p(r("before"), alternatives(CHOICE, FALLBACK), r(" after")), "before after\n\nin a box"),
        (p(alternatives(FALLBACK)), "in a box"),
        (p(r("a"), alternatives()), "a"),
        (p(r("&lt;Käse&gt; &#8220;x&#8221;")), "<Käse> “x”"),
    ],
)
def test_what_a_reader_sees(xml: str, text: str, zipped: Zipped):
    found = extract(zipped({"word/document.xml": body(xml)}), "letter.docx")
    assert found.documents[0].text == text + "\n"


def test_notes_come_after(zipped: Zipped):
    def notes(kind: str) -> str:
        return (
            f"<w:{kind}s {NAMESPACES}><w:{kind} w:type='separator' w:id='-1'>{p(r('no'))}</w:{kind}>"
            f"<w:{kind} w:id='1'>{p(r(f'A {kind}.'))}</w:{kind}></w:{kind}s>"
        )

    members = {
        "word/document.xml": body(p(r("Text"), "<w:r><w:footnoteReference w:id='1'/></w:r>", r("."))),
        "word/footnotes.xml": notes("footnote"),
        "word/endnotes.xml": notes("endnote"),
        "word/header1.xml": body(p(r("a header"))),
    }
    assert extract(zipped(members), "x.docx").documents[0].text == "Text.\n\nA footnote.\n\nA endnote.\n"


def test_a_main_part_of_another_name(zipped: Zipped):
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    rels = f'<Relationships><Relationship Type="{kind}" Target="/word/document2.xml"/></Relationships>'
    members = {"_rels/.rels": rels, "word/document2.xml": body(p(r("Text")))}
    assert extract(zipped(members), "x.docx").documents[0].text == "Text\n"


def test_what_is_no_document(zipped: Zipped, refused: Callable[..., None]):
    good = zipped({"word/document.xml": body(p(r("Text " * 300)))})
    for length in (0, 30, len(good) - 5):
        refused(good[:length], "x.docx", "cannot be unpacked")
    refused(b"plain text", "x.docx", "cannot be unpacked")
    refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.docx", "password")
    refused(zipped({"a.txt": "text"}), "x.docx", "not a Word document")
    refused(zipped({"word/document.xml": ""}), "x.docx", "not well-formed")
    refused(zipped({"word/document.xml": body("")}), "x.docx", "is empty")
    refused(zipped({"word/document.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}), "x.docx", "entities")
    refused(zipped({"word/document.xml": body("<w:tbl>" * 500 + "</w:tbl>" * 500)}), "x.docx", "nested")
    assert extract(
        zipped({"word/document.xml": body("<w:sdt>" * 190 + p(r("deep")) + "</w:sdt>" * 190)}), "x.docx"
    )
