"""Flags that several verbs share, spelled and explained once. Imports no torch."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from pellucid.errors import InputError

if TYPE_CHECKING:
    from pellucid.generation.options import SamplingOptions

EPILOG = (
    "Numbers may be written as 3e-4 or 1_000_000. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are InputErrors, so that they look like all others."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def make_parser(verb: str, about: str, example: str) -> Parser:
    parser = Parser(
        prog=f"pellucid {verb}",
        description=about,
        epilog=f"{EPILOG} Example: {example}",
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=32, width=110),
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line of output"
    )
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def whole(text: str) -> int:
    """A whole number, also as 1e6 or 1_000."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():  # nor is infinity
            raise argparse.ArgumentTypeError(f"{text} is not a whole number") from None
        return int(number)


whole.__name__ = "whole number"


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run folder or its name; left out: the latest run"
    )


def add_tracking(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--track",
        action="append",
        default=[],
        metavar="NAME",
        help="pass losses and speed on to tensorboard, wandb (offline unless WANDB_MODE=online) or trackio; may be "
        "given several times",
    )
    parser.add_argument(
        "--track-dir",
        metavar="FOLDER",
        help="where that is written; default in the run's folder, and of trackio where `trackio show` looks",
    )


def tracking(args: argparse.Namespace) -> dict[str, Any]:
    """What --track and --track-dir ask of a training. Raises: InputError where there is no such tracker."""
    if args.track_dir and not args.track:
        raise InputError("--track-dir is where a tracker writes: add --track tensorboard, wandb or trackio")
    if args.track:
        from pellucid.training.tracking import refuse_trackers

        refuse_trackers(args.track)
    return {"sinks": tuple(dict.fromkeys(args.track)), "track_dir": args.track_dir}


def add_device(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--device", metavar="auto|cpu|cuda|mps", help="where to compute; auto takes a GPU if there is one"
    )


def add_sampling(parser: argparse.ArgumentParser, temperature: float, top_k: int, max_tokens: int) -> None:
    """The flags of SamplingOptions, with a verb's own defaults."""
    group = parser.add_argument_group("how words are picked")
    flag = group.add_argument
    flag(
        "--max-tokens",
        type=whole,
        default=max_tokens,
        metavar="N",
        help="tokens to write at most (%(default)s)",
    )
    flag(
        "--temperature",
        type=float,
        default=temperature,
        metavar="T",
        help="0 always takes the likeliest token; higher is wilder (%(default)s)",
    )
    flag(
        "--top-k",
        type=whole,
        default=top_k,
        metavar="K",
        help="only the K likeliest tokens; 0 is all (%(default)s)",
    )
    flag(
        "--top-p",
        type=float,
        default=1.0,
        metavar="P",
        help="only the likeliest tokens that sum to P (%(default)s)",
    )
    flag(
        "--min-p",
        type=float,
        default=0.0,
        metavar="P",
        help="only tokens at least P times as likely as the likeliest (%(default)s)",
    )
    flag(
        "--repetition-penalty",
        type=float,
        default=1.0,
        metavar="R",
        help="above 1, tokens already written become less likely (%(default)s)",
    )
    flag(
        "--stop", action="append", default=[], metavar="TEXT", help="end before this text; may be given again"
    )
    flag("--ignore-eos", action="store_true", help="write on past the end of a document")
    flag("--seed", type=whole, metavar="N", help="the same seed writes the same text")


def sampling_options(args: argparse.Namespace) -> SamplingOptions:
    """SamplingOptions from the flags above."""
    from pellucid.generation.options import SamplingOptions

    return SamplingOptions(
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        min_p=args.min_p,
        repetition_penalty=args.repetition_penalty,
        max_tokens=args.max_tokens,
        seed=args.seed,
        stop=tuple(args.stop),
        ignore_eos=args.ignore_eos,
    )
