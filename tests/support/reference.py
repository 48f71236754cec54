"""The transformer once more, as formulas over a dictionary of weights: nothing of the package is used.

Written to be compared with, not to be fast: one sequence, one layer and one head after another, in float64.

Shapes: T tokens, C channels, H heads, K key/value heads, D head size, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor


@dataclasses.dataclass
class Reference:
    """What a forward pass gives: logits (T, V); of each layer q (H, T, D), k (K, T, D), scores and weights (H, T, T).

    `scores` are scaled and not masked.
    """

    logits: Tensor
    q: list[Tensor] = dataclasses.field(default_factory=list)
    k: list[Tensor] = dataclasses.field(default_factory=list)
    scores: list[Tensor] = dataclasses.field(default_factory=list)
    weights: list[Tensor] = dataclasses.field(default_factory=list)

    def losses(self, ids: list[int]) -> Tensor:
        """(T - 1,) nats, of each token but the first."""
        log_p = self.logits - torch.logsumexp(self.logits, dim=1, keepdim=True)
        return -torch.stack([log_p[place, token] for place, token in enumerate(ids[1:])])

    def next_probabilities(self) -> Tensor:
        """(V,) of the token that follows the last."""
        exps = torch.exp(self.logits[-1] - self.logits[-1].max())
        return exps / exps.sum()


def reference_of(run: Path, ids: list[int]) -> Reference:
    """What the best weights of a run folder give for `ids`."""
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))["model"]
    return reference(config, load_file(run / "model.safetensors"), ids)


def reference(config: dict[str, Any], state: dict[str, Tensor], ids: list[int]) -> Reference:
    """The forward pass of a model of this configuration and these weights over one sequence."""
    w = {name: tensor.double() for name, tensor in state.items()}
    if config["architecture"] == "bigram":
        return Reference(w["table.weight"][ids])
    x = w["embedding.weight"][ids]
    n = len(ids)
    if config["positions"] == "learned":
        x = x + w["positions.table.weight"][:n]
    if config["positions"] == "sinusoidal":
        x = math.sqrt(config["d_model"]) * x + waves(n, config["d_model"])
    out, start, first_values = Reference(torch.empty(0)), x, None
    for layer in range(config["n_layers"]):
        block = f"blocks.{layer}."
        if config["x0_residual"]:
            mix = w[block + "enter.mix"]
            x = mix[0] * x + mix[1] * start
        for part in ("attention", "feedforward") if config["feedforward"] != "none" else ("attention",):
            y = norm(config, w, f"{block}{part}_norm", x) if config["norm_position"] == "pre" else x
            if part == "attention":
                y, values = attention(config, w, block + "attention.", y, first_values, out)
                first_values = values if first_values is None else first_values
            else:
                y = feedforward(config, w, block + "feedforward.", y)
            x = x + y if config["residual"] == "add" else y
            if config["norm_position"] == "post":
                x = norm(config, w, f"{block}{part}_norm", x)
    if config["norm_position"] == "pre" and config["final_norm"]:
        x = norm(config, w, "norm", x)
    out.logits = torch.einsum(
        "tc,vc->tv", x, w["embedding.weight" if config["tie_embeddings"] else "head.weight"]
    )
    if cap := config["logit_softcap"]:
        out.logits = cap * torch.tanh(out.logits / cap)
    return out


def norm(config: dict[str, Any], w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    kind, eps = config["norm"], config["norm_eps"]
    if kind == "none":
        return x
    if kind == "layernorm":
        mean = x.mean(dim=1, keepdim=True)
        variance = ((x - mean) ** 2).mean(dim=1, keepdim=True)
        return (x - mean) / torch.sqrt(variance + eps) * w[name + ".weight"] + w[name + ".bias"]
    scaled = x / torch.sqrt((x**2).mean(dim=1, keepdim=True) + eps)
    return scaled if kind == "rmsnorm_fixed" else scaled * w[name + ".weight"]


def linear(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    y = torch.einsum("ti,oi->to", x, w[name + ".weight"])
    return y + w[name + ".bias"] if name + ".bias" in w else y


def waves(n: int, channels: int) -> Tensor:
    table = torch.empty(n, channels, dtype=torch.float64)
    for place in range(n):
        for pair in range(channels // 2):
            angle = place / 10_000 ** (2 * pair / channels)
            table[place, 2 * pair], table[place, 2 * pair + 1] = math.sin(angle), math.cos(angle)
    return table


def turned(head: Tensor, base: float) -> Tensor:
    """One head (T, D), each pair of channels i and i + D/2 turned by its angle."""
    n, size = head.shape
    half = size // 2
    out = torch.empty_like(head)
    for place in range(n):
        for pair in range(half):
            angle = place / base ** (pair / half)
            a, b = head[place, pair], head[place, pair + half]
            out[place, pair] = a * math.cos(angle) - b * math.sin(angle)
            out[place, pair + half] = a * math.sin(angle) + b * math.cos(angle)
    return out


def attention(
    config: dict[str, Any],
    w: dict[str, Tensor],
    at: str,
    x: Tensor,
    first_values: Tensor | None,
    out: Reference,
) -> tuple[Tensor, Tensor]:
    """What attention adds (T, C), and this layer's values; what it did on the way goes into `out`."""
    n, size = len(x), config["head_dim"]
    n_heads, n_shared = config["n_heads"], config["n_kv_heads"]
    rows = linear(w, at + "qkv", x).reshape(n, n_heads + 2 * n_shared, size)
    q = [rows[:, head] for head in range(n_heads)]
    k = [rows[:, n_heads + head] for head in range(n_shared)]
    v = torch.stack([rows[:, n_heads + n_shared + head] for head in range(n_shared)])
    if config["qk_norm"]:
        heads = {"q": q, "k": k}
        for name, listed in heads.items():
            weight = w[f"{at}{name}_norm.weight"]
            for i, head in enumerate(listed):
                spread = torch.sqrt((head**2).mean(dim=1, keepdim=True) + config["norm_eps"])
                listed[i] = head / spread * weight
    if config["positions"] == "rotary":
        q = [turned(head, config["rope_base"]) for head in q]
        k = [turned(head, config["rope_base"]) for head in k]
    if config["value_residual"]:
        mix = w[at + "values.mix"]
        values = mix[0] * v + mix[1] * (v if first_values is None else first_values)
    else:
        values = v
    scale = 1 / math.sqrt(size) if config["scale"] == "sqrt" else 1.0
    all_scores, all_weights, gathered = [], [], []
    for head in range(n_heads):
        shared = head // (n_heads // n_shared)
        scores = torch.einsum("td,sd->ts", q[head], k[shared]) * scale
        weights = torch.zeros_like(scores)
        for place in range(n):
            seen = n if config["mask"] == "none" else place + 1
            exps = torch.exp(scores[place, :seen] - scores[place, :seen].max())
            weights[place, :seen] = exps / exps.sum()
        all_scores.append(scores)
        all_weights.append(weights)
        gathered.append(torch.einsum("ts,sd->td", weights, values[shared]))
    out.q.append(torch.stack(q))
    out.k.append(torch.stack(k))
    out.scores.append(torch.stack(all_scores))
    out.weights.append(torch.stack(all_weights))
    return linear(w, at + "out", torch.cat(gathered, dim=1)), v


