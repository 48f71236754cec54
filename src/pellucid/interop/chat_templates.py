"""Chat templates of published models: which of ours one is, and ours in the Jinja that other programs read."""

from __future__ import annotations

from collections.abc import Container

from pellucid.text.template import CHATML_MARKERS, NEEDED, Kind

# What one side says in a row is one turn, and where the assistant speaks first it answers an empty turn of the user:
# so every conversation looks in training (`as_learned`).
_JINJA = """\
{%- set opening = namespace(over=false) -%}
{%- for message in messages -%}
{%- if loop.previtem is defined and loop.previtem.role == message.role -%}
{{- '\\n' + message.content -}}
{%- else -%}
{%- if message.role == 'assistant' and not opening.over -%}
{{- BEGIN_USER + END -}}
{%- endif -%}
{{- BEGIN_ROLE + message.content -}}
{%- endif -%}
{%- if message.role != 'system' -%}
{%- set opening.over = true -%}
{%- endif -%}
{%- if loop.nextitem is undefined or loop.nextitem.role != message.role -%}
{{- END -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- BEGIN_ASSISTANT -}}
{%- endif -%}"""
_FRAMES: dict[str, tuple[str, str, str]] = {  # before the role, after it, and after what is said
    "markers": ("<|", "|>", "<|end|>"),
    "chatml": ("<|im_start|>", "\\n", "<|im_end|>\\n"),
}


def template_kind(text: object, tokens: Container[str]) -> Kind | None:
    """Ours that a template writes as, whose marks the tokenizer has; None for any other."""
    if not isinstance(text, str):
        return None
    if "role" in text and all(mark in text and mark in tokens for mark in CHATML_MARKERS):
        return "chatml"
    if text.strip() == jinja("markers") and all(name in tokens for name in NEEDED["markers"]):
        return "markers"
    return None


def jinja(kind: str) -> str:
    """The template of a kind as Jinja, for `tokenizer.chat_template` and `chat_template.jinja`.

    It writes what `Template.prompt` does of `as_learned` turns, but for what stands before every document: whoever
    reads the template puts that there.
    """
    before, after, end = _FRAMES[kind]
    spelled = {
        "BEGIN_ROLE": f"'{before}' + message.role + '{after}'",
        "BEGIN_USER": f"'{before}user{after}'",
        "BEGIN_ASSISTANT": f"'{before}assistant{after}'",
        "END": f"'{end}'",
    }
    text = _JINJA
    for name, value in spelled.items():
        text = text.replace(name, value)
    return text
