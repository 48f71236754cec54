"""`pellucid chat`: taking turns with a model in the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import add_device, add_run, add_sampling, make_parser, sampling_options
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.generation.conversation import Conversation

COMMANDS = {
    "/retry": "another answer to the last message",
    "/edit TEXT": "say TEXT instead of the last message",
    "/save FILE": "add the conversation to FILE, as a JSON line that finetune reads",
    "/help": "these commands",
    "/quit": "end",
}


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "chat",
        "Take turns with a model. One that learned to answer (finetune, or an imported one) reads the conversation as "
        "it learned to, and ends its replies by itself. One trained on plain text goes on with the conversation as its "
        "text would, so one trained on plays does best.",
        "pellucid chat --user ROMEO --name JULIET",
    )
    add_run(made)
    made.add_argument(
        "--user", default="YOU", metavar="NAME", help="your name in the conversation (%(default)s)"
    )
    made.add_argument(
        "--name", metavar="NAME", help="the model's name (whom it learned to answer as, or PELLUCID)"
    )
    made.add_argument(
        "--system", default="", metavar="TEXT", help="what the model is told before the conversation"
    )
    add_sampling(made, temperature=0.5, top_k=25, max_tokens=180)
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    options = sampling_options(args)
    from pellucid.api import load
    from pellucid.generation.conversation import Conversation
    from pellucid.training.conversations import learned_as

    run = load(args.run, args.device or "auto")
    name = args.name or learned_as(run.folder.config()) or "PELLUCID"
    conversation = Conversation(run.engine(console.say), options, args.user, name, run.template, args.system)
    if sys.stdin.isatty():
        console.say(
            f"{run.folder.name}: an empty line or Ctrl-D ends; Ctrl-C stops a reply; /help tells commands."
        )
    turns = 0
    for message in _messages(args.user):
        try:
            reply = _answer(conversation, message)
        except InputError as error:  # the conversation goes on
            console.say(str(error))
            continue
        if reply is None:
            continue
        _show(name, reply)
        turns += 1
    history = [{"speaker": turn.speaker, "text": turn.text} for turn in conversation.turns]
    console.result({"run": str(run.folder.path), "turns": turns, "history": history}, args.json)
    console.next_step(f"pellucid sample {quoted(run.folder.path)}")


def _answer(conversation: Conversation, message: str) -> Generator[str] | None:
    """The reply to a message, or to what a command makes of it; None where there is none to be given.

    Raises:
        InputError: there is no such command, or it cannot be done.
    """
    command, _, rest = message.partition(" ")
    if not command.startswith("/"):
        return conversation.reply(message)
    if command == "/retry":
        return conversation.retry()
    if command == "/edit" and rest.strip():
        return conversation.edit(rest)
    if command == "/save" and rest.strip():
        _save(conversation, rest.strip())
    else:
        console.say("\n".join(f"  {name:<11} {about}" for name, about in COMMANDS.items()))
    return None


def _save(conversation: Conversation, name: str) -> None:
    from pellucid.text.files import expand_home

    path = expand_home(Path(name))
    if not conversation.turns:
        raise InputError("nothing was said yet that could be saved")
    line = json.dumps({"messages": conversation.messages()}, ensure_ascii=False)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): choose another file") from None
    console.say(f"Saved to {path}.")


def _show(name: str, reply: Generator[str]) -> None:
    console.write(f"{name}: ")
    try:
        for piece in reply:
            console.write(console.harmless(piece))
    except KeyboardInterrupt:  # what was written stays
        reply.close()
        console.write(" …")
    console.write("\n")


def _messages(user: str) -> Iterator[str]:
    """What the person types, until an empty line, `/quit` or the end."""
    asking = sys.stdin.isatty()
    while True:
        if asking:
            sys.stderr.write(f"{user}: ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if line.strip() in ("", "/quit"):
            return
        yield line.strip()
