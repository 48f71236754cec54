"""Blogs, played by a server in this process: a Substack, a feed, a sitemap, one article, and robots.txt."""

import http.server
import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pellucid.errors import InputError
from pellucid.text import streaming
from pellucid.text.documents import Corpus
from pellucid.text.sources import read
from pellucid.text.streaming import take_inventory
from pellucid.text.web import download as download_module
from pellucid.text.web import website

Site = dict[str, str | bytes | int]
"""What a path answers: a page, or a status."""
LONG = "<p>" + "It was a dark and stormy night. " * 30 + "</p>"


class Pages(http.server.BaseHTTPRequestHandler):
    site: Site
    asked: list[str]
    agents: set[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.agents.add(self.headers["User-Agent"])
        answer = self.site.get(self.path, 404)
        status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Site], str]]:
    """Plays a site at the address it gives; `{root}` in its pages is that address."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download_module, "PAUSE", 0.0)
    monkeypatch.setattr(website, "PAUSE", 0.0)
    monkeypatch.setattr(website, "ARCHIVE_STEP", STEP)
    Pages.asked, Pages.agents = [], set()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pages) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        root = f"http://127.0.0.1:{running.server_address[1]}"

        def play(site: Site) -> str:
            Pages.site = {
                path: page.replace("{root}", root) if isinstance(page, str) else page
                for path, page in site.items()
            }
            return root

        yield play
        running.shutdown()


def article(title: str, body: str) -> str:
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title></head><body><header>The site</header><nav>Menu</nav>"
        f"<article><h1>{title}</h1>{body}</article><footer>Legal</footer></body></html>"
    )


def test_one_article(serve: Callable[[Site], str]):
    root = serve({"/2024/storm": article("Storm", "<p>Dark.</p><p>Night.</p>")})
    corpus = read(f"{root}/2024/storm")
    assert [(d.text, d.name) for d in corpus.documents] == [
        ("Storm\n\nDark.\n\nNight.\n", f"{root}/2024/storm")
    ]
    assert (corpus.name, corpus.n_files, corpus.notes) == ("storm", 1, ())
    assert Pages.asked == ["/2024/storm", "/robots.txt"]
    assert Pages.agents == {website.AGENT}
    assert read(f"{root}/2024/storm").documents == corpus.documents
    assert Pages.asked == ["/2024/storm", "/robots.txt"]  # the cache has it


def test_a_page_of_an_older_kind(serve: Callable[[Site], str]):
    root = serve({"/a.html": f"<html><title>Old page</title><body>{LONG}<footer>Legal</footer>"})
    text = read(f"{root}/a.html").documents[0].text
    assert text.startswith("Old page\n\nIt was a dark")
    assert text.endswith("stormy night.\n")


STEP = 3  # posts a page of the archive, in these tests
SUBSTACK_HOME = "<html><script src='https://substackcdn.com/x.js'></script>"


def substack(n_posts: int) -> Site:
    """Posts numbered from 1, the third of which is for paying readers."""
    listed = [
        {
            "slug": f"post-{n}",
            "title": f"Title {n}",
            "subtitle": f"Sub {n}",
            "audience": "only_paid" if n == 3 else "everyone",
            "canonical_url": "http://192.0.2.1/elsewhere",
        }
        for n in range(n_posts, 0, -1)
    ]
    site: Site = {"/": SUBSTACK_HOME, "/robots.txt": "User-agent: *\nDisallow: /subscribe"}
    for offset in range(0, n_posts + 1, STEP):
        address = f"/api/v1/archive?sort=new&offset={offset}&limit={STEP}"
        site[address] = json.dumps(listed[offset : offset + STEP])
    for n in range(1, n_posts + 1):
        site[f"/p/post-{n}"] = article(
            f"Title {n}",
            f'<h3>Sub {n}</h3><div>Jan {n} ∙ 5 likes</div><div class="available-content">'
            f'<div class="body markup"><p>Body {n}.</p><p class="button-wrapper"><a>Subscribe</a></p></div></div>',
        )
    return site


def numbers(corpus: Corpus) -> list[int]:
    return [int(document.name.rpartition("-")[2]) for document in corpus.documents]


def test_a_substack(serve: Callable[[Site], str]):
    root = serve(substack(5))
    corpus = read(f"{root}/")
    assert numbers(corpus) == [1, 2, 4, 5]
    assert corpus.documents[0].text == "Title 1\n\nSub 1\n\nBody 1.\n"
    assert corpus.notes == (f"{root}: 1 post for paying readers left out",)
    assert corpus.n_files == 4
    n_asked = len(Pages.asked)
    again = read(f"{root}/")
    assert again.documents == corpus.documents
    assert len(Pages.asked) == n_asked
    assert any("6 pages fetched earlier" in note for note in again.notes)


def test_most_posts(serve: Callable[[Site], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(website, "MOST_POSTS", 3)
    root = serve(substack(6) | {"/p/post-5": 404})
    corpus = read(root)
    assert numbers(corpus) == [4, 6]
    assert corpus.unreadable[0][0] == f"{root}/p/post-5"
    assert f"{root}: the newest 3 posts are read, 2 older posts left" in corpus.notes


def test_a_site_that_fails_is_left(serve: Callable[[Site], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(website, "MOST_FAILURES", 2)
    root = serve(substack(6) | {f"/p/post-{n}": 404 for n in range(1, 7)})
    with pytest.raises(InputError, match=r"lists no posts that can be read\. .*404"):
        read(root)
    assert [path for path in Pages.asked if path.startswith("/p/")] == ["/p/post-1", "/p/post-2"]


RSS = f"""<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Blog</title><link>{{root}}</link>
<atom:link href="{{root}}/feed"/>
<item><title>Newer &amp; shorter</title><link>{{root}}/newer</link><description>summary</description></item>
<item><title>Whole</title><link>{{root}}/whole</link><content:encoded><![CDATA[{LONG}]]></content:encoded></item>
<item><title>Elsewhere</title><link>http://192.0.2.1/away</link></item>
<item><title>No link</title></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><link href="{root}"/>
<entry><title>Newer</title><link rel="self" href="/self"/><link href="/newer"/></entry></feed>"""
FRONT = '<html><head><link rel="alternate" type="application/rss+xml" href="/feed"></head><body>front'


def test_a_feed(serve: Callable[[Site], str]):
    root = serve({"/blog/": FRONT, "/feed": RSS, "/newer": article("Newer & shorter", "<p>Short.</p>")})
    corpus = read(f"{root}/blog/")
    assert [d.text[:24] for d in corpus.documents] == [
        "Whole\n\nIt was a dark and",
        "Newer & shorter\n\nShort.\n",
    ]
    assert "/whole" not in Pages.asked  # the feed has all of it
    assert corpus.unreadable == ()


def test_an_atom_feed(serve: Callable[[Site], str]):
    root = serve({"/": FRONT.replace("rss", "atom"), "/feed": ATOM, "/newer": article("Newer", LONG)})
    assert [d.name for d in read(root).documents] == [f"{root}/newer"]


@pytest.mark.parametrize("feed", ["", "<rss", "<!DOCTYPE a [<!ENTITY b 'c'>]><rss>&b;</rss>", "<rss/>"])
def test_a_sitemap_where_the_feed_is_broken(feed: str, serve: Callable[[Site], str]):
    urls = (
        "<url><loc>{root}/old</loc><lastmod>2020-01-01</lastmod></url>"
        "<url><loc>{root}/new</loc><lastmod>2024-01-01</lastmod></url><url><loc>{root}/</loc></url>"
        "<url><loc>http://192.0.2.1/x</loc></url>"
    )
    root = serve(
        {
            "/": FRONT,
            "/feed": feed,
            "/robots.txt": "Sitemap: {root}/maps.xml\n",
            "/maps.xml": "<sitemapindex><sitemap><loc>{root}/one.xml</loc></sitemap></sitemapindex>",
            "/one.xml": f"<urlset>{urls}</urlset>",
            "/old": article("Old", "<p>a</p>"),
            "/new": article("New", "<p>b</p>"),
        }
    )
    assert [d.text for d in read(root).documents] == ["Old\n\na\n", "New\n\nb\n"]


def test_a_front_page_alone(serve: Callable[[Site], str]):
    corpus = read(root := serve({"/": "<!DOCTYPE html><title>Home</title>" + LONG}))
    assert len(corpus.documents) == 1
    assert corpus.notes == (
        f"{root}: the site has no archive, feed or sitemap, so that this page alone is read",
    )


def test_robots_are_obeyed(serve: Callable[[Site], str]):
    site: Site = {"/post": article("A", LONG), "/robots.txt": "User-agent: pellucid\nDisallow: /"}
    root = serve(site)
    with pytest.raises(InputError, match=r"robots\.txt: save the page with a browser"):
        read(f"{root}/post")
    with pytest.raises(InputError, match=r"robots\.txt"):
        read(f"{root}/post")  # not from the cache either
    for status in (403, 503):
        serve(site | {"/robots.txt": status})
        with pytest.raises(InputError, match=r"robots\.txt"):
            read(f"{root}/post")
    serve(substack(5) | {"/robots.txt": "User-agent: *\nDisallow: /p/post-2"})
    corpus = read(root)
    assert [d.name[-1] for d in corpus.documents] == ["1", "4", "5"]
    assert "/p/post-2" not in Pages.asked
    assert "robots.txt" in corpus.unreadable[0][1]


def test_preparing_obeys_robots_too(serve: Callable[[Site], str]):
    site: Site = {"/post": article("A", LONG), "/robots.txt": "User-agent: pellucid\nDisallow: /"}
    root = serve(site)
    for _ in range(2):
        with pytest.raises(InputError, match=r"robots\.txt: save the page with a browser"):
            take_inventory(f"{root}/post")
    serve(site | {"/robots.txt": 404})
    found = take_inventory(f"{root}/post")
    assert found.notes == ()  # nothing was fetched earlier
    corpus = read(f"{root}/post")
    assert [text for text, _ in found.chunks()] == [document.text for document in corpus.documents]
    assert "the copy fetched earlier" in corpus.notes[0]
    assert take_inventory(f"{root}/post").notes == corpus.notes


def test_a_site_is_prepared_as_it_is_read(serve: Callable[[Site], str]):
    root = serve(substack(5))
    found, corpus = take_inventory(root), read(root)
    assert [text for text, _ in found.chunks()] == [document.text for document in corpus.documents]
    assert f"{root}: 1 post for paying readers left out" in found.notes


def test_of_endless_rules_the_beginning_counts(serve: Callable[[Site], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(website, "MOST_RULES", 10_000)
    rules = "User-agent: *\nDisallow: /closed\n" + "# much ado\n" * 10_000 + "Disallow: /late\n"
    root = serve({"/closed": article("A", LONG), "/late": article("B", LONG), "/robots.txt": rules})
    assert len(read(f"{root}/late").documents) == 1
    with pytest.raises(InputError, match=r"robots\.txt"):
        read(f"{root}/closed")


@pytest.mark.parametrize("take", [read, take_inventory])
def test_credentials_are_not_shown(
    serve: Callable[[Site], str], monkeypatch: pytest.MonkeyPatch, take: Callable[..., Any]
):
    monkeypatch.setattr(streaming, "LARGE", 0)
    root = serve(
        {
            "/a.txt?token=secret": "Plain text.",
            "/post?token=secret": article("A", LONG),
            "/empty?token=secret": "<!DOCTYPE html><div id=app></div>",
            "/": FRONT,
            "/feed": RSS,
            "/newer": article("Newer", LONG),
        }
    ).replace("//", "//me:secret@")
    said = list[str]()
    for path in ("/a.txt?token=secret", "/post?token=secret", "/"):
        for _ in range(2):
            found = take([root + path, root + path], progress=said.append)
            names = [d.name for d in found.documents] if isinstance(found, Corpus) else []
            said += [found.name, *found.notes, *names]
    with pytest.raises(InputError) as caught:
        take(f"{root}/empty?token=secret")
    told = "\n".join([*said, str(caught.value)])
    assert "named twice" in told
    assert "fetched earlier" in told
    assert "secret" not in told


def test_pauses_between_requests(serve: Callable[[Site], str], monkeypatch: pytest.MonkeyPatch):
    pauses = list[float]()
    monkeypatch.setattr(website, "time", SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic))
    monkeypatch.setattr(website, "PAUSE", 0.5)
    root = serve(substack(2) | {"/robots.txt": "User-agent: *\nCrawl-delay: 25"})
    read(root)
    assert len(pauses) == 3  # before the archive, and before each of two posts
    assert all(12 < pause <= 25 for pause in pauses)


def test_a_page_without_text(serve: Callable[[Site], str]):
    root = serve({"/app": "<!DOCTYPE html><div id=app></div><script>run()</script>"})
    with pytest.raises(InputError, match="a page without text"):
        read(f"{root}/app")


def test_large_files_at_an_address_are_read_by_their_format(
    serve: Callable[[Site], str], zipped: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streaming, "LARGE", 0)
    root = serve(
        {
            "/x.jsonl?key=1": '"C"\n"D"\n',
            "/texts.zip": zipped({"a.txt": "A"}),
            "/download": zipped({"b.txt": "B"}),
            "/a.txt": "one\n<|endoftext|>\ntwo\n",
            "/page.txt": article("A", LONG),
        }
    )
    for path in ("/x.jsonl?key=1", "/texts.zip", "/download", "/a.txt", "/page.txt"):
        found = take_inventory(root + path)
        expected = [document.text for document in read(root + path).documents]
        assert [text for text, _ in found.chunks()] == expected
        assert isinstance(found.sources[0], streaming.TextFile) == (path == "/a.txt")
    assert len(read(f"{root}/x.jsonl?key=1").documents) == 2


def test_files_at_an_address(serve: Callable[[Site], str], zipped: Callable[..., bytes]):
    root = serve(
        {"/texts.zip": zipped({"a.txt": "A"}), "/download?id=1": zipped({"b.txt": "B"}), "/x.jsonl": '"C"'}
    )
    for path, text in (("/texts.zip", "A"), ("/download?id=1", "B"), ("/x.jsonl", "C")):
        assert read(root + path).documents[0].text == text
    assert "/robots.txt" not in Pages.asked  # a file that a person names is no page
