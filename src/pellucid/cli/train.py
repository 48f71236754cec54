"""`pellucid train`: text becomes a run."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from pellucid.cli import console
from pellucid.cli.flags import add_tracking, make_parser, tracking
from pellucid.cli.settings import add_settings, given_settings
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.text.documents import Corpus
    from pellucid.training.evaluation import Score
    from pellucid.training.report import Outcome

FLOOR_SECONDS = 30.0  # for measuring a large model that was trained on tales


def parser() -> argparse.ArgumentParser:
    from pellucid.text.corpora.registry import list_of_corpora

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
        "--resume", action="store_true", help="go on with the run at --out (default: the latest run)"
    )
    made.add_argument("--overwrite", action="store_true", help="replace the run at --out")
    made.add_argument("--page", action="store_true", help="watch it on the page, which opens in a browser")
    add_tracking(made)
    add_settings(made)
    return made


def main(args: argparse.Namespace) -> int | None:
    settings = {**given_settings(args), **tracking(args)}
    if not args.text and not args.resume:
        from pellucid.text.corpora.registry import names_of_corpora

        raise InputError(
            f"no text to train on: name files, a folder, an address, or one of {names_of_corpora()}"
        )
    if args.resume and args.overwrite:
        raise InputError("--resume goes on with a run and --overwrite replaces it: give one of them")
    if args.page:
        if console.processes()[1] > 1:
            raise InputError(
                "--page is for a training of one process: leave it out, and watch with `pellucid serve` beside it"
            )
        from pellucid.cli.page import train_on_page

        return train_on_page(args)
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
    return None


def start(text: list[str], corpus: Corpus | None = None, **settings: Any) -> Outcome:
    """Train with the terminal watching; returns the Outcome."""
    from pellucid.cli.progress import TerminalObserver
    from pellucid.training.train import train

    with TerminalObserver() as observer:
        return train(text, observer=observer, corpus=corpus, **settings)


def _resume(args: argparse.Namespace, settings: dict[str, Any]) -> Outcome:
    from pellucid.cli.progress import TerminalObserver
    from pellucid.training.train import resume

    if args.preset or args.config:
        raise InputError("a resumed run keeps its recipe: leave --preset and --config out")
    with TerminalObserver() as observer:
        return resume(args.out, args.text or None, observer, **settings)


def finish(outcome: Outcome, as_json: bool) -> None:
    """Say how it went and what to do next."""
    if not console.speaks():
        return
    from pellucid.cli.floor import tell_floor
    from pellucid.text.wording import duration
    from pellucid.training.report import score_text

    path = outcome.run.path
    speed = outcome.tokens / outcome.seconds if outcome.seconds else 0.0
    console.say(
        f"\nTrained {outcome.steps:,} steps, {outcome.tokens:,} tokens, in {duration(outcome.seconds)} "
        f"({speed:,.0f} tokens/s)."
    )
    if outcome.validation and not outcome.bigram:
        console.say(f"Held out    {score_text(outcome.validation)}")
    if outcome.validation and outcome.bigram:
        ahead = outcome.bigram.loss - outcome.validation.loss
        console.say(f"Validation  {score_text(outcome.validation)}")
        console.say(f"Bigram      {score_text(outcome.bigram)}")
        console.say(
            f"The model beats the counted bigram by {ahead:.3f} nats a token."
            if ahead > 0
            else f"The model is {-ahead:.3f} nats a token behind the counted bigram: train longer, or on more text."
        )
    floor = tell_floor(outcome.run, console.say, keep=True, seconds=FLOOR_SECONDS)
    console.say(f"Run {path} (loss curve: {outcome.run.plot_path})")
    where = quoted(path)
    verbs = ("chat", "sample") if outcome.run.config().get("template") else ("sample", "chat")
    console.next_step(*(f"pellucid {verb} {where}" for verb in verbs))
    console.result(
        {
            "run": str(path),
            "steps": outcome.steps,
            "tokens": outcome.tokens,
            "seconds": round(outcome.seconds, 3),
            "best_step": outcome.best_step,
            "validation": _score(outcome.validation),
            "bigram": _score(outcome.bigram),
            **({"floor": floor} if floor else {}),
        },
        as_json,
    )


def _score(score: Score | None) -> dict[str, float] | None:
    return {**dataclasses.asdict(score), "bits_per_byte": score.bits_per_byte} if score else None
