"""One-time codes: a few digits beside a word that says what they are, in some thirty languages; and passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pellucid.text.chats.private.spans import Span

# What a code is called. In scripts without blanks between words these stand inside words, so they have no boundaries.
# fmt: off
ENDINGS = ("code", "kode", "kodu?", "kod", "k[oó]d", "koodi", "kodas", "kods", "passwort")  # of longer words, too
NAMES = (
    r"c[oó]digos?", r"k[oó]d\w{0,4}", r"codice", r"codi", r"koodi\w{0,3}", r"cod(?:ul)?", r"код\w{0,4}",
    r"парол[ья]", r"κωδικ[όο]ς?\w{0,2}", r"pass ?w(?:or)?d", r"otp", r"(?:push|sms|mobile|m|photo|i)?-?tan", r"pin",
    r"2fa", r"mã", r"mật khẩu", r"şifre\w{0,4}", r"sandi", r"kennwort", r"contraseña", r"clave", r"senha",
    r"mot de passe",
    r"wachtwoord", r"hasło", r"heslo", r"salasana", r"lösenord", r"(?:ال)?رمز", r"(?:ال)?كود", r"کد", r"ה?קוד",
    r"कोड", r"ओटीपी", r"কোড", r"குறியீடு", r"รหัส", r"կոդը?", r"კოდი",
)
UNSPACED = (
    "验证码", "校验码", "驗證碼", "动态码", "密码", "密碼", "コード", "暗証番号", "パスワード",
    "인증번호", "인증 번호", "코드", "비밀번호",
)
COPULAS = (
    "is", "are", "was", "ist", "lautet", "es", "est", "è", "é", "er", "är", "on", "to", "este", "jest", "je", "is:",
    "adalah", "là", "هو", "הוא", "है", "হল", "คือ", "是", "为", "為", "は", "은", "는",
)
OF_A_CODE = (  # what may stand between a name and its number, besides "de" and the like
    r"v[eé]rif\w{0,12}", r"weryfik\w{0,8}", r"confirm\w{0,10}", r"подтвержд\w{0,6}", r"доступа", r"безопасности",
    r"s[eé]curit\w{0,4}", r"seguridad", r"sicurezza", r"segurança", r"acc?[eè]s\w{0,3}", r"otp", r"sms",
    r"anda", r"kamu", r"(?:ال)?تحقق", r"(?:ال)?تأكيد", r"(?:ال)?تفعيل",
)
PASSWORDS = (
    r"\w{0,16}passwor[dt]", r"passphrase", r"kennwort", r"wachtwoord", r"contraseña", r"mot de passe", r"senha",
    r"hasło", r"heslo", r"salasana", r"lösenord", r"пароль", r"şifre", r"mật khẩu",
)
AS = ("as", "als", "come", "como", "comme", "som", "jako", "как", "za")
# fmt: on
NOT_SECRET = re.compile(  # before the name: codes that everybody may know
    r"(?:zip|post(?:al|s)?|area|country|dial(?:ling)?|error|status|exit|return|http|source|dress|bar|qr|colou?r|"
    r"morse|cheat|penal|civil|promo(?:tion)?|discount|coupon|rabatt|gutschein|code|postal(?:e)?|postleit|vorwahl|"
    r"fehler|error de|c[oó]digo|код(?:овый)?|почтовый|steuer|source|machine|byte|uni)[ -]?$",
    re.IGNORECASE,
)
PUBLIC = re.compile(
    r"(?:zip|post|bar|qr|fehler|error|quell|source|uni|en|de|byte|dress|rabatt|gutschein|promo|farb|status|"
    r"colou?r|country|area)-?(?:code|kode|kod|koodi)",
    re.IGNORECASE,
)

NUMBER = r"(?:[A-Z]{1,3}-)?(?:\d{3}[ \u00a0-]\d{3}|\d{4}[ -]\d{4}|\d{4,8})"
STANDS_ALONE = r"(?![\dA-Za-zÀ-ɏ_%€$£¥₹°]|[.,:/-]\d| ?(?:€|\$|£|eur|usd|km|kg|ms|°)| \d)"
NAME = (
    rf"(?:(?<!\w)(?=\w)(?:{'|'.join(NAMES)}|\w{{0,24}}?(?:{'|'.join(ENDINGS)}))(?!\w)"
    rf"|{'|'.join(map(re.escape, UNSPACED))})"
)
ANY_NUMBER = re.compile(r"\d{3}")
FIND_NAME = re.compile(NAME, re.IGNORECASE)

MOST_BETWEEN = 48  # characters between a name and its number
COPULA = rf"(?:(?<!\w)(?:{'|'.join(map(re.escape, COPULAS))})(?!\w)|[是为為は은는]|[:=])"
DIRECTLY = re.compile(rf"[\s\"'“”„«»*#()（【〔\[:：=–—-]{{0,6}}({NUMBER}){STANDS_ALONE}")
FARTHER = re.compile(
    rf"[^\d\n.!?]{{0,{MOST_BETWEEN}}}?(?:{COPULA})[\s\"'“”„«»*#(（【\[:：]{{0,6}}({NUMBER}){STANDS_ALONE}",
    re.IGNORECASE,
)
COMPLEMENT = re.compile(
    rf"(?:[ \u00a0](?:(?:de|di|do|da|of|для) )?(?:{'|'.join(OF_A_CODE)})(?!\w)){{1,3}}", re.IGNORECASE
)
PASSWORD = re.compile(  # one word with a letter and a digit in it
    rf"(?:(?<!\w)(?:{'|'.join(PASSWORDS)})(?!\w)|密码|密碼|パスワード|비밀번호)"
    r"\s?(?:[:=：]|(?:is|ist|lautet|es|est|è|é)(?=[\s:]))[\s:\"'“”„«»*]{0,4}"
    r"((?=\S{0,40}\d)(?=\S{0,40}[^\W\d])\S{4,40}(?<![.,;!?)\"'“”»*]))",
    re.IGNORECASE,
)
NUMBER_FIRST = re.compile(
    rf"(?<![\w.,:/-])({NUMBER})(?![\d_%])\s?(?:{COPULA}|(?:{'|'.join(AS)})(?!\w)|[—–(（-]|(?=[^\W\d]))"
    rf"(?P<between>[^\d\n.!?]{{0,{MOST_BETWEEN}}})",
    re.IGNORECASE,
)
CONFIRMS = re.compile(r"\b(?:to )?(?:verify|confirm|log ?in|sign ?in)\b|\bverification\b", re.IGNORECASE)
LIKE_A_YEAR = re.compile(r"(?:19|20)\d\d")


def codes(text: str) -> Iterator[Span]:
    """`Your code is 483920`, `483920 is your code`; not a postal code, an error code, a price, or a year.

    Of passwords those that are told after a colon or an `is`, and have a digit and a letter.
    """
    found = {match.span(1) for match in PASSWORD.finditer(text)}
    if ANY_NUMBER.search(text):
        found |= _numeric(text)
    end = 0
    for start, stop in sorted(found, key=lambda span: (span[0], -span[1])):
        if start >= end:
            yield start, stop
            end = stop


def _numeric(text: str) -> set[Span]:
    found, any_name = set[Span](), False
    for match in FIND_NAME.finditer(text):
        any_name = True
        if not _is_public(text, match):
            found |= set(_after(text, match.end()))
    if any_name or CONFIRMS.search(text):
        found |= set(_before(text))
    return found


def _is_public(text: str, match: re.Match[str]) -> bool:
    return bool(PUBLIC.match(match[0]) or NOT_SECRET.search(text, max(0, match.start() - 16), match.start()))


def _after(text: str, place: int) -> Iterator[Span]:
    """The code that follows a name which ends at `place`."""
    said = COMPLEMENT.match(text, place)
    match = DIRECTLY.match(text, said.end() if said else place)
    if match:
        yield match.span(1)
        return
    match = FARTHER.match(text, place)
    if match and not LIKE_A_YEAR.fullmatch(match[1]):
        yield match.span(1)


def _before(text: str) -> Iterator[Span]:
    """Codes with a name behind them, in the same sentence, after `is`, `as` or the like."""
    for match in NUMBER_FIRST.finditer(text):
        between, joined = match["between"], text[match.end(1) : match.start("between")]
        name = FIND_NAME.search(between)
        if name and _is_public(between, name):
            continue
        if (name and (joined.strip() or name.start() == 0)) or (joined.strip() and CONFIRMS.search(between)):
            yield match.span(1)
