"""The same fine-tuning in transformers and PEFT: the same weights and adapters, conversations and rates in every step.

What differs is what those libraries do by themselves: every conversation is a row, and rows are padded to the longest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from peers import llama
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

from pellucid.model.config import ModelConfig
from pellucid.model.transformer import LanguageModel
from pellucid.text.packing import Example, Rows
from pellucid.training.adapters import adapter_files
from pellucid.training.config import TrainConfig
from pellucid.training.machine import autocast

IGNORED = -100


class Twin:
    """A LoRA fine-tuning of a llama in PEFT.

    Args:
        ours: a model with adapters, which it starts as.
        precision: of its training steps, by autocast as on our side.
    """

    def __init__(self, ours: LanguageModel, config: TrainConfig, precision: str) -> None:
        self.precision = precision
        theirs = llama(ours.config)
        missing, unexpected = theirs.load_state_dict(
            _their_names(ours.config, ours.state_dict()), strict=False
        )
        assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
        told, adapters = adapter_files(ours)
        lora = LoraConfig(**{name: told[name] for name in ("r", "lora_alpha", "target_modules")})
        self.model = get_peft_model(theirs, lora)
        taken = set_peft_model_state_dict(self.model, adapters)
        assert not taken.unexpected_keys, taken.unexpected_keys
        self.model.train()
        self.clip = config.clip or math.inf
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained, config.lr, (config.beta1, config.beta2), weight_decay=config.weight_decay
        )

    def step(self, rows: Rows, first: int, count: int, rate: float) -> int:
        """One optimizer step on the conversations of these rows; returns how many tokens they have."""
        examples = [rows.examples[index] for n in range(first, first + count) for index in rows.row(n)]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with autocast("cpu", self.precision):
            loss = self.model(**_padded(examples)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return sum(map(len, examples))

    @torch.inference_mode()
    def nats(self, examples: Sequence[Example], counted: np.ndarray) -> float:
        """The summed loss of what is learned in some examples; `counted` (V,) says which tokens are."""
        self.model.eval()
        total = 0.0
        for example in examples:
            targets = torch.from_numpy(example.ids[1:].astype(np.int64))
            scored = torch.from_numpy(example.learned[1:] & counted[example.ids[1:]])
            logits = self.model(input_ids=torch.from_numpy(example.ids[None, :-1].astype(np.int64))).logits[0]
            total += torch.nn.functional.cross_entropy(
                logits[scored], targets[scored], reduction="sum"
            ).item()
        self.model.train()
        return total


def _padded(examples: Sequence[Example]) -> dict[str, torch.Tensor]:
    """Inputs, mask and labels, (B, T) each; transformers shifts labels by itself."""
    width = max(map(len, examples))
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, example in enumerate(examples):
        own = torch.from_numpy(example.ids[:-1].astype(np.int64))
        ids[row, : len(own)], mask[row, : len(own)] = own, 1
        labels[row, : len(own)] = torch.where(torch.from_numpy(example.learned[:-1]), own, IGNORED)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _their_names(config: ModelConfig, ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    keys = config.n_kv_heads * config.head_dim
    theirs = {"model.embed_tokens.weight": ours["embedding.weight"], "model.norm.weight": ours["norm.weight"]}
    if not config.tie_embeddings:
        theirs["lm_head.weight"] = ours["head.weight"]
    for n in range(config.n_layers):
        own, their = f"blocks.{n}.", f"model.layers.{n}."
        q, k, v = ours[own + "attention.qkv.weight"].split([config.n_heads * config.head_dim, keys, keys])
        gate, up = ours[own + "feedforward.gate_up.weight"].chunk(2)
        theirs |= {
            their + "self_attn.q_proj.weight": q,
            their + "self_attn.k_proj.weight": k,
            their + "self_attn.v_proj.weight": v,
            their + "self_attn.o_proj.weight": ours[own + "attention.out.weight"],
            their + "mlp.gate_proj.weight": gate,
            their + "mlp.up_proj.weight": up,
            their + "mlp.down_proj.weight": ours[own + "feedforward.down.weight"],
            their + "input_layernorm.weight": ours[own + "attention_norm.weight"],
            their + "post_attention_layernorm.weight": ours[own + "feedforward_norm.weight"],
        }
    return theirs
