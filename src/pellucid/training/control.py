"""How a training is spoken to while it goes on: empty files in its run folder, looked for between steps.

Whoever wants something makes `control/pause`, `control/stop` or `control/weights`, from any process; the trainer
answers with `control/paused`, by ending, or with `live.safetensors`. As long as nobody asks there is no folder
`control`, and looking costs one question to the file system.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.errors import InputError

if TYPE_CHECKING:
    from pellucid.training.run_folder import RunFolder
    from pellucid.training.signals import Interruption

POLL_SECONDS = 0.1  # between two looks of a paused training
WEIGHTS_SECONDS = 30.0  # that a step may last, for who waits for weights


class Control:
    """Asks something of the training in `run`, or finds out, inside of it, what was asked."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.folder = run.path / "control"
        self._folder = str(self.folder)

    # ------------------------------------------------------------------ asking

    def pause(self) -> None:
        """Save and wait, until `resume` or `stop`; the time does not count."""
        self._ask("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        self._path("pause").unlink(missing_ok=True)

    def stop(self) -> None:
        """Save and end, as Ctrl-C does."""
        self._ask("stop")

    def want_weights(self) -> None:
        """Copy the weights of the next step boundary to live.safetensors."""
        self._ask("weights")

    def fetch_weights(self, seconds: float = WEIGHTS_SECONDS) -> Path:
        """Want weights and wait for them; returns where they are.

        Raises:
            InputError: nobody trains there, the training ended, or a step lasts longer than `seconds`.
        """
        path = self.run.live_path
        if not self.run.in_use:
            raise InputError(
                f"no training goes on in {self.run.path}: take its best weights, or a checkpoint"
            )
        before = _identity(path)
        self.want_weights()
        end = time.monotonic() + seconds
        while _identity(path) in (None, before) or self._path("weights").exists():
            if not self.run.in_use:
                raise InputError(f"the training of {self.run.name} has ended: take its best weights")
            if time.monotonic() > end:
                raise InputError(
                    f"the training of {self.run.name} has not reached a next step in {seconds:.0f} s: "
                    "try again, or take its best weights"
                )
            time.sleep(0.02)
        return path

    @property
    def paused(self) -> bool:
        """Whether the training waits, with everything saved. Of a killed one this says nothing: see `in_use`."""
        return self._path("paused").exists()

    @property
    def pausing(self) -> bool:
        """Whether a pause is asked for, and perhaps not reached yet."""
        return self._path("pause").exists()

    @property
    def stopping(self) -> bool:
        """Whether a stop is asked for."""
        return self._path("stop").exists()

    # ------------------------------------------------------------------ inside the training

    def asked(self) -> bool:
        """Whether anything is asked for; cheap enough for every step."""
        return os.access(self._folder, os.F_OK)

    def obey(
        self,
        interruption: Interruption,
        step: int,
        save: Callable[[], None],
        copy_weights: Callable[[], None],
        note: Callable[[str], None],
    ) -> float:
        """Do what is asked for, between two steps; a wish to stop becomes `interruption.asked`.

        Returns:
            The seconds spent paused.
        """
        self._give_weights(copy_weights, note)
        seconds = 0.0
        if self.pausing and not self.stopping:
            save()
            began = time.monotonic()
            note(f"Paused at step {step:,}; everything is saved.")
            self._ask("paused")
            while self.pausing and not (self.stopping or interruption.asked):
                self._give_weights(copy_weights, note)
                time.sleep(POLL_SECONDS)
            self._path("paused").unlink(missing_ok=True)
            seconds = time.monotonic() - began
            if not (self.stopping or interruption.asked):
                note("Going on.")
        interruption.asked |= self.stopping
        with contextlib.suppress(OSError):  # where somebody asks for something more
            self.folder.rmdir()  # looking is cheapest when it is not there
        return seconds

    def _give_weights(self, copy_weights: Callable[[], None], note: Callable[[str], None]) -> None:
        wish = self._path("weights")
        if not wish.exists():
            return
        wish.unlink(missing_ok=True)  # before copying: who asks from now on may want the copy after this one
        try:
            copy_weights()
        except OSError as error:  # to look is no reason to end a training
            note(f"The weights could not be copied for looking at: {error.strerror or error}.")

    def clear(self) -> None:
        """Remove all wishes and answers: before a training begins, of one that was killed, and when it ends."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.run.live_path.unlink(missing_ok=True)

    # ------------------------------------------------------------------ files

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _ask(self, name: str) -> None:
        for _ in range(100):
            try:
                self.folder.mkdir(exist_ok=True)
                self._path(name).touch()
                return
            except FileNotFoundError:  # the trainer removed the empty folder just now, or the run is gone
                if not self.run.path.is_dir():
                    break
        raise InputError(f"{self.run.path} is not there any more: choose another run")


def _identity(path: Path) -> tuple[int, int] | None:
    """Tells one version of a file from the next; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
