"""Adapters that we train, beside the base model in PEFT: the logits of our merged weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from published import GPT2_SIZES, SIZES, assert_same_logits, randomise
from small_chats import messages

from pellucid import import_model, load
from pellucid.training.finetune import LoRA, finetune

transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

FAMILIES: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "llama, all": ("Llama", SIZES, None),
    "qwen2, q and v": ("Qwen2", SIZES, "q_proj,v_proj"),
    "gpt2, one matrix of queries, keys and values": (
        "GPT2",
        GPT2_SIZES,
        "all",
    ),
}


@pytest.mark.parametrize(("family", "sizes", "targets"), FAMILIES.values(), ids=FAMILIES)
def test_logits(
    family: str,
    sizes: dict[str, Any],
    targets: str | None,
    save: Callable[..., Path],
    tmp_path: Path,
    quick_probe: object,
):
    head = "GPT2LMHeadModel" if family == "GPT2" else f"{family}ForCausalLM"
    config = getattr(transformers, f"{family}Config")(**sizes)
    theirs = randomise(getattr(transformers, head)(config))
    import_model(save(theirs), "imported")
    run = finetune(
        "imported",
        messages(tmp_path / "talk.jsonl"),
        lora=LoRA(3, 12.0, targets),
        out="tuned",
        steps=4,
        lr=0.02,
        batch_size=2,
        window=64,
        device="cpu",
        precision="float32",
        sample_tokens=2,
    ).run

    before = theirs(torch.arange(40)[None]).logits.detach()
    said = json.loads((run.path / "adapter_config.json").read_text(encoding="utf-8"))
    assert peft.LoraConfig(**said).r == 3
    adapted = peft.PeftModel.from_pretrained(theirs, str(run.path)).eval()
    assert (adapted(torch.arange(40)[None]).logits - before).abs().max() > 0.05, "the adapters do something"
    ours = load(run.path, "cpu").model
    assert_same_logits(ours, adapted, 320)
    assert_same_logits(ours, adapted.merge_and_unload(), 320)
