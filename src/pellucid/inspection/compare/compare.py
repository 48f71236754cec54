"""A whole comparison: what `pellucid compare` does.

One model at a time is trained, with all cores, contender by contender and seed by seed. What has been trained is in the
folder, known again by a key of everything that its figures hang on, and is not trained again.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pellucid
from pellucid.errors import InputError
from pellucid.inspection.compare.asked import Asked, find, own_name
from pellucid.inspection.compare.contender import Comparison, Contender
from pellucid.inspection.compare.folder import Folder, find_folder, new_folder
from pellucid.inspection.compare.material import Material, read_material
from pellucid.inspection.compare.report import one_line, write_report
from pellucid.inspection.compare.summary import Summary, summarise
from pellucid.inspection.compare.trial import Trial, make_trainer, prepare, refuse_at_once, run_trial
from pellucid.shell import quoted
from pellucid.text.wording import duration, plural
from pellucid.training.data import absolute_sources
from pellucid.training.forecast import seconds_per_step
from pellucid.training.machine import Machine, check_names, for_training, probe
from pellucid.training.observer import Observer

EVALUATION = 0.3  # of a step's time a token, what scoring one takes
Note = Callable[[str], None]
Progress = Callable[[str, float, float], None]
"""Hears what is being done, and how many seconds are done and left, by the forecast as it is now."""


@dataclasses.dataclass(frozen=True)
class Done:
    """A finished comparison: its folder, and what its trainings show."""

    folder: Path
    summary: Summary


def compare(
    asked: Asked,
    *,
    out: str | None = None,
    resume: bool = False,
    device: str = "auto",
    note: Note | None = None,
    progress: Progress | None = None,
) -> Done:
    """Train contenders alike, score them on one text, and say which differences are more than noise.

    Args:
        out: the folder; default the next free `comparisons/<name>-<n>`, on resuming the latest.
        resume: go on with a comparison: what it has trained is not trained again. `asked` may leave out what the
            folder knows, or ask for more seeds.
        note: hears sentences for a person.
        progress: hears how far it is.

    Raises:
        InputError: a name or a setting is wrong, or the text is not there or too short.
        KeyboardInterrupt: by Ctrl-C; says how to go on.
    """
    note, progress = note or (lambda _: None), progress or (lambda *_: None)
    check_names(device, "auto")
    folder = find_folder(out, own_name(asked.names) if asked.names else None) if resume else None
    try:
        stored = folder.read() if folder else {}
        asked = _taken_up(dataclasses.replace(asked, text=tuple(absolute_sources(asked.text))), stored)
        comparison = find(asked)
        budget = asked.budget(comparison)
        refuse_at_once(comparison, budget)
        material = read_material(asked.text, comparison.text, note)
        if stored and stored["text"]["fingerprint"] != material.corpus.fingerprint:
            raise InputError(
                f"the text is not what {folder.path if folder else ''} compares on: restore it, or leave out --resume"
            )
        machine = probe(device)
        note(f"Machine: {machine.describe()}.")
        trials = [prepare(comparison, each, material, machine, budget) for each in comparison.contenders]
        folder = folder or new_folder(out, own_name(asked.names))
        seeds = asked.seeds or comparison.seeds
        work = _Work(comparison, trials, seeds, budget, material, machine, folder, note, progress)
        return _carried_out(work, asked)
    finally:
        if folder:
            folder.unlock()


def _carried_out(work: _Work, asked: Asked) -> Done:
    """Keep what was asked for, do it, and keep what it shows."""
    folder, corpus = work.folder, work.material.corpus
    record = {
        "pellucid": pellucid.__version__,
        "asked": dataclasses.asdict(asked),
        "text": {"name": corpus.name, "fingerprint": corpus.fingerprint},
        "machine": dataclasses.asdict(work.machine),
    }
    folder.write(record)
    try:
        summary = work.carry_out()
    except KeyboardInterrupt as interruption:  # training's own kind speaks of a run
        work.report()
        raise KeyboardInterrupt(_how_to_go_on(folder)) from interruption
    folder.write({**record, "summary": summary.record()})
    return Done(folder.path, summary)


def _how_to_go_on(folder: Folder) -> str:
    kept = plural(len(folder.trainings()), "training")
    return (
        f"stopped; what is finished is kept in {folder.path} ({kept}). Go on with "
        f"`pellucid compare --resume --out {quoted(folder.path)}`"
    )


def _taken_up(asked: Asked, stored: dict[str, Any]) -> Asked:
    """What was asked for before, with what is asked for now laid over it."""
    if not stored:
        return asked
    before = stored["asked"]
    now = {name: value for name, value in dataclasses.asdict(asked).items() if value}
    if now.get("names") and list(now["names"]) != list(before["names"]):
        raise InputError(
            f"that comparison is of {', '.join(before['names']) or 'the ladder'}: leave out the names, or --resume"
        )
    if "steps" in now or "minutes" in now:
        before = {**before, "steps": 0, "minutes": 0.0}
    together = {**before, **now}
    return Asked(**{**together, "names": tuple(together["names"]), "text": tuple(together["text"])})


# ---------------------------------------------------------------------- the trainings


@dataclasses.dataclass
class _Work:
    comparison: Comparison
    trials: list[Trial]
    seeds: int
    budget: dict[str, Any]
    material: Material
    machine: Machine
    folder: Folder
    note: Note
    progress: Progress

    def carry_out(self) -> Summary:
        """Train what has not been trained, and report on all.

        Raises:
            KeyboardInterrupt: by Ctrl-C; what is finished is in the folder.
        """
        kept = self.folder.trainings()
        missing = [
            (trial, seed)
            for trial in self.trials
            for seed in self.seeds_of(trial.contender)
            if trial.key(seed) not in kept
        ]
        self._train(missing, kept)
        summary = self.report()
        assert summary is not None, "all are finished"
        return summary

    def report(self) -> Summary | None:
        """Write the report of the contenders that are finished, up to the first that is not; of none, nothing."""
        kept = self.folder.trainings()
        finished = list(
            itertools.takewhile(
                lambda trial: all(trial.key(seed) in kept for seed in self.seeds_of(trial.contender)),
                self.trials,
            )
        )
        if not finished:
            return None
        contenders = tuple(trial.contender for trial in finished)
        trainings = {
            trial.contender.name: [kept[trial.key(seed)] for seed in self.seeds_of(trial.contender)]
            for trial in finished
        }
        comparison = dataclasses.replace(self.comparison, contenders=contenders)
        summary = summarise(comparison, finished, trainings, self.budget, self.material.corpus.name)
        write_report(self.folder, summary)
        return summary

    def seeds_of(self, contender: Contender) -> range:
        """What is counted comes out the same every time."""
        return range(1 if contender.counted else self.seeds)

    def _train(self, missing: list[tuple[Trial, int]], kept: dict[str, dict[str, Any]]) -> None:
        expected = self._expected([trial for trial, _ in missing])
        self._forecast([trial for trial, _ in missing], sum(expected.values()))
        clock = _Clock(sum(expected.values()))
        for trial, seed in missing:
            name, seconds = trial.contender.name, expected[id(trial), clock.number]

            def stepped(step: int, total: int, loss: float, name: str = name, seed: int = seed) -> None:
                share = step / max(1, total)
                what = f"{name}, seed {seed}: step {step:,}/{total:,}  loss {loss:.3f}"
                self.progress(what, *clock.at(share * seconds))  # noqa: B023

            given = (self.comparison, self.material, self.machine)
            training = run_trial(trial, seed, *given, stepped, sample=seed == 0)
            self.folder.add(training)
            kept[training["key"]] = training
            clock.finish(seconds)
            last = seed == self.seeds_of(trial.contender)[-1]
            if last:
                own = [kept[trial.key(each)] for each in self.seeds_of(trial.contender)]
                self.note(one_line(trial.contender.name, own))

    def _expected(self, trials: list[Trial]) -> dict[tuple[int, int], float]:
        """Seconds that each training will take, in order.

        Two are measured, the one with the fewest and the one with the most operations; the others lie between.
        """
        trained = sorted(
            (trial for trial in trials if not trial.contender.counted), key=lambda trial: trial.flops
        )
        if not trained:
            return {(id(trial), number): 0.0 for number, trial in enumerate(trials)}
        low, high = trained[0], trained[-1]
        fast = self._step_seconds(low)
        slow = self._step_seconds(high) if high.flops > low.flops else fast
        expected = {}
        for number, trial in enumerate(trials):
            share = (trial.flops - low.flops) / max(1, high.flops - low.flops)
            step = 0.0 if trial.contender.counted else fast + share * (slow - fast)
            expected[id(trial), number] = self._training_seconds(trial, step)
        return expected

    def _step_seconds(self, trial: Trial) -> float:
        with (
            tempfile.TemporaryDirectory(prefix="pellucid-compare-") as path,
            for_training(self.machine.device),
        ):
            return seconds_per_step(make_trainer(trial, 0, self.machine, Observer(), Path(path)))

    def _training_seconds(self, trial: Trial, step: float) -> float:
        """Its steps, and the scoring of the validation text."""
        if trial.contender.counted:
            return 0.0
        if trial.training.minutes:
            training = 60 * trial.training.minutes
        else:
            training = step * (trial.training.planned_steps(1, trial.window) or 1)
        per_token = step / (trial.training.batch_size * trial.window)
        return training + EVALUATION * per_token * len(trial.data.validation)

    def _forecast(self, missing: list[Trial], seconds: float) -> None:
        trained = [trial for trial in self.trials if not trial.contender.counted]
        n_missing = sum(not trial.contender.counted for trial in missing)
        n_kept = len(trained) * self.seeds - n_missing
        kept = f" ({n_kept} are kept from before)" if n_kept else ""
        size = trained[0].training.budget if trained else ("steps", 0)
        each = f"{size[1]:,} steps" if size[0] == "steps" else f"{size[1]:g} minutes"
        self.note(
            f"Forecast: {plural(len(self.trials), 'contender')}, {plural(self.seeds, 'seed')}; "
            f"{plural(n_missing, 'training')} of {each}{kept}, about {duration(seconds)} in all."
        )


class _Clock:
    """The seconds that are left: those forecast, at the speed that the finished trainings really had."""

    def __init__(self, expected: float) -> None:
        self.expected, self.done, self.number = expected, 0.0, 0
        self.began = time.monotonic()

    def at(self, under_way: float) -> tuple[float, float]:
        """Seconds done and left when so many forecast seconds of the current training are over."""
        passed = time.monotonic() - self.began
        forecast = self.done + under_way
        pace = passed / forecast if forecast > 0 and passed > 1 else 1.0
        return passed, max(0.0, self.expected - forecast) * pace

    def finish(self, seconds: float) -> None:
        self.done += seconds
        self.number += 1
