"""Every tensor that a forward pass makes, in the order it makes them, and the line that made it."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import inspect
import math
import re
import textwrap
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

import pellucid.model
from pellucid.inspection.capture import Way, run
from pellucid.model.experts import Experts
from pellucid.model.positions import Rotate, Rotation
from pellucid.model.transformer import Transformer

if TYPE_CHECKING:
    from pellucid.inspection.subject import Subject

MODEL_ROOM = Path(pellucid.model.__file__).parent
PACKAGE = MODEL_ROOM.parent
BLOCK = re.compile(r"blocks\.\d+\.")
READ_IDS = ("embedding", "table")  # the first modules of the two architectures
TAKE_WHAT_NO_MODULE_GIVES = (".down", "feedforward.gate_up", "attention.out")


@dataclasses.dataclass(frozen=True)
class Seen:
    """A tensor that was made.

    Args:
        name: where in the model: `blocks.0.attention.qkv`.
        kind: the name without its block; of the experts' own layers, with `experts` before it.
        parameters: of the layer that made it, those counted nowhere before.
        source: file and line, from the package's folder on, of the statement of the model that made it.
        mean, std, norm: of all its numbers: their mean, standard deviation and the square root of the sum of their
            squares; None of whole numbers that name or count, and where they are not finite.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    source: str
    mean: float | None = None
    std: float | None = None
    norm: float | None = None


class Moments:
    """Mean, standard deviation and norm of numbers that come in parts (Chan et al. 1979, for the sum of two)."""

    def __init__(self) -> None:
        self.n, self.mean, self.squares = 0, 0.0, 0.0  # squares: summed, of the distances from the mean

    def add(self, tensor: Tensor) -> None:
        """Take in the numbers of a tensor of any shape; whole numbers, which name or count, are passed over."""
        if tensor.dtype not in (torch.bool, torch.float32, torch.float16, torch.bfloat16, torch.float64):
            return
        variance, mean = (each.item() for each in torch.var_mean(tensor.float(), correction=0))
        n, apart = tensor.numel(), mean - self.mean
        total = self.n + n
        self.squares += n * variance + apart * apart * self.n * n / total
        self.mean += apart * n / total
        self.n = total

    def facts(self) -> dict[str, float | None]:
        """`mean`, `std` (of the numbers there are, not an estimate of more) and `norm`."""
        known = self.n > 0 and math.isfinite(self.mean) and math.isfinite(self.squares)
        if not known:
            return dict.fromkeys(("mean", "std", "norm"))
        spread = self.squares / self.n
        return {
            "mean": self.mean,
            "std": math.sqrt(spread),
            "norm": math.sqrt(self.n * (spread + self.mean**2)),
        }


def trace(subject: Subject, ids: tuple[int, ...]) -> list[Seen]:
    """What a forward pass over `ids` makes, as the model was trained."""
    tracer = _Tracer()
    with subject.lock, tracer.watching(subject.twin):
        run(subject.twin, ids, Way.of(subject.config), subject.device, tracer.attended)
    return tracer.all()


