"""How many requests look into models at once: views, and what else could have been said."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from pellucid.server.errors import Busy
from pellucid.server.limits import LOOKING, LOOKING_OR_WAITING


class Turnstile:
    """Lets a few threads compute at a time and some more wait, so that the others have threads left.

    Args:
        most_inside: that compute.
        most: that compute or wait.
    """

    def __init__(self, most_inside: int = LOOKING, most: int = LOOKING_OR_WAITING) -> None:
        self._inside, self._any = threading.Semaphore(most_inside), threading.Semaphore(most)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A place in the line; inside of it, `turn` waits for the computing itself.

        Raises:
            Busy: all places are taken.
        """
        if not self._any.acquire(blocking=False):
            raise Busy("many views are being computed: try again soon")
        try:
            yield
        finally:
            self._any.release()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Compute, as soon as few enough others do."""
        with self._inside:
            yield
