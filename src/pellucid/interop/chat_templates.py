"""Which chat template a published model has: only ChatML is known here."""

from __future__ import annotations

from collections.abc import Container

CHATML_MARKS = ("<|im_start|>", "<|im_end|>")


def template_kind(text: object, tokens: Container[str]) -> str | None:
    """ "chatml" for a template that writes ChatML, whose marks the tokenizer has; else None."""
    if not isinstance(text, str) or any(mark not in text or mark not in tokens for mark in CHATML_MARKS):
        return None
    return "chatml" if "role" in text else None
