"""What each sequence of a batch still sees, read anew for every token: for models that keep no cache.

Shapes: B sequences, T tokens of a window, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.generation.rolling import window_start
from pellucid.model.own import OwnModel


class RereadWindows:
    """As RollingWindows, without a cache: windows of one length are read together, so that none needs padding.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: OwnModel, device: torch.device) -> None:
        self.model, self.device = model, device
        self.sequences: list[list[int]] = []

    def join(self, sequences: Sequence[list[int]], needs: Sequence[int]) -> None:
        """Let more sequences run along; how long they will become does not matter here."""
        self.sequences += sequences

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these sequences alone."""
        self.sequences = [self.sequences[row] for row in rows]

    def next_logits(self) -> Tensor:
        """Logits (B, V) of the token that follows each sequence."""
        context = self.model.config.context_length
        windows = [ids[window_start(len(ids), context) :] for ids in self.sequences]
        logits: dict[int, Tensor] = {}
        for length in sorted(set(map(len, windows))):
            rows = [row for row, window in enumerate(windows) if len(window) == length]
            ids = torch.tensor([windows[row] for row in rows], device=self.device)  # (rows, T)
            logits |= zip(rows, self.model(ids, last_only=True)[:, -1], strict=True)
        return torch.stack([logits[row] for row in range(len(windows))])
