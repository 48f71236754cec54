"""`pellucid inspect`: the page's views in the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pellucid.cli import console
from pellucid.cli.flags import add_device, add_run, make_parser, whole
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.inspection.subject import Subject
    from pellucid.model.config import ModelConfig

LONGEST_REPEATED = 200  # characters of a text that the next command to type repeats


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "inspect",
        "What a model does with a text, as the page shows it: each number is from a forward pass of the named weights.",
        "pellucid inspect --view next --text 'It was a dark'",
    )
    add_run(made)
    flag = made.add_argument
    flag("--view", choices=tuple(VIEWS), default="next", help="what to look at (%(default)s)")
    flag("--text", default="", help="what the model reads; nothing: the beginning of a text")
    add_step(made)
    _add_attention(made)
    _add_others(made)
    add_device(made)
    return made


def add_step(made: argparse.ArgumentParser) -> None:
    """Which of a run's weights are looked into."""
    made.add_argument(
        "--step",
        default="best",
        metavar="best|live|N",
        help="the run's best weights, those of a training that goes on, or of a checkpoint (%(default)s)",
    )


def _add_attention(made: argparse.ArgumentParser) -> None:
    flag = made.add_argument_group("attention").add_argument
    flag("--layer", type=whole, metavar="N", help="one layer, from 0; left out: all of them")
    flag("--head", type=whole, metavar="N", help="one head of the layer, from 0, in full")
    flag(
        "--scale",
        choices=("trained", "sqrt", "none"),
        default="trained",
        help="scores times 1/√d, or as they are, whatever the model was trained with",
    )
    flag(
        "--mask",
        choices=("trained", "causal", "none"),
        default="trained",
        help="tokens see those before them, or all, whatever the model was trained with",
    )
    flag(
        "--tiles",
        type=whole,
        default=64,
        metavar="N",
        help="rows and columns of a head at most; of longer prompts cells are pooled (%(default)s)",
    )


def _add_others(made: argparse.ArgumentParser) -> None:
    flag = made.add_argument_group("next").add_argument
    flag("--temperature", type=float, default=0.5, metavar="T", help="as for `pellucid sample` (%(default)s)")
    flag("--top-k", type=whole, default=25, metavar="K", help="only the K likeliest; 0 is all (%(default)s)")
    flag(
        "--top-p", type=float, default=1.0, metavar="P", help="only the likeliest that sum to P (%(default)s)"
    )
    flag(
        "--min-p", type=float, default=0.0, metavar="P", help="only those P times the likeliest (%(default)s)"
    )
    flag("--shown", type=whole, default=20, metavar="N", help="tokens listed (%(default)s)")
    flag("--draw", type=whole, default=0, metavar="N", help="draw so many next tokens, and count them")
    flag("--seed", type=whole, metavar="N", help="the same seed draws the same tokens")
    flag = made.add_argument_group("bigram").add_argument
    flag("--size", type=whole, default=16, metavar="N", help="tokens of the table (%(default)s)")
    flag("--row", metavar="TEXT", help="what follows this token; left out: the last token of --text")


def main(args: argparse.Namespace) -> None:
    subject = load_subject(args)
    answer, text = VIEWS[args.view](subject, args)
    say_stamp(answer)
    if args.json:
        console.result(answer, True)
    else:
        console.write(text + "\n")
    console.next_step(_next(args, quoted(subject.loaded.folder.path), subject.config))


def load_subject(args: argparse.Namespace) -> Subject:
    """The weights that are asked for; of a training that goes on, as they are now.

    Raises:
        InputError: there is no such run or step.
    """
    step = int(args.step) if args.step.isdecimal() else args.step
    from pellucid.api import load
    from pellucid.inspection.subject import Subject
    from pellucid.training.control import Control
    from pellucid.training.run_folder import find_run

    if step == "live":
        Control(find_run(args.run)).fetch_weights()
    return Subject(load(args.run, args.device or "auto", step=step))


