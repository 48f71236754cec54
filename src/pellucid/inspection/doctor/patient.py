"""Any language model behind one interface: token ids in, logits out.

Shapes: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.errors import InputError

LENGTHS = (19, 17, 23, 13, 11, 7, 5)  # primes, so that time is told from all other axes by its size
CONTEXT_NAMES = (
    "context_length", "block_size", "n_positions", "max_position_embeddings", "max_seq_len", "max_length",
    "ctx_len", "n_ctx", "max_len", "seq_len", "context_size", "context",
)  # fmt: skip
LOSS_ARGUMENTS = ("targets", "target", "labels", "y", "tgt")
LONGEST_TRIED = 4096


@dataclasses.dataclass(frozen=True)
class Patient:
    """A model to be examined.

    Args:
        module: forward(ids) gives logits (B, T, V), a tuple with them, or something with `.logits`.
        vocab_size: V.
        length: T of the checks.
        context: the longest T, as far as is known.
        loss_argument: the name under which forward takes targets and gives its own loss; empty: it has none.
        needs_targets: whether forward gives all logits only when it is given targets.
        factory: builds it anew, for modules that cannot be copied.
    """

    name: str
    module: nn.Module
    vocab_size: int
    length: int
    context: int
    loss_argument: str = ""
    needs_targets: bool = False
    factory: Callable[[], nn.Module] | None = None

    def _call(self, ids: Tensor, targets: Tensor | None = None) -> Any:
        if targets is None:
            return self.module(ids)
        return self.module(ids, **{self.loss_argument: targets})

    def logits(self, ids: Tensor) -> Tensor:
        """(B, T, V)"""
        return find_logits(self._call(ids, ids if self.needs_targets else None), ids)

    def own_loss(self, ids: Tensor, targets: Tensor) -> tuple[Tensor, Tensor] | None:
        """The loss that the model gives for these targets, and its logits; None where it gives none."""
        if not self.loss_argument:
            return None
        given = self._call(ids, targets)
        loss = find_loss(given)
        return None if loss is None else (loss, find_logits(given, ids))

    def ids(self, rows: int = 3, seed: int = 0, length: int = 0) -> Tensor:
        """(B, T) random tokens."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(self.vocab_size, (rows, length or self.length), generator=generator)

    def batch(self, rows: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Random tokens (B, T) and the one that follows each of them (B, T)."""
        ids, last = self.ids(rows, seed), self.ids(rows, seed + 1000, 1)
        return ids, torch.cat((ids[:, 1:], last), dim=1)

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """What training would make smaller: the model's own loss, or the cross-entropy of its logits.

        The latter also where its own loss is less exact than its logits, so that slopes can be measured.
        """
        own = self.own_loss(ids, ids if self.loss_argument == "labels" else targets)
        if own is not None and own[0].dtype == own[1].dtype:
            return own[0]
        return cross_entropy(self.logits(ids) if own is None else own[1], targets)

    def copy(self) -> Patient:
        try:
            module = copy.deepcopy(self.module)
        except Exception:  # what a stranger's module raises is not known
            if self.factory is None:
                return self
            module = self.factory()
            module.load_state_dict(self.module.state_dict())
        return dataclasses.replace(self, module=module)

    def exact(self) -> Patient:
        """A copy in float64, where the model can do that."""
        double = self.copy()
        try:
            double.module.double()
            double.seeded(double.ids())
        except Exception:  # what a stranger's forward raises is not known
            return self.copy()
        return double

    def stirred(self, seed: int = 0) -> Patient:
        """The same with noise on every parameter.

        A part that starts at zero (a head, a table of positions) has no influence before it has learned, and its
        bugs none either; noise takes the place of learning.
        """
        double = self.exact()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in double.module.parameters():
                if not parameter.is_floating_point():
                    continue
                spread = 0.05
                if parameter.dim() > 1:
                    own = parameter.std().item() if parameter.numel() > 1 else 0.0
                    spread = max(0.5 * own, 0.5 * parameter.shape[-1] ** -0.5)
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter += (spread * noise).to(parameter.dtype)
        return double

    @property
    def tolerance(self) -> float:
        """What two equal numbers may differ by, relative to the spread of the logits."""
        exact = all(p.dtype == torch.float64 for p in self.module.parameters() if p.is_floating_point())
        return 1e-8 if exact else 1e-3

    @property
    def reproducible(self) -> bool:
        """Whether the same seed gives the same logits in training mode."""
        first, again = (self.seeded(self.ids(), training=True) for _ in range(2))
        return torch.equal(first, again)

    def seeded(self, ids: Tensor, training: bool = False, seed: int = 0) -> Tensor:
        """Logits without gradients, in a mode, with torch's random state set for this pass alone."""
        with in_mode(self.module, training), torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.logits(ids)


@contextmanager
def in_mode(module: nn.Module, training: bool) -> Iterator[None]:
    """Training or evaluation mode for a while; each part gets its own mode back."""
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, mode in before.items():
            part.training = mode


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean nats; logits (…, V), targets (…)."""
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def find_logits(given: Any, ids: Tensor) -> Tensor:
    """The logits (B, T, V) in what a forward pass gave.

    Raises:
        InputError: there are none.
    """
    parts = [getattr(given, "logits", None)]
    if isinstance(given, dict):
        parts = list(given.values())
    elif isinstance(given, tuple | list) and parts[0] is None:
        parts = list(given)
    elif isinstance(given, Tensor):
        parts = [given]
    tensors = [part for part in parts if isinstance(part, Tensor) and part.is_floating_point()]
    B, T = ids.shape
    for tensor in tensors:
        if tensor.dim() == 3 and tensor.shape[0] == B:
            return tensor
        if tensor.dim() == 2 and tensor.shape[0] == B * T:  # some flatten them for the loss
            return tensor.view(B, T, -1)
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors) or type(given).__name__
    raise InputError(
        f"forward gave {shapes} for ids of shape ({B}, {T}): it must give logits (B, T, V), alone, first of a "
        "tuple, or as `.logits`"
    )


def find_loss(given: Any) -> Tensor | None:
    """The loss, a single number, in what a forward pass gave."""
    parts = [getattr(given, "loss", None)]
    if isinstance(given, dict):
        parts.append(given.get("loss"))
    elif isinstance(given, tuple | list):
        parts += given
    return next(
        (p for p in parts if isinstance(p, Tensor) and p.numel() == 1 and p.is_floating_point()), None
    )


def make_patient(
    name: str, module: nn.Module, factory: Callable[[], nn.Module] | None = None, vocab_size: int = 0
) -> Patient:
    """Find out how a model wants to be called.

    Raises:
        InputError: it cannot be called with token ids, or gives no logits.
    """
    argument, needed = _loss_argument(module)
    sizes = {size for parameter in module.parameters() for size in parameter.shape}
    known = _attribute(module, CONTEXT_NAMES) or 0
    lengths = [n for n in LENGTHS if not known or n <= known]
    lengths = sorted(lengths, key=lambda n: any(size % n == 0 for size in sizes))  # stable
    lengths += [known] if known and known <= LONGEST_TRIED else [32, 64, 16, 8, 4, 3, 2]
    trouble: Exception | None = None
    for length in lengths:
        ids = torch.zeros(2, length, dtype=torch.long)
        for with_targets in (False, True):
            if (needed and not with_targets) or (with_targets and not argument):
                continue
            patient = Patient(name, module, 1, length, known or length, argument, with_targets, factory)
            try:
                logits = patient.seeded(ids)
            except Exception as error:
                trouble = trouble or error
                continue
            if logits.shape[1] == length:
                patient = dataclasses.replace(patient, vocab_size=logits.shape[2])
                return _with_vocabulary(patient, vocab_size)
            trouble = InputError(f"forward gave {logits.shape[1]} logits for {length} tokens")
    if isinstance(trouble, InputError):
        raise trouble
    raise InputError(
        f"{name} cannot be run on token ids ({type(trouble).__name__}: {trouble}): give it a forward(ids) that takes "
        "whole numbers (B, T) and gives logits (B, T, V)"
    ) from trouble


def _with_vocabulary(patient: Patient, given: int) -> Patient:
    """The same with the largest vocabulary whose tokens it can read: a head may have rows to spare."""
    tables = [part.num_embeddings for part in patient.module.modules() if isinstance(part, nn.Embedding)]
    for size in (given, patient.vocab_size, *sorted(tables, reverse=True)):
        if 2 <= size <= patient.vocab_size:
            try:
                patient.seeded(torch.full((2, patient.length), size - 1))
            except Exception:  # as above
                continue
            return dataclasses.replace(patient, vocab_size=size)
    raise InputError(f"{patient.name} has a vocabulary of one token: give it two or more")


def _loss_argument(module: nn.Module) -> tuple[str, bool]:
    """The name of forward's argument for targets, and whether it must be given."""
    try:
        parameters = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return "", False
    for name in LOSS_ARGUMENTS:
        if name in parameters:
            return name, parameters[name].default is inspect.Parameter.empty
    return "", False


def _attribute(module: nn.Module, names: tuple[str, ...]) -> int | None:
    """A whole number that the model, or its configuration, has under one of these names."""
    owners = [module, *(getattr(module, each, None) for each in ("config", "cfg", "args", "hparams"))]
    owners += list(module.children())
    for owner in owners:
        for name in names:
            value = owner.get(name) if isinstance(owner, dict) else getattr(owner, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and value > 1:
                return value
    return None
