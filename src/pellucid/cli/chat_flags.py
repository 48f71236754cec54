"""The flags of verbs that read exports of chats. Imports nothing heavy."""

from __future__ import annotations

import argparse
from typing import Any

from pellucid.errors import InputError
from pellucid.shell import quoted
from pellucid.text.chats.record import NO_CHAT


def add_chat(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """`--format`, `--date-order`, `--as`, `--gap`, `--keep` and `--names`; returns their group, for more."""
    group = parser.add_argument_group("an export of a chat")
    flag = group.add_argument
    flag(
        "--format",
        metavar="NAME",
        help="whatsapp, telegram and so on; by its content unless given; text: no chat",
    )
    flag("--date-order", metavar="dmy|mdy|ymd", help="how dates are read where both ways are possible")
    flag("--as", dest="as_", metavar="NAME", help="whom the model becomes: not you, but the one to talk to")
    flag("--gap", type=float, metavar="MINUTES", help="a longer pause begins a new session (60)")
    flag(
        "--keep",
        action="append",
        metavar="KIND",
        help="do not redact url, email, iban, card, code, phone or number; may be given again, or as a,b",
    )
    flag("--names", action="store_true", help="give people other names, the same ones everywhere")
    return group


def refuse_chat(args: argparse.Namespace) -> None:
    """Raises InputError if a flag that only chats have was given."""
    given = [flag for flag, _ in _flags(args) if flag != "--format"]
    if given:
        raise InputError(f"{given[0]} is for exports of chats: leave it out, or leave out --format {NO_CHAT}")


def any_chat_flag(args: argparse.Namespace) -> bool:
    return any(True for _ in _flags(args))


def kinds_to_keep(args: argparse.Namespace) -> tuple[str, ...]:
    return tuple(kind.strip() for given in args.keep or () for kind in given.split(",") if kind.strip())


def chat_as_flags(args: argparse.Namespace, without: tuple[str, ...] = ("--jsonl",)) -> str:
    """The given flags as they can be typed again, without the file to write."""
    return " ".join(
        flag if value is None else f"{flag} {quoted(value)}"
        for flag, value in _flags(args)
        if flag not in without
    )


def _flags(args: argparse.Namespace) -> list[tuple[str, str | None]]:
    """Each given flag and its value; None for a switch."""
    values: dict[str, Any] = {
        "--format": args.format,
        "--date-order": args.date_order,
        "--as": args.as_,
        "--gap": None if args.gap is None else f"{args.gap:g}",
        "--keep": ",".join(kinds_to_keep(args)) or None,
        "--base": getattr(args, "base", None),
        "--jsonl": getattr(args, "jsonl", None),
    }
    given: list[tuple[str, str | None]] = [
        (flag, value) for flag, value in values.items() if value is not None
    ]
    switches = {"--names": args.names, "--lora": args.lora}
    return [*given, *((flag, None) for flag, on in switches.items() if on)]
