"""`pellucid doctor`: what this machine and installation can do, or what is wrong with a model."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import make_parser
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.training.machine import Machine


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "doctor",
        "Without an argument: look at this machine (torch, precision, compiler, GPU, memory, disk, cache). With one: "
        "look for the classic bugs in a model, by running it: mask, positions, gradients, targets, dropout, tying and "
        "more. Exits with 0 where nothing is wrong, and with 1 where something is.",
        "pellucid doctor my_model.py:GPT",
    )
    made.add_argument(
        "model",
        nargs="?",
        metavar="RUN|FILE.py:Class",
        help="a run, or a torch module of your own: forward(ids) gives logits (B, T, V), or forward(ids, targets) "
        "gives (logits, loss). It is built without arguments, or with vocab_size and the like where it insists. "
        "FILE.py is executed: name only files that you trust",
    )
    made.add_argument("--preset", metavar="P", help="a preset's model, made small but with all its parts")
    return made


def main(args: argparse.Namespace) -> int | None:
    if args.model is not None and args.preset is not None:
        raise InputError("doctor looks at one model: give a RUN or FILE.py:Class, or --preset, not both")
    if args.model is not None or args.preset is not None:
        return _diagnose(args)
    _look_at_machine(args)
    return None


def _diagnose(args: argparse.Namespace) -> int:
    """Print what is found of a model; returns 0 where nothing is wrong, else 1."""
    import torch

    from pellucid.cli.diagnosis import table
    from pellucid.inspection.doctor import diagnose, load_stranger
    from pellucid.inspection.doctor.runs import diagnose_preset, diagnose_run
    from pellucid.training.class_file import find_class, names_a_class
    from pellucid.training.run_folder import find_run

    if args.preset is None and names_a_class(args.model):
        find_class(args.model)
    elif args.preset is None:
        find_run(args.model)
    torch.set_num_threads(min(2, torch.get_num_threads()))  # small models gain nothing from more
    if args.preset is not None:
        diagnosis = diagnose_preset(args.preset)
    elif names_a_class(args.model):
        console.say(f"Executing {args.model.rpartition(':')[0]}, and examining the model…")
        diagnosis = diagnose(load_stranger(args.model))
    else:
        console.say("Examining the model…")
        diagnosis = diagnose_run(args.model)
    if not args.json:
        console.write(table(diagnosis) + "\n")
    console.result(diagnosis.to_dict(), args.json)
    again = f"--preset {args.preset}" if args.preset is not None else quoted(args.model)
    if diagnosis.healthy:
        console.next_step("pellucid train FILE", "pellucid inspect")
    else:
        console.next_step(f"pellucid doctor {again}   (once it is mended)")
    return 0 if diagnosis.healthy else 1


def _look_at_machine(args: argparse.Namespace) -> None:
    console.say("Looking…")
    import torch

    import pellucid
    from pellucid.text.web.cache import cache_dir
    from pellucid.text.wording import size
    from pellucid.training.machine import probe

    machine = probe()
    found = {
        "pellucid": pellucid.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "cpu": f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, {machine.threads} threads used",
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "mps": "yes" if torch.backends.mps.is_available() else "none",
        "device chosen": machine.device,
        "float32": f"{machine.float32_flops / 1e9:,.0f} GFLOP/s",
        "bfloat16": f"{machine.bfloat16_flops / 1e9:,.0f} GFLOP/s",
        "precision chosen": machine.precision,
        "memory free": size(machine.memory),
        "disk free": size(shutil.disk_usage(".").free),
        "compiler": shutil.which("c++") or shutil.which("cl") or "none (not needed)",
        "cache": str(cache_dir()),
        "output encoding": sys.stdout.encoding,
    }
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value}")
    for advice in _advice(machine, torch.__version__):
        console.say(f"! {advice}")
    console.result(found, args.json)
    console.next_step("pellucid demo", "pellucid bench")


def _advice(machine: Machine, torch_version: str) -> list[str]:
    """What a person may want to change."""
    advice = []
    if "+cu" in torch_version and machine.device == "cpu":
        advice.append(
            "this torch was built for CUDA but finds no GPU: the CPU build is smaller by gigabytes (see README)"
        )
    if machine.memory < 2 << 30:
        advice.append(
            "less than 2 GiB of memory is free: close something, or train with a small --batch-size"
        )
    if shutil.disk_usage(".").free < 1 << 30:
        advice.append("less than 1 GB of disk is free here: checkpoints may not fit")
    return advice
