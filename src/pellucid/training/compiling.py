"""Compiled blocks: what torch.compile makes of a model's blocks, where it was measured to pay.

The blocks of a model are of one code, so that one compilation serves them all. What is computed stays the same but for
rounding; the code is kept in the cache, so that the next training of the same shape has it at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.model.transformer import LanguageModel, Transformer
from pellucid.text.web.cache import cache_dir
from pellucid.training.config import TrainConfig
from pellucid.training.machine import Machine

LEAST_SECONDS = 240.0  # of a training that a shape is compiled for the first time for: it takes 15 to 30
LEAST_WITH_CODE = 60.0  # where the code is kept from an earlier training: it takes two seconds to load
MUST_WIN_BY = 1.03


class Code:
    """The compiled code of the blocks of a model of one shape, which torch keeps in the cache."""

    def __init__(self, model: LanguageModel, config: TrainConfig, machine: Machine) -> None:
        rows = config.batch_size // (config.accumulate * machine.processes)
        length = config.window_of(model.config.context_length)
        # neither of the two is in the code of a block
        shape = {**model.config.to_dict(), "n_layers": 1, "vocab_size": 1}
        known = [shape, rows, length, machine.device, machine.precision, machine.threads, torch.__version__]
        digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
        # several processes would have to choose alike, and one may have no compiler
        self._possible = not config.plain and machine.processes == 1 and not why_not(model, machine.device)
        self._mark = code_dir() / f"{digest[:16]}.shape"

    @property
    def is_kept(self) -> bool:
        """Whether it was compiled before."""
        return self._mark.exists()

    def may_pay(self, seconds: float) -> bool:
        """Whether it is worth making, or loading, for a training of so many seconds without it."""
        return self._possible and seconds >= (LEAST_WITH_CODE if self.is_kept else LEAST_SECONDS)

    def keep(self) -> None:
        """Remember that it is there."""
        with contextlib.suppress(OSError):
            self._mark.parent.mkdir(parents=True, exist_ok=True)
            self._mark.touch()


def code_dir() -> Path:
    """Where compiled code is kept."""
    return Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR") or cache_dir() / "compiled")


def why_not(model: LanguageModel, device: str) -> str | None:
    """Why the blocks of a model cannot be compiled here, as the end of a sentence; None if they can."""
    if not isinstance(model, Transformer):
        return "only the blocks of a transformer are compiled"
    if model.config.feedforward == "experts":
        return "how many tokens each expert gets changes with every step"
    if device == "mps":
        return "torch does not compile for mps well enough"
    if device == "cpu" and not (shutil.which(os.environ.get("CXX", "c++")) or shutil.which("cl")):
        return "there is no C++ compiler here"
    return None


def refuse_if_impossible(model: LanguageModel, device: str) -> None:
    """Raises: InputError where the blocks cannot be compiled."""
    if (why := why_not(model, device)) is not None:
        raise InputError(f"the model cannot be compiled, since {why}: leave out --compile yes")


class Failed(RuntimeError):
    """The compiler failed: one line that says how."""


def compile_blocks(model: nn.Module) -> None:
    """Let the blocks of a Transformer be compiled when they are next called; sizes are taken to stay as they are.

    That call raises Failed where the compiler does.
    """
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(code_dir())
    # `deterministic` does not tell the compiler, which may not have been loaded then
    repeatable = torch.are_deterministic_algorithms_enabled()
    on_cpu = next(model.parameters()).device.type == "cpu"
    if on_cpu:
        import torch._functorch.config as recomputing

        # what is cheap is computed again in the backward pass: masks written as bytes are slow to write (docs/LOG.md);
        # not by `aggressive_recomputation`, which draws dropout's numbers anew
        recomputing.ban_recompute_used_far_apart = False
        recomputing.ban_recompute_long_fusible_chains = False
        recomputing.ban_recompute_materialized_backward = False
    for block in blocks_of(model):
        # dropout asks torch's generator on a CPU, so that it drops what the written block would
        compiled = torch.compile(
            block.forward,
            dynamic=False,
            options={"deterministic": repeatable, "fallback_random": on_cpu},
        )
        block.forward = _telling(compiled)


def _telling(compiled: Callable[..., Tensor]) -> Callable[..., Tensor]:
    from torch._dynamo.exc import TorchDynamoException

    def forward(*args: Any, **kwargs: Any) -> Tensor:
        try:
            return compiled(*args, **kwargs)
        except TorchDynamoException as error:
            raise Failed(f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}") from error

    return forward


def take_back(model: nn.Module) -> None:
    """The blocks as they were before `compile_blocks`."""
    for block in blocks_of(model):
        vars(block).pop("forward", None)


def blocks_of(model: nn.Module) -> nn.ModuleList:
    return getattr(model, "blocks", nn.ModuleList())


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Within it compiled blocks run as they are written: sizes that come once or twice are not worth compiling."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and to load it would take a second
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
