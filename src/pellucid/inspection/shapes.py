"""The view of shapes: every tensor of one forward pass, in order, with what it holds and costs.

Shapes: B batch (always 1), T tokens, C d_model, H heads, K key/value heads, D head size, F d_ff, V vocabulary,
E experts, k experts a token, N = B·T.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pellucid.inspection.trace import Seen, trace
from pellucid.model.accounting import flops_per_token, kv_cache_bytes, n_active_params, n_params
from pellucid.model.config import ModelConfig

if TYPE_CHECKING:
    from pellucid.inspection.subject import Prompt, Subject

WEIGHT_BYTES = 4  # float32


@dataclasses.dataclass(frozen=True)
class Part:
    """What is said of a tensor: in words, its shape in symbols, how it is computed (of norms: see NORMS)."""

    what: str
    symbols: str
    formula: str


STREAM = "B, T, C"
PARTS = {  # by the tensor's name without its block
    "embedding": Part("token vectors", STREAM, "row of the table for each token"),
    "positions.table": Part("position vectors", "T, C", "row of the table for each position"),
    "positions.embed": Part("tokens with their positions", STREAM, "token vector + position vector"),
    "enter": Part("what enters the block, mixed with the start", STREAM, "mix₀ · x + mix₁ · x₀"),
    "attention_norm": Part("normed for, or after, attention", STREAM, ""),
    "attention.qkv": Part("queries, keys and values side by side", "B, T, (H+2·K)·D", "x · Wᵀ"),
    "attention.q_norm": Part("queries, each head normed", "B, H, T, D", "q / √(mean(q²) + ε) · weight"),
    "attention.k_norm": Part("keys, each head normed", "B, K, T, D", "k / √(mean(k²) + ε) · weight"),
    "attention.values": Part("values mixed with the first block's", "B, K, T, D", "mix₀ · v + mix₁ · v₁"),
    "attention.q": Part("queries, by head", "B, H, T, D", "split, and turned where positions are rotary"),
    "attention.k": Part("keys, by head", "B, K, T, D", "split, and turned where positions are rotary"),
    "attention.v": Part("values, by head", "B, K, T, D", "split by head"),
    "attention.scores": Part("how well each key fits each query", "B, H, T, T", "q · kᵀ"),
    "attention.weights": Part("how much each query takes of each value", "B, H, T, T", "softmax(scores)"),
    "attention.mixed": Part("what each head gathered", "B, H, T, D", "weights · v"),
    "attention.out": Part("heads joined and mixed", STREAM, "heads · Wᵀ"),
    "attention.join": Part("residual stream after attention", STREAM, "x + attention"),
    "feedforward_norm": Part("normed for, or after, the feed-forward part", STREAM, ""),
    "feedforward.up": Part("hidden channels", "B, T, F", "x · Wᵀ"),
    "feedforward.gate_up": Part("gates and hidden channels side by side", "B, T, 2·F", "x · Wᵀ"),
    "feedforward.hidden": Part("hidden channels, activated", "B, T, F", "activation(up), or silu(gate) · up"),
    "feedforward.down": Part("back to the stream's channels", STREAM, "hidden · Wᵀ"),
    "feedforward.router": Part("each expert's score for each token", "N, E", "x · Wᵀ"),
    "feedforward.sent": Part("tokens, sorted by their experts", "N·k, C", "a copy for each chosen expert"),
    "feedforward.experts.gate_up": Part("gates and hidden channels, by expert", "N·k, 2·F", "x · Wᵉᵀ"),
    "feedforward.experts.hidden": Part("hidden channels, gated, by expert", "N·k, F", "silu(gate) · up"),
    "feedforward.experts.down": Part("each expert's answer", "N·k, C", "hidden · Wᵉᵀ"),
    "feedforward.shared.gate_up": Part("the shared expert's gates and channels", "B, T, 2·F", "x · Wᵀ"),
    "feedforward.shared.hidden": Part("the shared expert's channels, gated", "B, T, F", "silu(gate) · up"),
    "feedforward.shared.down": Part("the shared expert's answer", STREAM, "hidden · Wᵀ"),
    "feedforward.shared.gate": Part("how much of it each token takes", "B, T, 1", "x · Wᵀ"),
    "feedforward.shared": Part("the shared expert's part", STREAM, "sigmoid(gate) · answer"),
    "feedforward": Part("what the block adds to each token", STREAM, "Σ weightᵉ · answerᵉ (+ shared)"),
    "feedforward.join": Part("residual stream after the feed-forward part", STREAM, "x + feedforward"),
    "norm": Part("normed for the head", STREAM, ""),
    "head": Part("logits of every next token", "B, T, V", "x · Wᵀ"),
    "cap": Part("logits, kept in bounds", "B, T, V", "cap · tanh(logits / cap)"),
    "table": Part("logits of every next token", "B, T, V", "row of the table for each token"),
}
NORMS = {
    "layernorm": "(x − mean) / √(variance + ε) · weight + bias",
    "rmsnorm": "x / √(mean(x²) + ε) · weight",
    "rmsnorm_fixed": "x / √(mean(x²) + ε)",
}


def budget(subject: Subject, text: str) -> dict[str, Any]:
    """Every tensor of the forward pass over a prompt; sums that the rows add up to; speed as measured here.

    FLOPs are those of this pass over T tokens, two a weight of every product, attention's halved where the mask is
    causal, as model/accounting.py counts them. A tied head's parameters are counted with the embedding.

    Raises:
        InputError: the prompt cannot be read.
    """
    prompt, config = subject.read(text), subject.config
    length = len(prompt.ids)
    per_token = flops_per_token(config, length)
    return {
        "stamp": subject.stamp,
        "notes": prompt.notes,
        "tokens": prompt.tokens,
        "rows": [row(seen, config, length) for seen in trace(subject, prompt.ids)],
        "totals": {
            "parameters": n_params(config),
            "active_parameters": n_active_params(config),
            "flops": per_token * length,
            "flops_per_token": per_token,
            "kv_bytes": kv_cache_bytes(config, 1, length),
            "kv_bytes_full": kv_cache_bytes(config),
            "weights_bytes": WEIGHT_BYTES * n_params(config),
        },
        "measured": _measured(subject, prompt),
        "legend": legend(config, length),
    }


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
    """One tensor, as the answer has it."""
    part = PARTS[seen.kind]
    return {
        "name": seen.name,
        "what": part.what,
        "shape": list(seen.shape),
        "symbols": part.symbols,
        "parameters": seen.parameters,
        "flops": _flops(seen, config, length),
        "formula": _formula(seen, part, config),
        "source": seen.source,
    }


def _formula(seen: Seen, part: Part, config: ModelConfig) -> str:
    if seen.kind in ("attention_norm", "feedforward_norm", "norm"):
        return NORMS[config.norm]
    if seen.kind == "attention.scores" and config.scale == "sqrt":
        return f"{part.formula} / √D"
    if seen.kind == "feedforward" and config.feedforward == "none":
        return "0"
    if seen.kind.endswith("join") and config.residual == "none":
        return "the part alone"
    return part.formula


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
