"""EPUB: reading order, what is no chapter, and what is no book."""

from collections.abc import Callable

import pytest

from pellucid.text.readers import extract

Zipped = Callable[..., bytes]
CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
XHTML = 'media-type="application/xhtml+xml"'
PACKAGE = f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Storm</dc:title></metadata>
  <manifest>
    <item id="b" href="Text/chapter%202.xhtml" {XHTML}/>
    <item id="a" href="Text/../Text/one.xhtml#top" {XHTML}/>
    <item id="nav" href="nav.xhtml" properties="nav scripted" {XHTML}/>
    <item id="extra" href="Text/extra.xhtml" {XHTML}/>
    <item id="gone" href="Text/gone.xhtml" {XHTML}/>
    <item id="cover" href="cover.svg" media-type="image/svg+xml"/>
    <item id="up" href="../notes.xhtml" {XHTML}/>
  </manifest>
  <spine toc="ncx">
    <itemref idref="cover"/><itemref idref="nav"/><itemref idref="a"/><itemref idref="b" linear="yes"/>
    <itemref idref="extra" linear="no"/><itemref idref="gone"/><itemref idref="nowhere"/><itemref idref="up"/>
  </spine>
</package>"""


def page(text: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>no</title><script src='x.js'/></head><body>{text}</body></html>"
    )


BOOK = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/content.opf": PACKAGE,
    "OEBPS/Text/chapter 2.xhtml": page("<h2>Two</h2><p>Käse&nbsp;&amp; Brot.</p>"),
    "OEBPS/Text/one.xhtml": page("<h2>One</h2><p>First.</p><p>Second.</p>"),
    "OEBPS/Text/extra.xhtml": page("not in the order"),
    "OEBPS/nav.xhtml": page("<ol><li>contents</li></ol>"),
    "OEBPS/cover.svg": "<svg/>",
    "notes.xhtml": page("<p>Notes.</p>"),
}
TEXT = "One\n\nFirst.\n\nSecond.\n\nTwo\n\nKäse & Brot.\n\nNotes.\n"


def test_the_spines_order(zipped: Zipped):
    found = extract(zipped(BOOK), "storm.epub")
    assert [(d.text, d.name) for d in found.documents] == [(TEXT, "storm.epub")]
    assert found.file_notes == {"1 chapter missing in it": ["storm.epub"]}
    assert found.n_files == 1


def test_a_book_without_a_suffix(zipped: Zipped):
    assert extract(zipped(BOOK), "https://example.org/download").documents[0].text == TEXT


def encryption(uri: str, algorithm: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        f'<enc:EncryptionMethod Algorithm="{algorithm}"/>'
        f'<enc:CipherData><enc:CipherReference URI="{uri}"/></enc:CipherData></enc:EncryptedData></encryption>'
    )


def test_drm(zipped: Zipped, refused: Callable[..., None]):
    aes = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    locked = BOOK | {"META-INF/encryption.xml": encryption("OEBPS/Text/chapter%202.xhtml", aes)}
    refused(zipped(locked), "storm.epub", "DRM")
    for uri, algorithm in (
        ("OEBPS/font.otf", aes),
        ("OEBPS/Text/one.xhtml", "http://www.idpf.org/2008/embedding"),
    ):
        fonts = BOOK | {"META-INF/encryption.xml": encryption(uri, algorithm)}
        assert extract(zipped(fonts), "storm.epub").documents[0].text == TEXT


BOMB = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10)
)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"META-INF/container.xml": None}, "not an EPUB book"),
        ({"META-INF/container.xml": "<container/>"}, "names no package"),
        ({"META-INF/container.xml": "<container>"}, "not well-formed"),
        ({"META-INF/container.xml": f"{BOMB}]><container>&k;</container>"}, "declares XML entities"),
        (
            {"META-INF/container.xml": f"{BOMB}]><container>&k;</container>".encode("utf-16")},
            "declares XML entities",
        ),
        ({"META-INF/container.xml": "<a>" * 5000 + "</a>" * 5000}, "nested more than"),
        ({"OEBPS/content.opf": None}, "is missing"),
        ({"OEBPS/content.opf": "<package/>"}, "lists no chapters"),
        ({"OEBPS/content.opf": b"\xff\xfe\0"}, "not well-formed"),
        ({"OEBPS/Text/one.xhtml": b"\0"}, "NUL"),
        ({name: None for name in BOOK if name.endswith("xhtml")}, "is empty"),
    ],
)
def test_what_is_no_book(changes: dict, part: str, zipped: Zipped, refused: Callable[..., None]):
    members = {name: content for name, content in (BOOK | changes).items() if content is not None}
    refused(zipped(members), "storm.epub", part)


def test_a_book_cut_short(zipped: Zipped, refused: Callable[..., None]):
    whole = zipped(BOOK)
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        refused(whole[:length], "storm.epub", "cannot be unpacked")
    refused(b"%PDF-1.4", "storm.epub")


def test_a_package_of_the_older_kind(zipped: Zipped):
    """A DOCTYPE without entities of its own is harmless, and old books have one."""
    doctype = (
        '<!DOCTYPE package PUBLIC "+//ISBN 0-9673008-1-9//DTD OEB 1.2 Package//EN" "http://x/oebpkg12.dtd">'
    )
    old = BOOK | {"OEBPS/content.opf": PACKAGE.replace("?>", f"?>{doctype}", 1)}
    assert extract(zipped(old), "storm.epub").documents[0].text == TEXT
