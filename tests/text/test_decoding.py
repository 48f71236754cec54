"""Bytes become text: every encoding that is promised, and nothing but InputError for the rest."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.decoding import decode

ACCENTS = "Ein Märchen: “Rotkäppchen” – für 5 €.\nZweite Zeile\n"
UTF8_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda t: t[0] != "\ufeff"
)


def test_utf8_needs_no_note():
    assert decode(ACCENTS.encode(), "a") == (ACCENTS, None)


def test_utf8_loses_its_byte_order_mark():
    assert decode(codecs.BOM_UTF8 + ACCENTS.encode(), "a") == (ACCENTS, None)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_marked_utf16_and_utf32(mark: bytes, encoding: str):
    text, note = decode(mark + (ACCENTS + "😀").encode(encoding), "a")
    assert text == ACCENTS + "😀"
    assert note == f"read as {encoding[:6].upper()}"


def test_lone_surrogate_of_utf16_is_replaced():
    text, note = decode(codecs.BOM_UTF16_LE + "a\ud800b".encode("utf-16-le", "surrogatepass"), "a")
    assert text == "a\ufffdb"
    assert note is not None and "1 byte sequence" in note


def test_windows_1252():
    assert decode(ACCENTS.encode("cp1252"), "a") == (ACCENTS, "read as Windows-1252")


def test_bytes_windows_1252_does_not_define_are_counted():
    text, note = decode("naïve café ".encode("cp1252") + b"\x81\x9d", "a")
    assert text == "naïve café \ufffd\ufffd"
    assert note == "read as Windows-1252; 2 byte sequences without a meaning became \ufffd"


def test_utf8_broken_in_one_place_stays_utf8():
    text, note = decode(ACCENTS.encode() + b"\xff end", "a")
    assert text == ACCENTS + "\ufffd end"
    assert note == "read as UTF-8; 1 byte sequence without a meaning became \ufffd"


def test_a_replacement_character_of_the_author_is_not_counted():
    assert decode("ä\ufffdö".encode(), "a") == ("ä\ufffdö", None)


def test_newlines():
    assert decode(b"a\r\nb\rc\nd\r\r\n", "a")[0] == "a\nb\nc\nd\n\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\x03\x04rest", "zip"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"%PDF-1.7\n%text only", "PDF"),
        (b"\x7fELF\x02\x01", "program"),
        (b"{\\rtf1 hello}", "rich text"),
        (b"text with a \0 in it", "NUL"),
        ("no mark".encode("utf-16-le"), "UTF-16"),
        (b"\x01\x02\x03\x04 text", "control"),
    ],
)
def test_binary_is_refused_with_its_name_and_a_remedy(data: bytes, kind: str):
    with pytest.raises(InputError, match=r"thesis\.txt is .*: ") as caught:
        decode(data, "thesis.txt")
    assert kind in str(caught.value)


def test_a_few_control_characters_are_text():
    text = "form feed \f and escape \x1b[0m, and one \x07 bell in a long enough line of text"
    assert decode(text.encode(), "a")[0] == text


@given(UTF8_TEXT)
def test_any_utf8_comes_back(text: str):
    assert decode(text.encode(), "a") == (text, None)


@given(st.binary())
def test_random_bytes_never_crash(data: bytes):
    try:
        text, _ = decode(data, "a")
    except InputError:
        return
    assert "\r" not in text
    text.encode()  # no lone surrogates
