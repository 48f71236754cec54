"""How published byte-level vocabularies cut a text into words before they merge.

Named as GGUF files name them (`tokenizer.ggml.pre`); the values are `pre_tokenizer` and `normalizer` of a
tokenizer.json. All cut where a blank follows a letter, so that long texts can be encoded in pieces.
"""

from __future__ import annotations

from typing import Any

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DIGITS_BY_THREE = WORDS + r"\p{N}{1,3}" + REST  # Llama 3
DIGITS_ALONE = WORDS + r"\p{N}" + REST  # Qwen 2 and later
REGEXES = (DIGITS_BY_THREE, DIGITS_ALONE)


def _byte_level(use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": use_regex}


def _split(regex: str) -> dict[str, Any]:
    cut = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, _byte_level(False)]}


def _digits() -> dict[str, Any]:
    alone = {"type": "Digits", "individual_digits": True}
    return {"type": "Sequence", "pretokenizers": [alone, _byte_level(True)]}


PRE_TOKENIZERS: dict[str, dict[str, Any]] = {
    "gpt-2": _byte_level(True),
    "smollm": _digits(),
    "llama-bpe": _split(DIGITS_BY_THREE),
    "llama3": _split(DIGITS_BY_THREE),
    "llama-v3": _split(DIGITS_BY_THREE),
    "qwen2": _split(DIGITS_ALONE),
}
NORMALIZERS: dict[str, dict[str, Any]] = {"qwen2": {"type": "NFC"}}  # as Qwen's own tokenizer.json has it


def cuts_at_blanks(content: dict[str, Any]) -> bool:
    """Whether a tokenizer.json is known to cut where a blank follows a letter, and to add nothing to a piece."""
    normalizer, cutter = content.get("normalizer"), content.get("pre_tokenizer")
    if normalizer is not None and normalizer.get("type") != "NFC":
        return False
    parts = cutter.get("pretokenizers", [cutter]) if isinstance(cutter, dict) else []
    regexes = [part for part in parts if part.get("type") == "Split"]
    known = all(
        (part.get("pattern") or {}).get("Regex") in REGEXES
        and part.get("behavior") == "Isolated"
        and part.get("invert") is False
        for part in regexes
    )
    levels = [part for part in parts if part.get("type") == "ByteLevel"]
    plain = all(part.get("add_prefix_space") is False for part in levels)
    others = [part for part in parts if part.get("type") not in ("Split", "ByteLevel", "Digits")]
    cuts = bool(regexes) or any(part.get("use_regex", True) for part in levels)
    return known and plain and not others and cuts
