"""PDF: files written by hand and by matplotlib; paragraphs, running heads, and what cannot be read."""

import io
import sys
from collections.abc import Callable, Sequence

import pytest

from pellucid.text.readers import extract
from pellucid.text.readers.reflow import reflow

pytest.importorskip("pypdf", reason="pypdf, of the extra `pdf`, is not installed")

ESCAPED = str.maketrans({"(": "\\(", ")": "\\)"})


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF of those lines, by the book: catalogue, pages, a font, a stream a page, a table of offsets."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for lines in pages:
        text = "".join(f"({line.translate(ESCAPED)}) Tj T* " for line in lines)
        stream = f"BT /F1 10 Tf 14 TL 50 800 Td {text}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {len(objects)} 0 R >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return f"{out}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode(
        "latin-1"
    )


LINES = [
    "It was the best of times, it was the worst of times, it was the age of wis-",
    "dom, it was the age of foolishness, it was the epoch of belief, it was the",
    "epoch of incredulity, it was the season of a well-known Light, and a well-",
    "known Darkness.",
    "There were a king with a large jaw and a queen with a plain face, on the",
    "throne of England (and elsewhere).",
]
PARAGRAPHS = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of "
    "foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of a "
    "well-known Light, and a well-known Darkness.\n\nThere were a king with a large jaw and a queen with a plain "
    "face, on the throne of England (and elsewhere).\n"
)


def test_lines_become_paragraphs():
    found = extract(pdf([LINES]), "tale.pdf")
    assert [(d.text, d.name) for d in found.documents] == [(PARAGRAPHS, "tale.pdf")]


def test_heads_and_page_numbers_go_where_most_pages_have_them():
    names = ("Ann", "Bea", "Cat", "Dan", "Eve", "Fay")
    pages = [
        ["A TALE OF TWO CITIES", f"{name} read aloud that:", *LINES, f"So said {name}.", str(n)]
        for n, name in enumerate(names, 11)
    ]
    text = extract(pdf(pages), "tale.pdf").documents[0].text
    assert "TALE" not in text
    assert not any(character.isdigit() for character in text)
    assert text.count("It was the best") == 6
    assert all(f"{name} read aloud" in text and f"So said {name}." in text for name in names)


def test_a_line_that_pages_share_below_a_head_is_kept():
    pages = [["HEAD", "The same each time.", *LINES[n % 5 :]] for n in range(6)]
    text = reflow(["\n".join(page) for page in pages])
    assert "HEAD" not in text
    assert text.count("The same each time.") == 6


def test_what_is_not_certain_is_kept():
    assert "A TALE" in reflow(["A TALE\n" + "\n".join(LINES), "\n".join(LINES)])
    pages = [f"Chapter {['one', 'two', 'three', 'four', 'five'][n]}\n" + "\n".join(LINES) for n in range(5)]
    assert reflow(pages).count("Chapter") == 5


def test_left_and_right_heads():
    pages = [f"{'DICKENS' if n % 2 else 'A TALE'} {n}\n" + "\n".join(LINES) for n in range(8)]
    assert not any(word in reflow(pages) for word in ("DICKENS", "A TALE", "7"))


def test_a_paragraph_goes_on_on_the_next_page():
    text = reflow(["\n".join(LINES[:2]), "\n".join(LINES[2:])])
    assert text == PARAGRAPHS


def test_verse_is_left_in_lines():
    verse = "Tyger Tyger, burning bright,\nIn the forests\nof the night;\nWhat\nimmortal hand or eye,\nCould\n\nframe"
    assert reflow([verse]) == verse + "\n"


@pytest.mark.slow  # matplotlib takes its time to begin
def test_a_real_writer():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    file = io.BytesIO()
    with PdfPages(file) as pages:
        for text in ("Käse for all.", "A second page."):
            figure = Figure()
            figure.text(0.1, 0.5, text)
            pages.savefig(figure)
    text = extract(file.getvalue(), "x.pdf").documents[0].text
    assert "Käse for all." in text
    assert "A second page." in text


def test_pictures_only(refused: Callable[..., None]):
    refused(pdf([[], []]), "scan.pdf", "pictures of 2 pages and no text", "OCR")
    found = extract(pdf([LINES, []]), "tale.pdf")
    assert any(note.startswith("1 page without text") for note in found.file_notes)


def test_encrypted(refused: Callable[..., None]):
    import pypdf

    def encrypt(user: str) -> bytes:
        writer, file = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([LINES]))), io.BytesIO()
        writer.encrypt(user, "owner", algorithm="RC4-128")
        writer.write(file)
        return file.getvalue()

    refused(encrypt("secret"), "tale.pdf", "encrypted")
    assert extract(encrypt(""), "tale.pdf").documents[0].text == PARAGRAPHS


def test_damaged(
    refused: Callable[..., None], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    whole = pdf([LINES])
    for data in (
        b"",
        b"plain text",
        b"%PDF-",
        b"%PDF-1.4\n%%EOF",
        whole[:300],
        b"%PDF-1.7" + bytes(range(256)) * 20,
    ):
        refused(data, "x.pdf")
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_without_pypdf(refused: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    refused(pdf([LINES]), "x.pdf", 'pip install -e ".[pdf]"')
