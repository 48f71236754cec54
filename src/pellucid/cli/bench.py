"""`pellucid bench`: how fast this machine trains, and what share of its matrix-product peak that is."""

from __future__ import annotations

import argparse

from pellucid.cli import console
from pellucid.cli.flags import add_device, make_parser, whole
from pellucid.errors import InputError


def parser() -> argparse.ArgumentParser:
    made = make_parser("bench", "Measure training steps of a few sizes on this machine.", "pellucid bench")
    made.add_argument(
        "--repeats", type=whole, default=5, metavar="N", help="timed steps a size (%(default)s)"
    )
    made.add_argument("--precision", default="auto", metavar="X", help="auto (measured), float32 or bfloat16")
    made.add_argument("--plain", action="store_true", help="no speed-ups: to compare with")
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    if args.repeats < 1:
        raise InputError(f"--repeats must be at least 1, not {args.repeats}")
    console.say("Measuring; nothing else should be busy…")
    from pellucid.training.bench import measure
    from pellucid.training.machine import probe

    machine = probe(args.device or "auto", args.precision)
    console.say(machine.describe())
    rows = []
    for row in measure(machine, args.repeats, args.plain):
        rows.append(row)
        print(
            f"{row['layers']:>2} layers  d_model {row['d_model']:>4}  "
            f"context {row['context']:>4}  batch {row['batch']:>3}  "
            f"{row['parameters'] / 1e6:6.1f} M parameters  {row['milliseconds']:8.1f} ms a step  "
            f"{row['tokens_per_second']:>9,.0f} tokens/s  {row['share_of_peak']:5.1%} of the peak"
        )
    console.result({"machine": vars(machine), "rows": rows}, args.json)
    console.next_step("pellucid train YOUR.txt")
