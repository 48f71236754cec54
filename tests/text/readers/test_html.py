"""HTML: what a reader would see, from any markup, in time that grows with the page and no faster."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.readers import extract
from pellucid.text.readers.html import decode_html, html_to_text, looks_like_html, parse_html
from pellucid.text.sources import read


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one<p>two", "one\n\ntwo\n"),
        ("<h1>A &amp; B&eacute;&#33;</h1>text", "A & Bé!\n\ntext\n"),
        ("one<br>two<br/>three", "one\ntwo\nthree\n"),
        ("one<br><br>two<br><br><br>three", "one\n\ntwo\n\nthree\n"),
        ("<p> much \n\t space </p>", "much space\n"),
        ("a <b>bold</b>ly <i> went </i> on", "a boldly went on\n"),
        ("a<b></b>b <span> </span> c", "ab c\n"),
        ("<p>a</p>\n<p>&nbsp;</p>\n<p>b</p>", "a\n\nb\n"),
        ("<ul><li>one<li>two <b>x</b></ul>after", "one\ntwo x\n\nafter\n"),
        ("<dl><dt>term<dd>meaning</dl>", "term\nmeaning\n"),
        (
            "<table><caption>T</caption><tr><th>a<th>b<tr><td>1<td><td>3</table>",
            "T\na\tb\n1\t\t3\n",
        ),
        ("<div>one</div><div>two</div>", "one\ntwo\n"),
        ("x<pre>\n  a\n\n    b\n</pre>y", "x\n\n  a\n\n    b\n\ny\n"),
        ("<head><title>no</title></head><body>yes", "yes\n"),
        ("<title>no<body>yes", "yes\n"),
        ("<head><style>p{}</style><p>yes", "yes\n"),
        ("<script>if (a < b) '</p>'</script>x<STYLE>y</STYLE >z", "xz\n"),
        ("<script src=x />text", "text\n"),
        ("a<!-- <p>no</p> -->b<!DOCTYPE x><?php no ?>c", "abc\n"),
        ("a<nav><ul><li>menu</ul></nav><template>t</template><noscript>n</noscript>b", "ab\n"),
        ("soft&shy;hyphen", "softhyphen\n"),
        ('one<span class="pagenum">[Pg 7]</span> two', "one two\n"),
        ('one <span epub:type="pagebreak">169</span>two<i role="doc-pagebreak">170</i>', "one two\n"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢字\n"),
        ('<p title="a > b" data-x=\'"\'>c</p>', "c\n"),
        ("1 < 2 and 3 <4 & 5", "1 < 2 and 3 <4 & 5\n"),
        ("a<3 and <unfinished tag", "a<3 and <unfinished tag\n"),
        ("<!-- unfinished <p>kept", "unfinished\n\nkept\n"),
        ('<p class="open>one</p><p>two</p>', "one\n\ntwo\n"),
        ("</p></div></nav>text</body></html>", "text\n"),
        ("", ""),
        ("<p> </p>", ""),
    ],
)
def test_what_a_reader_sees(markup: str, text: str):
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("data", "text", "note"),
    [
        ("<meta charset=utf-8>Käse".encode(), "Käse\n", None),
        ('<meta charset="ISO-8859-1">“Käse”'.encode("cp1252"), "“Käse”\n", None),
        (
            b'<META http-equiv=Content-Type content="text/html; charset=Shift_JIS">'
            + "日本語".encode("cp932"),
            "日本語\n",
            None,
        ),
        ('<?xml version="1.0" encoding="koi8-r"?><p>Москва'.encode("koi8-r"), "Москва\n", None),
        ('<meta charset="gb2312">中文'.encode("gb18030"), "中文\n", None),
        ("Käse <p>".encode("cp1252"), "Käse\n", "read as Windows-1252"),
        ("\ufeff<meta charset=latin1>Käse".encode("utf-8"), "Käse\n", None),
        ("<meta charset=latin1>Käse".encode("utf-16"), "Käse\n", "read as UTF-16"),
        (b'<meta charset="unicode_escape">K\\xe4se', "K\\xe4se\n", None),
        ('<meta charset="zlib_codec">Käse'.encode(), "Käse\n", None),
        ('<meta charset="nonsense">Käse'.encode(), "Käse\n", None),
        ('<meta charset="utf-8">Käse'.encode("cp1252"), "Käse\n", "read as Windows-1252"),
    ],
)
def test_encodings(data: bytes, text: str, note: str | None):
    markup, said = decode_html(data, "x.html")
    assert html_to_text(markup) == text
    assert said == note


@given(
    st.text(
        st.characters(
            exclude_characters="<>&\xa0\xad\r\f\v\x1c\x1d\x1e\x1f\x85",
            exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"],
        ),
        min_size=1,
    )
)
def test_text_without_markup_is_kept(text: str):
    assert html_to_text(f"<p>{text}</p><p>end") == f"{text}\n\nend\n"


@given(st.text(alphabet="<>/!-'\"=& \nap", max_size=300))
def test_any_markup_gives_text(markup: str):
    text = html_to_text(markup)
    assert text == "" or (text.endswith("\n") and text.strip())


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<!",
        "</",
        "<a ",
        "<",
        "<a b='",
        '<a b="x" ',
        "<script>",
        "<pre>",
        "<p><nav>",
        "<div></p>",
        "<td>",
    ],
)
def test_broken_markup_takes_linear_time(piece: str):
    """Python's own parser takes minutes for 20,000 of `<a `."""
    start = time.process_time()
    html_to_text(piece * 10_000 + ">")
    assert time.process_time() - start < 5


