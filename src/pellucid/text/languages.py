"""Which languages a text is written in, by a look at pieces from all over it."""

from __future__ import annotations

import bisect
import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

PIECE = 600  # characters: one sentence is often enough, names and numbers are not
MOST_PIECES = 400
LEAST_CONFIDENCE = 0.7
UNSURE = "unsure"
NO_LANGUAGE = "no language"  # numbers, markup, code

# English names of ISO 639 codes; what is not here is shown by its code.
# fmt: off
NAMES = {
    "af": "Afrikaans", "ar": "Arabic", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali",
    "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "grc": "Ancient Greek",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian",
    "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ka": "Georgian",
    "kk": "Kazakh", "ko": "Korean", "la": "Latin", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian",
    "ml": "Malayalam", "mr": "Marathi", "ms": "Malay", "nl": "Dutch", "nn": "Norwegian Nynorsk",
    "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sa": "Sanskrit", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian",
    "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese",
    "yo": "Yoruba", "yue": "Cantonese", "zh": "Chinese", "zu": "Zulu",
    "und": UNSURE, "zxx": NO_LANGUAGE,
}
# fmt: on


def language_shares(texts: Sequence[str]) -> dict[str, float] | None:
    """The share of the text in each language, largest first, by up to 400 evenly spaced pieces of 600 characters.

    A piece that could be of several languages counts as `unsure`, numbers and markup as `no language`. None if
    py3langid is not installed (the extra `languages`).
    """
    identifier = _identifier()
    if identifier is None:
        return None
    codes: list[str] = [identifier.classify(piece)[0] for piece in even_pieces(texts)]
    found = Counter(codes)
    return {NAMES.get(code, code): count / found.total() for code, count in found.most_common()}


@functools.cache  # reading its model takes most of a second
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=LEAST_CONFIDENCE)


def even_pieces(texts: Sequence[str]) -> list[str]:
    """Pieces that begin at even distances in the texts taken together; short texts are joined to fill one."""
    ends = list(itertools.accumulate(map(len, texts)))
    total = ends[-1] if ends else 0
    if not total:
        return []
    count = min(MOST_PIECES, max(1, total // PIECE))
    return [_piece(texts, ends, n * total // count) for n in range(count)]


def _piece(texts: Sequence[str], ends: list[int], start: int) -> str:
    index = bisect.bisect_right(ends, start)
    begin = start - (ends[index - 1] if index else 0)
    parts = [texts[index][begin : begin + PIECE]]
    while sum(map(len, parts)) < PIECE and index + 1 < len(texts):
        index += 1
        parts.append(texts[index][: PIECE - sum(map(len, parts))])
    return "\n".join(parts)
