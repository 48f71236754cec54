"""`pellucid sample`: a model writes, word by word."""

from __future__ import annotations

import argparse

from pellucid.cli import console
from pellucid.cli.flags import add_device, add_run, add_sampling, make_parser, sampling_options
from pellucid.shell import quoted


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "sample", "Let a model write, streamed.", "pellucid sample --prompt 'ROMEO:' --max-tokens 300"
    )
    add_run(made)
    made.add_argument(
        "--prompt", default="", metavar="TEXT", help="how the text begins; nothing: a new document"
    )
    add_sampling(made, temperature=1.0, top_k=0, max_tokens=100)
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    options = sampling_options(args)
    from pellucid.api import load

    run = load(args.run, args.device or "auto")
    written = run.engine(console.say).stream(args.prompt, options)
    console.write(args.prompt)
    pieces = []
    for piece in written:
        pieces.append(piece)
        console.write(piece)
    console.write("\n")
    console.result({"run": str(run.folder.path), "prompt": args.prompt, "text": "".join(pieces)}, args.json)
    console.next_step(f"pellucid chat {quoted(run.folder.path)}")