def say_stamp(answer: dict[str, Any]) -> None:
    """An answer's notes, and of which weights it speaks."""
    for note in answer["notes"]:
        console.say(note)
    stamp = answer["stamp"]
    at = f"step {stamp['step']:,}" if stamp["step"] is not None else "step not recorded"
    console.say(f"{stamp['run']} · {at} ({stamp['kind']})")


def can_be_typed(text: str) -> bool:
    """Whether the next command to type can repeat a text."""
    return text.isprintable() and len(text) <= LONGEST_REPEATED


def _next(args: argparse.Namespace, run: str, config: ModelConfig) -> str:
    text = f"--text {quoted(args.text)} " if args.text and can_be_typed(args.text) else ""
    views = [view for view in VIEWS if view not in UNSEEN.get(config.architecture, ())]
    if args.view not in views:
        return f"pellucid inspect {run} {text}--view {views[0]}"
    if args.view == "attention" and args.head is None:
        return f"pellucid inspect {run} {text}--view attention --layer 0 --head 0"
    return f"pellucid inspect {run} {text}--view {views[(views.index(args.view) + 1) % len(views)]}"


# ---------------------------------------------------------------------- the views

View = Callable[["Subject", argparse.Namespace], tuple[dict[str, Any], str]]


def _tokens(subject: Subject, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from pellucid.cli import drawing
    from pellucid.inspection import tokens

    answer = tokens.cut(subject, args.text)
    return answer, drawing.tokens(answer)


def _bigram(subject: Subject, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from pellucid.cli import drawing
    from pellucid.inspection import bigram

    of = args.text if args.row is None else args.row
    ids = subject.tokenizer.encode(of).tolist()
    if args.row is not None and len(ids) != 1:
        raise InputError(f"--row names one token, and {args.row!r} is {len(ids)}: see --view tokens")
    answer = bigram.table(subject, ids[-1] if ids else None, args.size)
    return answer, drawing.bigram(answer)


def _attention(subject: Subject, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from pellucid.cli import drawing
    from pellucid.inspection import attention

    if args.head is not None:
        layer = 0 if args.layer is None else args.layer
        frame = attention.head(subject, args.text, layer, args.head, args.scale, args.mask)
        return frame.to_dict() if args.json else frame.header, "" if args.json else drawing.head(frame)
    frame = attention.overview(subject, args.text, args.scale, args.mask, args.tiles)
    if args.layer is not None and not frame.header["layers"]:
        raise InputError(f"{attention.without_attention(subject.config)}: choose a transformer")
    if args.layer is not None and not 0 <= args.layer < frame.header["layers"]:
        raise InputError(
            f"this model has {frame.header['layers']} layers, counted from 0: there is no {args.layer}"
        )
    return frame.to_dict() if args.json else frame.header, "" if args.json else drawing.heads(
        frame, args.layer
    )


def _next_token(subject: Subject, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from pellucid.cli import drawing
    from pellucid.inspection import sampling

    options = {name: getattr(args, name) for name in ("temperature", "top_k", "top_p", "min_p")}
    answer = sampling.next_token(subject, args.text, **options, shown=args.shown)
    if args.draw:
        drawn = sampling.draw(subject, args.text, **options, n=args.draw, seed=args.seed)
        answer |= {"draws": {"n": drawn["n"], "counts": drawn["counts"]}}
    return answer, drawing.next_token(answer)


def _shapes(subject: Subject, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from pellucid.cli import drawing
    from pellucid.inspection import shapes

    answer = shapes.budget(subject, args.text)
    return answer, drawing.shapes(answer)


VIEWS: dict[str, View] = {
    "tokens": _tokens,
    "bigram": _bigram,
    "attention": _attention,
    "next": _next_token,
    "shapes": _shapes,
}
# of these, those that have nothing to show, by the architecture
UNSEEN = {"bigram": ("attention",), "own": ("attention", "shapes")}
