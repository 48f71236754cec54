"""`pellucid finetune`: a model learns how someone answers in chats, or goes on with another text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli import consent, console
from pellucid.cli.chat_flags import add_chat, chat_as_flags, kinds_to_keep
from pellucid.cli.flags import add_device, add_tracking, make_parser, tracking, whole
from pellucid.errors import InputError

if TYPE_CHECKING:
    from pellucid.training.conversations import ChatOptions
    from pellucid.training.report import Outcome

RECIPE: dict[str, tuple[Any, str]] = {
    "epochs": (float, "times through the chats (4)"),
    "minutes": (float, "minutes of training, instead of --epochs"),
    "steps": (whole, "optimizer steps, instead of --epochs"),
    "batch-size": (whole, "rows of conversations a step (4)"),
    "accumulate": (whole, "parts a batch is computed in, to save memory"),
    "window": (whole, "tokens of a row; default what the longest conversation takes, up to 512"),
    "lr": (float, "peak learning rate (3e-4; with --lora, and for models of up to 256 channels, 1e-3)"),
    "min-lr": (float, "where its fall ends (a tenth of --lr)"),
    "schedule": (str, "cosine, wsd (warm-up, stable, decay) or constant"),
    "warmup-steps": (whole, "steps of rising rate, at most a tenth of the run"),
    "optimizer": (str, "adamw or muon"),
    "weight-decay": (float, "decay of the weights"),
    "dropout": (float, "share of activations dropped while training"),
    "clip": (float, "largest gradient norm; 0 is off"),
    "ema": (float, "keep an average of the weights with this decay a step; 0 is off"),
    "eval-every": (whole, "steps between evaluations; default ten in a run"),
    "patience": (whole, "stop after so many evaluations without a better dev loss (3)"),
    "checkpoint-every": (whole, "steps between checkpoints; default about a minute"),
    "precision": (str, "auto (measured), float32 or bfloat16"),
    "shard": (str, "yes, no or auto: of several processes, whether each keeps a part of the weights"),
    "seed": (whole, "of the order, the adapters and the samples"),
}


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "finetune",
        "Teach a model to answer as someone does in your chats: exports of messengers, found by their content, or JSON "
        'lines of {"messages": [{"role", "content"}]}. Only what that person says is learned. Plain text is learned '
        "whole, as `train` learns it. The result is a run of its own; the one it starts from is left as it is.",
        "pellucid finetune smollm2-1 chat.zip --as Anna --lora",
    )
    made.add_argument(
        "given",
        nargs="*",
        metavar="[RUN] DATA",
        help="the run to start from (left out: the latest), then exports, folders, zips, or text",
    )
    made.add_argument("--out", metavar="FOLDER", help="the new run's folder; default runs/<name>-<n>")
    made.add_argument(
        "--resume", action="store_true", help="go on with the run at --out (default: the latest)"
    )
    made.add_argument("--overwrite", action="store_true", help="replace the run at --out")
    add_tracking(made)
    chat = add_chat(made)
    chat.add_argument("--anyway", action="store_true", help="learn from fewer than 200 replies, too")
    group = made.add_argument_group("what is trained")
    group.add_argument("--lora", action="store_true", help="small adapters beside the frozen weights")
    group.add_argument("--rank", type=whole, metavar="N", help="of the adapters (8)")
    group.add_argument("--alpha", type=float, metavar="X", help="their strength; default twice the rank")
    group.add_argument(
        "--targets", metavar="NAMES", help="attention, feedforward, all (default), or q_proj,v_proj,…"
    )
    group.add_argument(
        "--mix",
        type=float,
        metavar="SHARE",
        help="share of what is learned that is text of the base's training (0.1 where it is still there; 0 is none)",
    )
    group = made.add_argument_group("the recipe")
    group.add_argument("--preset", metavar="NAME", help="a recipe (chat)")
    group.add_argument("--config", metavar="FILE.toml", help="a recipe of your own, laid over the preset")
    for name, (kind, about) in RECIPE.items():
        group.add_argument(f"--{name}", type=kind, metavar="N" if kind is whole else "X", help=about)
    add_device(group)
    return made


def chat_options(args: argparse.Namespace) -> ChatOptions:
    from pellucid.training.conversations import ChatOptions

    gap = {} if args.gap is None else {"gap": args.gap}
    return ChatOptions(
        args.as_,
        args.format,
        args.date_order,
        keep=kinds_to_keep(args),
        names=args.names,
        anyway=args.anyway,
        **gap,
    )


def main(args: argparse.Namespace) -> None:
    from pellucid.cli.train import finish

    names = [name.replace("-", "_") for name in RECIPE] + ["device"]
    settings = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    settings |= tracking(args)
    if args.resume:
        _refuse_with_resume(args)
        console.say("Loading…")
        finish(_resume(args, settings), args.json)
        return
    if not args.given:
        raise InputError("nothing to learn from: name an export of a chat, JSON lines of messages, or a text")
    if not args.lora and (only := next((n for n in ("rank", "alpha", "targets") if getattr(args, n)), None)):
        raise InputError(f"--{only} is for adapters: add --lora, or leave it out")
    console.say("Loading…")
    finish(_start(args, settings), args.json)


def _start(args: argparse.Namespace, settings: dict[str, Any]) -> Outcome:
    from pellucid.cli.progress import TerminalObserver
    from pellucid.training.conversations import are_chats
    from pellucid.training.finetune import LoRA, finetune

    base, data = _run_and_data(args.given)
    chats = chat_options(args)
    if are_chats(data, chats):
        consent.say_once()
    with TerminalObserver() as observer:
        return finetune(
            base,
            data,
            chats=chats,
            lora=LoRA(args.rank, args.alpha, args.targets) if args.lora else None,
            mix=args.mix,
            out=args.out,
            preset=args.preset or "chat",
            config=args.config,
            overwrite=args.overwrite,
            observer=observer,
            **settings,
        )


def _run_and_data(given: list[str]) -> tuple[str | None, list[str]]:
    """The first is a run if it is one, and is no text."""
    from pellucid.text.files import expand_home
    from pellucid.training.run_folder import RUNS, is_run

    first, *rest = given
    if is_run(expand_home(Path(first))) or is_run(RUNS / first):
        if not rest:
            raise InputError(f"{first} is a run: name what it is to learn from, too")
        return first, rest
    return None, given


def _refuse_with_resume(args: argparse.Namespace) -> None:
    fixed = ("lora", "rank", "alpha", "targets", "mix", "preset", "config", "overwrite", "anyway")
    given = [f"--{name}" for name in fixed if getattr(args, name) not in (None, False)]
    if given := given or chat_as_flags(args).split():
        raise InputError(f"a resumed run keeps its settings: leave {given[0]} out, or start a new run")


def _resume(args: argparse.Namespace, settings: dict[str, Any]) -> Outcome:
    from pellucid.cli.progress import TerminalObserver
    from pellucid.training.train import resume

    with TerminalObserver() as observer:
        return resume(args.out, args.given or None, observer, **settings)
