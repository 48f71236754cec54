"""`pellucid preview`: what a text or a chat holds, and what training on it would take; trains nothing."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from pellucid.cli import console
from pellucid.cli.chat_flags import add_chat, any_chat_flag, refuse_chat
from pellucid.cli.flags import make_parser
from pellucid.cli.preview_chat import preview_chat
from pellucid.cli.settings import add_settings, as_flags, given_settings
from pellucid.errors import InputError
from pellucid.shell import install_extra, quoted
from pellucid.text.chats.record import NO_CHAT
from pellucid.text.wording import named_characters, plural

if TYPE_CHECKING:
    from pellucid.text.documents import Corpus
    from pellucid.text.survey import Survey
    from pellucid.training.forecast import Forecast
    from pellucid.training.plan import Plan

LABEL = 11  # characters
SHOWN_LINE = 72  # characters of a line to show how it is cut
LEAST_SHARE = 0.001  # of a script or language that is named


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "preview",
        "Show what a text holds, how it would be split and tokenised, which model would be trained, and what that "
        "would take. A dry run: it trains nothing and writes nothing (what is fetched from the web is kept in the "
        "cache). Takes the settings of `train`. Of an export of a chat it shows people, sessions, what is redacted, "
        "and what a model would learn of it; --jsonl writes that.",
        "pellucid preview book.txt --minutes 10",
    )
    made.add_argument("text", nargs="*", metavar="TEXT", help="as for `pellucid train`")
    chat = add_chat(made)
    chat.add_argument(
        "--base", metavar="RUN", help="say what it would take to fine-tune this run on the chat"
    )
    chat.add_argument(
        "--lora", action="store_true", help="with --base: by small adapters, as `finetune --lora`"
    )
    chat.add_argument(
        "--jsonl", metavar="OUT", help="write the redacted messages to a file, one JSON object a line"
    )
    add_settings(made)
    return made


def main(args: argparse.Namespace) -> None:
    if not args.text:
        raise InputError("no text to look at: name files, a folder, an address, or `shakespeare`")
    if _is_chat(args):
        preview_chat(args)
    else:
        preview_text(args)


def _is_chat(args: argparse.Namespace) -> bool:
    """By `--format` or another flag that only chats have, or else by what the files hold."""
    if args.format == NO_CHAT:
        refuse_chat(args)
        return False
    if any_chat_flag(args):
        return True
    from pellucid.text.chats.recognition import holds_chat

    return holds_chat(args.text)


def preview_text(args: argparse.Namespace) -> None:
    """Reads the texts, says what is in them, and plans a training."""
    console.say("Loading…")
    from pellucid.text.sources import read
    from pellucid.text.survey import survey
    from pellucid.training.observer import Observer
    from pellucid.training.plan import (
        choose_machine,
        forecast_without_a_run,
        make_plan,
        prepare_data,
        refuse_at_once,
        unknown_characters,
    )
    from pellucid.training.prepared import prepared_folder
    from pellucid.training.settings import request

    if prepared := next(filter(None, map(prepared_folder, args.text)), None):
        raise InputError(f"{prepared} holds tokens, not text: give the text they were prepared from")
    asked = request(args.preset or "auto", args.config, **given_settings(args))
    refuse_at_once(asked, args.text)
    machine = choose_machine(asked)
    corpus = read(args.text, progress=console.say)
    found = survey(corpus)
    show_survey(corpus, found)
    unheard = Observer().note  # all of it is shown below
    data, reason = prepare_data(corpus, asked, note=unheard, progress=console.say, keep=False)
    plan = make_plan(data, asked, machine, unheard)
    forecast = forecast_without_a_run(plan)
    line = _line_to_cut(corpus.documents[0].text)
    pieces = [data.tokenizer.token_text(id) for id in data.tokenizer.encode(line).tolist()]
    unknown = unknown_characters(data, corpus)
    show_plan(plan, reason, pieces, forecast, unknown)
    console.result(
        {**_survey_record(corpus, found), **_plan_record(plan, reason, pieces, forecast, unknown)}, args.json
    )
    sources = " ".join(quoted(source) for source in args.text)
    console.next_step(f"pellucid train {sources} {as_flags(args)}".rstrip())


def _survey_record(corpus: Corpus, found: Survey) -> dict[str, Any]:
    """What was found, as JSON."""
    return {
        "name": corpus.name,
        **dataclasses.asdict(found),
        "unreadable": corpus.unreadable,
        "notes": corpus.notes,
    }


def _plan_record(
    plan: Plan, reason: str, pieces: list[str], forecast: Forecast, unknown: str
) -> dict[str, Any]:
    """What training would be, as JSON."""
    from pellucid.model.accounting import n_params
    from pellucid.training.plan import count_unknown

    data = plan.data
    return {
        "split": data.record["splits"],
        "tokenizer": {
            "kind": data.tokenizer.kind,
            "symbols": data.tokenizer.n_symbols,
            "reserved": data.tokenizer.n_reserved,
            "reason": reason,
            "pieces": pieces,
        },
        "tokens": {"train": len(data.train), "dev": len(data.dev), "validation": len(data.validation)},
        "unknown": count_unknown(data),
        "unknown_named": named_characters(unknown),
        "model": {**plan.model.to_dict(), "parameters": n_params(plan.model)},
        "training": plan.training.to_dict(),
        "reasons": plan.reasons,
        "machine": dataclasses.asdict(plan.machine),
        "forecast": {
            **dataclasses.asdict(forecast),
            "seconds": forecast.seconds,
            "ability": forecast.ability,
        },
    }


def show_survey(corpus: Corpus, found: Survey) -> None:
    """What was found, as lines on stdout."""
    from pellucid.text.wording import size

    files = f"{plural(found.n_files, 'file')}, " if found.n_files else ""
    _row(
        "Found",
        f"{files}{plural(found.n_documents, 'document')}, {found.n_characters:,} characters "
        f"({size(found.n_bytes)}), about {found.n_words:,} words",
        f"documents of {found.shortest_document:,} to {found.longest_document:,} characters, half of them up to "
        f"{found.median_document:,}; the longest line has {found.longest_line:,}",
    )
    rarest = ", ".join(f"{_symbol(symbol)} {count:,}×" for symbol, count in found.rarest)
    _row("Alphabet", f"{plural(found.n_symbols, 'different character')}; the rarest: {rarest}")
    if found.damage:
        damage = ", ".join(f"{_symbol(what)} {count:,}×" for what, count in found.damage)
        _row("Damage?", f"{damage}: probably read or written in another encoding than its own")
    _row("Scripts", _shares(found.scripts) or "no letters")
    if found.languages is None:
        _row("Languages", f"not looked for, since py3langid is missing: {install_extra('languages')}")
    else:
        _row("Languages", _shares(found.languages))
    _row(
        "Repeated",
        f"{found.repeated_documents:.1%} of the text are documents that stood before, "
        f"{found.repeated_paragraphs:.1%} paragraphs that did",
    )
    if corpus.unreadable:
        _row(
            "Not read",
            *(
                console.printable(reason if reason.startswith(name) else f"{name}: {reason}")
                for name, reason in corpus.unreadable
            ),
        )
    if corpus.notes:
        _row("Notes", *map(console.printable, corpus.notes))
    _row(f"Begins ({console.printable(corpus.documents[0].name)})")
    for line in found.beginning:
        print(f"    {console.printable(line.expandtabs(4))}".rstrip())


def show_plan(plan: Plan, reason: str, pieces: list[str], forecast: Forecast, unknown: str) -> None:
    """What training would be and take, as lines on stdout."""
    from pellucid.text.wording import duration, size
    from pellucid.training.plan import count_unknown
    from pellucid.training.report import parameters_text, step_text, unknown_text

    data, split = plan.data, plan.data.record["splits"]
    parts = ", ".join(f"{name} {count:,}" for name, count in split["characters"].items())
    _row("Split", f"{parts} characters; validation is {split['rule']}, dev {split['dev_rule']}")
    _row(
        "Tokens",
        reason,
        f"train {len(data.train):,}, dev {len(data.dev):,}, validation {len(data.validation):,}",
        "·".join(map(console.printable, pieces)),
    )
    if said := unknown_text(count_unknown(data), unknown):
        _row("", said)
    _row(
        "Model",
        f"{plan.model.architecture}: {parameters_text(plan.model, data.tokenizer.n_reserved)}",
        *plan.reasons,
    )
    _row("Machine", plan.machine.describe())
    _row("Memory", f"about {size(plan.memory)} of {size(plan.machine.memory)} that are free")
    _row(
        "Forecast",
        f"{forecast.steps:,} steps of {step_text(forecast)}, about {duration(forecast.seconds)}",
        f"{forecast.tokens:,} tokens, {forecast.epochs:.1f} times through the text",
        f"a model that has read so much writes {forecast.ability}",
    )


def _row(label: str, *lines: str) -> None:
    for number, line in enumerate(lines or ("",)):
        print(f"{'' if number else label:<{LABEL}}{line}".rstrip())


def _line_to_cut(text: str) -> str:
    """The first line of the text that is long enough to show something, or its longest."""
    lines = [line.strip() for line in text[:20_000].split("\n")]
    line = next((line for line in lines if len(line) >= SHOWN_LINE // 2), max(lines, key=len))
    return line[:SHOWN_LINE]


def _shares(shares: dict[str, float]) -> str:
    named = {name: share for name, share in shares.items() if share >= LEAST_SHARE}
    rest = sum(shares.values()) - sum(named.values())
    if rest > 0:
        named["others"] = rest
    return ", ".join(f"{name} {share:.1%}" for name, share in named.items())


def _symbol(text: str) -> str:
    """A character as it looks, and its code point where that says little."""
    shown = console.printable(text)
    return (
        shown if len(text) > 1 or (text.isascii() and not text.isspace()) else f"{shown} (U+{ord(text):04X})"
    )
