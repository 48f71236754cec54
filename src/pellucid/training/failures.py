"""The ways a training can end before its budget does; each leaves a run that can be resumed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from pellucid.shell import quoted
from pellucid.training.config import TrainConfig
from pellucid.training.gradients import clear_gradients
from pellucid.training.machine import Machine, available_memory


class Diverged(RuntimeError):
    """The loss or a gradient is no longer a finite number."""


class OutOfMemory(RuntimeError):
    """A step needed more memory than there is."""


class Interrupted(KeyboardInterrupt):
    """Someone asked to stop; the run is saved."""


def interrupted(run: Path, step: int) -> Interrupted:
    """What to say when a training was stopped, and what to do then."""
    where = quoted(run)
    return Interrupted(
        f"stopped at step {step:,}; everything is saved. Go on with "
        f"`pellucid train --resume --out {where}`, or try `pellucid sample {where}`"
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of torch or Python means that memory ran out."""
    words = ("out of memory", "not enough memory", "can't allocate memory")  # how MPS and the CPU say it
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(w in str(error) for w in words)


def diverged(loss: float, norm: float, rate: float, config: TrainConfig, machine: Machine) -> Diverged:
    """What to say of a loss or gradient norm that is not finite, and what to try."""
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient norm is {norm}"
    return Diverged(
        f"{what}, so this step was not taken; most often the learning rate is too high: it was {rate:.2g}; "
        f"try --lr {float(f'{config.lr / 3:.1g}'):g}"
        + (", or --precision float32" if machine.precision != "float32" else "")
    )


def out_of_memory(config: TrainConfig, machine: Machine) -> OutOfMemory:
    """What to say when a step did not fit into memory, and how it would."""
    batch, parts = config.batch_size // machine.processes, config.accumulate
    free = available_memory(machine.device) / 2**30
    more = next((n for n in range(2 * parts, batch + 1) if batch % n == 0), None)
    advice = (
        f"add --accumulate {more} (the same results in less memory)"
        if more
        else "choose a smaller --context-length or --d-model"
    )
    return OutOfMemory(
        f"memory ran out ({free:.1f} GiB are free now): {batch // parts} windows at once are too many; {advice}"
    )


@contextlib.contextmanager
def telling_out_of_memory(model: nn.Module, config: TrainConfig, machine: Machine) -> Iterator[None]:
    """Turns what torch or Python say when memory runs out into OutOfMemory, and frees the gradients."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's own error is a RuntimeError
        if not is_out_of_memory(error):
            raise
        clear_gradients(model)
        raise out_of_memory(config, machine) from error
