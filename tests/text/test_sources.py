"""Reading: files, folders, patterns and addresses, and one plain sentence for every mistake."""

import codecs
import contextlib
import http.server
import os
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import InputError
from pellucid.text import listing
from pellucid.text.corpora.gutenberg import strip_gutenberg
from pellucid.text.documents import Corpus, Document
from pellucid.text.sources import read
from pellucid.text.web import download as download_module
from pellucid.text.web.cache import cache_dir
from pellucid.text.web.download import download

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and an empty cache outside it."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def write(**files: str | bytes) -> None:
    """`a__b_txt` becomes `a/b.txt`."""
    for name, content in files.items():
        path = Path(name.replace("__", "/").replace("_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def names(corpus: Corpus) -> list[str]:
    return [document.name for document in corpus.documents]


# ---------------------------------------------------------------------- what is read


def test_a_file():
    write(Moby_Dick_txt="Call me Ishmael.\r\n")
    corpus = read("Moby.Dick.txt")
    assert corpus.documents == (Document("Call me Ishmael.\n", "Moby.Dick.txt"),)
    assert corpus.name == "moby.dick"
    assert corpus.notes == ()
    assert (corpus.n_characters, corpus.n_bytes) == (17, 17)
    assert read(Path("Moby.Dick.txt")).fingerprint == corpus.fingerprint


def test_encodings_are_noted():
    write(old_txt="Café “x”".encode("cp1252"), wide_txt=codecs.BOM_UTF16_LE + "Füße".encode("utf-16-le"))
    corpus = read(["old.txt", "wide.txt"])
    assert [d.text for d in corpus.documents] == ["Café “x”", "Füße"]
    assert corpus.notes == ("old.txt: read as Windows-1252", "wide.txt: read as UTF-16")
    assert corpus.n_bytes == len("Café “x”Füße".encode())
    assert corpus.name == "old-plus-1"


def test_a_folder_is_read_in_order_and_what_cannot_be_is_noted():
    write(
        books__b_md="b",
        books__a_txt="a",
        books__sub__c_TXT="c",
        books___hidden_txt="hidden",
        books___git__x_txt="hidden",
        books__bad_txt=b"\0\0",
        books__empty_txt=" \n",
        books__picture_png=b"\x89PNG",
    )
    corpus = read("books")
    assert names(corpus) == ["books/a.txt", "books/b.md", "books/sub/c.TXT"]
    assert corpus.name == "books"
    assert "books: 1 file of other kinds left alone (.png)" in corpus.notes
    assert any(note.startswith("skipped: books/bad.txt is not text") for note in corpus.notes)
    assert any(note.startswith("skipped: books/empty.txt is empty") for note in corpus.notes)


def test_many_skipped_files_are_summed_up():
    write(**{f"f__bad{i}_txt": b"\0" for i in range(9)}, f__good_txt="good")
    assert [note for note in read("f").notes if note.endswith("files")] == ["skipped: 4 more files"]


def test_notes_that_many_files_share_are_one():
    write(**{f"f__{i}_txt": "é".encode("cp1252") for i in range(9)})
    assert read("f").notes == ("9 files: read as Windows-1252",)


def test_patterns_are_expanded():
    write(books__a_txt="a", books__deep__er__b_txt="b", books__c_md="c", books__bad_txt=b"\0")
    assert names(read("books/*.txt")) == ["books/a.txt"]
    corpus = read("books/**/*.txt")
    assert names(corpus) == ["books/a.txt", "books/deep/er/b.txt"]
    assert corpus.name == "books"
    assert names(read(str(Path.cwd() / "books" / "?.md"))) == [(Path.cwd() / "books" / "c.md").as_posix()]


def test_a_file_whose_name_looks_like_a_pattern():
    Path("a[1].txt").write_text("one")
    assert names(read("a[1].txt")) == ["a[1].txt"]


def test_home_is_expanded(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("USERPROFILE" if sys.platform == "win32" else "HOME", str(place))
    write(mine_txt="mine")
    assert read("~/mine.txt").documents[0].text == "mine"


def test_a_file_named_twice_is_read_once():
    write(books__a_txt="a", books__b_txt="b")
    corpus = read(["books/b.txt", "books", "./books/b.txt"])
    assert names(corpus) == ["b.txt", "books/a.txt"]
    assert "books/b.txt is named twice and read once" in corpus.notes


def test_stories_are_split_where_they_end():
    write(
        tales_txt="One.\n<|endoftext|>\nTwo, with <|endoftext|> inside.\n\n<|endoftext|>\n \n<|endoftext|>\nThree.\n"
    )
    corpus = read("tales.txt")
    assert [d.text for d in corpus.documents] == ["One.\n", "Two, with <|endoftext|> inside.\n", "Three.\n"]
    assert names(corpus) == ["tales.txt #1", "tales.txt #2", "tales.txt #4"]
    assert corpus.notes == ("left out 1 empty document",)


def test_boundaries_change_the_fingerprint():
    def corpus(*texts: str) -> Corpus:
        return Corpus("x", tuple(Document(text, "") for text in texts))

    prints = {corpus("ab", "c").fingerprint, corpus("a", "bc").fingerprint, corpus("abc").fingerprint}
    assert len(prints) == 3
    assert corpus("abc").fingerprint == Corpus("y", (Document("abc", "other"),)).fingerprint


def test_tinystories():
    if not (DATA / "tinystories.txt").exists():
        pytest.skip("no copy of TinyStories in ../shared/data")
    corpus = read(DATA / "tinystories.txt")
    assert len(corpus.documents) == 7957
    assert not any("<|" in document.text for document in corpus.documents)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Moby Dick!.txt", "moby-dick"),
        ("con.txt", "con-text"),
        ("LPT1.x.txt", "lpt1.x-text"),
        ("...txt", "text"),
        ("漱石.txt", "漱石"),
        ("x" * 200 + ".txt", "x" * 60),
    ],
)
def test_names_are_good_folder_names(name: str, slug: str):
    Path(name).write_text("text")
    assert read(name).name == slug
    Path(read(name).name).mkdir()


# ---------------------------------------------------------------------- Project Gutenberg


BOOK = "Chapter 1\n\n" + "It was a dark and stormy night. " * 40
HEADER = "The Project Gutenberg eBook of Storm\n\nThis ebook is free.\n\n"
START = "*** START OF THE PROJECT GUTENBERG EBOOK STORM ***"
END = "*** END OF THE PROJECT GUTENBERG EBOOK STORM ***"


@pytest.mark.parametrize(
    "start",
    [
        START,
        "***START OF THIS PROJECT GUTENBERG ETEXT STORM***",
        "*** START OF THE PROJECT GUTENBERG EBOOK A\nSTORM ***",
    ],
)
def test_the_licence_is_left_out(start: str):
    text = f"{HEADER}{start}\n\n\n{BOOK}\n\n\n{END}\n\nSTART: FULL LICENSE\n"
    assert strip_gutenberg(text) == (BOOK + "\n", "Project Gutenberg's header and licence left out")


def test_a_book_of_the_nineties():
    small_print = "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*"
    text = f"{HEADER}{small_print}\n{BOOK}\nEnd of Project Gutenberg's Storm\n"
    assert strip_gutenberg(text)[0] == BOOK + "\n"


def test_several_books_in_one_text_are_all_kept():
    one, two = f"{HEADER}{START}\n\n{BOOK}\n{END}\nlicence\n\n", f"{HEADER}{START}\nSecond. {BOOK}\n{END}\n"
    assert strip_gutenberg(one + two)[0] == f"{BOOK}\n\n\nSecond. {BOOK}\n"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (f"{HEADER}{START}\n{BOOK}\n{END}\n{START}\n{BOOK}", "END marker is missing"),
        (BOOK, None),
        (f"{BOOK}\nSTART: FULL LICENSE\n", None),
        (f"{HEADER}{START}\n{BOOK}", "END marker is missing"),
        (f"{HEADER}{BOOK}\n{END}\n", "START marker is missing"),
        (f"{BOOK}{BOOK}\n{START}\nshort\n{END}\n", "less than half"),
    ],
)
def test_what_is_not_cut(text: str, note: str | None):
    stripped, said = strip_gutenberg(text)
    assert stripped == text
    assert said is None if note is None else note in (said or "")


