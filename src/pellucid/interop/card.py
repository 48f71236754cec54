"""README.md of an exported model: its model card, as Hugging Face's hub shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pellucid.interop.exportable import Exportable
from pellucid.model.accounting import n_params
from pellucid.training.report import origin_lines, private_lines, shape_row

MOST_NEW = 100  # tokens that the example writes
LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}")  # an identifier; anything else is not for a header


def model_card(model: Exportable, family: str, notes: Sequence[str]) -> str:
    """What it is, what became of it, how to use it, and whom it may be given to.

    Args:
        family: its model_type.
        notes: what was changed on the way, if anything.
    """
    run, stored, config = model.run, model.stored, model.weights.config
    name = re.sub(r"[^\w.-]", "-", run.name)
    n_new = min(MOST_NEW, config.context_length // 2)  # with what is asked it must fit the context
    of = f"step {model.step:,}" if isinstance(model.step, int) else "the best step"
    lines = [
        *_header(model.licence),
        f"# {name}",
        "",
        f"A {family} language model of {n_params(config):,} parameters and {config.vocab_size:,} tokens, exported by "
        f"Pellucid {stored['pellucid']}; it computes what the run does, with the weights of {of}.",
        *origin_lines(stored),
        *_changes(notes),
        "",
        "| | |",
        "|---|---|",
        *shape_row(config),
        "",
        "## Use",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'folder = "."  # that this file is in',
        "model = AutoModelForCausalLM.from_pretrained(folder)",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
        *_use(model),
        f"print(tokenizer.decode(model.generate(ids, max_new_tokens={n_new}, do_sample=True)[0]))",
        "```",
        "",
        "`pellucid import .`, typed in that folder, makes it a run again.",
        "",
        "## Privacy",
        "",
        *private_lines(stored),
        "The weights can remember passages of the text they were trained on, and `tokenizer.json` holds its symbols or",
        "frequent words: whoever has this folder has those, too.",
        "",
    ]
    return "\n".join(lines)


def licence_in(card: str) -> str | None:
    """The licence that the head of a model card names; None where it names none."""
    head = re.match(r"---\r?\n(.*?)\r?\n---", card, re.DOTALL)
    said = (
        re.search(r"^license:[ \t]*[\"']?([^\s\"']+)[\"']?[ \t\r]*$", head[1], re.MULTILINE) if head else None
    )
    return said[1] if said and LICENCE.fullmatch(said[1]) else None


def _header(licence: str | None) -> list[str]:
    """What the hub reads, in YAML."""
    said = [f"license: {licence}"] if licence and LICENCE.fullmatch(licence) else []
    return ["---", "library_name: transformers", "pipeline_tag: text-generation", *said, "---", ""]


def _changes(notes: Sequence[str]) -> list[str]:
    return ["", *(f"- {note}" for note in notes)] if notes else []


def _use(model: Exportable) -> list[str]:
    if model.template is None:
        return ['ids = tokenizer("It was", return_tensors="pt").input_ids']
    return [
        'messages = [{"role": "user", "content": "Hello!"}]',
        'ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", '
        "return_dict=False)",
    ]