def activated(kind: str, x: Tensor) -> Tensor:
    if kind == "relu":
        return x.clamp(min=0)
    if kind == "relu2":
        return x.clamp(min=0) ** 2
    if kind == "gelu":
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2
    assert kind == "gelu_tanh"
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gated(both: Tensor) -> Tensor:
    gate, up = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
    return gate / (1 + torch.exp(-gate)) * up


def feedforward(config: dict[str, Any], w: dict[str, Tensor], at: str, x: Tensor) -> Tensor:
    """What the feed-forward part adds (T, C)."""
    if config["feedforward"] == "experts":
        return experts(config, w, at, x)
    if config["activation"] == "swiglu":
        return linear(w, at + "down", gated(linear(w, at + "gate_up", x)))
    return linear(w, at + "down", activated(config["activation"], linear(w, at + "up", x)))


def experts(config: dict[str, Any], w: dict[str, Tensor], at: str, x: Tensor) -> Tensor:
    """One token after another goes to its experts."""
    scores = linear(w, at + "router", x)
    bias = w.get(at + "choice_bias", torch.zeros(config["n_experts"], dtype=torch.float64))
    out = torch.zeros_like(x)
    for place in range(len(x)):
        chosen = torch.argsort(scores[place] + bias, descending=True)[: config["experts_per_token"]].tolist()
        exps = torch.exp(scores[place, chosen] - scores[place, chosen].max())
        for expert, share in zip(chosen, exps / exps.sum(), strict=True):
            hidden = gated(torch.einsum("c,fc->f", x[place], w[at + "gate_up.weight"][expert])[None])[0]
            out[place] += share * torch.einsum("f,cf->c", hidden, w[at + "down.weight"][expert])
    if config["shared_expert"] == "none":
        return out
    shared = linear(w, at + "shared.down", gated(linear(w, at + "shared.gate_up", x)))
    if config["shared_expert"] == "gated":
        shared = shared / (1 + torch.exp(-linear(w, at + "shared.gate", x)))
    return out + shared


def bits(probabilities: Tensor) -> float:
    """The entropy of a distribution."""
    return -sum(p * math.log2(p) for p in probabilities.tolist() if p > 0)


def kept_by_hand(own: Tensor, temperature: float, top_k: int, top_p: float, min_p: float) -> dict[int, float]:
    """The tokens that are left and their probabilities, worked out one after another."""
    cold = {id: own[id].item() ** (1 / temperature) for id in range(len(own)) if id == 0 or id >= 7}
    left = sorted(cold, key=lambda id: -cold[id])
    left = left[:top_k] if top_k else left
    total, reached, nucleus = sum(cold[id] for id in left), 0.0, []
    for id in left:
        if reached >= top_p * total:
            break
        nucleus.append(id)
        reached += cold[id]
    nucleus = [id for id in nucleus if cold[id] >= min_p * cold[nucleus[0]]]
    return {id: cold[id] / sum(cold[each] for each in nucleus) for id in nucleus}