def test_real_books():
    if not (DATA / "gutenberg").is_dir():
        pytest.skip("no copies of Gutenberg's books in ../shared/data")
    corpus = read(DATA / "gutenberg")
    assert corpus.notes == ("12 files: Project Gutenberg's header and licence left out",)
    assert corpus.n_files == 12
    shares = dict[str, float]()
    for document in corpus.documents:
        whole = (DATA / document.name).read_text("utf-8-sig")
        lines = whole.split("\n")  # the cut once more, line by line
        start = next(n for n, line in enumerate(lines) if line.startswith("*** START OF"))
        ends = ("*** END OF", "End of Project Gutenberg")
        end = next(n for n, line in enumerate(lines) if line.startswith(ends))
        assert document.text == "\n".join(lines[start + 1 : end]).strip("\n") + "\n"
        shares[document.name.rpartition("/")[2]] = len(document.text) / len(whole)
    assert shares["sleepy_hollow.txt"] == pytest.approx(0.78, abs=0.005)
    assert min(shares, key=shares.__getitem__) == "sleepy_hollow.txt"
    assert shares["elements_of_style.txt"] == pytest.approx(0.82, abs=0.005)


# ---------------------------------------------------------------------- mistakes


def refused(source: Any, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        read(source)
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_missing_files_and_near_names():
    write(Frankenstein_txt="text", books__ulysses_txt="text")
    refused("Frankenstien.txt", "Frankenstien.txt does not exist; did you mean Frankenstein.txt?: check")
    refused("books/Ulyses.txt", f"did you mean {Path('books/ulysses.txt')}?")
    refused("shakespear", "did you mean shakespeare?")
    refused("nothing/like/it", "nothing/like/it does not exist: check")
    refused("x" * 5000, "does not exist")
    refused("~nobody-of-that-name/x", "does not exist")


def test_other_mistakes(monkeypatch: pytest.MonkeyPatch):
    write(
        empty_txt="",
        blank_txt=" \n\t\n",
        binary_txt=b"a\0b",
        book_mobi=b"BOOKMOBI",
        page_html="<html>",
        code__a_py="x",
        hidden___x_txt="x",
        bad__x_txt=b"\0",
        big_txt="more than ten",
    )
    refused([], "Nothing to read")
    refused("", "names no text")
    refused("a\0b", "names no text")
    refused("empty.txt", "empty.txt is empty")
    refused("blank.txt", "blank.txt is empty")
    refused("binary.txt", "binary.txt is not text", "UTF-8")
    refused("book.mobi", "book.mobi cannot be read", ".txt", "plain text")
    refused("page.html", "page.html is empty")
    refused("code", "code holds no text", ".md")
    refused("hidden", "hidden holds no text")
    refused("bad", "bad holds no text that can be read", "bad/x.txt is not text")
    refused("*.rst", "*.rst matches no file")
    refused(["big.txt", "empty.txt"], "empty.txt is empty")
    refused("ftp://host/file.txt", "https://")
    refused("file:///etc/passwd", "https://")
    refused("http://", "https://")
    monkeypatch.setattr(listing, "MOST_BYTES", 10)
    refused("big.txt", "big.txt has", "split it")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_hang():
    os.mkfifo("pipe.txt")
    refused("pipe.txt", "pipe.txt is not a file")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this user may read everything")
def test_files_without_permission():
    write(secret_txt="text", folder__x_txt="text", ok__a_txt="text", ok__b_txt="text")
    Path("secret.txt").chmod(0)
    Path("ok/a.txt").chmod(0)
    Path("folder").chmod(0)
    refused("secret.txt", "secret.txt cannot be read", "permissions")
    refused("folder/x.txt", "permissions")
    assert names(read("ok")) == ["ok/b.txt"]
    Path("folder").chmod(0o700)


def test_an_unreadable_file_is_a_plain_message(monkeypatch: pytest.MonkeyPatch):
    write(a_txt="text")

    def fail(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", fail)
    refused("a.txt", "a.txt cannot be read (Permission denied): check its permissions")


# ---------------------------------------------------------------------- addresses


class Pages(http.server.BaseHTTPRequestHandler):
    """Every way a server answers, by path."""

    asked: dict[str, int]

    def do_GET(self) -> None:
        self.asked[self.path] = self.asked.get(self.path, 0) + 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
            getattr(self, "page_" + self.path.strip("/").split(".")[0])()

    def answer(
        self, body: bytes, status: int = 200, kind: str = "text/plain", length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def page_book(self) -> None:
        self.answer("Once upon a time – 你好.\r\n".encode())

    def page_moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/book.txt")
        self.end_headers()

    def page_circle(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/circle")
        self.end_headers()

    def page_missing(self) -> None:
        self.answer(b"no", 404)

    def page_busy(self) -> None:
        self.answer(
            b"no" if self.asked[self.path] < 3 else b"at last", 503 if self.asked[self.path] < 3 else 200
        )

    def page_broken(self) -> None:
        self.answer(b"no", 500)

    def page_html(self) -> None:
        self.answer(b"<p>hello", kind="text/html; charset=utf-8")

    def page_hidden(self) -> None:
        self.answer(b"\n<!DOCTYPE HTML><title>x</title>")

    def page_cut(self) -> None:
        self.answer(b"only the beginn", length=1000)

    def page_stall(self) -> None:
        self.answer(b"and then ", length=1000)
        self.wfile.flush()
        time.sleep(1.5)

    def page_announced(self) -> None:
        self.answer(b"x", length=10**12)

    def page_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100_000):
            self.wfile.write(b"x" * 1000)

    def page_binary(self) -> None:
        self.answer(b"\x89PNG\r\n")

    def page_nothing(self) -> None:
        self.answer(b"")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    Pages.asked = {}
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pages) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between tries, and no proxy to the server of this test."""
    monkeypatch.setattr(download_module, "PAUSE", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def cached_files() -> list[Path]:
    return [path for path in cache_dir().rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_an_address_is_fetched_once(server: str):
    lines = list[str]()
    before = Pages.asked.get("/book.txt", 0)
    corpus = read(f"{server}/book.txt", progress=lines.append)
    assert corpus.documents == (Document("Once upon a time – 你好.\n", f"{server}/book.txt"),)
    assert (corpus.name, corpus.notes) == ("book", ())
    assert lines == [f"fetching {server}/book.txt"]
    again = read(f"{server}/book.txt")
    assert again.documents == corpus.documents
    assert "delete" in again.notes[0]
    assert Pages.asked["/book.txt"] == before + 1


def test_redirections_are_followed(server: str):
    assert read(f"{server}/moved").documents[0].text.startswith("Once")


def test_a_busy_server_is_asked_again(server: str):
    lines = list[str]()
    assert read(f"{server}/busy", progress=lines.append).documents[0].text == "at last"
    assert lines[-1].endswith("(try 3 of 3)")


@pytest.mark.parametrize(
    ("page", "tries", "parts"),
    [
        ("missing", 1, ["404", "check the address"]),
        ("broken", 3, ["500", "browser"]),
        ("html", 1, ["HTML page", "text version"]),
        ("hidden", 1, ["HTML page"]),
        ("cut", 3, ["could not be fetched", "network"]),
        ("stall", 3, ["no answer within 0.2 s"]),
        ("circle", None, ["could not be fetched"]),
        ("announced", 1, ["larger than 50,000 bytes"]),
        ("endless", 1, ["larger than 50,000 bytes"]),
    ],
)
def test_addresses_that_fail_leave_nothing_behind(
    server: str, page: str, tries: int | None, parts: list[str]
):
    with pytest.raises(InputError) as caught:
        download(f"{server}/{page}", max_bytes=50_000, timeout=0.2)
    assert all(part in str(caught.value) for part in [f"{server}/{page}", *parts]), caught.value
    assert cached_files() == []
    if tries is not None:
        assert Pages.asked[f"/{page}"] == tries


def test_an_address_of_something_else(server: str):
    refused(f"{server}/binary", f"{server}/binary is a PNG picture")
    refused(f"{server}/nothing.txt", "is empty")


def test_no_network():
    with pytest.raises(InputError, match="check the network"):
        download("http://127.0.0.1:9/x.txt", timeout=0.5)


def test_a_cache_that_cannot_be_written(server: str, monkeypatch: pytest.MonkeyPatch):
    Path("a-file").write_text("in the way")
    monkeypatch.setenv("PELLUCID_CACHE", str(Path("a-file").resolve()))
    with pytest.raises(InputError, match="PELLUCID_CACHE"):
        download(f"{server}/book.txt")


@pytest.mark.parametrize(
    ("platform", "variable", "value", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "/xdg", "/xdg/pellucid"),
        ("linux", "XDG_CACHE_HOME", "relative", "/home/me/.cache/pellucid"),
        ("linux", None, "", "/home/me/.cache/pellucid"),
        ("darwin", None, "", "/home/me/Library/Caches/pellucid"),
        ("win32", "LOCALAPPDATA", "/local", "/local/pellucid/Cache"),
        ("win32", None, "", "/home/me/AppData/Local/pellucid/Cache"),
        ("linux", "PELLUCID_CACHE", "/mine", "/mine"),
    ],
)
def test_where_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: str | None, value: str, expected: str
):
    for name in ("PELLUCID_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    if variable:
        monkeypatch.setenv(variable, value)
    assert cache_dir() == Path(expected)


# ---------------------------------------------------------------------- named corpora


def test_a_path_of_that_name_needs_a_separator_or_a_suffix(monkeypatch: pytest.MonkeyPatch):
    named = Corpus("named", (Document("x", "x"),))
    monkeypatch.setattr(listing, "read_named", lambda name, progress: named)
    write(shakespeare__a_txt="mine", shakespeare_txt="mine too")
    assert read("shakespeare").name == read(Path("shakespeare")).name == "named"
    twice = read(["shakespeare", "shakespeare.txt", "shakespeare"])
    assert names(twice) == ["x", "shakespeare.txt"]
    assert twice.notes == (
        "shakespeare is the named corpus; for what is called so here, write ./shakespeare",
        "shakespeare is named twice and read once",
    )
    assert names(read(["shakespeare", "tinyshakespeare"])) == ["x"]  # as where one stands in for the other
    assert names(read("./shakespeare")) == ["shakespeare/a.txt"]
    assert names(read("shakespeare.txt")) == ["shakespeare.txt"]
