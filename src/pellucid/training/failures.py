"""The ways a training can end before its budget does; each leaves a run that can be resumed."""

from __future__ import annotations

import torch


class Diverged(RuntimeError):
    """The loss or a gradient is no longer a finite number."""


class OutOfMemory(RuntimeError):
    """A step needed more memory than there is."""


class Interrupted(KeyboardInterrupt):
    """Someone asked to stop; the run is saved."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of torch or Python means that memory ran out."""
    words = ("out of memory", "not enough memory", "can't allocate memory")  # how MPS and the CPU say it
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(w in str(error) for w in words)
