"""A run's weights are put where they are looked for: its best ones, and a copy of those of this moment."""

from __future__ import annotations

from pellucid.model.lora import adapted_layers
from pellucid.model.transformer import LanguageModel
from pellucid.training import average
from pellucid.training.adapters import publish_adapters
from pellucid.training.checkpoints import problem
from pellucid.training.ranks import Ranks
from pellucid.training.run_folder import RunFolder
from pellucid.training.weights import (
    checkpoint_weights,
    load_checkpoint_weights,
    publish_weights,
    stored_weights,
)


def publish(run: RunFolder, model: LanguageModel, step: int, ranks: Ranks) -> None:
    """Make the weights that the model has now the run's own, as those of `step`."""
    weights = ranks.whole(stored_weights(model))
    if ranks.is_first:
        publish_adapters(run, model)
        publish_weights(run.model_path, weights, step)


def publish_copy(run: RunFolder, model: LanguageModel, step: int, ranks: Ranks) -> None:
    """Write what there is to look at of a training that goes on."""
    weights = ranks.whole(stored_weights(model))
    if ranks.is_first:
        publish_weights(run.live_path, weights, step, durable=False)


def publish_again(run: RunFolder, model: LanguageModel, best: int, ranks: Ranks) -> None:
    """Take the best weights from their checkpoint: any that were published after the one restored are not yet there."""
    checkpoints = run.checkpoints
    if not ranks.is_first or best not in checkpoints.steps() or problem(checkpoints.path(best)):
        return
    checkpoint = checkpoints.load(best)
    weights = average.averaged(checkpoint.model, checkpoint.optimizer)
    if not adapted_layers(model):
        publish_weights(run.model_path, weights, best)
        return
    now = {
        name: weight.clone() for name, weight in checkpoint_weights(model).items()
    }  # to merge them into the rest
    load_checkpoint_weights(model, weights, f"checkpoint {best}")
    publish_adapters(run, model)
    publish_weights(run.model_path, stored_weights(model), best)
    load_checkpoint_weights(model, now, "the model")
