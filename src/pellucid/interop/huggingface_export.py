"""A run as a folder of Hugging Face: what `AutoModelForCausalLM` and `AutoTokenizer` load, and what import reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pellucid.interop.assembling import taken_apart
from pellucid.interop.card import model_card
from pellucid.interop.chat_templates import jinja
from pellucid.interop.ends import begin_id, end_ids, special_names, written_template
from pellucid.interop.exportable import Exportable, Written
from pellucid.interop.fillers import KEY, filled_in
from pellucid.interop.huggingface_check import compare as compare
from pellucid.interop.mapping import Plan, plan
from pellucid.interop.run_weights import Weights
from pellucid.interop.twins import Twin, twin_of
from pellucid.interop.writing import Advanced, Piece, in_shards, told, write_safetensors
from pellucid.text.template import Template
from pellucid.text.tokenizers.tokenizer import Tokenizer

SHARD = 5_000_000_000  # bytes, as transformers has it
CLASSES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "arcee": "ArceeForCausalLM",
    "starcoder2": "Starcoder2ForCausalLM",
    "stablelm": "StableLmForCausalLM",
    "gpt2": "GPT2LMHeadModel",
    "gpt_bigcode": "GPTBigCodeForCausalLM",
    "opt": "OPTForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "granitemoeshared": "GraniteMoeSharedForCausalLM",
    "qwen2_moe": "Qwen2MoeForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
}
TYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


def write(model: Exportable, folder: Path, advanced: Advanced, shard: int = SHARD) -> Written:
    """Make `folder` and write all files into it.

    Args:
        shard: bytes of a file of weights at most, but for a single tensor that is larger.

    Raises:
        InputError: the model has no twin; nothing was written.
    """
    twin = twin_of(model.weights, model.tokenizer)
    folder.mkdir(parents=True)
    write_weights(twin, folder, advanced, shard)
    tokenizer = model.tokenizer
    template, left_out = written_template(model.template)
    notes = [*twin.changes, *left_out]
    said = filled_in(model.weights.config, twin.weights.config)
    config = {**_config(twin, tokenizer, template), **({KEY: said} if said else {})}
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", _token_ids(tokenizer, template))
    for name, content in tokenizer_files(tokenizer, template, twin.weights.config.context_length).items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(model_card(model, twin.family, notes), encoding="utf-8")
    return Written(twin.family, notes)


def write_weights(twin: Twin, folder: Path, advanced: Advanced, shard: int = SHARD) -> None:
    """model.safetensors, or shards of it and their index; no more than one of our tensors is in memory."""
    weights, made = twin.weights, plan(twin.weights.config, twin.layout)
    pieces = [
        Piece(part.name, part.shape, weights.tensors[ours].dtype)
        for ours, place in made.items()
        for part in place.parts
        if part.name is not None
    ]
    total = sum(piece.n_bytes for piece in pieces)
    tensors = told(_tensors(weights, made), total, advanced)
    shards = in_shards(pieces, shard)
    metadata = {"format": "pt"}
    if len(shards) == 1:
        write_safetensors(folder / "model.safetensors", pieces, tensors, metadata)
        return
    where = dict[str, str]()
    for number, some in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_safetensors(folder / name, some, tensors, metadata)
        where |= {piece.name: name for piece in some}
    index = {"metadata": {"total_size": total}, "weight_map": where}
    _write_json(folder / "model.safetensors.index.json", index)


def _tensors(weights: Weights, made: Plan) -> Iterator[Tensor]:
    """What the pieces hold, in their order."""
    for ours, place in made.items():
        yield from (tensor for _, tensor in taken_apart(place, weights.tensors[ours].read()))


def _config(twin: Twin, tokenizer: Tokenizer, template: Template | None) -> dict[str, Any]:
    return {
        "architectures": [CLASSES[twin.family]],
        **twin.values,
        "dtype": TYPES[twin.weights.dtype],
        **_token_ids(tokenizer, template),
    }


def _token_ids(tokenizer: Tokenizer, template: Template | None) -> dict[str, Any]:
    """Which tokens begin and end a text; without them transformers would take GPT-2's or Llama's."""
    ends = end_ids(tokenizer, template)
    return {
        "bos_token_id": begin_id(tokenizer),
        "eos_token_id": ends if len(ends) > 1 else ends[0],
        "pad_token_id": tokenizer.pad,
    }


# ---------------------------------------------------------------------- tokenizer


def tokenizer_files(tokenizer: Tokenizer, template: Template | None, context_length: int) -> dict[str, str]:
    """tokenizer.json and tokenizer_config.json, for AutoTokenizer."""
    content = json.loads(tokenizer.to_json())
    whole = tokenizer.to_json()
    # its file says how a document is framed, end and all; a prompt has no end
    if tokenizer.kind == "imported":
        content["post_processor"] = _beginning(content["post_processor"]) if tokenizer.beginning else None
        whole = json.dumps(content, ensure_ascii=False, indent=1)
    said: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special_names(tokenizer, template),
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
    }
    if template is not None:
        before = "{{- bos_token -}}" if tokenizer.beginning else ""
        said["chat_template"] = before + jinja(template.kind)
    return {"tokenizer.json": whole, "tokenizer_config.json": _json(said)}


def _beginning(framing: dict[str, Any]) -> dict[str, Any]:
    """What stands before a text, without what ends it."""
    single = framing["single"][:-1]
    begins = [part for part in single if "SpecialToken" in part]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    names = {part["SpecialToken"]["id"] for part in begins}
    special = {name: token for name, token in framing["special_tokens"].items() if name in names}
    return {**framing, "single": single, "pair": pair, "special_tokens": special}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(_json(value), encoding="utf-8", newline="\n")
