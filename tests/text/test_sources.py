"""Reading: files, folders, patterns and addresses, and one plain sentence for every mistake."""

import codecs
import os
import sys
from pathlib import Path

import pytest
from reading import names, refused, write

from pellucid.text import listing
from pellucid.text.corpora.gutenberg import strip_gutenberg
from pellucid.text.documents import Corpus, Document
from pellucid.text.sources import read

pytestmark = pytest.mark.usefixtures("place")

DATA = Path(__file__).parents[3] / "shared" / "data"


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
