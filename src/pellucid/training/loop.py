"""The training loop: the one place where weights change.

Everything it decides is a function of the seed, the step and the journal. At each step boundary it may evaluate,
sample and save, none of which touches the random states that training draws from. Of several processes all run this
loop; what hangs on a clock or on a person the first one decides (`_decide`).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import torch

from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.model.experts import adjust_biases
from pellucid.model.transformer import LanguageModel
from pellucid.training import average
from pellucid.training.average import AveragedWeights
from pellucid.training.checkpoints import Checkpoint, Progress
from pellucid.training.compiling import uncompiled
from pellucid.training.config import TrainConfig
from pellucid.training.control import Control
from pellucid.training.data import TrainingData
from pellucid.training.distributed import full
from pellucid.training.evaluation import Score
from pellucid.training.failures import Diverged, OutOfMemory, diverged, interrupted, telling_out_of_memory
from pellucid.training.gradients import Batches, BatchLoss, fill_gradients
from pellucid.training.machine import Machine
from pellucid.training.observer import EvalReport, Observer, StepReport
from pellucid.training.optimizers import Optimizers, build_optimizers
from pellucid.training.publishing import publish, publish_again, publish_copy
from pellucid.training.randomness import gathered_states, seed_all, take_up_states
from pellucid.training.ranks import ALONE, Ranks
from pellucid.training.replies import ReplyData
from pellucid.training.run_folder import RunFolder
from pellucid.training.schedules import Pace, rate_multiplier
from pellucid.training.signals import Interruption
from pellucid.training.timing import Speed
from pellucid.training.weights import checkpoint_weights, load_checkpoint_weights

CHECKPOINT_SECONDS = 60.0
TRAIN_SAMPLE_SHARE = 0.5  # of eval_tokens
LEAST_TRAIN_SAMPLE = 1024  # tokens, where there is hardly a dev split
METRICS_LINES = 10_000  # of a run, at most about


class Trainer:
    """Trains `model` inside `run` until its budget is spent.

    Args:
        run: a locked run folder whose config.json is written.
        machine: device and precision, resolved.
        total_steps: the first plan; `config.minutes` lets the clock change it later.
        ranks: the processes that train together; of one that is not the first, `run` is a RunElsewhere.
    """

    def __init__(
        self,
        run: RunFolder,
        model: LanguageModel,
        data: TrainingData | ReplyData,
        config: TrainConfig,
        machine: Machine,
        total_steps: int,
        observer: Observer,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks = ranks
        self.run, self.model, self.data, self.config = run, model, data, config
        self.machine, self.observer = machine, observer
        self.control = Control(run)
        self.progress = Progress()
        length = config.window_of(model.config.context_length)
        self.windows: Batches = data.batches(length, config.seed)
        self.evaluator: Any = data.evaluator(length)  # each kind of data has its own kind of parts
        limit = config.eval_tokens or data.n_dev or 100_000
        self.dev: Any = data.dev_part(config.eval_tokens)
        self.train_sample: Any = data.train_part(max(int(limit * TRAIN_SAMPLE_SHARE), LEAST_TRAIN_SAMPLE))
        betas = (config.beta1, config.beta2)
        self.optimizers: Optimizers = build_optimizers(
            model, config.optimizer, config.lr, betas, config.weight_decay, machine.precision
        )
        self.average = AveragedWeights(model, config.ema)
        self.pace = Pace(total_steps)
        self.warmup_steps = 0
        self.replayed_to = -1  # the clock decides nothing at steps the journal already speaks of
        self.stop_early = False
        self._last_save = time.monotonic()
        self._speed = Speed(config.minutes, config.eval_every, self._last_save)
        self._saved_step = -1  # of the newest checkpoint

    # ------------------------------------------------------------------ starting and resuming

    def start(self) -> None:
        """Write the first plan, unless the journal has it from a start that did not get far; seed the random states."""
        if not self.run.journal.of("plan"):
            total = self.pace.total_steps(0)
            warmup = min(self.config.warmup_steps, total // 10)
            self.run.journal.write("plan", step=0, total_steps=total, warmup_steps=warmup)
            if warmup < self.config.warmup_steps != TrainConfig.warmup_steps:
                self.observer.note(f"Warm-up is cut to a tenth of the plan: {warmup} steps.")
        self._replay_plans()
        self._rewind_records()
        seed_all(self.ranks, self.config.seed)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up a checkpoint and the journal's plans."""
        random = {k: v for k, v in checkpoint.optimizer.items() if k.startswith("random/")}
        extra = ("random/", average.PREFIX)
        state = {k: v for k, v in checkpoint.optimizer.items() if not k.startswith(extra)}
        load_checkpoint_weights(self.model, checkpoint.model, f"checkpoint {checkpoint.step}")
        self.optimizers.load_state_tensors(state)
        self.average.load_state_tensors(checkpoint.optimizer)
        self.progress = Progress(**checkpoint.trainer["progress"])
        self._replay_plans()
        self._rewind_records()
        publish_again(self.run, self.model, self.progress.best_step, self.ranks)
        numbers = checkpoint.trainer["random"]
        take_up_states(self.ranks, random, numbers, self.config.seed, checkpoint.step)
        self._saved_step = checkpoint.step

    def _replay_plans(self) -> None:
        for entry in self.run.journal.entries:
            if entry["event"] in ("plan", "extension"):
                change = self.pace.change if entry["event"] == "plan" else self.pace.extend
                change(entry["step"], entry["total_steps"])
                self.warmup_steps = entry.get("warmup_steps", self.warmup_steps)
            self.replayed_to = max(self.replayed_to, entry.get("step", -1))

    def _rewind_records(self) -> None:
        self.run.rewind_metrics(self.progress.step)
        self.run.rewind_samples(self.progress.step)

    def extend(self, total_steps: int) -> None:
        """A resumed run is given more (or fewer) steps than it was."""
        step = self.progress.step
        self.run.journal.write("extension", step=step, total_steps=total_steps)
        self.pace.extend(step, total_steps)
        self.observer.planned(step, total_steps)

    # ------------------------------------------------------------------ the loop

    def train(self) -> None:
        """Run to the end of the budget.

        Raises:
            Interrupted: by SIGINT, SIGTERM or `Control.stop`, after saving.
            Diverged: before the optimizer step that would have spoiled the weights, after saving.
            OutOfMemory: after saving; of several processes at once, and the last checkpoint stands.
            OSError: the disk is full or fails; the last checkpoint stands.
        """
        self.model.train()
        offset = self.progress.seconds - time.monotonic()
        with Interruption() as interruption:
            while True:
                step = self.progress.step
                self.progress.seconds = time.monotonic() + offset
                if self.pace.evaluation_due(step, self.config.eval_every):
                    self.save()
                    with self.average.applied():
                        self._evaluate()
                    began, self.progress.seconds = self.progress.seconds, time.monotonic() + offset
                    self._speed.evaluated(self.progress.seconds - began)
                if self.stop_early or step >= self.pace.total_steps(step):
                    break
                stop, asked, save, total = self._decide(interruption.asked)
                if save:
                    self.save()
                if asked:
                    paused, obeyed = self._obey(interruption)
                    offset -= paused
                    stop = stop or obeyed
                if stop:
                    self._stop()
                if total:
                    self._plan(step, total)
                self._step(offset)
        self.save()
        self._publish_if_none()

    def _decide(self, interrupted: bool) -> tuple[bool, bool, bool, int]:
        """What comes before the next step, the same for all processes: one small message.

        Returns:
            whether any was told to stop; and, as the first decides, whether something is asked for from outside,
            whether a checkpoint is due, and the steps of a new plan, 0 where the old one holds.
        """
        own = [interrupted, False, False, 0]
        if self.ranks.is_first:
            own[1:] = self.control.asked(), self._checkpoint_due(self.progress.step), self._new_total()
        stop, asked, save, total = map(int, self.ranks.sums(own))
        return bool(stop), bool(asked), bool(save), total

    def _obey(self, interruption: Interruption) -> tuple[float, bool]:
        """Do what is asked for; gives the seconds paused, which nothing counts, and whether to stop."""
        step, note = self.progress.step, self.observer.note

        def obey(together: Callable[[str], Callable[[], None]]) -> tuple[float, bool]:
            save, copy = together("save"), together("copy")
            paused = self.control.obey(interruption, step, save, copy, note)
            return paused, interruption.asked

        paused, stop = self.ranks.led(obey, {"save": self.save, "copy": self._copy_weights})
        self._last_save += paused
        self._speed.paused(paused)
        return paused, stop

    def _copy_weights(self) -> None:
        with self.average.applied():
            publish_copy(self.run, self.model, self.progress.step, self.ranks)

    def _stop(self) -> None:
        """Raises: Interrupted, after saving."""
        self.save()
        self._publish_if_better()
        raise interrupted(self.run.path, self.progress.step)

    def _step(self, offset: float) -> None:
        """One optimizer step, from `accumulate` micro-batches."""
        config, progress = self.config, self.progress
        multiplier = rate_multiplier(
            config.schedule,
            self.pace.progress(progress.step),
            progress.step,
            self.warmup_steps,
            config.min_lr / config.lr,
            config.warmup_start,
        )
        self.optimizers.set_rate(multiplier)
        random = torch.get_rng_state()
        try:
            batch = self.gradients(progress.windows)
            norm = self._gradient_norm()
            if not (math.isfinite(batch.loss) and math.isfinite(norm)):
                raise diverged(batch.loss, norm, multiplier * config.lr, config, self.machine)
        except (OutOfMemory, Diverged) as error:
            if isinstance(error, OutOfMemory) and self.ranks.world > 1:
                raise  # the others are in the midst of the step: what was saved before stands
            torch.set_rng_state(random)  # the step was not taken: it draws the same numbers when it is
            self.save()
            self._publish_if_none()
            said = f"at step {progress.step + 1} {error}; step {progress.step} is saved"
            raise type(error)(said) from error
        self.optimizers.step()
        adjust_biases(self.model)

        progress.step += 1
        progress.windows += config.batch_size
        progress.tokens += batch.n_tokens
        progress.seconds = time.monotonic() + offset
        self.average.update(progress.step)
        self._report(batch, norm, multiplier * config.lr)

    def gradients(self, first_window: int) -> BatchLoss:
        """Fill the gradients of one batch's mean loss.

        Raises:
            OutOfMemory: says how the batch would fit.
        """
        given = (self.model, self.windows, first_window, self.config, self.machine, self.ranks)
        with telling_out_of_memory(self.model, self.config, self.machine):
            return fill_gradients(*given)

    def _gradient_norm(self) -> float:
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        limit = self.config.clip or math.inf
        return float(full(torch.nn.utils.clip_grad_norm_(parameters, limit)))

    def _new_total(self) -> int:
        """The steps of a new plan, where the clock asks for one; else 0."""
        if self.progress.step <= self.replayed_to:
            return 0
        return self._speed.new_total(self.progress, self.pace, time.monotonic())

    def _plan(self, step: int, total_steps: int) -> None:
        self.run.journal.write("plan", step=step, total_steps=total_steps)
        self.pace.change(step, total_steps)
        self.observer.planned(step, total_steps)

    # ------------------------------------------------------------------ evaluating and saving

    def _checkpoint_due(self, step: int) -> bool:
        if step == self._saved_step:
            return False
        if self.config.checkpoint_every:
            return step % self.config.checkpoint_every == 0
        return time.monotonic() - self._last_save > CHECKPOINT_SECONDS

    def _evaluate(self) -> None:
        progress = self.progress
        dev = self._dev_score()
        train = self._score(self.train_sample)
        best = dev is None or dev.loss < progress.best_loss
        if best:
            progress.best_loss = dev.loss if dev else train.loss
            progress.best_step = progress.step
            progress.evaluations_since_best = 0
            self._publish_as(self.progress.step)
        else:
            progress.evaluations_since_best += 1
        patience = self.config.patience
        self.stop_early = bool(patience) and progress.evaluations_since_best >= patience
        report = EvalReport(progress.step, progress.tokens, progress.seconds, dev, train, best)
        self.run.append_metrics(report.record())
        self.observer.evaluated(report)
        if self.stop_early:
            self.observer.note(f"No better dev loss in {patience} evaluations: stopping early.")
        self._sample()

    def _dev_score(self) -> Score | None:
        """None where there is no dev split, or too little of one."""
        score = self._score(self.dev)
        return score if score.n_tokens else None

    def _score(self, part: Any) -> Score:
        device, precision = self.machine.device, self.machine.precision
        return self.evaluator.score(self.model, part, device, precision, self.ranks)

    def _sample(self) -> None:
        config = self.config
        if not config.sample_tokens:
            return
        options = SamplingOptions(
            temperature=config.sample_temperature, max_tokens=config.sample_tokens, seed=config.seed
        )
        with uncompiled(), self.ranks.lockstep(self.model) as takes_part:
            if not takes_part:
                return
            engine = Engine(self.model, self.data.tokenizer, self.machine.device)
            text = self.data.sample(engine, config, options)
        self.run.append_sample(self.progress.step, text)
        self.observer.sampled(self.progress.step, text)

    def save(self) -> None:
        """Publish a checkpoint of this moment, unless this step has one already."""
        tensors, numbers = gathered_states(self.ranks)
        state = {**self.optimizers.state_tensors(), **self.average.state_tensors(), **tensors}
        path = self.run.checkpoints.save(
            Checkpoint(
                step=self.progress.step,
                model=self.ranks.whole(checkpoint_weights(self.model)),
                optimizer=self.ranks.whole(state),
                trainer={"progress": dataclasses.asdict(self.progress), "random": numbers},
            ),
            keep_also=self.progress.best_step,
        )
        self._last_save, self._saved_step = time.monotonic(), self.progress.step
        self.observer.saved(path)

    def _publish_if_none(self) -> None:
        if not self.ranks.agree(self.run.model_path.exists()):
            with self.average.applied():
                self._publish_as(self.progress.step)

    def _publish_if_better(self) -> None:
        """Let who stops the run early have what it learned since the last evaluation; resuming takes it back."""
        with self.average.applied():
            dev = self._dev_score()
            if dev is None or dev.loss < self.progress.best_loss:
                self._publish_as(self.progress.step)

    def _publish_as(self, step: int) -> None:
        """Make the weights of this moment the run's own."""
        publish(self.run, self.model, step, self.ranks)

    # ------------------------------------------------------------------ reports

    def _report(self, batch: BatchLoss, norm: float, rate: float) -> None:
        progress = self.progress
        speed = self._speed.stepped(progress)
        total = self.pace.total_steps(progress.step)
        report = StepReport(progress.step, total, progress.tokens, progress.seconds, rate, batch, norm, speed)
        if progress.step % (1 + total // METRICS_LINES) == 0:
            self.run.append_metrics(report.record())
        self.observer.stepped(report)
