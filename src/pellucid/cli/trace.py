"""`pellucid trace`: one forward pass from token ids to logits, tensor by tensor."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import add_device, add_run, make_parser, whole
from pellucid.cli.inspect import add_step, can_be_typed, load_subject, say_stamp
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.inspection.subject import Subject
    from pellucid.model.config import ModelConfig

SMALLEST = "lesson"  # the preset to begin with where there is no run yet
TEXT = "the cat sat"  # where none is given; the vocabulary of the preset `lesson` has its characters


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "trace",
        "Walk through one forward pass: every tensor from token ids to logits, in order, with its shape in symbols "
        "and numbers, what it is, its parameters and FLOPs, the line of code that made it, and the mean, standard "
        "deviation and norm of its numbers; then what T × T costs. Of a run, or of a preset with random weights, "
        "which needs no run.",
        "pellucid trace --preset lesson --text 'the cat sat'",
    )
    add_run(made)
    flag = made.add_argument
    flag(
        "--preset",
        metavar="NAME",
        help="a preset's model, untrained, in place of a run: lesson is the smallest",
    )
    flag("--text", help=f"what the model reads (`{TEXT}` where its vocabulary has it, or a text's beginning)")
    flag(
        "--layer",
        type=whole,
        metavar="N",
        help="this block alone, from 0; left out: the first in full, and a line for further ones like it",
    )
    add_step(made)
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    if args.run and args.preset:
        raise InputError(f"{args.run} is a run and {args.preset} a preset: name one of the two")
    if args.preset and args.step != "best":
        raise InputError("a preset is not trained and has no steps: leave out --step, or name a run")
    from pellucid.inspection.shapes import block_of, walk

    subject, notes = _subject(args)
    _check_layer(subject.config, args.layer)
    answer = walk(subject, _text(args, subject))
    answer["notes"] = [*notes, *answer["notes"]]
    if args.layer is not None:
        answer["rows"] = [row for row in answer["rows"] if block_of(row["name"]) == args.layer]
        answer["layer"] = args.layer
    say_stamp(answer)
    if args.json:
        console.result(answer, True)
    else:
        from pellucid.cli import walk as drawing

        console.write(drawing.walk(answer, subject.config.context_length) + "\n")
    console.next_step(_next(args, subject))


def _subject(args: argparse.Namespace) -> tuple[Subject, list[str]]:
    """What is walked through, and what a person should know of it."""
    from pellucid.inspection.subject import Subject
    from pellucid.inspection.untrained import untrained
    from pellucid.training.run_folder import all_runs

    notes, preset = [], args.preset
    if args.run is None and preset is None and args.step == "best" and next(all_runs(), None) is None:
        preset = SMALLEST
        notes.append(f"There is no run here yet: this is the preset {SMALLEST}.")
    if preset is None:
        return load_subject(args), notes
    subject = Subject(untrained(preset, args.text or TEXT, args.device or "auto"))
    notes.append("The weights are random, as before the first step of a training.")
    tokens, size = subject.tokenizer.vocab_size, subject.config.vocab_size
    if tokens < size:
        notes.append(
            f"With no text to learn them from, the tokenizer has {tokens:,} tokens; the model has all {size:,} "
            "of its preset."
        )
    return subject, notes


def _check_layer(config: ModelConfig, layer: int | None) -> None:
    if layer is None:
        return
    if config.architecture == "bigram":
        raise InputError("a bigram model has no layers: leave out --layer, or choose a transformer")
    if not 0 <= layer < config.n_layers:
        raise InputError(f"this model has {config.n_layers} layers, counted from 0: there is no {layer}")


def _text(args: argparse.Namespace, subject: Subject) -> str:
    if args.text is not None:
        return args.text
    return "" if subject.tokenizer.count_unknown(TEXT) else TEXT


def _next(args: argparse.Namespace, subject: Subject) -> str:
    if subject.loaded.kind == "untrained":
        name = subject.loaded.folder.name
        # larger ones first say what they take
        does = "train lesson" if name == SMALLEST else "preview shakespeare"
        return f"pellucid {does} --preset {name}"
    text = f"--text {quoted(args.text)} " if args.text and can_be_typed(args.text) else ""
    return f"pellucid inspect {quoted(subject.loaded.folder.path)} {text}--view attention"
