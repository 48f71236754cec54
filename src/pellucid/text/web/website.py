"""Posts on the web, read as a polite visitor would: robots.txt obeyed, one request at a time, with pauses."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from pellucid import __version__
from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.readers.extract import Extract, one_document
from pellucid.text.readers.html import HtmlText, decode_html, html_to_text, parse_html
from pellucid.text.web.download import cached_path, download
from pellucid.text.web.feeds import Post, archive_posts, feed_posts, sitemap_links
from pellucid.text.web.transfer import without_credentials
from pellucid.text.wording import plural

AGENT = f"pellucid/{__version__}"
PAUSE = 1.0  # seconds between two requests
LONGEST_PAUSE = 30.0  # seconds; a site may ask for more than PAUSE, up to this
MOST_POSTS = 200
MOST_LISTED = 1_000  # posts of an archive that are counted, and pages of a sitemap
MOST_FAILURES = 5  # posts in a row that cannot be had before the rest is left
MOST_BYTES = 16 << 20  # a page
MOST_RULES = 1 << 19  # bytes of robots.txt
ARCHIVE_STEP = 12  # posts a page of Substack's archive has
# The last part of the path where a site lists its posts; any other path is one post.
LISTS = ("", "archive", "articles", "blog", "essays", "index.html", "journal", "notes", "posts", "writing")
AROUND_POSTS = frozenset(("aside", "footer"))
LEAST_IN_FEED = 600  # characters; a shorter entry is taken for a summary, and its page is read


def read_site(site: Site, data: bytes) -> Extract:
    """The post at the site's address, whose page is `data`; or, where that lists the site's posts, those, oldest first.

    A site's posts are found in Substack's archive, else its feed, else its sitemap.

    Raises:
        InputError: there is no text.
    """
    url, shown = site.url, without_credentials(site.url)
    page = _parse(data, url)
    posts = _list_posts(site, url, data, page) if _is_list(url) else None
    if posts is None:
        found = _article(url, page)
        if _is_list(url):
            found.notes.append(
                f"{shown}: the site has no archive, feed or sitemap, so that this page alone is read"
            )
        return found
    found = _read_posts(site, posts)
    if not found.documents:
        reason = f" {found.unreadable[0][1]}" if found.unreadable else ""
        raise InputError(f"{shown} lists no posts that can be read.{reason}")
    found.notes += site.notes()
    return found


class Site:
    """What is asked of the site that an address is of."""

    def __init__(self, url: str, progress: Progress | None) -> None:
        self.url = url
        self.root = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self._progress = progress
        self._last = time.monotonic()
        self.n_cached = 0

    @functools.cached_property
    def _robots(self) -> RobotFileParser:
        return _robots(self.root)

    @property
    def _pause(self) -> float:
        return max(PAUSE, min(float(self._robots.crawl_delay(AGENT) or 0), LONGEST_PAUSE))

    @property
    def sitemaps(self) -> list[str]:
        """Where robots.txt says they are, else where they usually are."""
        return self._robots.site_maps() or [f"{self.root}/sitemap.xml"]

    def allows(self, url: str) -> bool:
        """Whether robots.txt lets us read `url`."""
        return self._robots.can_fetch(AGENT, url)

    def refuse_forbidden(self) -> None:
        """Takes the page at the address out of the cache, and raises InputError, unless programs may read it."""
        try:
            if self.allows(self.url):
                return
            reason = _forbidden(self.url)
        except InputError as error:
            reason = str(error)
        cached_path(self.url).unlink(missing_ok=True)
        raise InputError(f"{reason}: save the page with a browser, and give the file")

    def has(self, url: str) -> bool:
        """Whether `url` is an address of this site."""
        return _host(url) == _host(self.root)

    def fetch(self, url: str) -> bytes:
        """What `url` gives, from the cache if it is there; raises InputError if it cannot or may not be had."""
        path = cached_path(url)
        if path.is_file():
            self.n_cached += 1
        elif not self.allows(url):
            raise InputError(_forbidden(url))
        else:
            time.sleep(max(0.0, self._last + self._pause - time.monotonic()))
            path = download(url, max_bytes=MOST_BYTES, progress=self._progress, html=True)
            self._last = time.monotonic()
        return path.read_bytes()

    def notes(self) -> list[str]:
        """What to say about the cache."""
        if not self.n_cached:
            return []
        shown, folder = without_credentials(self.url), cached_path(self.url).parent
        return [
            f"{shown}: {plural(self.n_cached, 'page')} fetched earlier; delete {folder} to fetch them again"
        ]


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower().removeprefix("www.")


def _forbidden(url: str) -> str:
    return f"{without_credentials(url)} may not be read by programs, says the site's robots.txt"


def _robots(root: str) -> RobotFileParser:
    """The rules of a site: none if it has no robots.txt, and nothing allowed if that cannot be had."""
    import httpx  # 0.1 s: only where the network is used

    try:
        status, text = _fetch_robots(f"{root}/robots.txt")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason, shown = str(error) or type(error).__name__, without_credentials(root)
        raise InputError(f"{shown} could not be asked what programs may read there ({reason})") from None
    is_closed = status in (401, 403) or status >= 500  # RFC 9309, 2.3.1.4, for 500 and more
    rules = "User-agent: *\nDisallow: /" if is_closed else text if status < 400 else ""
    robots = RobotFileParser()
    robots.parse(rules.splitlines())
    return robots


def _fetch_robots(address: str) -> tuple[int, str]:
    """The status and the first MOST_RULES bytes of what `address` answers."""
    import httpx

    headers = {"User-Agent": AGENT}
    with httpx.stream("GET", address, headers=headers, follow_redirects=True, timeout=30.0) as response:
        rules = bytearray()
        for piece in response.iter_bytes():
            rules += piece
            if len(rules) >= MOST_RULES:
                break
    return response.status_code, rules[:MOST_RULES].decode("utf-8", "replace")


def _is_list(url: str) -> bool:
    return urlsplit(url).path.rstrip("/").rpartition("/")[2].lower() in LISTS


def _list_posts(site: Site, url: str, data: bytes, page: HtmlText) -> list[Post] | None:
    """The posts of a site, newest first; None if there is no list of them."""
    is_substack = _host(url).endswith(".substack.com") or b"substackcdn.com" in data
    if is_substack and (posts := _substack_posts(site)):
        return posts
    for link in page.links:
        is_feed = link.get("type", "").lower() in ("application/rss+xml", "application/atom+xml")
        if (
            not is_feed
            or "alternate" not in link.get("rel", "").lower()
            or "comments" in link.get("href", "")
        ):
            continue
        try:
            address = urljoin(url, link.get("href", ""))
            posts = feed_posts(site.fetch(address), address)
        except (InputError, ValueError):
            continue
        if posts := [post for post in posts if site.has(post.url)]:
            return posts
    links = _sitemap(site, site.sitemaps)
    return [Post(link) for link in links if site.has(link) and not _is_list(link)] or None


def _substack_posts(site: Site) -> list[Post]:
    posts = list[Post]()
    for offset in range(0, MOST_LISTED, ARCHIVE_STEP):
        address = f"{site.root}/api/v1/archive?sort=new&offset={offset}&limit={ARCHIVE_STEP}"
        try:
            listed = archive_posts(site.fetch(address), site.root)
        except InputError:
            break
        posts += listed
        if len(listed) < ARCHIVE_STEP:
            break
    return posts


def _sitemap(site: Site, addresses: Iterable[str]) -> list[str]:
    """The pages of the sitemaps, newest first; also of the sitemaps they name, but not of those that these do."""
    pages, further = list[str](), list[str]()
    for depth in range(2):
        for address in list(further if depth else addresses)[:20]:
            try:
                found, maps = sitemap_links(site.fetch(address), address)
            except InputError:
                continue
            pages += found
            further += [link for link in maps if site.has(link)]
    return list(dict.fromkeys(pages))[:MOST_LISTED]


def _read_posts(site: Site, posts: list[Post]) -> Extract:
    found = Extract()
    free = [post for post in posts if not post.is_paid]
    n_failed = 0
    chosen = free[:MOST_POSTS]
    for post in reversed(chosen):
        try:
            found.add(_read_post(site, post))
            n_failed = 0
        except InputError as error:
            found.unreadable.append((without_credentials(post.url), str(error)))
            n_failed += 1
            if n_failed == MOST_FAILURES:
                found.notes.append(
                    f"{without_credentials(site.root)}: {n_failed} posts in a row could not be read; the rest is left"
                )
                break
    if len(free) > MOST_POSTS:
        at_least = "at least " if len(posts) >= MOST_LISTED else ""
        left = f"{at_least}{plural(len(free) - MOST_POSTS, 'older post')} left"
        found.notes.append(
            f"{without_credentials(site.root)}: the newest {MOST_POSTS} posts are read, {left}"
        )
    if len(free) < len(posts):
        paid = plural(len(posts) - len(free), "post for paying readers", "posts for paying readers")
        found.notes.append(f"{without_credentials(site.root)}: {paid} left out")
    return found


def _read_post(site: Site, post: Post) -> Extract:
    body = html_to_text(post.body)
    if len(body) < LEAST_IN_FEED:
        return _article(post.url, _parse(site.fetch(post.url), post.url), post)
    return _document(post.url, (post.title, post.subtitle, body))


def _parse(data: bytes, url: str) -> HtmlText:
    return parse_html(decode_html(data, without_credentials(url))[0], drop=AROUND_POSTS)


def _article(url: str, page: HtmlText, post: Post | None = None) -> Extract:
    text = page.article() or page.text
    title = (post.title if post else "") or page.title
    parts = [title, post.subtitle if post else "", text]
    if not text.strip():
        raise InputError(
            f"{without_credentials(url)} is a page without text (a script may fetch it): "
            "save what a browser shows as text"
        )
    return _document(url, [part for part in parts[:2] if part not in text[:1000]] + [text])


def _document(url: str, parts: Iterable[str]) -> Extract:
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
    found = one_document(text, without_credentials(url))
    found.n_files = 1
    return found
