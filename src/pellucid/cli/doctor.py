"""`pellucid doctor`: what this machine and installation can do."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.cli.flags import make_parser

if TYPE_CHECKING:
    from pellucid.training.machine import Machine


def parser() -> argparse.ArgumentParser:
    return make_parser(
        "doctor",
        "Look at this machine: torch, precision, compiler, GPU, memory, disk, cache.",
        "pellucid doctor",
    )


def main(args: argparse.Namespace) -> None:
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
