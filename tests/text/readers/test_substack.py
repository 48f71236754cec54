"""Substack's export: published posts by date, from a folder or an archive; drafts stay out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pellucid.text.readers import extract
from pellucid.text.sources import read

HEAD = "post_id,post_date,is_published,email_sent_at,inbox_sent_at,type,audience,title,subtitle,podcast_url\n"
POSTS = (
    HEAD
    + '2.second,2024-02-01T10:00:00.000Z,true,,,newsletter,everyone,"Second, of two","Sub ""quoted""",\n'
    + "1,2023-01-01T10:00:00.000Z,true,,,newsletter,everyone,First,,\n"
    + "3.draft,,false,,,newsletter,everyone,A draft,,\n"
    + "4.gone,2024-03-01T10:00:00.000Z,true,,,newsletter,everyone,Gone,,\n"
)
EXPORT = {
    "posts.csv": POSTS,
    "posts/1.first-of-all.html": "<p>Hello.</p><p>World.</p>",
    "posts/2.second.html": '<p>Body.</p><div class="subscription-widget-wrap-editor"><p>Subscribe!</p></div>'
    '<p class="button-wrapper"><a>Share</a></p><p>End.</p>',
    "posts/3.draft.html": "<p>not finished</p>",
    "posts/9.stranger.html": "<p>no row</p>",
    "posts/1.delivers.csv": "a,b\n",
    "email_list.csv": "email\na@example.org\n",
    "about.txt": "About me.",
}
TEXTS = ["First\n\nHello.\n\nWorld.\n", 'Second, of two\n\nSub "quoted"\n\nBody.\n\nEnd.\n', "About me."]


def write(root: Path, members: dict[str, str]) -> Path:
    for name, content in members.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    return root


def test_a_folder(tmp_path: Path):
    corpus = read(write(tmp_path / "export", EXPORT))
    assert [d.text for d in corpus.documents] == TEXTS
    assert corpus.documents[0].name == "export/posts/1.first-of-all.html"
    assert corpus.n_files == 3
    assert corpus.notes == (
        "export/posts.csv: 1 draft left out",
        "export/posts.csv: 1 post without its page of HTML left out",
        "export/posts.csv: 1 page that it does not list left out",
        f"{tmp_path / 'export'}: 2 files of other kinds left alone (.csv)",
    )


def test_an_archive(zipped: Callable[..., bytes]):
    found = extract(zipped({f"my-export/{name}": content for name, content in EXPORT.items()}), "export.zip")
    assert [d.text for d in found.documents] == TEXTS
    assert found.documents[1].name == "export.zip/my-export/posts/2.second.html"


@pytest.mark.parametrize(
    "table", ["a,b\n1,2\n", "", "\0", 'post_id,post_date,is_published,title\n1,x,"' + "y" * 200_000]
)
def test_another_table_leaves_the_pages_to_be_read(table: str, tmp_path: Path):
    corpus = read(write(tmp_path, EXPORT | {"posts.csv": table}))
    assert "Hello.\n\nWorld.\n" in [d.text for d in corpus.documents]


def test_rows_that_are_short_or_long(tmp_path: Path):
    table = HEAD + "1,2023\n2.second,2024-02-01,true,,,,,T,S,,more,and,more\n\n"
    corpus = read(write(tmp_path, EXPORT | {"posts.csv": table}))
    assert corpus.documents[0].text == "T\n\nS\n\nBody.\n\nEnd.\n"


def test_a_page_that_cannot_be_read(tmp_path: Path):
    root = write(tmp_path, EXPORT)
    (root / "posts" / "2.second.html").write_bytes(b"\0")
    corpus = read(root)
    assert [d.text for d in corpus.documents] == [TEXTS[0], TEXTS[2]]
    assert [Path(name).name for name, _ in corpus.unreadable] == ["2.second.html"]


def test_only_drafts(tmp_path: Path):
    members = {"posts.csv": POSTS.replace("true", "false"), "posts/3.draft.html": "x"}
    with pytest.raises(ValueError, match="holds no text"):
        read(write(tmp_path, members))
