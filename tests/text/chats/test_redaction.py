"""Redaction takes out what is private by its shape, leaves alone what only looks like it, and takes linear time."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import InputError
from pellucid.text.chats.private.numbers import iban_is_right, luhn_is_right
from pellucid.text.chats.redaction import KINDS, Redactor, masked

REPEATABLE = settings(derandomize=True, max_examples=60)

LOOK_ALIKES = [
    "in 2024 we met, in 1999/2000 we did not, nor 2018-2019 or 2019 2020 2021 2022",
    "3:2 for us, then 21:18, 15:21 and 1:0 2:1 3:3 4:5",
    "1,299.00 € or 1.299,00 € or EUR 1 299 000 or 50,000,000 views or 1.000.000.000 $",
    "17.05.2024 at 18:30, 2024-05-17T18:30:00, 5/17/24, 20240517, 24.12. - 31.12.2024",
    "12/05/2024 14.30 - 16.00, from 10:30 to 12.45, he ran 42.195 km in 2:45:30.",
    "version 1.2.3, 10.15.7.2041, v2.0.11234567, 192.168.100.200",
    "SKU 12345678, WH-1000XM4, ISBN 978-3-16-148410-0, model 7590-1234, IMG_20240517_183000.jpg",
    "100000000 times, 5 000 000 people, 250000000 likes",
    "@name, @user_name99 and a @ b",
    "2**32 = 4294967296, 12345678901 * 2 = 24691357802, x = 1234567 + 7654321, 3.14159265358979",
    "3-4-5-6-7-8-9 and 1 2 3 4 5 6 7 8 9 10 11 12 and 100 200 300 400 500",
    "zip code 90210, error code 50012, the code review at 1430, the code of 2019, 15000 for the code",
    "the password comes in 2025",
    "room 1204, bus 100, 48.8566, 2.3522, +1 to that, +100 points, -5°, Titan 4000",
    "https://example.com/page, see https://en.wikipedia.org/wiki/Alan_Turing and www.example.org.",
    "www.example.org/2024/05/17/a-long-story-about-2-cats",
    "20 12 2020 and on 1 5 1999, or 20 12 2020 18:30",
    "the password is on page 2, password: ask me, password is 8-12 characters",
    "look (at) that (dot)",
]


def redacted(text: str, **options: object) -> str:
    return Redactor(**options).redact(text)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_stay(text: str):
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ann.lee+x@mail.example.co.uk.", "write to [email]."),
        ("bob(at)site.de, Zoë@müller.example!", "[email], [email]!"),
        ("bob(at)site(dot)de or bob {at} mail [dot] site.de.", "[email] or [email]."),
        ("<a@b.org>;c@d.net", "<[email]>;[email]"),
        ("a.b.@c.d", "a.b.@c.d"),
        ("我的邮箱是ann@b.cn吧", "我的邮箱是[email]吧"),
    ],
)
def test_email(text: str, expected: str):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://x.org/?token=abc.", "see [url]."),
        ("(http://x.org/a?b=1)", "([url])"),
        ("x.org/search?q=me and more", "[url] and more"),
        ("https://me:secret@x.org/", "[url]"),
        ("https://x.org/page#top", "[url]"),
        ("https://wa.me/491701234567", "[url]"),
        ("https://chat.whatsapp.com/Fk3Jd8sKq2LmPz9", "[url]"),
        ("看https://x.org/?a=1。好", "看[url]。好"),
    ],
)
def test_web_addresses_that_tell_more_than_a_page_go_whole(text: str, expected: str):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "iban",
    [
        "DE89 3704 0044 0532 0130 00",
        "de89370400440532013000",
        "GB82-WEST-1234-5698-7654-32",
        "NO93 8601 1117 947",
        "FR14 2004 1010 0505 0001 3M02 606",
        "MT84MALT011000012345MTLCAST001S",
    ],
)
def test_iban(iban: str):
    assert redacted(f"to {iban} please") == "to [iban] please"
    wrong = iban[:-1] + ("1" if iban[-1] != "1" else "2")
    assert "[iban]" not in redacted(f"to {wrong} please")


@pytest.mark.parametrize(
    "card", ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "3782 822463 10005"]
)
def test_card(card: str):
    assert redacted(f"card {card}, 12/27") == "card [card], 12/27"
    wrong = card[:-1] + str((int(card[-1]) + 1) % 10)
    assert "[card]" not in redacted(f"card {wrong}, 12/27")


def test_checksums_by_published_examples():
    assert luhn_is_right("79927398713")
    assert not any(luhn_is_right(f"7992739871{last}") for last in "012456789")
    assert iban_is_right("GB82WEST12345698765432")
    assert not iban_is_right("GB82WEST12345698765433")


@REPEATABLE
@given(st.integers(10**14, 10**15 - 1))
def test_one_digit_makes_any_number_a_card(body: int):
    right = [last for last in "0123456789" if luhn_is_right(f"4{str(body)[1:]}{last}")]
    assert len(right) == 1
    assert redacted(f"4{str(body)[1:]}{right[0]}") == "[card]"


@pytest.mark.parametrize(
    "text",
    [
        "Your code is 483920",
        "483920 is your verification code",
        "Ihr Code lautet 483 920",
        "Use 483920 to verify your account",
        "G-483920 is your Example verification code.",
        "Your verification code for Example Bank is 483920. Do not share it.",
        "Tu código es 483920",
        "Votre code : 483920",
        "Il tuo codice è 483920",
        "Seu código é 483920",
        "Uw code is 483920",
        "Twój kod to 483920",
        "Din kod är 483920",
        "Vahvistuskoodi: 483920",
        "Doğrulama kodunuz: 483920",
        "Ваш код 483920",
        "Код подтверждения: 483920",
        "Ο κωδικός σας είναι: 483920",
        "您的验证码是483920",
        "【例】验证码：483920，请勿",
        "認証コードは483920です",
        "인증번호 [483920]",
        "رمز التحقق هو 483920",
        "קוד האימות שלך הוא 483920",
        "आपका कोड है 483920",
        "TAN 483920",
        "PIN: 1984",
        "OTP is 4839",
        "Your login code:\n483920",
        "code de vérification 483920",
        "Tu código de verificación de acceso 483920",
        "Код подтверждения 4839",
        "Kode OTP Anda 483920",
        "رمز التحقق 483920",
        "Einmalpasswort 483920",
    ],
)
def test_one_time_codes(text: str):
    found = Redactor()
    assert not re.search(r"\d{2}", found.redact(text))
    assert dict(found.found.counts) == {"code": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: Tr0ub4dor&3.", "password: [code]."),
        ('WLAN-Passwort ist "Haus7tier"!', 'WLAN-Passwort ist "[code]"!'),
        ("пароль: qwe123, ok", "пароль: [code], ok"),
        ("密码：abc123", "密码：[code]"),
        ("password: 1234-abc", "password: [code]"),
    ],
)
def test_passwords_with_a_digit(text: str, expected: str):
    assert redacted(text) == expected


@pytest.mark.parametrize("text", LOOK_ALIKES)
@pytest.mark.parametrize("region", ["DE", "US", "FR", "GB"])
def test_look_alikes_stay_where_the_country_is_known(text: str, region: str):
    assert redacted(text, regions=[region]) == text


def test_long_numbers():
    assert redacted("account 1234567891, id 1234 5678 9012") == "account [number], id [number]"
    assert redacted("12345678 stays") == "12345678 stays"


@pytest.mark.parametrize("kind", KINDS)
def test_kept_kinds_stay_and_are_no_other_kind(kind: str):
    samples = {
        "url": "https://x.org/?mail=a@b.org",
        "email": "ann123456789@example.org",
        "iban": "DE89 3704 0044 0532 0130 00",
        "card": "4111111111111111",
        "code": "your code is 483920",
        "phone": "+49 170 1234567",
        "number": "1234567891",
    }
    everything = " ; ".join(samples.values())
    shown = redacted(everything, keep=[kind])
    assert samples[kind] in shown
    assert set(re.findall(r"\[(\w+)\]", shown)) == samples.keys() - {kind}


def test_counts_and_samples():
    redactor = Redactor()
    for text in ("a@b.org and a@b.org", "c@d.org", "e@f.org", "g@h.org", "call +49 170 1234567"):
        redactor.redact(text)
    assert redactor.found.counts == {"email": 5, "phone": 1}
    assert redactor.found.samples == {
        "email": ["a@b.org", "c@d.org", "e@f.org"],
        "phone": ["+49 170 1234567"],
    }


def test_an_unknown_kind_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"--keep takes url, email, .*'mail'"):
        Redactor(["mail"])


@REPEATABLE
@given(st.text(alphabet="ab@.:/?=0123456789 +-()[]\n codeDE89", max_size=200))
def test_spans_are_in_order_and_apart_and_a_second_time_finds_nothing_new_of_addresses(text: str):
    redactor = Redactor()
    spans = redactor.spans(text)
    assert all(start < stop for start, stop, _ in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    shown = redactor.redact(text)
    assert len(shown) == len(text) + sum(len(kind) + 2 - (stop - start) for start, stop, kind in spans)
    assert {"email", "iban", "card"}.isdisjoint(kind for _, _, kind in redactor.spans(shown))


@pytest.mark.parametrize(
    "piece",
    [
        "@",
        "1",
        "a@",
        "a",
        "a.",
        "x@b.",
        "(",
        "code ",
        "/",
        "http://",
        "1a",
        "1 ",
        "+1",
        "-",
        "DE1 ",
        "code 1 ",
        "password: a1",
        "code otp ",
        "a(dot)",
        "1 1a ",
    ],
)
def test_hostile_lines_take_linear_time(piece: str):
    redactor = Redactor()

    def seconds(n: int) -> float:
        text = piece * (n // len(piece))
        start = time.process_time()
        redactor.redact(text)
        return time.process_time() - start

    seconds(1000)  # what is imported and compiled at first
    short, long = (min(seconds(n) for _ in range(2)) for n in (5_000, 50_000))
    assert long < 40 * max(short, 0.01)  # were it quadratic: 100 times


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["@", "1"])
def test_lines_of_ten_megabytes(piece: str):
    start = time.process_time()
    Redactor().redact(piece * 10_000_000)
    assert time.process_time() - start < 60


@pytest.mark.parametrize(
    ("sample", "shown"),
    [
        ("+49 170 1234567", "+4• ••• ••••••7"),
        ("anna@example.org", "a•••@•••••••.••g"),
        ("1234", "1•••"),
        ("日本", "日•"),
        ("", ""),
    ],
)
def test_a_masked_sample_tells_its_kind_and_little_else(sample: str, shown: str):
    assert masked(sample) == shown
