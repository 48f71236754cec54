"""`pellucid prepare`: text of any size becomes tokens on disk, once."""

from __future__ import annotations

import argparse
from pathlib import Path

from pellucid.cli import console
from pellucid.cli.flags import make_parser, whole
from pellucid.cli.settings import GROUPS
from pellucid.shell import quoted


def parser() -> argparse.ArgumentParser:
    from pellucid.text.corpora.registry import list_of_corpora

    tokens = GROUPS["tokens"]
    made = make_parser(
        "prepare",
        "Tokenise text that may be larger than memory, once, into a folder that `pellucid train` maps into memory. "
        "Stopped at any moment, the same command goes on where it was.",
        "pellucid prepare stories.txt --out stories",
    )
    made.add_argument(
        "text",
        nargs="+",
        metavar="TEXT",
        help=f"files, folders, globs, http(s) addresses, or named corpora: {list_of_corpora()}",
    )
    made.add_argument("--out", required=True, metavar="FOLDER", help="where the tokens go")
    made.add_argument("--overwrite", action="store_true", help="replace what is prepared at --out")
    made.add_argument(
        "--tokenizer",
        default="auto",
        metavar="X",
        help=f"{tokens['tokenizer'][1]} (%(default)s)",
    )
    made.add_argument("--vocab-size", type=whole, metavar="N", help=tokens["vocab-size"][1])
    made.add_argument("--seed", type=whole, default=0, metavar="N", help="of the split (%(default)s)")
    made.add_argument(
        "--dev-fraction",
        type=float,
        default=0.05,
        metavar="X",
        help="share of the training text that chooses the best weights; 0 trains on all (%(default)s)",
    )
    return made


def main(args: argparse.Namespace) -> None:
    console.say("Loading…")
    from pellucid.cli.bar import TimedBar
    from pellucid.training.prepare import Watcher, prepare
    from pellucid.training.prepared import as_source

    with TimedBar() as bar:
        state = prepare(
            args.text,
            args.out,
            tokenizer=args.tokenizer,
            vocab_size=args.vocab_size,
            seed=args.seed,
            dev_fraction=args.dev_fraction,
            overwrite=args.overwrite,
            watcher=Watcher(bar.note, bar.advanced),
        )
    record, tokens = state["record"], state["record"]["tokens"]
    console.say(
        f"Prepared {record['documents']:,} documents, {record['characters']:,} characters: "
        f"{tokens['train']:,} tokens to train on, {tokens['dev']:,} dev, {tokens['validation']:,} validation."
    )
    console.next_step(f"pellucid train {quoted(as_source(Path(args.out)))}")
    kept = {
        name: record[name] for name in ("name", "fingerprint", "documents", "characters", "bytes", "tokens")
    }
    console.result(
        {"out": str(args.out), **kept, "unknown": state["unknown"], "tokenizer": record["tokenizer"]},
        args.json,
    )
