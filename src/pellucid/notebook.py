"""What `pellucid.load` gives: a run that can also be looked at, in a notebook or in any program.

It stands above the views of inspection/, which themselves are of loaded runs.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid import api
from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.text.html import table
from pellucid.training.report import loss_figure, parameters_text

if TYPE_CHECKING:
    from pellucid.figures import ShownFigure
    from pellucid.inspection.subject import Subject
    from pellucid.training.run_folder import RunFolder


class Run(LoadedRun):
    """A loaded run with pictures, and a table of what it is."""

    @cached_property
    def _subject(self) -> Subject:
        from pellucid.inspection.subject import Subject

        return Subject(self)

    def plot_loss(self) -> ShownFigure:
        """Every recorded loss against the tokens read, as in the run's loss.png, as it is now.

        Raises:
            InputError: it has recorded none, as an imported model.
        """
        if not any(self.folder.metrics()):
            raise InputError(f"{self.folder.name} has no losses to draw: it was not trained here")
        finished = self.folder.finished or {}
        return loss_figure(self.folder, finished.get("validation_loss"), finished.get("bigram_loss"))

    def show_attention(self, text: str, layer: int = 0, head: int = 0) -> ShownFigure:
        """Who looks at whom in one head, layers and heads counted from 0.

        Raises:
            InputError: there is no such layer or head, or the model has no attention.
        """
        from pellucid.inspection.attention_figure import attention_figure

        return attention_figure(self._subject, text, layer, head)

    def _facts(self) -> dict[str, str]:
        stored, finished = self.folder.config(), self.folder.finished or {}
        facts = {"model": parameters_text(self.model.config, self.tokenizer.n_reserved)}
        facts["context"] = f"{self.model.config.context_length:,} tokens"
        if self.folder.imported:
            facts["imported from"] = str(stored["imported"].get("source", "elsewhere"))
        elif name := stored["data"].get("name"):
            facts["learned from"] = str(name)
        facts["weights"] = self.kind if self.step is None else f"{self.kind}, of step {self.step:,}"
        if finished.get("validation_loss") is not None:
            bits = finished.get("validation_bits_per_byte")
            facts["validation"] = f"{finished['validation_loss']:.4f} nats a token, {bits:.3f} bits a byte"
        if finished.get("bigram_loss") is not None:
            facts["counted bigram"] = f"{finished['bigram_loss']:.4f} nats a token"
        return facts

    def __repr__(self) -> str:
        return f"<run {self.folder.name}: {'; '.join(f'{name} {value}' for name, value in self._facts().items())}>"

    def _repr_html_(self) -> str:
        return table(self.folder.name, self._facts())


def load(
    run: RunFolder | str | Path | None = None,
    device: str = "auto",
    step: int | str = "best",
    trust_code: bool = False,
) -> Run:
    """A run, to be used and looked at: the one at a path or of a name under `runs/`; with no name, the latest.

    Args:
        run: its path or name, or what a training gave as its `run`.
        device: "auto", "cpu", "cuda" or "mps".
        step: "best" on the dev split, "live" (of a training that goes on), or the step of a checkpoint.
        trust_code: whether a model of its own code is executed, although it was not trained here nor allowed.

    Raises:
        InputError: there is no such run or step, it is damaged, it has no weights yet, or it brings code of its own
            that nobody here has allowed.
    """
    loaded = api.load(run, device, step, trust_code)
    return Run(**{field.name: getattr(loaded, field.name) for field in dataclasses.fields(loaded)})
