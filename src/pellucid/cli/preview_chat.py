"""What `pellucid preview` shows of an export of a chat: people, sessions, redactions, and what would be learned."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.cli import consent, console
from pellucid.cli.chat_flags import chat_as_flags, kinds_to_keep
from pellucid.cli.drawing import bar, table
from pellucid.cli.settings import given_settings
from pellucid.errors import InputError
from pellucid.shell import quoted
from pellucid.text.wording import duration, plural, size

if TYPE_CHECKING:
    from rich.console import Console

    from pellucid.text.chats.people import Person
    from pellucid.text.chats.survey import ChatSurvey, Span
    from pellucid.text.chats.whatsapp.dates import AmbiguousDates
    from pellucid.training.finetune import Outlook

LABEL = 11  # characters, as in the preview of a text
BAR = 24
FIRST_MODEL = "smollm2-135m-instruct"  # to learn from a chat where there is no run yet
MOST_PEOPLE = 20
SPAN = 400  # characters of a turn that are shown
LEARNED, READ = "▌", "│"  # beside what the model learns to say, and what it only reads


def preview_chat(args: argparse.Namespace) -> None:
    """Reads the exports, says what is in them, and writes `--jsonl`."""
    from pellucid.text.chats.exports import read_chats
    from pellucid.text.chats.jsonl import write_neutral
    from pellucid.text.chats.sessions import GAP_MINUTES
    from pellucid.text.chats.survey import survey
    from pellucid.text.chats.whatsapp.dates import AmbiguousDates
    from pellucid.text.files import expand_home

    gap = GAP_MINUTES if args.gap is None else args.gap
    try:
        chats = read_chats(args.text, args.format, args.date_order)
    except AmbiguousDates as error:
        console.result({"chat": True, "question": question(error)}, args.json)
        raise
    found, protected = survey(chats, args.as_, gap_minutes=gap, keep=kinds_to_keep(args), names=args.names)
    if args.jsonl:
        write_neutral(protected.chats.messages, expand_home(Path(args.jsonl)))
    told = consent.say_once()
    show(found, gap)
    expected = _outlook(args, found)
    if expected:
        _show_outlook(expected)
    if args.jsonl:
        console.say(f"Wrote {plural(len(chats.messages), 'message')}, redacted, to {args.jsonl}")
    told_record = {
        **record(found, gap, args.jsonl),
        "notice": consent.NOTICE if told else None,
        "outlook": _outlook_record(expected) if expected else None,
    }
    console.result(told_record, args.json)
    _next_step(args, found)


def _next_step(args: argparse.Namespace, found: ChatSurvey) -> None:
    """A command that works as it is printed: what is missing for a training is asked for, or given with it."""
    from pellucid.text.chats.examples import LEAST_REPLIES
    from pellucid.training.run_folder import all_runs

    sources = " ".join(quoted(source) for source in args.text)
    if not found.asked or not found.examples.n_replies:
        others = [each for each in found.people if each.id != found.assistant.id]
        person = others[0] if found.asked and others else found.assistant
        flags = chat_as_flags(argparse.Namespace(**{**vars(args), "as_": _called(person, found)}))
        console.next_step(f"pellucid preview {sources} {flags}")
        return
    base = quoted(args.base) if args.base else ""
    flags = chat_as_flags(args, ("--jsonl", "--base"))
    anyway = "--anyway" if found.examples.n_replies < LEAST_REPLIES else ""
    command = " ".join(filter(None, ("pellucid finetune", base, sources, flags, anyway)))
    if any(all_runs()):
        console.next_step(command)
    else:
        console.next_steps(f"pellucid import {FIRST_MODEL}", f"{command} --lora")


def _called(person: Person, found: ChatSurvey) -> str:
    """What tells a person from the others: the name, or the id where others have that name, too."""
    return person.id if sum(person.name in each.names for each in found.people) > 1 else person.name


def record(found: ChatSurvey, gap: float, jsonl: str | None) -> dict[str, Any]:
    """What was found, as JSON; texts of unparsed lines as they stand in the export, samples masked."""
    from pellucid.text.chats.examples import LEAST_REPLIES
    from pellucid.text.chats.redaction import KINDS, masked
    from pellucid.text.chats.survey import SHOWN_UNPARSED

    return {
        "chat": True,
        "format": found.format,
        "messages": found.n_messages,
        "conversations": found.n_conversations,
        "kinds": found.kinds,
        "people": [
            {
                "id": each.id,
                "name": each.name,
                "learned_name": found.learned_names[each.id],
                "messages": each.n_messages,
                "characters": each.n_characters,
            }
            for each in found.people
        ],
        "first": found.first.isoformat() if found.first else None,
        "last": found.last.isoformat() if found.last else None,
        "gap_minutes": gap,
        "sessions": found.n_sessions,
        "pauses": dict(found.pauses),
        "session_lengths": dict(found.lengths),
        "unparsed": {
            "count": len(found.unparsed),
            "first": [dataclasses.asdict(each) for each in found.unparsed[:SHOWN_UNPARSED]],
        },
        "redacted": {
            "counts": dict(found.found.counts),
            "samples": {kind: list(map(masked, each)) for kind, each in found.found.samples.items()},
            "kinds": KINDS,
        },
        "as": {"id": found.assistant.id, "name": found.assistant.name, "chosen": found.asked},
        "counts": found.examples.counts,
        "replies": found.examples.n_replies,
        "least_replies": LEAST_REPLIES,
        "examples": [[dataclasses.asdict(span) for span in spans] for spans in found.shown],
        "notes": found.notes,
        "jsonl": jsonl,
    }


def question(error: AmbiguousDates) -> dict[str, Any]:
    """Dates that can be read in several ways, as JSON: what the person is asked."""
    readings = [dataclasses.asdict(each) for each in error.readings]
    return {"place": error.place, "date_order": readings}


def _outlook(args: argparse.Namespace, found: ChatSurvey) -> Outlook | None:
    """What fine-tuning the run of `--base` would take; None without it, or where no one can be learned from."""
    if args.base is None:
        if args.lora:
            raise InputError(
                "--lora is for a forecast of fine-tuning: name the run to start from with --base"
            )
        return None
    if not found.examples.train:
        return None
    from pellucid.training.conversations import ChatOptions
    from pellucid.training.finetune import LoRA, outlook

    gap = {} if args.gap is None else {"gap": args.gap}
    options = ChatOptions(
        found.assistant.id,
        args.format,
        args.date_order,
        keep=kinds_to_keep(args),
        names=args.names,
        **gap,
    )
    return outlook(
        args.base,
        args.text,
        chats=options,
        lora=LoRA() if args.lora else None,
        preset=args.preset or "chat",
        config=args.config,
        **given_settings(args),
    )


def _outlook_record(found: Outlook) -> dict[str, Any]:
    return {
        "base": found.base,
        "parameters": found.n_params,
        "trained": found.n_trained,
        **dataclasses.asdict(found.forecast),
        "seconds": found.forecast.seconds,
    }


def _show_outlook(found: Outlook) -> None:
    expected = found.forecast
    _row(
        "Takes",
        f"from {found.base}, {found.n_trained:,} of {found.n_params:,} parameters trained: "
        f"about {duration(expected.seconds)}, {expected.steps:,} steps, {expected.epochs:.1f} times through; "
        f"about {size(expected.memory)} of memory",
    )


def show(found: ChatSurvey, gap: float) -> None:
    """What was found, as lines on stdout."""
    _show_messages(found)
    _row(
        "Sessions",
        f"{found.n_sessions:,}, a new one after a pause of more than {gap:g} min (--gap)",
    )
    if any(count for _, count in found.pauses):
        _rows("Pauses", _bars(found.pauses))
    _rows("Messages", _bars(found.lengths, "a session"))
    _show_unparsed(found)
    _show_redactions(found)
    _show_learned(found)
    for note in found.notes:
        _row("Note", console.printable(note))


def _show_messages(found: ChatSurvey) -> None:
    others = ", ".join(f"{kind} {count:,}" for kind, count in found.kinds.items() if kind != "text")
    _row(
        "Found",
        f"{plural(found.n_messages, 'message')} in {plural(found.n_conversations, 'conversation')} "
        f"({found.format})" + (f"; not someone's own words: {others}" if others else ""),
    )
    people = [
        (
            console.printable(each.name),
            plural(each.n_messages, "message"),
            plural(each.n_characters, "character"),
            "" if each.id == each.name else console.printable(each.id),
        )
        for each in found.people[:MOST_PEOPLE]
    ]
    _rows("People", table(people, " rr").split("\n"))
    if len(found.people) > MOST_PEOPLE:
        _row("", f"and {len(found.people) - MOST_PEOPLE:,} more")
    if found.first and found.last:
        _row("Dates", f"{found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M}")
    else:
        _row("Dates", "none: the order is that of the file")


def _show_unparsed(found: ChatSurvey) -> None:
    from pellucid.text.chats.survey import SHOWN_UNPARSED

    if not found.unparsed:
        _row("Unparsed", "nothing")
        return
    lines = [plural(len(found.unparsed), "line") + " not understood, and left out:"]
    for each in found.unparsed[:SHOWN_UNPARSED]:
        place = f"{each.source}:{each.line}" if each.line else each.source
        lines.append(console.printable(f"{place}: {_cut(each.text, 80)}"))
    _row("Unparsed", *lines)


def _show_redactions(found: ChatSurvey) -> None:
    counts, samples = found.found.counts, found.found.samples
    if not counts:
        _row("Redacted", "nothing was found; that does not mean nothing private is there")
        return
    rows = [
        (f"[{kind}]", f"{count:,}×", ", ".join(map(console.printable, samples[kind])))
        for kind, count in counts.most_common()
    ]
    _rows(
        "Redacted",
        [*table(rows, " r").split("\n"), "not all that is private has a shape; --keep KIND leaves a kind in"],
    )


def _show_learned(found: ChatSurvey) -> None:
    counts, name = found.examples.counts, console.printable(found.assistant.name)
    chosen = "" if found.asked else " (who wrote most, to have an example: choose with --as NAME)"
    _row(
        "Learned",
        f"to answer as {name}{chosen}: {plural(found.examples.n_replies, 'reply', 'replies')}",
        ", ".join(
            f"{part} {plural(counts[f'{part}_replies'], 'reply', 'replies')} in "
            f"{plural(counts[part], 'conversation')}"
            for part in ("train", "dev", "validation")
        )
        + "; the last by time are held out",
    )
    if not found.shown:
        return
    from rich.console import Console

    screen = Console(highlight=False, soft_wrap=True)
    print(f"\nAs the model meets it; what it learns to say is marked {LEARNED}")
    for spans in found.shown:
        print()
        _show_example(spans, screen)
    print()


def _show_example(spans: Sequence[Span], screen: Console) -> None:
    from rich.text import Text

    for span in spans:
        mark, style = (LEARNED, "bold green") if span.learned else (READ, "dim")
        for number, line in enumerate(_cut(span.text, SPAN).split("\n")):
            role = "" if number else span.role
            screen.print(Text(f"  {role:<10}{mark} {console.printable(line)}".rstrip(), style=style))


def _bars(histogram: Iterable[tuple[str, int]], unit: str = "") -> list[str]:
    rows = list(histogram)
    filled = [place for place, (_, count) in enumerate(rows) if count]
    rows = rows[filled[0] : filled[-1] + 1] if filled else rows[:1]  # what is empty at both ends says nothing
    most = max((count for _, count in rows), default=0) or 1
    named = [(f"{label} {unit}".rstrip(), f"{count:,}", bar(count / most, BAR)) for label, count in rows]
    return table(named, " r").split("\n")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _rows(label: str, lines: Sequence[str]) -> None:
    _row(label, *lines)


def _row(label: str, *lines: str) -> None:
    for number, line in enumerate(lines or ("",)):
        print(f"{'' if number else label:<{LABEL}}{line}".rstrip())
