"""The view of shapes: every tensor of one forward pass, in order, with what it holds and costs.

Shapes: B batch (always 1), T tokens, C d_model, H heads, K key/value heads, D head size, F d_ff, V vocabulary,
E experts, k experts a token, N = B·T.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.errors import InputError
from pellucid.inspection.parts import PARTS, formula, sentence
from pellucid.inspection.trace import Seen, trace
from pellucid.model.accounting import flops_per_token, kv_cache_bytes, n_active_params, n_params
from pellucid.model.config import ModelConfig

if TYPE_CHECKING:
    from pellucid.inspection.subject import Prompt, Subject

WEIGHT_BYTES = 4  # float32, as attention's scores and weights are here
LENGTHS = (128, 4096)  # tokens, at which T × T is told beside that of the prompt


def budget(subject: Subject, text: str) -> dict[str, Any]:
    """What `walk` gives, and the speed as measured here.

    Raises:
        InputError: the prompt cannot be read.
    """
    prompt = subject.read(text)
    return {**_walk(subject, prompt), "measured": _measured(subject, prompt)}


def walk(subject: Subject, text: str) -> dict[str, Any]:
    """Every tensor of the forward pass over a prompt, in order; sums that the rows add up to; what T × T costs.

    FLOPs are those of this pass over T tokens, two a weight of every product, attention's halved where the mask is
    causal, as model/accounting.py counts them. A tied head's parameters are counted with the embedding.

    Raises:
        InputError: the prompt cannot be read.
    """
    return _walk(subject, subject.read(text))


def _walk(subject: Subject, prompt: Prompt) -> dict[str, Any]:
    config, length = subject.config, len(prompt.ids)
    if config.own:
        raise InputError(
            f"{config.own.name} is a model of its own code, whose tensors are not known here: choose a transformer"
        )
    per_token = flops_per_token(config, length)
    rows = [row(seen, config, length) for seen in trace(subject, prompt.ids)]
    return {
        "stamp": subject.stamp,
        "notes": prompt.notes,
        "tokens": prompt.tokens,
        "rows": rows,
        "blocks": blocks(rows),
        "squares": squares(config, length),
        "totals": {
            "parameters": n_params(config),
            "active_parameters": n_active_params(config),
            "flops": per_token * length,
            "flops_per_token": per_token,
            "kv_bytes": kv_cache_bytes(config, 1, length),
            "kv_bytes_full": kv_cache_bytes(config),
            "weights_bytes": WEIGHT_BYTES * n_params(config),
        },
        "legend": legend(config, length),
    }


def block_of(name: str) -> int | None:
    """The number of the block that a tensor of this name is in, from 0; None outside of blocks."""
    number = name.split(".")[1] if name.startswith("blocks.") else None
    return None if number is None else int(number)


def blocks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sums of each block, and the first block of the same tensors, shapes and costs: itself, if none is before."""
    inside: dict[int, list[dict[str, Any]]] = {}
    for each in rows:
        if (number := block_of(each["name"])) is not None:
            inside.setdefault(number, []).append(each)
    firsts: dict[tuple[Any, ...], int] = {}
    sums = []
    for number, some in inside.items():
        looks = tuple(
            (each["name"].split(".", 2)[2], *each["shape"], each["parameters"], each["flops"])
            for each in some
        )
        sums.append(
            {
                "block": number,
                "like": firsts.setdefault(looks, number),
                "tensors": len(some),
                "parameters": sum(each["parameters"] for each in some),
                "flops": sum(each["flops"] for each in some),
            }
        )
    return sums


def squares(config: ModelConfig, length: int) -> list[dict[str, int]]:
    """The numbers of the attention matrices, T × T a head, and their bytes: at the prompt's length and at others.

    That many scores are made, and as many weights. Fused kernels make them piece by piece and keep none; the entries
    and the work are the same. A bigram model has none.
    """
    if config.architecture == "bigram":
        return []
    heads = config.n_heads * config.n_layers
    return [
        {
            "tokens": tokens,
            "entries_a_head": tokens**2,
            "bytes_a_head": WEIGHT_BYTES * tokens**2,
            "heads": heads,
            "entries": heads * tokens**2,
            "bytes": WEIGHT_BYTES * heads * tokens**2,
        }
        for tokens in dict.fromkeys((length, *LENGTHS))
    ]


def legend(config: ModelConfig, length: int) -> dict[str, int]:
    """What each symbol stands for in a pass over so many tokens."""
    if config.architecture == "bigram":
        return {"B": 1, "T": length, "V": config.vocab_size}
    symbols = {"B": 1, "T": length, "C": config.d_model, "H": config.n_heads, "K": config.n_kv_heads}
    symbols |= {"D": config.head_dim, "F": config.d_ff, "V": config.vocab_size}
    if config.feedforward == "experts":
        symbols |= {"N": length, "E": config.n_experts, "k": config.experts_per_token}
    return symbols


def row(seen: Seen, config: ModelConfig, length: int) -> dict[str, Any]:
    """One tensor, as the answer has it; mean, standard deviation and norm are those of its numbers in this pass."""
    part = PARTS[seen.kind]
    return {
        "name": seen.name,
        "what": part.what,
        "says": sentence(seen.kind, config),
        "shape": list(seen.shape),
        "symbols": part.symbols,
        "parameters": seen.parameters,
        "flops": _flops(seen, config, length),
        "formula": formula(seen.kind, config),
        "source": seen.source,
        "mean": seen.mean,
        "std": seen.std,
        "norm": seen.norm,
    }


def _flops(seen: Seen, config: ModelConfig, length: int) -> int:
    """As accounting.py counts them: two a weight and token, of experts those a token is sent to."""
    if seen.kind in ("attention.scores", "attention.mixed"):
        pairs = length * length * (2 if config.mask == "none" else 1)  # twice the pairs that are visible
        return pairs * config.n_heads * config.head_dim
    if seen.kind == "head":  # of a tied one, the embedding's weights
        return 2 * length * config.vocab_size * config.d_model
    if seen.kind.startswith("feedforward.experts."):
        return 2 * length * seen.parameters * config.experts_per_token // config.n_experts
    inside = seen.kind.startswith(("attention.", "feedforward.")) or seen.kind == "enter"
    return 2 * length * seen.parameters if inside else 0


def _measured(subject: Subject, prompt: Prompt) -> dict[str, float | None]:
    """Tokens a second: of a pass over a prompt of this length, of writing, and of training when last reported."""
    return {
        "prompt_tokens_per_second": subject.reading_speed(prompt),
        "tokens_per_second": subject.writing_speed,
        "training_tokens_per_second": subject.training_speed,
    }