class _Tracer:
    """Hears of tensors by hooks on modules, and by standing in for the few steps that are no modules."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}  # by name
        self._moments: dict[str, Moments] = {}
        self._counted: set[int] = set()  # parameters
        self._known: dict[int, weakref.ref[Tensor]] = {}  # tensors noted
        self._experts: set[str] = set()  # modules that are experts

    def all(self) -> list[Seen]:
        """What was made, in order."""
        return [dataclasses.replace(seen, **self._moments[name].facts()) for name, seen in self._seen.items()]

    @contextlib.contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hooks and stand-ins on every part of a twin, and none afterwards."""
        with contextlib.ExitStack() as undo:
            for name, module in model.named_modules():
                if isinstance(module, Experts):
                    self._experts.add(name)
                if name:
                    hook = module.register_forward_hook(functools.partial(self._made_by, name))
                    undo.callback(hook.remove)
                if name in READ_IDS or name.endswith(TAKE_WHAT_NO_MODULE_GIVES):
                    hook = module.register_forward_pre_hook(functools.partial(self._enters, name))
                    undo.callback(hook.remove)
            if isinstance(model, Transformer):
                embedded = functools.partial(self._hear, "positions.embed")
                self._stand_in(undo, model.positions, "embed", embedded)
                self._stand_in(undo, model.positions, "rotation", self._turns)
                for index, block in enumerate(model.blocks):
                    names = (f"blocks.{index}.attention.join", f"blocks.{index}.feedforward.join")
                    self._stand_in(
                        undo, block, "join", *(functools.partial(self._hear, name) for name in names)
                    )
            yield

    def _stand_in(
        self, undo: contextlib.ExitStack, owner: nn.Module, step: str, *hear: Callable[[Any], None]
    ) -> None:
        """Let the first of `hear` hear of what the function `owner.step` gives when first called, and so on."""
        real: Callable[..., Any] = getattr(owner, step)
        was_own = step in vars(owner)
        coming = iter(hear)

        def heard(*arguments: Tensor) -> Any:
            out = real(*arguments)
            next(coming)(out)
            return out

        setattr(owner, step, heard)
        undo.callback((lambda: setattr(owner, step, real)) if was_own else (lambda: delattr(owner, step)))

    def _turns(self, rotation: Rotate) -> None:
        if isinstance(rotation, Rotation):
            self._hear("positions.cos", rotation.cos)
            self._hear("positions.sin", rotation.sin)

    def _made_by(self, name: str, module: nn.Module, inputs: Any, out: Any) -> None:
        if isinstance(out, Tensor) and out is not inputs[0]:  # what passes through unchanged is nothing new
            self._hear(name, out, module)

    def _enters(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        parent, _, own = name.rpartition(".")
        if name in READ_IDS:
            self._hear("ids", inputs[0])
        elif own == "out":
            self._hear(f"{parent}.joined", inputs[0])
        elif own == "down":
            self._hear(f"{parent}.hidden", inputs[0])
        elif parent in self._experts:
            # which experts, and how much of each: no module gives them
            local = _frame_of_the_model().f_locals
            for name in ("chosen", "weights"):
                self._hear(f"{parent}.{name}", local[name])
            self._hear(f"{parent}.sent", inputs[0])
            self._hear(f"{parent}.ends", inputs[1])

    def attended(self, name: str, tensor: Tensor) -> None:
        """Hears what attention's core was given, made and gave; scores and weights (h, T, T) a few heads at a time."""
        own = name.rpartition(".")[2]
        if own == "mask" and name in self._seen:
            return
        if own not in ("scores", "mask", "weights"):
            self._hear(name, tensor)
            return
        heads = len(tensor) + (self._seen[name].shape[1] if name in self._seen else 0)
        shape = (1, heads, *tensor.shape[1:]) if own != "mask" else tuple(tensor.shape)
        self._add(name, shape, 0, tensor)

    def _hear(self, name: str, tensor: Tensor, module: nn.Module | None = None) -> None:
        """Note a tensor, unless it was noted under another name."""
        known = self._known.get(id(tensor))
        if known is not None and known() is tensor:
            return
        self._known[id(tensor)] = weakref.ref(tensor)
        fresh = {id(p): p for p in (module.parameters(recurse=False) if module else ())}
        fresh = {key: p for key, p in fresh.items() if key not in self._counted}
        self._counted |= fresh.keys()
        self._add(name, tuple(tensor.shape), sum(p.numel() for p in fresh.values()), tensor)

    def _add(self, name: str, shape: tuple[int, ...], parameters: int, numbers: Tensor) -> None:
        """Note a tensor of this shape, some or all of whose numbers are these."""
        kind = BLOCK.sub("", name, count=1)
        parent, _, own = name.rpartition(".")
        if parent in self._experts and own in ("gate_up", "hidden", "down"):
            kind = f"feedforward.experts.{own}"
        self._seen[name] = Seen(name, kind, shape, parameters, _line_of_the_model(numbers))
        self._moments.setdefault(name, Moments()).add(numbers)


def _frame_of_the_model() -> FrameType:
    """Of the innermost function of the model room that is being executed."""
    frame = inspect.currentframe()
    while frame is not None:
        if _in_the_model_room(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    raise AssertionError("a tensor was heard of outside of the model's forward pass")


def _line_of_the_model(tensor: Tensor) -> str:
    """The statement that gave a tensor its name, where it has one already; else the one that is being executed."""
    frame = _frame_of_the_model()
    lines = _assignments(frame.f_code)
    names = [name for name, value in frame.f_locals.items() if value is tensor]
    made = [line for name in names for line in lines.get(name, ()) if line < frame.f_lineno]
    return f"{_in_the_model_room(frame.f_code.co_filename)}:{max(made, default=frame.f_lineno)}"


@functools.cache
def _assignments(code: CodeType) -> dict[str, list[int]]:
    """The lines of a function that always assign to each of its names: not those under an if, as of a cache."""
    source, start = inspect.getsourcelines(code)
    function = ast.parse(textwrap.dedent("".join(source))).body[0]
    lines: dict[str, list[int]] = {}
    for statement in function.body if isinstance(function, ast.FunctionDef) else ():
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    lines.setdefault(node.id, []).append(start + statement.lineno - 1)
    return lines


@functools.cache
def _in_the_model_room(file: str) -> str | None:
    """The file's name from the package's folder on; None of a file elsewhere."""
    path = Path(file)
    return path.relative_to(PACKAGE).as_posix() if path.parent == MODEL_ROOM else None
