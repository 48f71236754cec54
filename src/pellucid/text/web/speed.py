"""How far a long download has come: a line now and then, none for a short one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pellucid.text.wording import size

if TYPE_CHECKING:
    from pellucid.text.documents import Progress

SECONDS = 2.0  # before the first line, and between two at least
MOST_SECONDS = 30.0  # between two: the longer it takes, the rarer the lines


class SpeedLines:
    """`fetching NAME: 12.3 of 22.5 MB, 4.1 MB/s, 3 s left`."""

    def __init__(self, name: str, progress: Progress | None, n_bytes: int, total: int | None) -> None:
        """`n_bytes` are here already, of `total` if that is known."""
        self.name, self.progress, self.total = name, progress, total
        self.n_bytes_before = n_bytes
        self.started = time.monotonic()
        self.next_line = self.started + SECONDS

    def say(self, n_bytes: int) -> None:
        """`n_bytes` are here now."""
        now = time.monotonic()
        if self.progress is None or now < self.next_line:
            return
        elapsed = now - self.started
        self.next_line = now + max(SECONDS, min(elapsed / 10, MOST_SECONDS))
        speed = (n_bytes - self.n_bytes_before) / elapsed
        line = f"fetching {self.name}: {size(n_bytes, self.total)}, {size(speed)}/s"
        if self.total and speed:
            line += f", {_roughly((self.total - n_bytes) / speed)} left"
        self.progress(line)


def _roughly(seconds: float) -> str:
    """Coarser than `duration`: what is left of a download is a guess."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
