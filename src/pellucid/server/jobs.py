"""Trainings and previews that are started from the page, each a process of its own.

What a job says goes to files, not through pipes: a training goes on when its server is killed. A server that ends in
peace asks its trainings to save and stop.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.server.errors import Conflict, NotFound
from pellucid.server.exports import Export
from pellucid.server.job import Job, Source, end, wait
from pellucid.server.scratch import Scratch
from pellucid.server.settings import as_flags, recipe_flags
from pellucid.server.uploads import Uploads
from pellucid.text.corpora.registry import CORPORA, is_named
from pellucid.text.sources import slug
from pellucid.training.run_folder import RunFolder, is_run

if TYPE_CHECKING:
    from pellucid.server.house import RunsRoot

MOST_PREVIEWS = 2  # at a time
MOST_KEPT = 50  # jobs that have ended
STOP_SECONDS = 30.0  # that a training is given to save when the server ends
KILL_SECONDS = 5.0  # that a preview is given


class Jobs:
    """The jobs of one server.

    Args:
        runs: where new runs are put.
        say: hears at the end what became of the trainings.
    """

    def __init__(self, runs: RunsRoot, say: Callable[[str], None] | None = None) -> None:
        self.runs = runs
        self.say = say or (lambda message: print(message, file=sys.stderr, flush=True))
        self.scratch = Scratch(runs.folder)
        self.uploads = Uploads(self.scratch)
        self._jobs: dict[str, Job] = {}
        self._starting = threading.Lock()

    # ------------------------------------------------------------------ starting

    def preview(self, source: Source, settings: dict[str, Any], chat: Export | None = None) -> Job:
        """Say what a text or a chat holds and what training on it would take.

        Args:
            chat: how a chat is read, and, where it names a base, what is to be forecast.

        Raises:
            InputError: the source or a setting is wrong. Conflict: enough previews run.
        """
        text, flags = self._text(source), as_flags(settings)
        if chat:
            flags += chat.flags()
        if chat and chat.base:
            flags += [f"--base={self.runs.run(chat.base).path}", *(["--lora"] if chat.lora else [])]
        with self._starting:
            if (
                sum(job.kind == "preview" and job.code is None for job in self._jobs.values())
                >= MOST_PREVIEWS
            ):
                raise Conflict("two previews are being made already: wait for one, or cancel it")
            job = self._launch("preview", ["preview", text, "--json", *flags])
            job.hidden = f"{Path(text).parent}{os.sep}" if source.upload else ""
            return job.asked(source, settings, chat.record() if chat else None)

    def train(self, source: Source, settings: dict[str, Any], name: str | None = None) -> Job:
        """Start a training in a new run.

        Args:
            name: of the run; left out, the text's with the next free number.

        Raises:
            InputError: the source, the name or a setting is wrong. Conflict: another training goes on, or there is
                a run of that name.
        """
        return self._begin("train", [], source, name, as_flags(settings)).asked(source, settings)

    def finetune(
        self, source: Source, settings: dict[str, Any], chat: Export, name: str | None = None
    ) -> Job:
        """Let a run learn on, from a chat or a text, into a new run.

        Raises:
            NotFound: there is no such base. InputError, Conflict: as `train`.
        """
        base = self.runs.run(chat.base)
        flags = [*chat.flags(), *recipe_flags(settings)]
        flags += [flag for flag, on in (("--lora", chat.lora), ("--anyway", chat.anyway)) if on]
        job = self._begin("finetune", [str(base.path)], source, name, flags)
        return job.asked(source, settings, chat.record())

    def _begin(self, verb: str, first: list[str], source: Source, name: str | None, flags: list[str]) -> Job:
        """Start `verb` on a copy of the text that is the new run's own; `first` stands before the text."""
        text = self._text(source)
        with self._starting:
            self._refuse_second()
            run = self._free(name) if name else self.next_run(_stem(source, text))
            run.mkdir(parents=True)
            try:
                if source.upload:
                    text = str(self.uploads.copy(source.upload, run))
                arguments = [verb, *first, text, "--out", str(run), "--json", *flags]
                return self._launch(verb, arguments, run, is_new=True)
            except BaseException:
                shutil.rmtree(run, ignore_errors=True)
                raise

    def resume(self, run: RunFolder, settings: dict[str, Any]) -> Job:
        """Go on with a run that has stopped.

        Raises:
            InputError: a setting is wrong. Conflict: another training goes on.
        """
        flags = as_flags(settings)
        with self._starting:
            self._refuse_second()
            return self._launch(
                "train", ["train", "--resume", "--out", str(run.path), "--json", *flags], run.path
            )

    def command(self, arguments: Sequence[str], run: Path) -> Job:
        """Start `pellucid train` as it was typed; it makes the run, or goes on with it."""
        with self._starting:
            self.runs.given[run.name] = RunFolder(run)  # wherever it lies
            return self._launch("train", arguments, run)

    def _launch(
        self, kind: str, arguments: Sequence[str], run: Path | None = None, is_new: bool = False
    ) -> Job:
        self._forget_old()
        id = secrets.token_hex(8)
        folder = self.scratch.folder("jobs") / id
        folder.mkdir()
        on_windows = os.name == "nt"  # Ctrl-C in the server's terminal is not for the job
        environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
        with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pellucid", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={**environment, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
                start_new_session=not on_windows,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) if on_windows else 0,
            )
        job = self._jobs[id] = Job(id, kind, process, folder, run, is_new)
        return job

    def _text(self, source: Source) -> str:
        if source.upload:
            return str(self.uploads.source(source.upload))
        corpus = source.corpus or ""
        if not is_named(corpus) or "NUMBER" in corpus:
            raise NotFound(f"there is no corpus {corpus!r}: choose one of {', '.join(CORPORA)}")
        return corpus

    def _refuse_second(self) -> None:
        for job in self._jobs.values():
            if job.trains and job.code is None:
                name = job.run.name if job.run else "a run"
                raise Conflict(
                    f"{name} is being trained already: two at once would slow each other; stop it first"
                )
        for run in self.runs.all():
            if run.in_use:
                raise Conflict(f"{run.name} is being trained already, from elsewhere: stop it first")

    def _free(self, name: str) -> Path:
        if slug(name) != name.lower() or name.startswith("."):
            raise Conflict(f"{name[:60]!r} is no name for a run: use up to 60 letters, digits, - and _")
        path = self.runs.folder / name
        if path.exists() or name in self.runs.given:
            raise Conflict(f"there is a run called {name} already: choose another name")
        return path

    def next_run(self, stem: str) -> Path:
        """A folder for a new run: `<stem>-<n>` with a number above all that are there."""
        ends = [path.name.removeprefix(f"{stem}-") for path in self.runs.folder.glob(f"{stem}-*")]
        number = max((int(end) for end in ends if end.isdecimal() and len(end) < 10), default=0) + 1
        return self.runs.folder / f"{stem}-{number}"

    # ------------------------------------------------------------------ looking and ending

    def all(self) -> list[Job]:
        """Newest first."""
        self._settle()
        return list(reversed(self._jobs.values()))

    def get(self, id: str) -> Job:
        """Raises: NotFound."""
        self._settle()
        if id not in self._jobs:
            raise NotFound("there is no such job: the server was restarted since, or it is long over")
        return self._jobs[id]

    def cancel(self, id: str) -> Job:
        """Ask a job to end; a training saves first. One that has ended stays as it is."""
        job = self.get(id)
        if job.code is None:
            job.cancelled = True
            job.ask_to_end()
            if job.kind == "preview":
                end(job, KILL_SECONDS)
        return job

    def of_run(self, path: Path) -> str | None:
        """The id of the last job that trained a run."""
        job = self._last_of(path)
        return job.id if job else None

    def problem_of_run(self, path: Path) -> str | None:
        """Why the last job that trained a run ended before its time."""
        job = self._last_of(path)
        return job.problem() if job else None

    def close(self) -> None:
        """Let trainings save and stop, end everything else, and remove what only this server needed."""
        running = [job for job in self.all() if job.code is None]
        for job in running:
            job.ask_to_end()
        trainings = [job for job in running if job.trains]
        if any(job.run and is_run(job.run) for job in trainings):
            self.say("Stopping the training and saving it …")
        for job in trainings:
            if wait(job, STOP_SECONDS):
                last = (job.lines() or ["stopped"])[-1].removeprefix("pellucid: ")
                self.say(f"{job.run.name if job.run else 'Training'}: {last}")
            else:  # a step takes long; it will end after it, saved
                self.say(f"{job.run} is still saving; it ends by itself.")
        for job in running:
            if job.kind == "preview":
                end(job, KILL_SECONDS)
        self._settle()
        self.scratch.close()

    def _last_of(self, path: Path) -> Job | None:
        path = path.resolve()
        jobs = list(self._jobs.values())  # at once: others may start meanwhile
        return next((job for job in reversed(jobs) if job.run and job.run.resolve() == path), None)

    def _settle(self) -> None:
        """Clear away what a training left that never became a run."""
        for job in list(self._jobs.values()):
            if job.code is not None and not job.settled:
                job.settled = True
                if job.is_new and job.run and not is_run(job.run):
                    shutil.rmtree(job.run, ignore_errors=True)

    def _forget_old(self) -> None:
        self._settle()
        ended = [job for job in self._jobs.values() if job.code is not None]
        for job in ended[: max(0, len(ended) - MOST_KEPT)]:
            del self._jobs[job.id]
            shutil.rmtree(job.folder, ignore_errors=True)


def _stem(source: Source, text: str) -> str:
    path = Path(text)
    return slug((path.name if path.is_dir() else path.stem) if source.upload else text)
