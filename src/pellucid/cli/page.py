"""The page beside other verbs: a training watched on it, and a new model shown on it."""

from __future__ import annotations

import argparse
import codecs
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pellucid.cli import console
from pellucid.cli.settings import as_arguments
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.server.house import House
    from pellucid.server.job import Job
    from pellucid.server.jobs import Jobs
    from pellucid.server.serve import PageServer
    from pellucid.training.run_folder import RunFolder

FOLLOW_SECONDS = 0.1


def show_page(run: RunFolder, device: str | None = None) -> None:
    """Open the page where one looks inside `run`, and serve it until Ctrl-C; where nobody sits, do nothing."""
    from pellucid.server.serve import may_open_browser, serve

    if may_open_browser():
        console.say()
        place = f"place=look&run={quote(run.name)}"
        serve([str(run.path)], device=device or "auto", say=console.say, place=place)
        console.next_step(f"pellucid serve {quoted(run.path)}")


def train_on_page(args: argparse.Namespace) -> int:
    """`pellucid train --page`: the same training in a process of its own, with the page beside it.

    Returns:
        The exit code of the training.
    """
    console.say("Loading…")
    from pellucid.server.house import RunsRoot
    from pellucid.server.jobs import Jobs
    from pellucid.server.serve import serve

    run = _run(args, Jobs(RunsRoot()))
    follower = Follower(_arguments(args, run), run)
    place = f"place=train&run={quote(run.name)}"
    serve(device=args.device or "auto", say=console.say, place=place, begin=follower.begin)
    follower.join()
    code = follower.job.code or 0
    if follower.has_begun:
        console.next_step(f"pellucid serve {quoted(run)}", f"pellucid sample {quoted(run)}")
    console.result(follower.result or {"run": str(run)}, args.json)
    return code


def _run(args: argparse.Namespace, jobs: Jobs) -> Path:
    """Where it will train."""
    from pellucid.text.files import expand_home
    from pellucid.text.sources import slug
    from pellucid.training.run_folder import find_run

    if args.resume:
        return find_run(args.out).path.resolve()
    if args.out:
        return expand_home(Path(args.out)).resolve()
    first = Path(args.text[0])
    more = f"-plus-{len(args.text) - 1}" if len(args.text) > 1 else ""
    return jobs.next_run(slug(first.stem if first.is_file() else first.name) + more)


def _arguments(args: argparse.Namespace, run: Path) -> list[str]:
    """The command that trains, as it was typed but for the page."""
    switches = {"--resume": args.resume, "--overwrite": args.overwrite, "--debug": args.debug}
    given = [name for name, value in switches.items() if value]
    given += [f"--track={name}" for name in args.track]
    given += [f"--track-dir={args.track_dir}"] if args.track_dir else []
    return ["train", "--json", f"--out={run}", *given, *as_arguments(args), "--", *args.text]


class Follower:
    """Starts a training and repeats in the terminal what it says, until it or the server ends."""

    job: Job

    def __init__(self, arguments: list[str], run: Path) -> None:
        self.arguments, self.run = arguments, run
        self.result: dict[str, object] | None = None
        self._thread: threading.Thread | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is a run."""
        from pellucid.training.run_folder import is_run

        return is_run(self.run)

    def begin(self, house: House, server: PageServer) -> None:
        self.job = house.jobs.command(self.arguments, self.run)
        self._thread = threading.Thread(target=self._follow, args=(house, server), daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _follow(self, house: House, server: PageServer) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end within a character
        with self.job.log.open("rb") as log:
            while not house.ending.wait(FOLLOW_SECONDS):
                ended = self.job.code is not None  # asked before reading: what is read then is all
                sys.stderr.write(decoder.decode(log.read(), ended))
                sys.stderr.flush()
                if ended:
                    break
        self.result = self.job.result()
        if house.ending.is_set():
            return
        if self.has_begun:
            console.say("The page stays until Ctrl-C.")
        else:
            server.should_exit = True  # there is nothing to be seen
