"""Grow a small language model from your own words, on the machine you have, and see through it.

    import pellucid

    outcome = pellucid.train("book.txt", minutes=5)
    run = pellucid.load(outcome.run)
    print(run.generate("Once upon a time"), run.loss("Once upon a time there was a king."))

What is offered here is loaded when it is first used, so that `import pellucid` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.api import LoadedRun
    from pellucid.errors import InputError
    from pellucid.inspection.audit.audit import audit
    from pellucid.interop.exporting import export
    from pellucid.interop.importing import import_model
    from pellucid.model.config import ModelConfig
    from pellucid.notebook import Run, load
    from pellucid.text.sources import read
    from pellucid.training.conversations import ChatOptions
    from pellucid.training.finetune import LoRA, finetune
    from pellucid.training.report import Outcome
    from pellucid.training.train import resume, train

__version__ = "0.1.0"

_HOMES = {
    "ChatOptions": "pellucid.training.conversations",
    "InputError": "pellucid.errors",
    "LoRA": "pellucid.training.finetune",
    "LoadedRun": "pellucid.api",
    "ModelConfig": "pellucid.model.config",
    "Outcome": "pellucid.training.report",
    "Run": "pellucid.notebook",
    "audit": "pellucid.inspection.audit.audit",
    "export": "pellucid.interop.exporting",
    "finetune": "pellucid.training.finetune",
    "import_model": "pellucid.interop.importing",
    "load": "pellucid.notebook",
    "read": "pellucid.text.sources",
    "resume": "pellucid.training.train",
    "train": "pellucid.training.train",
}
__all__ = [
    "ChatOptions",
    "InputError",
    "LoRA",
    "LoadedRun",
    "ModelConfig",
    "Outcome",
    "Run",
    "audit",
    "export",
    "finetune",
    "import_model",
    "load",
    "read",
    "resume",
    "train",
]


if not TYPE_CHECKING:  # to a type checker a name that is not here is a mistake

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
