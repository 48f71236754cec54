"""The flags that say how to train, the same for every verb that trains or plans a training. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from pellucid import presets
from pellucid.cli.flags import add_device, whole
from pellucid.shell import quoted

# Names of settings, with the type of their value and what to say of them. Unset means "choose for me".
GROUPS: dict[str, dict[str, tuple[Any, str]]] = {
    "how long (one of these; default --minutes 5)": {
        "minutes": (float, "minutes of training"),
        "steps": (whole, "optimizer steps"),
        "epochs": (float, "times through the text"),
        "train-tokens": (whole, "tokens to read"),
    },
    "tokens": {
        "tokenizer": (str, "auto, char, bpe, wordpiece, a tokenizer.json, or a run whose tokenizer to use"),
        "vocab-size": (whole, "tokens of a BPE or WordPiece vocabulary"),
    },
    "the model": {
        "model": (str, "a class of your own, FILE.py:Class or FILE.py:Class,hidden=256; FILE.py is executed"),
        "context-length": (whole, "tokens it sees at once"),
        "n-layers": (whole, "blocks"),
        "n-heads": (whole, "query heads a block"),
        "n-kv-heads": (whole, "key/value heads: fewer than --n-heads is grouped-query, 1 is multi-query"),
        "head-dim": (whole, "channels a head; default d_model / n_heads"),
        "d-model": (whole, "channels a token"),
        "d-ff": (whole, "hidden channels of the feed-forward part"),
        "positions": (str, "rotary, learned, sinusoidal or none"),
        "rope-base": (float, "base of the rotary angles"),
        "norm": (str, "rmsnorm, layernorm, rmsnorm_fixed (no learned scale) or none"),
        "norm-position": (str, "pre (before each part) or post"),
        "activation": (str, "relu, gelu, gelu_tanh, relu2 or swiglu"),
        "feedforward": (str, "dense, experts (a mixture of SwiGLU layers) or none"),
        "n-experts": (whole, "feed-forward layers to choose from, with --feedforward experts"),
        "experts-per-token": (whole, "of which each token meets so many"),
        "shared-expert": (str, "one more for every token: none, plain or gated (by a sigmoid)"),
        "balance": (str, "what keeps experts evenly used: loss, bias or none"),
        "balance-rate": (float, "weight of that loss, or what the bias moves a step"),
        "logit-softcap": (float, "logits stay between this and its negative; 0 is off"),
        "residual": (str, "add, or none: to see what it is for"),
        "mask": (str, "causal, or none: every token sees the answer; to see what it is for"),
        "scale": (str, "of attention scores: sqrt (of the head size) or none: to see what it is for"),
        "dropout": (float, "share of activations dropped while training"),
    },
    "the recipe": {
        "batch-size": (whole, "windows a step"),
        "accumulate": (whole, "parts a batch is computed in, to save memory"),
        "lr": (float, "peak learning rate"),
        "min-lr": (float, "where its fall ends"),
        "schedule": (str, "wsd (warm-up, stable, decay), cosine or constant"),
        "warmup-steps": (whole, "steps of rising rate, at most a tenth of the run"),
        "warmup-start": (float, "share of the peak rate that the rise begins at"),
        "optimizer": (str, "muon (with AdamW for embeddings and norms) or adamw"),
        "weight-decay": (float, "decay of the weights"),
        "clip": (float, "largest gradient norm; 0 is off"),
        "ema": (float, "keep an average of the weights with this decay a step, such as 0.999; 0 is off"),
        "eval-every": (whole, "steps between evaluations; default ten in a run"),
        "patience": (whole, "stop after so many evaluations without a better dev loss"),
        "dev-fraction": (float, "share of the training text that chooses the best weights; 0 trains on all"),
        "checkpoint-every": (whole, "steps between checkpoints; default about a minute"),
        "precision": (str, "auto (measured), float32 or bfloat16"),
        "compile": (
            str,
            "yes, no or auto: run compiled, where that is measured to pay (needs a C++ compiler)",
        ),
        "shard": (str, "yes, no or auto: of several processes, whether each keeps a part of the weights"),
        "seed": (whole, "of the split, the weights, the order and the samples"),
    },
}
SWITCHES = {
    "final-norm": "a norm between the last block and the output; --no-final-norm: to see what it is for",
    "qk-norm": "normalise queries and keys",
    "bias": "linear layers have biases",
    "tie-embeddings": "one table for tokens in and out",
    "value-residual": "each block's values are mixed with the first's",
    "x0-residual": "what enters a block is mixed with what entered the first",
}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """`--preset`, `--config`, and a flag for each setting."""
    names = ", ".join(presets.names())
    parser.add_argument("--preset", default=None, metavar="NAME", help=f"a recipe: {names} (default auto)")
    parser.add_argument("--config", metavar="FILE.toml", help="a recipe of your own, laid over the preset")
    for title, settings in GROUPS.items():
        group = parser.add_argument_group(title)
        for name, (kind, about) in settings.items():
            group.add_argument(
                f"--{name}", type=kind, default=None, metavar="N" if kind is whole else "X", help=about
            )
    group = parser.add_argument_group("switches")
    for name, about in SWITCHES.items():
        group.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=about)
    group.add_argument("--plain", action="store_true", default=None, help="no speed-ups: to compare with")
    group.add_argument(
        "--prompt", dest="sample_prompt", metavar="TEXT", help="how samples during training begin"
    )
    add_device(group)


def given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given, by their names in ModelConfig and TrainConfig."""
    names = [name.replace("-", "_") for settings in GROUPS.values() for name in settings]
    names += [name.replace("-", "_") for name in SWITCHES] + ["plain", "sample_prompt", "device"]
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def as_flags(args: argparse.Namespace) -> str:
    """The given settings, preset and recipe file as they can be typed again."""
    return " ".join(flag if value is None else f"{flag} {quoted(value)}" for flag, value in _flags(args))


def as_arguments(args: argparse.Namespace) -> list[str]:
    """The same for another process, without a shell between."""
    return [flag if value is None else f"{flag}={value}" for flag, value in _flags(args)]


def _flags(args: argparse.Namespace) -> Iterator[tuple[str, str | None]]:
    """Each given flag and its value; None for switches."""
    given = {"preset": args.preset, "config": args.config, **given_settings(args)}
    for name, value in given.items():
        flag = "prompt" if name == "sample_prompt" else name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}", None
        elif value is not None:
            yield f"--{flag}", str(value)
