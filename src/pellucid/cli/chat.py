"""`pellucid chat`: taking turns with a model in the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from pellucid.cli import console
from pellucid.cli.flags import add_device, add_run, add_sampling, make_parser, sampling_options
from pellucid.shell import quoted


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "chat",
        "Take turns with a model. A model trained on plain text has not learned to answer: it goes on with the "
        "conversation as its text would, so one trained on plays does best.",
        "pellucid chat --user ROMEO --name JULIET",
    )
    add_run(made)
    made.add_argument(
        "--user", default="YOU", metavar="NAME", help="your name in the conversation (%(default)s)"
    )
    made.add_argument("--name", default="PELLUCID", metavar="NAME", help="the model's name (%(default)s)")
    add_sampling(made, temperature=0.5, top_k=25, max_tokens=180)
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    options = sampling_options(args)
    from pellucid.api import load
    from pellucid.generation.conversation import Conversation

    run = load(args.run, args.device or "auto")
    conversation = Conversation(run.engine(console.say), options, user=args.user, model_name=args.name)
    if sys.stdin.isatty():
        console.say(f"{run.folder.name}: an empty line or Ctrl-D ends; Ctrl-C stops a reply.")
    turns = 0
    for message in _messages(args.user):
        reply = conversation.reply(message)
        console.write(f"{args.name}: ")
        try:
            for piece in reply:
                console.write(piece)
        except KeyboardInterrupt:  # what was written stays
            console.write(" …")
        console.write("\n")
        turns += 1
    history = [{"speaker": turn.speaker, "text": turn.text} for turn in conversation.turns]
    console.result({"run": str(run.folder.path), "turns": turns, "history": history}, args.json)
    console.next_step(f"pellucid sample {quoted(run.folder.path)}")


def _messages(user: str) -> Iterator[str]:
    """What the person types, until an empty line or the end."""
    asking = sys.stdin.isatty()
    while True:
        if asking:
            sys.stderr.write(f"{user}: ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line.strip():
            return
        yield line.strip()
