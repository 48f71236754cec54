"""A model class of a person's own, tried out before anything is trained: does it keep to docs/how-to/own-model.md?

What would go wrong in silence is refused: a part that is neither trained nor kept, ids that are changed on the way.

Shapes: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.model.config import ModelConfig
from pellucid.model.own import logits_in
from pellucid.model.transformer import build_model
from pellucid.training.own_code import HOW, said

SEED = 1  # of the ids that are tried, and of what a forward pass draws
TOLERANCE = 1e-4  # of logits, as a share of the largest


def tried(config: ModelConfig) -> ModelConfig:
    """The configuration with what is found out by building the model and running it once.

    Raises:
        InputError: it cannot be built or run, or does not keep to the protocol.
    """
    assert config.own is not None
    with torch.random.fork_rng(devices=[]):
        model = build_model(config)
        n_params = _count_parameters(model, config)
        kept = _kept_per_token(model, config)
        for shape in ((2, 2), (1, 1)):
            _logits(model, config, shape)
        _check_gradients(model, config)
        _check_state(model, config)
    return dataclasses.replace(
        config, own=dataclasses.replace(config.own, n_params=n_params, kept_per_token=kept)
    )


def sees_the_future(config: ModelConfig) -> bool:
    """Whether what comes later changes what the model says of what came before: then its loss means little."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model = build_model(config).eval()
        half = config.context_length // 2
        ids = torch.randint(config.vocab_size, (1, config.context_length))
        other = ids.clone()
        other[:, half:] = (other[:, half:] + 1) % config.vocab_size
        logits, others = (_repeatably(model, each)[:, :half] for each in (ids, other))
        return bool(half) and _differ(logits, others)


def _name(config: ModelConfig) -> str:
    assert config.own is not None
    return config.own.name


def _count_parameters(model: nn.Module, config: ModelConfig) -> int:
    """How many numbers are trained.

    Raises:
        InputError: none are, their number is not known yet, or more than tensors are kept.
    """
    name = _name(config)
    if any(map(nn.parameter.is_lazy, [*model.parameters(), *model.buffers()])):
        raise InputError(f"{name} has layers whose size is not known yet, as of nn.LazyLinear: give sizes")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise InputError(f"{name} has no parameters to train: {HOW}")
    if not all(isinstance(value, Tensor) for value in model.state_dict().values()):
        raise InputError(f"{name} keeps more than tensors in its state_dict: {HOW}")
    return sum(parameter.numel() for parameter in parameters)


# ---------------------------------------------------------------------- a forward pass


def _ids(config: ModelConfig, shape: tuple[int, int]) -> Tensor:
    return torch.randint(config.vocab_size, shape, generator=torch.Generator().manual_seed(SEED))


def _logits(model: nn.Module, config: ModelConfig, shape: tuple[int, int]) -> Tensor:
    """Raises: InputError unless the model gives finite logits (B, T, V) for so many ids, and leaves these alone."""
    assert config.own is not None
    name, wanted = _name(config), (*shape, config.vocab_size)
    ids = _ids(config, shape)
    given = ids.clone()
    try:
        logits = logits_in(model.get_submodule("own")(given))
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{name} fails on ids of shape {shape} ({said(error)}): forward(ids) takes token ids (B, T), T from 1 to "
            f"{config.context_length}, and gives logits (B, T, {config.vocab_size}); {HOW}"
        ) from error
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = f"{logits.dtype} numbers" if isinstance(logits, Tensor) else type(logits).__name__
        raise InputError(f"{name} gives {kind} where it should give logits, as floats: {HOW}")
    if tuple(logits.shape) != wanted:
        raise InputError(
            f"{name} gives {tuple(logits.shape)} for ids of shape {shape}: logits of every position are needed, "
            f"{wanted}; {HOW}"
        )
    if not bool(logits.isfinite().all()):
        raise InputError(
            f"{name} gives logits that are not finite numbers before it has learned anything: "
            f"`pellucid doctor {config.own.file}:{name}` looks for the cause"
        )
    if not torch.equal(ids, given):
        raise InputError(
            f"{name} changes the ids it is given, and with them what it should predict: let forward work on a copy"
        )
    return logits


def _kept_per_token(model: nn.Module, config: ModelConfig) -> int:
    """Values that a forward pass of a whole context keeps for the backward pass, its weights left out."""
    seen = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        place = tensor.untyped_storage().data_ptr()
        if place not in seen:
            seen.add(place)
            kept += tensor.numel()
        return tensor

    held = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held.append(_logits(model, config, (1, config.context_length)))
    return -(-kept // config.context_length)


# ---------------------------------------------------------------------- what is trained, and what is kept


def _check_gradients(model: nn.Module, config: ModelConfig) -> None:
    """Raises: InputError unless a loss of the logits gives the parameters gradients that can be trained with."""
    name = _name(config)
    logits = _logits(model, config, (2, min(2, config.context_length)))
    if not logits.requires_grad:
        raise InputError(
            f"{name} gives logits that none of its parameters had a part in, or that are detached: nothing could be "
            f"learned; {HOW}"
        )
    logits.float().logsumexp(-1).sum().backward()
    if any(p.grad is not None and p.grad.layout is not torch.strided for p in model.parameters()):
        raise InputError(f"{name} has sparse gradients, as of nn.Embedding(sparse=True): make them dense")
    model.zero_grad(set_to_none=True)


def _check_state(model: nn.Module, config: ModelConfig) -> None:
    """Refuse what a checkpoint would lose: made anew and given the same state, the model must say the same.

    Raises:
        InputError: it computes with something that its state_dict does not hold.
    """
    shape = (1, config.context_length)
    torch.default_generator.manual_seed(SEED)  # the CPU's alone: only that is put back
    twin = build_model(config)
    twin.load_state_dict(model.state_dict())
    with torch.no_grad():
        logits, others = (_repeatably(each.eval(), _ids(config, shape)) for each in (model, twin))
    if _differ(logits, others):
        raise InputError(
            f"{_name(config)} computes with something that its state_dict does not hold, and that would be lost with "
            "each checkpoint: put modules into nn.ModuleList, weights into nn.Parameter, and what else it keeps "
            f"into register_buffer; {HOW}"
        )


def _repeatably(model: Callable[[Tensor], Tensor], ids: Tensor) -> Tensor:
    """Logits of a model that may draw at random: the same draws each time."""
    torch.default_generator.manual_seed(SEED)
    return model(ids)


def _differ(logits: Tensor, others: Tensor) -> bool:
    return bool((logits - others).abs().max() > TOLERANCE * (1 + logits.abs().max()))
