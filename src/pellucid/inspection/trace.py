"""Every tensor that a forward pass makes, in the order it makes them, and the line that made it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

import pellucid.model
from pellucid.inspection.capture import Way, run
from pellucid.model.experts import Experts
from pellucid.model.transformer import Transformer

if TYPE_CHECKING:
    from pellucid.inspection.subject import Subject

MODEL_ROOM = Path(pellucid.model.__file__).parent
PACKAGE = MODEL_ROOM.parent
BLOCK = re.compile(r"blocks\.\d+\.")


@dataclasses.dataclass(frozen=True)
class Seen:
    """A tensor that was made.

    Args:
        name: where in the model: `blocks.0.attention.qkv`.
        kind: the name without its block; of the experts' own layers, with `experts` before it.
        parameters: of the layer that made it, those counted nowhere before.
        source: file and line, from the package's folder on, of the statement of the model that made it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    source: str


def trace(subject: Subject, ids: tuple[int, ...]) -> list[Seen]:
    """What a forward pass over `ids` makes, as the model was trained."""
    tracer = _Tracer()
    with subject.lock, tracer.watching(subject.twin):
        run(subject.twin, ids, Way.of(subject.config), subject.device, tracer.attended)
    return tracer.seen


class _Tracer:
    """Hears of tensors by hooks on modules, and by standing in for the few steps that are no modules."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._counted: set[int] = set()  # parameters
        self._known: dict[int, weakref.ref[Tensor]] = {}  # tensors noted
        self._experts: set[str] = set()  # modules that are experts

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
                if name.endswith((".down", "feedforward.gate_up")):
                    hook = module.register_forward_pre_hook(functools.partial(self._enters, name))
                    undo.callback(hook.remove)
            if isinstance(model, Transformer):
                self._stand_in(undo, model.positions, "embed", "positions.embed")
                for index, block in enumerate(model.blocks):
                    names = (f"blocks.{index}.attention.join", f"blocks.{index}.feedforward.join")
                    self._stand_in(undo, block, "join", *names)
            yield

    def _stand_in(self, undo: contextlib.ExitStack, owner: nn.Module, step: str, *names: str) -> None:
        """Hear of what the function `owner.step` gives, its first call by the first of `names`, and so on."""
        real: Callable[..., Tensor] = getattr(owner, step)
        was_own = step in vars(owner)
        coming = iter(names)

        def heard(*arguments: Tensor) -> Tensor:
            out = real(*arguments)
            self._hear(next(coming), out)
            return out

        setattr(owner, step, heard)
        undo.callback((lambda: setattr(owner, step, real)) if was_own else (lambda: delattr(owner, step)))

    def _made_by(self, name: str, module: nn.Module, inputs: Any, out: Any) -> None:
        if isinstance(out, Tensor) and out is not inputs[0]:  # what passes through unchanged is nothing new
            self._hear(name, out, module)

    def _enters(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        parent, _, own = name.rpartition(".")
        if own == "down":
            self._hear(f"{parent}.hidden", inputs[0])
        elif parent in self._experts:
            self._hear(f"{parent}.sent", inputs[0])

    def attended(self, name: str, tensor: Tensor) -> None:
        """Hears what attention's core was given and gave."""
        if name.endswith(".mixed"):
            length = tensor.shape[2]
            square = (*tensor.shape[:2], length, length)  # (B, H, T, T)
            for step in ("scores", "weights"):
                self._add(name.replace("mixed", step), square, 0)
        self._hear(name, tensor)

    def _hear(self, name: str, tensor: Tensor, module: nn.Module | None = None) -> None:
        """Note a tensor, unless it was noted under another name."""
        known = self._known.get(id(tensor))
        if known is not None and known() is tensor:
            return
        self._known[id(tensor)] = weakref.ref(tensor)
        fresh = {id(p): p for p in (module.parameters(recurse=False) if module else ())}
        fresh = {key: p for key, p in fresh.items() if key not in self._counted}
        self._counted |= fresh.keys()
        self._add(name, tuple(tensor.shape), sum(p.numel() for p in fresh.values()))

    def _add(self, name: str, shape: tuple[int, ...], parameters: int) -> None:
        kind = BLOCK.sub("", name, count=1)
        parent, _, own = name.rpartition(".")
        if parent in self._experts and own in ("gate_up", "hidden", "down"):
            kind = f"feedforward.experts.{own}"
        self.seen.append(Seen(name, kind, shape, parameters, _line_of_the_model()))


def _line_of_the_model() -> str:
    """The innermost statement in the model room that is being executed."""
    frame = inspect.currentframe()
    while frame is not None:
        if file := _in_the_model_room(frame.f_code.co_filename):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    raise AssertionError("a tensor was heard of outside of the model's forward pass")


@functools.cache
def _in_the_model_room(file: str) -> str | None:
    """The file's name from the package's folder on; None of a file elsewhere."""
    path = Path(file)
    return path.relative_to(PACKAGE).as_posix() if path.parent == MODEL_ROOM else None
