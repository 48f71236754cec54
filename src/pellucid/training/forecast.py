"""What a run will take, measured and said before it starts."""

from __future__ import annotations

import dataclasses
import time

from pellucid.errors import InputError
from pellucid.model.accounting import flops_per_token, n_params
from pellucid.model.config import ModelConfig
from pellucid.model.lora import adapted_layers
from pellucid.training.auto import FORWARD_AND_BACKWARD, SHARE_OF_PEAK
from pellucid.training.checkpoints import random_states, restore_random_states
from pellucid.training.config import TrainConfig
from pellucid.training.gradients import clear_gradients
from pellucid.training.loop import Trainer
from pellucid.training.machine import Machine, synchronize

TIMED_STEPS = 3
LONGEST_MEASURED_STEP = 60.0  # seconds
LONG_STEP = 2.0  # seconds beside which warming up is little
EVALUATION_SHARE = 0.05  # of a run's time
LEAST_EVAL_TOKENS = 8192
LEAST_REPLY_TOKENS = 2048  # of chats: what is fine-tuned is often large, and its runs are short
ABILITIES = (  # bits per byte are not known before training; tokens a model will read are
    (1e5, "letters in plausible order, few words"),
    (6e5, "made-up words with the rhythm of the text"),
    (2e6, "mostly real words in the text's layout, little sense"),
    (2e7, "the text's words and turns of phrase, sentences that drift"),
    (3e8, "fluent imitation of the text, sense for a sentence or two"),
    (float("inf"), "fluent paragraphs in the text's manner"),
)


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Measured seconds a step, and what follows from them; memory in bytes."""

    seconds_per_step: float
    steps: int
    tokens: int
    epochs: float
    memory: int

    @property
    def seconds(self) -> float:
        return self.steps * self.seconds_per_step

    @property
    def estimated(self) -> bool:
        """Whether a step was too long to be measured."""
        return self.seconds_per_step > LONGEST_MEASURED_STEP

    @property
    def ability(self) -> str:
        """What a model that has read so much can be expected to write."""
        return next(words for limit, words in ABILITIES if self.tokens <= limit)


def training_memory(
    model: ModelConfig, config: TrainConfig, frozen: bool = False, processes: int = 1, shard: bool = False
) -> int:
    """Bytes that training takes, roughly: four copies of the weights (five with an average), and what backward needs.

    Of a `frozen` model with adapters it is one copy, and what the adapters take is little beside it. Of several
    processes it is what each takes: its share of the batch and, with `shard`, of the weights, of which it has a block
    or two whole at a time, and once all, where they are made.

    Counted in float32 values a token kept for the backward pass, layer by layer (after Korthikanti et al. 2022,
    section 4.1), and three copies of the logits.
    """
    weights = (4 if frozen else 20 if config.ema else 16) * n_params(model)
    if shard:
        weights = max(
            weights // processes + 8 * n_params(model) // max(1, model.n_layers), 4 * n_params(model)
        )
    length = config.window_of(model.context_length)
    if model.architecture != "transformer":
        per_token = 3 * model.vocab_size + (model.own.kept_per_token if model.own else 0)
    else:
        rows = model.n_heads * length  # scores a token has in a layer
        widths = (
            10 * model.d_model + 2 * rows + 4 * model.n_heads * model.head_dim + _feedforward_width(model)
        )
        per_token = model.n_layers * widths + 3 * model.vocab_size + 2 * model.d_model
    return weights + 4 * per_token * length * config.batch_size // (config.accumulate * processes)


def _feedforward_width(model: ModelConfig) -> int:
    """Values a token keeps in a block's feed-forward part."""
    if model.feedforward == "none":
        return 0
    if model.feedforward == "dense":
        return 3 * model.d_ff
    layers = model.experts_per_token + (model.shared_expert != "none")
    return layers * (4 * model.d_ff + 3 * model.d_model)


def must_shard(
    model: ModelConfig, config: TrainConfig, available: int, frozen: bool = False, processes: int = 1
) -> bool:
    """Whether several processes are to share the weights out: as `config.shard` says, or where memory asks for it.

    Raises:
        InputError: it is asked for, and the model has adapters.
    """
    if config.shard == "yes" and frozen:
        raise InputError("the weights beside adapters cannot be shared out: leave out --shard, or --lora")
    if processes == 1 or frozen or config.shard == "no":
        return False
    return config.shard == "yes" or training_memory(model, config, frozen, processes) > available


def check_memory(
    model: ModelConfig, config: TrainConfig, available: int, frozen: bool = False, processes: int = 1
) -> int:
    """Bytes that training will take, of each process.

    Raises:
        InputError: more than is available; says what would fit.
    """
    shard = must_shard(model, config, available, frozen, processes)
    needed = training_memory(model, config, frozen, processes, shard)
    if needed <= available:
        return needed
    gib = 1 << 30
    message = (
        f"training this would take about {needed / gib:.1f} GiB, and {available / gib:.1f} GiB are free: "
    )
    for parts in range(config.accumulate + 1, config.batch_size + 1):
        if config.batch_size % (parts * processes) == 0:
            smaller = dataclasses.replace(config, accumulate=parts)
            if training_memory(model, smaller, frozen, processes, shard) <= available:
                raise InputError(message + f"add --accumulate {parts} (the same batch, part by part)")
    if 16 * n_params(model) // processes > available:
        raise InputError(message + "choose a smaller --d-model or fewer --n-layers")
    raise InputError(message + "choose a smaller --batch-size and --context-length")


def estimated_seconds(
    model: ModelConfig, config: TrainConfig, machine: Machine, frozen: bool = False
) -> float:
    """Seconds a step may take here, from the machine's probe alone; weights that are `frozen` need no gradients."""
    length = config.window_of(model.context_length)
    passes = FORWARD_AND_BACKWARD - frozen
    flops = passes * flops_per_token(model, length) * config.batch_size * length
    return flops / (SHARE_OF_PEAK * machine.flops)


def seconds_per_step(trainer: Trainer) -> float:
    """Measure a step, by gradients that are thrown away: no weight and no random state changes.

    Of a model so large that measuring would take minutes, the estimate.
    """
    frozen = bool(adapted_layers(trainer.model))
    estimate = estimated_seconds(trainer.model.config, trainer.config, trainer.machine, frozen)
    if estimate > LONGEST_MEASURED_STEP:
        return estimate
    random = random_states()
    trainer.model.train()
    seconds = _timed(trainer)
    if seconds < LONG_STEP:  # the first one only warmed up
        seconds = sorted(_timed(trainer) for _ in range(TIMED_STEPS))[TIMED_STEPS // 2]
    clear_gradients(trainer.model)
    restore_random_states(*random)
    return seconds


def _timed(trainer: Trainer) -> float:
    started = time.perf_counter()
    trainer.gradients(0)
    synchronize(trainer.machine.device)
    return trainer.ranks.agree(time.perf_counter() - started)


def evaluation_tokens(planned_tokens: int, evaluations: int, least: int = LEAST_EVAL_TOKENS) -> int:
    """Tokens of dev text an evaluation may score so that all together take a twentieth of the run's time.

    Reading a token costs a third of training on it, and the training sample is half as large as the dev text.
    """
    affordable = EVALUATION_SHARE * 3 * planned_tokens / evaluations / 1.5
    return max(least, int(affordable))