def test_the_longest_marked_article():
    page = parse_html(
        "<title>The &amp; title</title><body><header>site</header><article>short</article>"
        "<article><h1>Title</h1><p>Long enough to win.</article><footer>legal</footer>"
    )
    assert page.title == "The & title"
    assert page.article() == "Title\n\nLong enough to win.\n"
    assert parse_html("<p>none").article() == ""
    assert parse_html("<div role=main>main").article() == "main\n"


def test_what_looks_like_a_page():
    assert looks_like_html(b"\xef\xbb\xbf\n <!-- x -->\n<!DOCTYPE html>")
    assert looks_like_html(b"<?xml version='1.0'?><html>")
    assert not looks_like_html(b"<3 this is text")
    assert not looks_like_html(b"A text about <html>")


BOOK = "".join(f"<p>Paragraph {n}, of a dark\nand stormy night.</p>\n" for n in range(60))


def test_project_gutenbergs_own_edition():
    markup = (
        "<!DOCTYPE html><html><head><title>Storm | Project Gutenberg</title></head><body>"
        '<section class="pg-boilerplate pgheader" id="pg-header"><h2>The Project Gutenberg eBook of Storm</h2>'
        "<div>This ebook is for the use of anyone anywhere.</div>"
        '<div id="pg-start-separator"><span>*** START OF THE PROJECT GUTENBERG EBOOK STORM ***</span></div></section>'
        f'<h1>STORM</h1><p><span class="pagenum"><a id="p1"></a>[Pg 1]</span>First.</p>{BOOK}'
        '<section class="pg-boilerplate pgheader" id="pg-footer"><div id="pg-end-separator">'
        "<span>*** END OF THE PROJECT GUTENBERG EBOOK STORM ***</span></div><p>licence</p></section></body></html>"
    )
    found = extract(markup.encode(), "storm.html")
    text = found.documents[0].text
    assert text.startswith("STORM\n\nFirst.\n\nParagraph 0, of a dark and stormy night.\n\n")
    assert text.endswith("Paragraph 59, of a dark and stormy night.\n")
    assert list(found.file_notes) == ["Project Gutenberg's header and licence left out"]


@pytest.mark.parametrize("data", [b"", b"<html>", b"\0\0", b"\x89PNG", b"<script>x</script>", b"%PDF-1.4"])
def test_what_is_no_page(data: bytes, tmp_path: Path):
    (tmp_path / "page.html").write_bytes(data)
    with pytest.raises(InputError, match=r"page\.html"):
        read(tmp_path / "page.html")
