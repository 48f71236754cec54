"""A process that has torch loaded and forks a child for each command: a real process in milliseconds.

Reads one JSON object a line: {"argv", "cwd", "out", "err"} starts `pellucid` with those arguments and answers its
process id; {"wait": pid} answers its exit code, negative for the signal that ended it. "env" is laid over the
environment; with "call", "module:function" of this folder is called with the arguments instead.
With `die_at` the child kills itself with SIGKILL instead of making its n-th call to fsync, rename or replace.
With `hold_at` a training goes no further than that step until something is asked of it, so that no test is too late.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from typing import Any

import matplotlib.pyplot
import torch
import torch._dynamo  # what torch's optimizers load on first use

import pellucid.cli.finetune
import pellucid.cli.prepare
import pellucid.cli.progress
import pellucid.cli.train
import pellucid.training.finetune
import pellucid.training.train  # noqa: F401
from pellucid.cli.main import main
from pellucid.training import encoding, loop, machine, prepare
from pellucid.training.signals import Interruption


def child(order: dict[str, Any]) -> None:
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode) for n, mode in ((0, "r"), (1, "w"), (2, "w")))
    os.chdir(order["cwd"])
    os.environ.update(order.get("env", {}))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order.get("die_at") is not None:
        die_at(order["die_at"])
    if order.get("hold_at") is not None:
        hold_at(order["hold_at"])
    code = call(order["call"], order["argv"]) if order.get("call") else main(order["argv"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def call(what: str, arguments: list[str]) -> int:
    module, name = what.split(":")
    try:
        getattr(importlib.import_module(module), name)(*arguments)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def die_at(call: int) -> None:
    left = [call]

    def deadly(real: Any) -> Any:
        def maybe(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return maybe

    for name in ("fsync", "rename", "replace"):  # what pathlib calls, too
        setattr(os, name, deadly(getattr(os, name)))


def hold_at(step: int) -> None:
    active: list[Interruption] = []
    decide = loop.Trainer._decide

    class Noted(Interruption):
        def __enter__(self) -> Interruption:
            active.append(self)
            return super().__enter__()

    def held(trainer: loop.Trainer, interrupted: bool) -> Any:
        while trainer.progress.step >= step and not (interrupted or trainer.control.asked()):
            time.sleep(0.01)
            interrupted = active[-1].asked
        return decide(trainer, interrupted)

    loop.Interruption, loop.Trainer._decide = Noted, held


def serve() -> None:
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    machine.matmul_flops = lambda *_: 2e10  # no tests of the probe here
    prepare.SAVE_SECONDS, encoding.BATCH = 0.0, 2000  # much to save, at small cost
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                child(order)
        print(answer, flush=True)


if __name__ == "__main__":
    serve()
