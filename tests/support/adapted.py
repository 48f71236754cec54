"""Runs with adapters of random numbers, here and in PEFT beside the exported base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from pellucid import export, load
from pellucid.model.lora import Adapters, add_adapters, possible_targets
from pellucid.model.transformer import LanguageModel
from pellucid.training.adapters import adapter_files
from pellucid.training.run_folder import RunFolder

# by the family that the base is exported as: the case of `exported`
BESIDE = {
    "llama": "RMSNorm, rotary, SwiGLU",
    "qwen3": "the same, QK-norm",
    "arcee": "RMSNorm, rotary, ReLU²",
    "starcoder2": "LayerNorm, rotary, GELU (tanh)",
    "stablelm": "LayerNorm, rotary, SwiGLU",
    "gpt2, repeated heads": "LayerNorm, learned, grouped queries",
    "gpt_bigcode": "LayerNorm, learned, multi-query",
    "opt, repeated heads": "LayerNorm after, sinusoidal, grouped queries",
    "mixtral": "experts",
    "qwen3_moe": "experts, QK-norm",
    "granitemoeshared": "experts, a shared one",
}


def with_adapters(base: RunFolder, folder: Path) -> tuple[LanguageModel, Any]:
    """Our model with adapters on every matrix that can have them, and PEFT's; `folder` is where files may be."""
    import peft
    import transformers

    ours = load(base.path, "cpu").model
    add_adapters(ours, Adapters(3, 12.0, tuple(possible_targets(ours))))
    for key, parameter in ours.named_parameters():
        if ".lora_b." in key:
            torch.nn.init.normal_(parameter, std=0.1)
    config, tensors = adapter_files(ours)
    adapters = folder / "adapters"
    adapters.mkdir()
    whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
    save_file(whole, adapters / "adapter_model.safetensors")
    (adapters / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")

    exported = export(base.path, out=folder / "exported", check=False)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported.path).eval()
    before = theirs(torch.arange(40)[None]).logits.detach()
    adapted = peft.PeftModel.from_pretrained(theirs, str(adapters)).eval()
    assert (adapted(torch.arange(40)[None]).logits - before).abs().max() > 0.05, "the adapters do something"
    return ours.eval(), adapted
