"""`pellucid serve`: the page, and the APIs beside it."""

from __future__ import annotations

import argparse

from pellucid.cli import console
from pellucid.cli.flags import add_device, make_parser, whole
from pellucid.server.limits import PORT


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "serve",
        "Serve one local page to train, chat and look inside, and beside it an API of its own and one that "
        "OpenAI's clients speak. Ctrl-C ends it. Nothing leaves this machine.",
        "pellucid serve shakespeare-1 --port 8000",
    )
    flag = made.add_argument
    flag(
        "runs",
        nargs="*",
        metavar="RUN",
        help="run folders or names; the first is shown. All under runs/ are there anyway",
    )
    flag("--host", default="127.0.0.1", metavar="ADDRESS", help="the address to listen on (%(default)s)")
    flag(
        "--port",
        type=whole,
        default=PORT,
        metavar="N",
        help="the port (%(default)s); if it is taken, the next free one. 0 takes any",
    )
    flag("--key", metavar="KEY", help="what clients must know; off this machine one is made if none is given")
    flag("--no-browser", action="store_true", help="do not open a browser; nor does PELLUCID_NO_BROWSER=1")
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    from pellucid.errors import InputError

    if not 0 <= args.port <= 65535:
        raise InputError(f"a port is a number from 0 to 65535, not {args.port}")
    if args.key is not None and not args.key.strip():
        raise InputError("the key is empty: give some letters, or leave out --key")
    console.say("Loading…")
    from pellucid.server.serve import serve

    serve(
        args.runs,
        args.host,
        args.port,
        args.key,
        open_browser=not args.no_browser,
        device=args.device or "auto",
        say=console.say,
    )
    console.result({"served": args.runs}, args.json)
    console.next_step("pellucid runs")
