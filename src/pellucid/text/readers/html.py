"""HTML becomes readable text: paragraphs, lines and table rows as a reader sees them."""

from __future__ import annotations

import codecs
import html
import re
from html.parser import HTMLParser

from pellucid.errors import InputError
from pellucid.text.decoding import decode
from pellucid.text.readers.extract import Extract, one_document
from pellucid.text.readers.markup import RAW, tokens

MOST_BYTES = 64 << 20  # the longest novels have 10 MB
DROPPED = frozenset(
    (
        *("script", "style", "head", "template", "noscript", "nav", "svg", "canvas", "iframe", "object"),
        *("audio", "video", "map", "button", "select", "textarea", "datalist", "dialog", "rp", "rt"),
    )
)
# What blogs and Project Gutenberg's books put between sentences: page numbers, and requests to subscribe.
DROPPED_CLASS = re.compile(
    r"(?:^|\s)(?:pagenum|pageno|page-?number|x-ebookmaker-pageno|subscription-widget\S*|button-wrapper)(?:\s|$)",
    re.IGNORECASE,
)
# Line breaks before and after as in the standard's algorithm for innerText, but what is set off on a printed
# page is here too: https://html.spec.whatwg.org/multipage/dom.html#the-innertext-idl-attribute
LINE = frozenset(
    (
        *("address", "body", "caption", "center", "dd", "details", "div", "dt", "fieldset", "figcaption"),
        *("footer", "form", "header", "hgroup", "html", "legend", "li", "main", "option", "summary"),
        *("tbody", "tfoot", "thead", "tr"),
    )
)
PARAGRAPH = frozenset(
    (
        *("p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "dl", "menu", "table"),
        *("section", "article", "aside", "figure", "hr"),
    )
)
VOID = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source"),
        *("track", "wbr"),
    )
)
IN_HEAD = frozenset(("title", "meta", "link", "style", "script", "base", "noscript", "template"))
SPACES = re.compile(r"[ \t\n\r\f]+")
ARTICLE_CLASS = re.compile(r"(?:^|\s)(?:available-content|body markup|post-content|entry-content)(?:\s|$)")
META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""",
    re.IGNORECASE,
)
HTML_START = re.compile(
    rb"(?:<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|html|head|body|title|meta|article|p|div)\b",
    re.IGNORECASE | re.DOTALL,
)
# Labels whose usual meaning on the web is a larger set: https://encoding.spec.whatwg.org/#names-and-labels
LARGER = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
LARGER |= {"shift_jis": "cp932", "euc_kr": "cp949"}
KNOWN_CHARSET = re.compile(
    r"utf-8|cp(?:125[0-8]|866|874|932|949)|iso8859-\d+|koi8-[ru]|mac-(?:roman|cyrillic)|gb18030|big5(?:hkscs)?"
    r"|euc_jp|iso2022_jp|tis-620"
)


def read_html(data: bytes, name: str) -> Extract:
    """Raises InputError if `data` is not text, or larger than a book can be."""
    markup, note = decode_html(data, name)
    return one_document(html_to_text(markup), name, note)


def decode_html(data: bytes, name: str) -> tuple[str, str | None]:
    """The markup in `data` and a note: by byte order mark, by what it says of itself, or by its bytes."""
    if len(data) > MOST_BYTES:
        raise InputError(f"{name} has more than {MOST_BYTES >> 20} MiB of HTML: split it into several files")
    declared = META_CHARSET.search(data[:4096])
    label = (declared[1] or declared[2]).decode() if declared else ""
    return decode(data, name, _codec(label))


def html_to_text(markup: str) -> str:
    """The text of a page, paragraphs apart by one blank line; broken markup gives what there is."""
    return parse_html(markup).text


def parse_html(markup: str, drop: frozenset[str] = frozenset()) -> HtmlText:
    """The page `markup`, without the text of the elements named in `drop`."""
    page = HtmlText(drop)
    for name, piece in tokens(markup):
        if name:
            page.read_tag(name, piece)
        else:
            page.handle_data(html.unescape(piece))
    page.finish()
    return page


def looks_like_html(data: bytes) -> bool:
    """Whether `data` begins as an HTML page does."""
    return bool(HTML_START.match(data[:4096].removeprefix(codecs.BOM_UTF8)))


class HtmlText(HTMLParser):
    """Collects the text of one page, its title, its links in the head, and where its article is."""

    def __init__(self, drop: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.title = ""
        self.links: list[dict[str, str]] = []  # the attributes of <link> elements
        self._drop = DROPPED | drop
        self._pieces: list[str] = []
        self._breaks = 0  # line breaks owed before the next text
        self._gap = ""  # the space, or the tabs between cells, owed where no line breaks are
        self._open: list[tuple[str, bool, str]] = []  # elements: name, whether dropped, kind of article
        self._n_open: dict[str, int] = {}
        self._n_dropped = 0
        self._starts: list[int] = []  # where the articles that are open begin in _pieces
        self._articles: dict[str, list[tuple[int, int]]] = {}
        self._first_cell = True

    @property
    def text(self) -> str:
        """All of the page."""
        return self._join(0, len(self._pieces))

    def article(self) -> str:
        """The longest text that the page marks as a post, an article or its main part; empty if none is."""
        for kind in ("content", "article", "main"):
            texts = [self._join(*span) for span in self._articles.get(kind, [])]
            if any(texts):
                return max(texts, key=len)
        return ""

    def _join(self, start: int, end: int) -> str:
        text = "".join(self._pieces[start:end]).replace("\xa0", " ").replace("\xad", "")
        text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip("\n")
        return text + "\n" if text.strip() else ""

    # ---------------------------------------------------------------- what the parser calls

    def read_tag(self, name: str, tag: str) -> None:
        """Opens or closes the element `name`, as `tag`, which is whole, says."""
        self.feed(tag)
        if self.rawdata:  # not whole to Python's parser: a quotation was never closed
            self.reset()
            if tag.startswith("</"):
                self.handle_endtag(name)
            else:
                self.handle_starttag(name, [])
        if name in RAW:
            self.clear_cdata_mode()  # `tokens` leaves out what is in these

    def finish(self) -> None:
        """Closes what is still open."""
        while self._open:
            self._close(self._open[-1][0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens an element."""
        attributes = {key: value or "" for key, value in attrs}
        if tag == "link":
            self.links.append(attributes)
        if tag == "meta" and attributes.get("property") == "og:title":
            self.title = attributes.get("content", "").strip() or self.title
        if self._n_open.get("head") and (tag == "body" or (self._inside("head") and tag not in IN_HEAD)):
            self._close("head")  # which needs no end tag
        if tag in VOID:
            self._void(tag)
            return
        classes = attributes.get("class", "")
        is_dropped = (
            tag in self._drop
            or bool(classes and DROPPED_CLASS.search(classes))
            or "pagebreak" in (attributes.get("epub:type"), attributes.get("role", "").removeprefix("doc-"))
        )
        kind = self._article_kind(tag, attributes.get("role", ""), classes)
        self._open.append((tag, is_dropped, kind))
        self._n_open[tag] = self._n_open.get(tag, 0) + 1
        self._n_dropped += is_dropped
        self._set_apart(tag)
        if tag in ("td", "th") and not self._n_dropped:
            self._gap = "" if self._first_cell else self._gap.strip(" ") + "\t"
            self._first_cell = False
        if kind:
            self._starts.append(len(self._pieces))

    def handle_endtag(self, tag: str) -> None:
        """Closes an element, and those inside it that are still open."""
        if self._n_open.get(tag):
            self._close(tag)
        elif tag == "p":
            self._set_apart(tag)

    def handle_data(self, data: str) -> None:
        """Adds text."""
        if self._inside("title"):
            self.title = self.title or SPACES.sub(" ", data).strip()
            return
        if self._n_dropped or not data:
            return
        if self._n_open.get("pre"):
            if not self._pieces or self._breaks:
                data = data.removeprefix("\n")
            if data:
                self._write(data)
            return
        words = data.strip(" \t\n\r\f")
        if not words.strip():  # no-break spaces alone are none
            self._gap = self._gap or " "
            return
        if data[0].isspace():
            self._gap = self._gap or " "
        self._write(SPACES.sub(" ", words))
        self._gap = " " if data[-1] in " \t\n\r\f" else ""

    # ---------------------------------------------------------------- what those do

    def _inside(self, tag: str) -> bool:
        return bool(self._open) and self._open[-1][0] == tag

    def _article_kind(self, tag: str, role: str, classes: str) -> str:
        if classes and ARTICLE_CLASS.search(classes):
            return "content"
        return tag if tag in ("article", "main") else "main" if role == "main" else ""

    def _void(self, tag: str) -> None:
        if tag == "br" and not self._n_dropped:
            self._breaks, self._gap = min(self._breaks + 1, 2), ""
        self._set_apart(tag)

    def _set_apart(self, tag: str) -> None:
        """Owes the line breaks before or after a block."""
        breaks = 2 if tag in PARAGRAPH else 1 if tag in LINE else 0
        if breaks and not self._n_dropped:
            self._breaks, self._gap = max(self._breaks, breaks), ""
            self._first_cell = self._first_cell or tag in ("tr", "table")

    def _write(self, text: str) -> None:
        if self._pieces and self._breaks:
            self._pieces[-1] = self._pieces[-1].rstrip("\n")
            self._pieces.append("\n" * self._breaks + self._gap.strip(" "))
        elif self._pieces:
            self._pieces.append(self._gap)
        self._pieces.append(text)
        self._breaks, self._gap = 0, ""

    def _close(self, tag: str) -> None:
        name = ""
        while name != tag:
            name, was_dropped, kind = self._open.pop()
            self._n_open[name] -= 1
            if kind:
                self._articles.setdefault(kind, []).append((self._starts.pop(), len(self._pieces)))
            self._set_apart(name)
            self._n_dropped -= was_dropped


def _codec(label: str) -> str | None:
    """The codec of Python that reads what pages call `label`; None if it is not one that pages use."""
    try:
        name = codecs.lookup(label.strip().lower().removeprefix("x-")).name if label else ""
    except (LookupError, ValueError):
        return None
    name = LARGER.get(name, name)
    return name if KNOWN_CHARSET.fullmatch(name) else None
