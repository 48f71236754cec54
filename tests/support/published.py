"""Small published models: tokenizers as GPT-2 and Llama 2 have them, weights for `transformers`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from pellucid.text.tokenizers.patterns import DIGITS_ALONE

TEXT = (
    "It was a bright cold day in April, and the clocks were striking thirteen. We'll say it's 12345 o'clock.\n"
    "naïve cafés, 漢字とかな, 🙂👩‍🚀 and    blanks\n\n\tdon't they've I'M\n"
)
CHATML = (
    "{% for m in messages %}"
    "{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}"
)
SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 48,
    "intermediate_size": 88,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": None,
}
GPT2_SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "n_positions": 64,
    "n_embd": 48,
    "n_layer": 2,
    "n_head": 4,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def byte_level(
    special: tuple[str, ...] = ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
) -> tokenizers.Tokenizer:
    """Byte-level BPE as GPT-2 has it, of 300 tokens, its special ones first."""
    engine = tokenizers.Tokenizer(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    engine.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    engine.train_from_iterator([TEXT * 4], trainer)
    return engine


def split_by(regex: str) -> tokenizers.Tokenizer:
    """The same, with words cut by another pattern."""
    engine = byte_level()
    cut = pre_tokenizers.Split(Regex(regex), "isolated")
    engine.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(False, use_regex=False)])
    return engine


def qwen() -> tokenizers.Tokenizer:
    """As Qwen's: digits stand alone, and text is composed first."""
    engine = split_by(DIGITS_ALONE)
    engine.normalizer = normalizers.NFC()
    return engine


def metaspace() -> tokenizers.Tokenizer:
    """BPE with byte fallback as Llama 2 and Mistral have it: a blank before each text, `<s>` before each document."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = sorted(set(TEXT.replace(" ", "▁")) - set("漢🙂\n\t"))
    pairs = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("▁", "▁"), ("i", "n"), ("▁▁", "▁▁")]
    vocabulary = {name: id for id, name in enumerate([*names, *letters, *(a + b for a, b in pairs)])}
    engine = tokenizers.Tokenizer(
        models.BPE(vocab=vocabulary, merges=pairs, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    engine.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    engine.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    engine.add_special_tokens([AddedToken(name, normalized=False) for name in names[:3]])
    engine.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return engine


def randomise(model: Any) -> Any:
    """Weights large enough that attention is far from uniform; norms and biases that are not ones and zeros."""
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(
                1.5 * noise * parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else parameter + 0.2 * noise
            )
    return model.eval()


def assert_same_logits(
    ours: Any, theirs: Any, vocab_size: int, length: int = 64, tolerance: float = 1e-4
) -> None:
    """Every logit within `tolerance` · max(1, |logit|)."""
    assert furthest_logit(ours, theirs, vocab_size, length) <= tolerance


@torch.no_grad()
def furthest_logit(ours: Any, theirs: Any, vocab_size: int, length: int = 64) -> float:
    """The largest difference relative to max(1, |logit|), for a few lengths up to a whole context."""
    found = list[Tensor]()
    for n_tokens in (1, 2, 17, length):
        ids = torch.randint(vocab_size, (2, n_tokens))
        expected = theirs(ids).logits
        assert expected.std() > 0.2  # there is something to compare
        found.append(((ours(ids) - expected).abs() / expected.abs().clamp(min=1)).max())
    return torch.stack(found).max().item()  # NaN if any is


def llama_folder(path: Path) -> Path:
    """A small Llama with a chat template, written by hand: for tests that do without `transformers`."""
    width, hidden, heads, keys = SIZES["hidden_size"], SIZES["intermediate_size"], 48, 24
    torch.manual_seed(0)
    weights = {"model.embed_tokens": torch.randn(SIZES["vocab_size"], width), "model.norm": torch.ones(width)}
    for n in range(SIZES["num_hidden_layers"]):
        layer = {
            "input_layernorm": torch.ones(width),
            "post_attention_layernorm": torch.ones(width),
            "self_attn.q_proj": torch.randn(heads, width),
            "self_attn.k_proj": torch.randn(keys, width),
            "self_attn.v_proj": torch.randn(keys, width),
            "self_attn.o_proj": torch.randn(width, heads),
            "mlp.gate_proj": torch.randn(hidden, width),
            "mlp.up_proj": torch.randn(hidden, width),
            "mlp.down_proj": torch.randn(width, hidden),
        }
        weights |= {f"model.layers.{n}.{name}": 0.1 * weight for name, weight in layer.items()}
    path.mkdir(parents=True)
    save_file({f"{name}.weight": weight for name, weight in weights.items()}, path / "model.safetensors")
    config = {**SIZES, "model_type": "llama", "tie_word_embeddings": True}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    said = {"eos_token": "<|im_end|>", "chat_template": CHATML}
    (path / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
    byte_level().save(str(path / "tokenizer.json"))
    return path
