"""What a text holds: counts against plain ones, languages and scripts of sentences written here, damage made here."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.text import languages
from pellucid.text.documents import Corpus, Document
from pellucid.text.languages import NO_LANGUAGE, PIECE, UNSURE, even_pieces, language_shares
from pellucid.text.sources import read
from pellucid.text.survey import (
    Survey,
    decoding_damage,
    longest_line,
    paragraphs,
    script,
    script_shares,
    survey,
)

DATA = Path(__file__).parents[3] / "shared" / "data"

SENTENCES = {
    "English": "The old bridge had been closed since the spring, and nobody in the village knew who was to mend it.",
    "German": "Die alte Brücke war seit dem Frühling gesperrt, und niemand im Dorf wusste, wer sie ausbessern sollte.",
    "French": "Le vieux pont était fermé depuis le printemps, et personne au village ne savait qui le réparerait.",
    "Spanish": "El viejo puente llevaba cerrado desde la primavera y nadie en el pueblo sabía quién debía arreglarlo.",
    "Portuguese": "A velha ponte estava fechada desde a primavera, e ninguém na aldeia sabia quem a iria consertar.",
    "Italian": "Il vecchio ponte era chiuso dalla primavera, e nessuno nel paese sapeva chi lo dovesse riparare.",
    "Dutch": "De oude brug was al sinds het voorjaar gesloten, en niemand in het dorp wist wie hem moest herstellen.",
    "Swedish": "Den gamla bron hade varit stängd sedan i våras, och ingen i byn visste vem som skulle laga den.",
    "Polish": "Stary most był zamknięty od wiosny i nikt we wsi nie wiedział, kto powinien go naprawić.",
    "Finnish": "Vanha silta oli ollut suljettuna keväästä asti, eikä kukaan kylässä tiennyt, kenen pitäisi korjata se.",
    "Turkish": "Eski köprü ilkbahardan beri kapalıydı ve köyde onu kimin onaracağını bilen yoktu.",
    "Russian": "Старый мост был закрыт с самой весны, и никто в деревне не знал, кто должен его чинить.",
    "Ukrainian": "Старий міст був закритий ще з весни, і ніхто в селі не знав, хто має його лагодити.",
    "Greek": "Η παλιά γέφυρα ήταν κλειστή από την άνοιξη και κανείς στο χωριό δεν ήξερε ποιος έπρεπε να τη φτιάξει.",
    "Japanese": "古い橋は春から閉ざされていて、誰が直すのか村の人は誰も知らなかった。",
    "Chinese": "那座旧桥从春天起就关闭了，村里没有人知道该由谁来修理它。",
    "Korean": "낡은 다리는 봄부터 막혀 있었고, 마을에서는 누가 고쳐야 하는지 아무도 몰랐다.",
    "Arabic": "كان الجسر القديم مغلقا منذ الربيع، ولم يكن أحد في القرية يعرف من عليه أن يصلحه.",
    "Hebrew": "הגשר הישן היה סגור מאז האביב, ואיש בכפר לא ידע מי אמור לתקן אותו.",
    "Hindi": "पुराना पुल वसंत से बंद था, और गाँव में कोई नहीं जानता था कि उसकी मरम्मत कौन करेगा।",
}


def look(*texts: str) -> Survey:
    return survey(Corpus("made", tuple(Document(text, f"{n}.txt") for n, text in enumerate(texts))))


# ---------------------------------------------------------------------- counts


def test_counts():
    found = look("One two\nthree.\n", "four")
    assert (found.n_documents, found.n_characters, found.n_words, found.n_bytes) == (2, 19, 4, 19)
    assert (found.shortest_document, found.median_document, found.longest_document) == (4, 9, 15)
    assert found.longest_line == 7
    assert found.n_symbols == len(set("One two\nthree.\nfour"))
    assert found.rarest[0] == ("\x20", 1)
    assert found.beginning == ("One two", "three.")


@given(st.text(st.sampled_from("ab \n\r\t")))
def test_lines_and_words_as_python_counts_them(text: str):
    assert longest_line(text) == max(map(len, text.split("\n")))
    found = look(text)
    assert found.n_words == len(text.split())
    assert found.n_symbols == len(set(text))


@given(st.text(st.sampled_from("ab \n")))
def test_paragraphs_lose_nothing_but_what_stands_between(text: str):
    assert "".join("".join(paragraphs(text)).split()) == "".join(text.split())


def test_the_beginning_is_short():
    found = look("\n\n" + "x" * 500 + "\n" + "line  \n" * 50)
    assert len(found.beginning) == 12
    assert found.beginning[0] == "x" * 95 + "…"
    assert found.beginning[1] == "line"


# ---------------------------------------------------------------------- repetition


def test_repeated_documents():
    assert look("the same", "another one", "the same").repeated_documents == 8 / 27
    assert look("a", "b").repeated_documents == 0


def test_repeated_paragraphs():
    one = "A paragraph that is long enough to count as one when it returns."
    wrapped = one.replace(" that", "\nthat")
    other = "Something else altogether, and long enough to be a paragraph too."
    found = look(f"{one}\n\n{other}\n\n{wrapped}\n\nROMEO:\n\nROMEO:\n")
    assert found.repeated_paragraphs == len(one) / found.n_characters
    lines = look(f"{one}\n{other}\n{one}\n")  # no blank lines: a line is a paragraph
    assert lines.repeated_paragraphs == len(one) / lines.n_characters
    assert look(one, other).repeated_paragraphs == 0
    assert look(one, f"\n{one}").repeated_paragraphs > 0.45


# ---------------------------------------------------------------------- damage


def damage(text: str) -> dict[str, int]:
    return dict(decoding_damage([text], Counter(text)))


@pytest.mark.parametrize(
    "language", ["German", "French", "Spanish", "Portuguese", "Swedish", "Turkish", "Russian"]
)
@pytest.mark.parametrize("misread", ["cp1252", "latin-1"])
def test_utf8_read_in_another_encoding_is_seen(language: str, misread: str):
    text = SENTENCES[language]
    broken = "".join(
        c if c.isascii() else bytes(c, "utf-8").decode(misread, "ignore" if misread == "cp1252" else "strict")
        for c in text
    )
    assert damage(text) == {}
    if language != "Turkish":  # its own letters, ı and ğ, look like Ä±: only the others tell
        assert damage(broken)


@pytest.mark.parametrize("text", SENTENCES.values(), ids=SENTENCES.keys())
def test_sound_text_is_not_called_damaged(text: str):
    assert damage(f"{text} — “{text}” „{text.upper()}“ « {text}…» ({text.title()})") == {}


@pytest.mark.parametrize(
    "text",
    [
        "»É…«",
        "„Spaß“, „GRÖSSE“",
        "l’été…»",
        "ŒUVRES",
        "NÃO",
        "À LA “MÊME”",
        "Ð and ð in Icelandic",
        "漢字…」",
        "é«",
        "ESPAÑA",
    ],
)
def test_marks_beside_letters_are_no_damage(text: str):
    assert damage(text) == {}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("caf\u00c3\u00a9 caf\u00c3\u00a9", {"Ã©": 2}),
        ("don\u00e2\u20ac\u2122t", {"â€™": 1}),
        ("\u00f0\u0178\u2122\u201a", {"ðŸ™‚": 1}),
        ("10\u00c2\u00a0km", {"Â\u00a0": 1}),
        ("a\ufffdb\ufffd", {"\ufffd": 2}),
    ],
)
def test_damage_is_counted(text: str, seen: dict[str, int]):
    assert damage(text) == seen
    assert dict(look(text).damage) == seen


# ---------------------------------------------------------------------- scripts and languages


def test_scripts_by_share():
    shares = script_shares(Counter("abcd жжж 漢字 12 !?"))
    assert shares == {"Latin": 4 / 9, "Cyrillic": 3 / 9, "Han": 2 / 9}
    assert script_shares(Counter("12 !?")) == {}


@pytest.mark.parametrize(
    ("letter", "name"),
    [
        ("é", "Latin"),
        ("ｆ", "Latin"),
        ("ª", "Latin"),
        ("я", "Cyrillic"),
        ("ά", "Greek"),
        ("µ", "Greek"),
        ("ー", "Katakana"),
        ("の", "Hiragana"),
        ("한", "Hangul"),
        ("𠮷", "Han"),
        ("ש", "Hebrew"),
        ("ب", "Arabic"),
        ("ก", "Thai"),
        ("ʰ", "other"),
    ],
)
def test_script(letter: str, name: str):
    assert script(letter) == name


def test_every_language_is_known():
    pytest.importorskip("py3langid")
    found = {language: language_shares([text * 3]) for language, text in SENTENCES.items()}
    assert found == {language: {language: 1.0} for language in SENTENCES}


def test_a_mixture_by_share():
    pytest.importorskip("py3langid")
    english, german = SENTENCES["English"] * 300, SENTENCES["German"] * 100
    shares = language_shares([english, german])
    assert shares
    assert list(shares)[:2] == ["English", "German"]
    assert shares["English"] == pytest.approx(len(english) / len(english + german), abs=0.02)


@pytest.mark.parametrize("text", ["", "ok", "hm", "x1"])
def test_what_could_be_anything_is_unsure(text: str):
    pytest.importorskip("py3langid")
    shares = language_shares([text])
    assert shares is not None
    assert set(shares) <= {UNSURE}


def test_numbers_are_no_language():
    pytest.importorskip("py3langid")
    shares = language_shares(["17.5;23.9;0.004;88\n" * 200])
    assert shares is not None
    assert set(shares) <= {NO_LANGUAGE, UNSURE}


@pytest.mark.parametrize(
    "path",
    [
        "gutenberg/origin_of_species.txt",
        "gutenberg/grimm.txt",
        "gutenberg/sleepy_hollow.txt",
        "tinyshakespeare.txt",
    ],
)
def test_books_are_english(path: str):
    pytest.importorskip("py3langid")
    if not (DATA / path).exists():
        pytest.skip(f"no {path} in ../shared/data")
    corpus = read(DATA / path)
    shares = language_shares([document.text for document in corpus.documents])
    assert shares
    assert shares["English"] > 0.98


def test_without_the_library_languages_are_not_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    languages._identifier.cache_clear()
    assert language_shares(["any text at all"]) is None
    assert look("any text at all").languages is None
    languages._identifier.cache_clear()


@given(st.lists(st.text("abc", max_size=2000), max_size=6))
def test_pieces_are_spread_evenly(texts: list[str]):
    pieces = even_pieces(texts)
    total = sum(map(len, texts))
    assert len(pieces) == (min(languages.MOST_PIECES, max(1, total // PIECE)) if total else 0)
    assert all(0 < len(piece) <= PIECE + len(texts) for piece in pieces)
    if total:
        assert pieces[0].replace("\n", "") == "".join(texts)[: len(pieces[0].replace("\n", ""))]


def test_a_long_text_is_looked_at_everywhere():
    text = "".join(f"{n:07} " for n in range(200_000))
    pieces = even_pieces([text])
    assert len(pieces) == languages.MOST_PIECES
    firsts = [text.index(piece) for piece in pieces]
    assert firsts == [n * len(text) // len(pieces) for n in range(len(pieces))]
