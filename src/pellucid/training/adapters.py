"""Adapters as files that PEFT reads beside the exported base model: adapter_config.json and its tensors.

Names are those of the Hugging Face family that the model's shape has a twin in; where there is none, our own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pellucid.model.config import ModelConfig
from pellucid.model.lora import LoRALinear, adapted_layers
from pellucid.model.transformer import LanguageModel
from pellucid.training.checkpoints import save_tensors
from pellucid.training.files import write_atomically, write_json
from pellucid.training.run_folder import RunFolder

LLAMA = {
    **{name: f"model.layers.{{}}.self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "o_proj")},
    **{name: f"model.layers.{{}}.mlp.{name}" for name in ("gate_proj", "up_proj", "down_proj")},
}
GPT2 = {
    "qkv": "transformer.h.{}.attn.c_attn",
    "o_proj": "transformer.h.{}.attn.c_proj",
    "up_proj": "transformer.h.{}.mlp.c_fc",
    "down_proj": "transformer.h.{}.mlp.c_proj",
}
FAMILIES: dict[str, dict[str, str]] = {
    "llama": LLAMA,  # and all that name their layers so: qwen2, qwen3, mistral, arcee, stablelm, mixtral
    "starcoder2": {**LLAMA, "up_proj": "model.layers.{}.mlp.c_fc", "down_proj": "model.layers.{}.mlp.c_proj"},
    "opt": {
        **{name: f"model.decoder.layers.{{}}.self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj")},
        "o_proj": "model.decoder.layers.{}.self_attn.out_proj",
        "up_proj": "model.decoder.layers.{}.fc1",
        "down_proj": "model.decoder.layers.{}.fc2",
    },
    "gpt2": GPT2,
    "gpt_bigcode": GPT2,  # with keys and values that all heads share
}


def family(config: ModelConfig) -> str | None:
    """The key of FAMILIES whose layers a model's are; None where no published architecture is its twin."""
    unheard = config.value_residual or config.x0_residual or config.logit_softcap
    if unheard or "none" in (config.residual, config.mask, config.feedforward, config.norm):
        return None
    gated = config.activation == "swiglu"
    post = config.norm_position == "post"
    match config.positions, config.norm:
        case "rotary", "rmsnorm" if not post:
            return "llama"
        case "rotary", "layernorm" if not post:
            return "llama" if gated else "starcoder2"
        case (("learned" | "sinusoidal" | "none"), "layernorm") if not gated:
            if post:
                return "opt"
            return "gpt_bigcode" if config.n_kv_heads == 1 < config.n_heads else "gpt2"
    return None


def adapter_files(model: LanguageModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What adapter_config.json and adapter_model.safetensors hold of a model with adapters."""
    of = family(model.config)
    layers = adapted_layers(model)
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    for name, layer in layers:
        where = name.split(".")[1]
        for slice_name, down, up in _adapters(layer, model.config, of):
            own = f"{name.rsplit('.', 1)[0]}.{slice_name}"
            path = FAMILIES[of][slice_name].format(where) if of else own
            tensors[f"base_model.model.{path}.lora_A.weight"] = down
            tensors[f"base_model.model.{path}.lora_B.weight"] = up
            ranks[path.rsplit(".", 1)[-1]] = len(down)
    first = layers[0][1]
    rank, alpha = first.rank, first.rank * first.scale
    wider = {name: size for name, size in ranks.items() if size != rank}
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "inference_mode": True,
        "base_model_name_or_path": None,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": of == "gpt2",
        "target_modules": sorted(ranks),
        "modules_to_save": None,
        "init_lora_weights": True,
        "use_rslora": False,
        "use_dora": False,
        "rank_pattern": wider,
        "alpha_pattern": {name: alpha * size / rank for name, size in wider.items()},
    }
    return config, tensors


def _adapters(layer: LoRALinear, config: ModelConfig, of: str | None) -> list[tuple[str, Tensor, Tensor]]:
    """Name, A (r, C) and B (O, r) of each adapter of a layer, in a family of FAMILIES.

    Where one matrix holds queries, keys and values, theirs is one of three times the rank; keys and values that several
    heads share are repeated for each where they are in the export (interop/rewriting.py).
    """
    groups = config.n_heads // config.n_kv_heads if of in ("gpt2", "opt") else 1

    def repeated(name: str, up: Tensor) -> Tensor:
        shared = groups > 1 and name in ("k_proj", "v_proj")
        return _repeated(up, config.head_dim, groups) if shared else up

    if not (of in ("gpt2", "gpt_bigcode") and "q_proj" in layer.slices):
        return [
            (name, layer.lora_a[name].data, repeated(name, layer.lora_b[name].data)) for name in layer.names
        ]
    ups = layer.up().detach().split(list(layer.slices.values()))
    parts = [repeated(name, up) for name, up in zip(layer.slices, ups, strict=True)]
    return [("qkv", layer.down().detach(), torch.cat(parts))]


def _repeated(rows: Tensor, head_dim: int, groups: int) -> Tensor:
    return rows.unflatten(0, (-1, head_dim)).repeat_interleave(groups, dim=0).flatten(0, 1)


def publish_adapters(run: RunFolder, model: LanguageModel) -> None:
    """Write the adapters of this moment into a run; nothing of a model that has none."""
    if not adapted_layers(model):
        return
    config, tensors = adapter_files(model)
    base = run.config().get("base", {})
    write_atomically(run.path / "adapter_model.safetensors", lambda path: save_tensors(tensors, path))
    write_json(run.path / "adapter_config.json", {**config, "base_model_name_or_path": base.get("run")})
