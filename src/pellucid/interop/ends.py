"""Which tokens begin and end what an exported model reads and writes, and how its conversations are spelled."""

from __future__ import annotations

from typing import get_args

from pellucid.text.template import Role, Template
from pellucid.text.tokenizers.tokenizer import Tokenizer


def end_ids(tokenizer: Tokenizer, template: Template | None) -> list[int]:
    """The tokens that end what the model writes; that of a turn first, for a model that answers."""
    ends = [] if template is None else sorted(template.ends - {tokenizer.end_of_text})
    return [*ends, tokenizer.end_of_text]


def begin_id(tokenizer: Tokenizer) -> int:
    """The token that begins a text; where none does, the one that ended the text before."""
    return tokenizer.beginning[0] if tokenizer.beginning else tokenizer.end_of_text


def special_names(tokenizer: Tokenizer, template: Template | None) -> dict[str, str]:
    """What tokenizer_config.json calls the special tokens."""
    ids = {
        "bos_token": begin_id(tokenizer),
        "eos_token": end_ids(tokenizer, template)[0],
        "pad_token": tokenizer.pad,
        "unk_token": tokenizer.unknown,
    }
    return {name: tokenizer.token_text(id) for name, id in ids.items() if id is not None}


def written_template(template: Template | None) -> tuple[Template | None, list[str]]:
    """The template that goes with an export, and a note where the run's is left out."""
    if template is None or _renders_alike(template):
        return template, []
    return None, [
        "its chat template is left out: joined to what is said, its frame would have other tokens than here"
    ]


def _renders_alike(template: Template) -> bool:
    """Whether the text of a conversation has the tokens that `template` gives, which encodes each frame by itself.

    Not so of ChatML where the tokenizer joins the line end of a frame with what is said, or puts a blank before a text.
    """
    if template.kind != "chatml":
        return True  # its frame is of reserved tokens alone

    def ids(text: str) -> list[int]:
        return template.tokenizer.encode(text).tolist()

    return all(
        ids(f"{role}\n{said}") == ids(f"{role}\n") + ids(said)
        for role in get_args(Role)
        for said in ("Hi!", "where", "1")
    )
