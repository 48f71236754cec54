"""What is said of each tensor of a forward pass: a phrase, a sentence, its shape in symbols, how it is computed.

Shapes: B batch (always 1), T tokens, C d_model, H heads, K key/value heads, D head size, F d_ff, V vocabulary,
E experts, k experts a token, N = B·T.
"""

from __future__ import annotations

import dataclasses

from pellucid.model.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class Part:
    """What is said of a tensor: a phrase, its shape in symbols, its formula (of norms: see NORMS), a sentence."""

    what: str
    symbols: str
    formula: str
    says: str


STREAM = "B, T, C"
BY_HEAD, BY_KEY_HEAD, SQUARE = "B, H, T, D", "B, K, T, D", "B, H, T, T"
PARTS = {  # by the tensor's name without its block
    "ids": Part(
        "token ids", "B, T", "the tokenizer's", "The text as numbers: each token's place in the vocabulary."
    ),
    "embedding": Part(
        "token vectors",
        STREAM,
        "row of the table for each token",
        "Each id is looked up in a learned table, and becomes a vector that stands for the token.",
    ),
    "positions.table": Part(
        "position vectors",
        "T, C",
        "row of the table for each position",
        "One learned vector a place: the same whatever token stands there.",
    ),
    "positions.embed": Part(
        "tokens with their positions",
        STREAM,
        "token vector + position vector",
        "The vectors now also tell where each token stands; here the residual stream begins.",
    ),
    "positions.cos": Part(
        "cosines that turn queries and keys",
        "T, D",
        "cos(place · frequency)",
        "Nothing is added to the stream: queries and keys are turned by an angle that grows with the place.",
    ),
    "positions.sin": Part(
        "sines that turn queries and keys",
        "T, D",
        "∓sin(place · frequency)",
        "The other half of that turn; its first half of channels is negative.",
    ),
    "enter": Part(
        "what enters the block, mixed with the start",
        STREAM,
        "mix₀ · x + mix₁ · x₀",
        "The stream is mixed with what entered the first block, by two learned numbers.",
    ),
    "attention_norm": Part(
        "normed for, or after, attention",
        STREAM,
        "",
        "Each token's channels are brought to one scale, so that attention meets numbers of a known size.",
    ),
    "attention.qkv": Part(
        "queries, keys and values side by side",
        "B, T, (H+2·K)·D",
        "x · Wᵀ",
        "One product makes what each token asks (query), offers (key) and passes on (value), of all heads.",
    ),
    "attention.q_norm": Part(
        "queries, each head normed",
        BY_HEAD,
        "q / √(mean(q²) + ε) · weight",
        "Each query is brought to one length, which keeps the scores in hand.",
    ),
    "attention.k_norm": Part(
        "keys, each head normed",
        BY_KEY_HEAD,
        "k / √(mean(k²) + ε) · weight",
        "Each key is brought to one length, which keeps the scores in hand.",
    ),
    "attention.values": Part(
        "values mixed with the first block's",
        BY_KEY_HEAD,
        "mix₀ · v + mix₁ · v₁",
        "The values are mixed with those of the first block, by two learned numbers.",
    ),
    "attention.q": Part(
        "queries, by head",
        BY_HEAD,
        "split by head",
        "Each head's own queries, as its scores are computed from them.",
    ),
    "attention.k": Part(
        "keys, by head",
        BY_KEY_HEAD,
        "split by head",
        "Each key head's own keys; where K is less than H, several query heads share them.",
    ),
    "attention.v": Part(
        "values, by head",
        BY_KEY_HEAD,
        "split by head",
        "What each token passes on to those who look at it, by head.",
    ),
    "attention.scores": Part(
        "how well each key fits each query",
        SQUARE,
        "q · kᵀ",
        "Before the mask: every query meets every key, also those of later tokens.",
    ),
    "attention.mask": Part(
        "which keys each query may see",
        "T, T",
        "1 where key ≤ query",
        "Ones where a key may be seen: hidden scores become −∞, and softmax makes nothing of them.",
    ),
    "attention.weights": Part(
        "how much each query takes of each value",
        SQUARE,
        "softmax(scores, hidden ones −∞)",
        "After mask and softmax: each row is not negative and sums to 1.",
    ),
    "attention.mixed": Part(
        "what each head gathered",
        BY_HEAD,
        "weights · v",
        "Each token's average of the values it may see, by its weights; a head at a time.",
    ),
    "attention.joined": Part(
        "heads joined",
        "B, T, H·D",
        "heads side by side",
        "What the heads gathered stands side by side again, one long vector a token.",
    ),
    "attention.out": Part(
        "heads mixed: the output projection",
        STREAM,
        "heads · Wᵀ",
        "A product mixes the heads and brings them back to the stream's channels.",
    ),
    "attention.join": Part(
        "residual stream after attention",
        STREAM,
        "x + attention",
        "What attention found is added to the stream.",
    ),
    "feedforward_norm": Part(
        "normed for, or after, the feed-forward part",
        STREAM,
        "",
        "Each token's channels are brought to one scale again.",
    ),
    "feedforward.up": Part(
        "hidden channels", "B, T, F", "x · Wᵀ", "Each token by itself is spread over more channels."
    ),
    "feedforward.gate_up": Part(
        "gates and hidden channels side by side",
        "B, T, 2·F",
        "x · Wᵀ",
        "Each token by itself is spread over more channels, and as many gates.",
    ),
    "feedforward.hidden": Part(
        "hidden channels, activated",
        "B, T, F",
        "activation(up), or silu(gate) · up",
        "A bend that no product could make: without it two products would be one.",
    ),
    "feedforward.down": Part(
        "back to the stream's channels",
        STREAM,
        "hidden · Wᵀ",
        "The hidden channels are brought back to the stream's.",
    ),
    "feedforward.router": Part(
        "each expert's score for each token",
        "N, E",
        "x · Wᵀ",
        "Every expert is scored for every token; the k best of a token handle it.",
    ),
    "feedforward.chosen": Part(
        "the experts of each token",
        "N, k",
        "the k with the best scores",
        "Each token's experts by their numbers; the others do no work for it.",
    ),
    "feedforward.weights": Part(
        "how much each expert's answer counts",
        "N, k",
        "softmax(scores of the chosen)",
        "The scores of the chosen experts alone as shares that sum to 1.",
    ),
    "feedforward.sent": Part(
        "tokens, sorted by their experts",
        "N·k, C",
        "a copy for each chosen expert",
        "Each token is copied for its experts, and the copies are sorted by expert.",
    ),
    "feedforward.ends": Part(
        "where each expert's tokens end",
        "E",
        "running sum of tokens an expert",
        "The sorted list is cut here: expert e has the rows from the end before its own.",
    ),
    "feedforward.experts.gate_up": Part(
        "gates and hidden channels, by expert",
        "N·k, 2·F",
        "x · Wᵉᵀ",
        "Each expert spreads its own tokens over more channels and as many gates.",
    ),
    "feedforward.experts.hidden": Part(
        "hidden channels, gated, by expert",
        "N·k, F",
        "silu(gate) · up",
        "The gates decide what of the hidden channels passes.",
    ),
    "feedforward.experts.down": Part(
        "each expert's answer", "N·k, C", "hidden · Wᵉᵀ", "Each expert's answer for each of its tokens."
    ),
    "feedforward.shared.gate_up": Part(
        "the shared expert's gates and channels",
        "B, T, 2·F",
        "x · Wᵀ",
        "One expert that every token goes to, whatever the router says.",
    ),
    "feedforward.shared.hidden": Part(
        "the shared expert's channels, gated",
        "B, T, F",
        "silu(gate) · up",
        "The gates decide what of the hidden channels passes.",
    ),
    "feedforward.shared.down": Part(
        "the shared expert's answer", STREAM, "hidden · Wᵀ", "The shared expert's answer for each token."
    ),
    "feedforward.shared.gate": Part(
        "how much of it each token takes",
        "B, T, 1",
        "x · Wᵀ",
        "One number a token: how much it takes of that answer.",
    ),
    "feedforward.shared": Part(
        "the shared expert's part", STREAM, "sigmoid(gate) · answer", "The shared expert's answer, weighted."
    ),
    "feedforward": Part(
        "what the block adds to each token",
        STREAM,
        "Σ weightᵉ · answerᵉ (+ shared)",
        "The answers of a token's experts, weighted by the softmax of their scores and summed.",
    ),
    "feedforward.join": Part(
        "residual stream after the feed-forward part",
        STREAM,
        "x + feedforward",
        "The feed-forward part is added to the stream, which goes on to the next block.",
    ),
    "norm": Part("normed for the head", STREAM, "", "The stream is brought to one scale for the last time."),
    "head": Part(
        "logits of every next token",
        "B, T, V",
        "x · Wᵀ",
        "A score for every token of the vocabulary at every place; softmax makes them probabilities.",
    ),
    "cap": Part(
        "logits, kept in bounds",
        "B, T, V",
        "cap · tanh(logits / cap)",
        "The scores are kept from growing without end.",
    ),
    "table": Part(
        "logits of every next token",
        "B, T, V",
        "row of the table for each token",
        "A score for every next token, read off a table by this token alone.",
    ),
}
NORMS = {
    "layernorm": "(x − mean) / √(variance + ε) · weight + bias",
    "rmsnorm": "x / √(mean(x²) + ε) · weight",
    "rmsnorm_fixed": "x / √(mean(x²) + ε)",
}
NO_MASK = "This model has no mask: every key may be seen, those of later tokens too."


def formula(kind: str, config: ModelConfig) -> str:
    """How the tensor of a name without its block is computed in a model of this configuration."""
    part = PARTS[kind]
    if kind in ("attention_norm", "feedforward_norm", "norm"):
        return NORMS[config.norm]
    if kind in ("attention.q", "attention.k") and config.positions == "rotary":
        return f"{part.formula}, turned by its place"
    if kind == "attention.scores" and config.scale == "sqrt":
        return f"{part.formula} / √D"
    if kind == "attention.mask" and config.mask == "none":
        return "1 everywhere"
    if kind == "positions.embed" and config.positions == "sinusoidal":
        return "√C · token vector + waves"
    return part.formula


def sentence(kind: str, config: ModelConfig) -> str:
    """One plain sentence of what the tensor is, in a model of this configuration."""
    if kind == "attention.mask" and config.mask == "none":
        return NO_MASK
    if kind == "attention.k" and config.n_kv_heads == config.n_heads:
        return "Each head's own keys, which its queries are compared with."
    if kind == "head" and config.tie_embeddings:
        return f"{PARTS[kind].says} Its weights are the embedding's, and counted there."
    return PARTS[kind].says
