"""A training that leaves nothing on the disk but its journal: for models that are measured, and then let go."""

from __future__ import annotations

from pellucid.training.loop import Trainer


class Unsaved(Trainer):
    """Keeps its weights in memory: what is private, or soon forgotten, is not written."""

    def save(self) -> None:
        pass

    def _publish_as(self, step: int) -> None:
        pass
