"""Phone numbers are found in every way they are written, and by the country they are of."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat as Form
from phonenumbers import PhoneNumberType as Type

from pellucid.text.chats.record import Message
from pellucid.text.chats.redaction import Redactor, redactor_for

COUNTRIES = [
    "US",
    "CA",
    "GB",
    "DE",
    "FR",
    "ES",
    "IT",
    "PT",
    "NL",
    "BE",
    "CH",
    "AT",
    "SE",
    "NO",
    "DK",
    "FI",
    "PL",
    "CZ",
    "HU",
    "RO",
    "GR",
    "TR",
    "RU",
    "UA",
    "IL",
    "AE",
    "SA",
    "EG",
    "NG",
    "KE",
    "ZA",
    "IN",
    "PK",
    "ID",
    "MY",
    "SG",
    "TH",
    "VN",
    "PH",
    "CN",
    "HK",
    "JP",
    "KR",
    "AU",
    "NZ",
    "BR",
    "AR",
    "MX",
    "CL",
    "CO",
    "PE",
    "IE",
]


def redacted(text: str, *regions: str) -> str:
    return Redactor(regions=regions).redact(text)


@pytest.mark.parametrize("country", COUNTRIES)
def test_phone_numbers_of_many_countries(country: str):
    for kind in (Type.MOBILE, Type.FIXED_LINE):
        number = phonenumbers.example_number_for_type(country, kind)
        spaced = phonenumbers.format_number(number, Form.INTERNATIONAL)
        plain = phonenumbers.format_number(number, Form.E164)
        for spelled in (
            *(spaced, plain, spaced.replace(" ", "-"), spaced.replace(" ", ".")),
            *(spaced.replace(" ", "\u00a0"), "00" + plain[1:], f"({spaced.replace(' ', ') ', 1)}"),
        ):
            assert redacted(f"Ruf {spelled} an, um 12.30 Uhr") == "Ruf [phone] an, um 12.30 Uhr"
        national = phonenumbers.format_number(number, Form.NATIONAL)
        for spelled in (national, re.sub(r"[\s-]", "", national)):
            assert redacted(f"Hello {spelled}.", country) == "Hello [phone]."


@pytest.mark.parametrize(
    "number",
    [
        *(
            "(030) 1234567",
            "030/1234567",
            "0170-1234567",
            "06 12 34 56 78",
            "06.12.34.56.78",
            "020 7946 0958",
        ),
        *("(415) 555-2671", "415-555-2671", "1-800-555-2671", "8 (912) 345-67-89", "+49 (0) 170 1234567"),
        *("+52 1 55 1234 5678", "+5215512345678", "8 916 123 45 67"),
        *("Tel.:555 2671", "call me at 5552671", "@4917012345678", "＋491701234567", "٠١٠٢٣٤٥٦٧٨٩"),
    ],
)
def test_phone_numbers_of_no_known_country_that_are_plainly_such(number: str):
    shown = redacted(f"so: {number}, ok")
    assert "[phone]" in shown
    assert not any(c.isdecimal() for c in shown)


def test_numbers_beside_letters_of_scripts_without_blanks():
    assert redacted("电话13800138000吧", "CN") == "电话[phone]吧"
    assert redacted("+82 10-1234-5678로 전화해") == "[phone]로 전화해"
    assert redacted("卡号4111111111111111。") == "卡号[card]。"


def test_two_numbers_in_a_row():
    assert redacted("030 1234567 / 0170 1234567") == "[phone] / [phone]"
    assert redacted("17.05.2024 0170 1234567 18:30", "DE") == "17.05.2024 [phone] 18:30"


def test_the_country_is_that_of_people_named_by_their_numbers():
    def said(author: str) -> Message:
        return Message("c", None, author, author, "x")

    polish = redactor_for([said("+48 512 345 678"), said("Anna")])
    assert polish.redact("zadzwoń 601 234 567") == "zadzwoń [phone]"
    assert redactor_for([said("Anna")]).redact("zadzwoń 601 234 567") == "zadzwoń 601 234 567"
