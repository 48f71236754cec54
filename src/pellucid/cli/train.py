"""`pellucid train`: text becomes a run."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from pellucid import presets
from pellucid.cli import console
from pellucid.cli.flags import add_device, make_parser, whole
from pellucid.errors import InputError

if TYPE_CHECKING:
    from pellucid.text.documents import Corpus
    from pellucid.training.evaluation import Score
    from pellucid.training.report import Outcome

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
        "seed": (whole, "of the split, the weights, the order and the samples"),
    },
}
SWITCHES = {
    "qk-norm": "normalise queries and keys",
    "bias": "linear layers have biases",
    "tie-embeddings": "one table for tokens in and out",
    "value-residual": "each block's values are mixed with the first's",
    "x0-residual": "what enters a block is mixed with what entered the first",
}


def parser() -> argparse.ArgumentParser:
    from pellucid.text.corpora import list_of_corpora

    made = make_parser(
        "train",
        "Train a model on text, by default for five minutes, into runs/<name>-<n>. Everything not given is chosen "
        "from the text, the budget and this machine, and the choice is printed.",
        "pellucid train book.txt --minutes 10",
    )
    made.add_argument(
        "text",
        nargs="*",
        metavar="TEXT",
        help=f"files, folders, globs, http(s) addresses, or named corpora: {list_of_corpora()}",
    )
    made.add_argument("--out", metavar="FOLDER", help="the run folder; default runs/<name>-<n>")
    made.add_argument(
        "--preset",
        default=None,
        metavar="NAME",
        help=f"a recipe: {', '.join(presets.names())} (default auto)",
    )
    made.add_argument("--config", metavar="FILE.toml", help="a recipe of your own, laid over the preset")
    made.add_argument(
        "--resume", action="store_true", help="go on with the run at --out (default: the latest run)"
    )
    made.add_argument("--overwrite", action="store_true", help="replace the run at --out")
    for title, settings in GROUPS.items():
        group = made.add_argument_group(title)
        for name, (kind, about) in settings.items():
            group.add_argument(
                f"--{name}", type=kind, default=None, metavar="N" if kind is whole else "X", help=about
            )
    group = made.add_argument_group("switches")
    for name, about in SWITCHES.items():
        group.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=about)
    group.add_argument("--plain", action="store_true", default=None, help="no speed-ups: to compare with")
    group.add_argument(
        "--prompt", dest="sample_prompt", metavar="TEXT", help="how samples during training begin"
    )
    add_device(group)
    return made


def main(args: argparse.Namespace) -> None:
    names = [name.replace("-", "_") for settings in GROUPS.values() for name in settings]
    names += [name.replace("-", "_") for name in SWITCHES] + ["plain", "sample_prompt", "device"]
    settings = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if not args.text and not args.resume:
        from pellucid.text.corpora import names_of_corpora

        raise InputError(
            f"no text to train on: name files, a folder, an address, or one of {names_of_corpora()}"
        )
    if args.resume and args.overwrite:
        raise InputError("--resume goes on with a run and --overwrite replaces it: give one of them")
    console.say("Loading…")
    if args.resume:
        outcome = _resume(args, settings)
    else:
        outcome = start(
            args.text,
            out=args.out,
            preset=args.preset or "auto",
            config=args.config,
            overwrite=args.overwrite,
            **settings,
        )
    finish(outcome, args.json)


def start(text: list[str], corpus: Corpus | None = None, **settings: Any) -> Outcome:
    """Train with the terminal watching; returns the Outcome."""
    from pellucid.cli.progress import TerminalObserver
    from pellucid.training.train import train

    with TerminalObserver() as observer:
        return train(text, observer=observer, corpus=corpus, **settings)


def _resume(args: argparse.Namespace, settings: dict[str, Any]) -> Outcome:
    from pellucid.cli.progress import TerminalObserver
    from pellucid.training.run_folder import find_run
    from pellucid.training.train import resume

    if args.preset or args.config:
        raise InputError("a resumed run keeps its recipe: leave --preset and --config out")
    with TerminalObserver() as observer:
        return resume(find_run(args.out), args.text or None, observer, **settings)


def finish(outcome: Outcome, as_json: bool) -> None:
    """Say how it went and what to do next."""
    from pellucid.training.report import duration, score_text

    path = outcome.run.path
    speed = outcome.tokens / outcome.seconds if outcome.seconds else 0.0
    console.say(
        f"\nTrained {outcome.steps:,} steps, {outcome.tokens:,} tokens, in {duration(outcome.seconds)} "
        f"({speed:,.0f} tokens/s)."
    )
    if outcome.validation and outcome.bigram:
        ahead = outcome.bigram.loss - outcome.validation.loss
        console.say(f"Validation  {score_text(outcome.validation)}")
        console.say(f"Bigram      {score_text(outcome.bigram)}")
        console.say(
            f"The model beats the counted bigram by {ahead:.3f} nats a token."
            if ahead > 0
            else f"The model is {-ahead:.3f} nats a token behind the counted bigram: train longer, or on more text."
        )
    console.say(f"Run {path} (loss curve: {outcome.run.plot_path})")
    where = console.quoted(path)
    console.next_step(f"pellucid sample {where} --prompt 'Once'", f"pellucid chat {where}")
    console.result(
        {
            "run": str(path),
            "steps": outcome.steps,
            "tokens": outcome.tokens,
            "seconds": round(outcome.seconds, 3),
            "best_step": outcome.best_step,
            "validation": _score(outcome.validation),
            "bigram": _score(outcome.bigram),
        },
        as_json,
    )


def _score(score: Score | None) -> dict[str, float] | None:
    return {**dataclasses.asdict(score), "bits_per_byte": score.bits_per_byte} if score else None
