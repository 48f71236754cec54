"""An exported folder loaded by transformers, and its tokens and logits compared with the run's on real text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pellucid.interop.comparison import (
    Comparison,
    Unequal,
    any_tokens,
    largest_difference,
    of_text,
    own_model,
    real_text,
)
from pellucid.interop.ends import written_template
from pellucid.interop.exportable import Exportable
from pellucid.text.template import Turn

TOLERANCE = 1e-4  # of a logit, or of 1 where it is smaller; in float32
CONVERSATION = (
    Turn("user", "Good morning! How are you?"),
    Turn("assistant", "Well."),
    Turn("user", "And what is 2 + 2?"),
)


@torch.no_grad()
def compare(model: Exportable, folder: Path) -> Comparison:
    """Load `folder` with transformers and compare it with the run.

    Raises:
        Unequal: a token is another one, or a logit differs by more than TOLERANCE.
    """
    import transformers

    _quiet(transformers)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    text = real_text()
    ids = model.tokenizer.encode(text)
    theirs = tokenizer(text, add_special_tokens=False)["input_ids"]
    if theirs != ids.tolist():
        raise Unequal(
            f"the tokenizer in {folder} gives other tokens than the run's: this is a mistake of Pellucid"
        )
    _compare_conversation(model, tokenizer, folder)
    exported = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    ).eval()
    own = own_model(model)
    windows = [*of_text(ids, own.config.context_length), any_tokens(own.config)]
    found = Comparison(
        f"transformers {transformers.__version__}",
        sum(window.shape[1] for window in windows),
        max(largest_difference(own(window), exported(window).logits) for window in windows),
        TOLERANCE,
    )
    if not found.difference <= TOLERANCE:  # nor is NaN
        raise Unequal(
            f"the logits of {folder} differ from the run's by {found.difference:.1e}, and {TOLERANCE:.0e} is allowed: "
            "this is a mistake of Pellucid"
        )
    return found


def _compare_conversation(model: Exportable, tokenizer: Any, folder: Path) -> None:
    template, _ = written_template(model.template)
    if template is None:
        return
    expected = template.prompt(CONVERSATION).tolist()
    messages = [{"role": turn.role, "content": turn.text} for turn in CONVERSATION]
    found = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    if found != expected:
        raise Unequal(
            f"the chat template in {folder} gives other tokens than the run's: this is a mistake of Pellucid"
        )


def _quiet(transformers: Any) -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
