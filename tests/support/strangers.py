"""Models that a stranger might bring: one plain GPT, the bugs that can be planted in it, and healthy ones unlike it.

Shapes: B batch, T time, C channels, H heads, D head size.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

V, CONTEXT, C, H, LAYERS = 47, 32, 32, 4, 2
BUGS = {
    "no_mask": "missing mask",
    "mask_after_softmax": "mask after the softmax",
    "mask_in_training_only": "mask in training only",
    "mask_in_evaluation_only": "mask in evaluation only",
    "mask_of_zeros": "weak mask",
    "mask_off_by_one": "mask off by one",
    "mask_upside_down": "mask the wrong way round",
    "softmax_over_queries": "wrong softmax axis",
    "softmax_over_heads": "wrong softmax axis",
    "softmax_over_batch": "wrong softmax axis",
    "no_positions": "positions not added",
    "same_position": "positions not added",
    "rotary_over_heads": "rotary along the head axis",
    "no_scale": "no scaling",
    "multiplied_scale": "no scaling",
    "detached_attention": "detached gradient",
    "detached_stream": "detached gradient",
    "detached_queries": "detached gradient",
    "cut_stream": "detached gradient",
    "shifted_twice": "targets shifted twice",
    "frozen": "frozen block",
    "plain_list": "not registered",
    "attention_dropout": "attention dropout active in evaluation",
    "dropout": "dropout active in evaluation",
    "untied_copy": "accidental untying",
    "untied_declared": "accidental untying",
    "probabilities": "probabilities for logits",
    "unused_block": "unused parameters",
    "large_start": "initialisation",
}


def turned(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)


class Mixer(nn.Module):
    def __init__(self, bug: str, rotary: bool, p: float) -> None:
        super().__init__()
        self.bug, self.rotary, self.p = bug, rotary, p
        self.q, self.k, self.v, self.o = (nn.Linear(C, C) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, _ = x.shape
        bug = self.bug
        q, k, v = (f(x).view(B, T, H, C // H).transpose(1, 2) for f in (self.q, self.k, self.v))
        if bug == "detached_queries":
            q = q.detach()
        if self.rotary:
            n = H if bug == "rotary_over_heads" else T
            rates = 100.0 ** -(torch.arange(C // H // 2) / (C // H // 2))
            angles = (torch.arange(n)[:, None] * rates).to(x.dtype)
            if bug == "rotary_over_heads":
                angles = angles[:, None]
            q, k = turned(q, angles), turned(k, angles)
        scores = q @ k.transpose(-2, -1)
        if bug == "multiplied_scale":
            scores = scores * math.sqrt(C // H)
        elif bug != "no_scale":
            scores = scores / math.sqrt(C // H)
        seen = torch.ones(T, T, dtype=torch.bool)
        seen = seen.triu() if bug == "mask_upside_down" else seen.tril(1 if bug == "mask_off_by_one" else 0)
        hide = bug not in ("no_mask", "mask_after_softmax")
        hide &= not (bug == "mask_in_training_only" and not self.training)
        hide &= not (bug == "mask_in_evaluation_only" and self.training)
        if bug == "mask_of_zeros":
            scores = scores * seen
        elif hide:
            low = -1e9 if bug in ("softmax_over_heads", "softmax_over_batch") else -math.inf
            scores = scores.masked_fill(~seen, low)
        axis = {"softmax_over_queries": -2, "softmax_over_heads": 1, "softmax_over_batch": 0}.get(bug, -1)
        weights = scores.softmax(dim=axis)
        if bug == "mask_after_softmax":
            weights = weights.masked_fill(~seen, 0.0)
        if bug == "attention_dropout":
            weights = F.dropout(weights, 0.1)
        elif self.p:
            weights = F.dropout(weights, self.p, self.training)
        return self.o((weights @ v).transpose(1, 2).reshape(B, T, C))


class Layer(nn.Module):
    def __init__(self, bug: str, rotary: bool, p: float) -> None:
        super().__init__()
        self.bug = bug
        self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.mixer = Mixer(bug, rotary, p)
        self.mlp = nn.Sequential(nn.Linear(C, 4 * C), nn.GELU(), nn.Linear(4 * C, C), nn.Dropout(p))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mixed = self.mixer(self.norm1(x))
        if self.bug == "detached_attention":
            mixed = mixed.detach()
        x = (x.detach() if self.bug == "detached_stream" else x) + mixed
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """A plain GPT with learned positions, or rotary ones."""

    def __init__(self, bug: str = "", rotary: bool = False, tied: bool = True, p: float = 0.0) -> None:
        super().__init__()
        self.bug, self.block_size = bug, CONTEXT
        rotary = rotary or bug == "rotary_over_heads"
        self.wte = nn.Embedding(V, C)
        self.wpe = None if rotary else nn.Embedding(CONTEXT, C)
        layers = [Layer(bug, rotary, p) for _ in range(LAYERS)]
        self.h = layers if bug == "plain_list" else nn.ModuleList(layers)
        self.norm = nn.LayerNorm(C)
        self.head = nn.Linear(C, V, bias=False)
        self.apply(self.initialise)
        if bug == "untied_declared":
            self.tie_embeddings = True
        elif bug == "untied_copy":
            self.head.weight = nn.Parameter(self.wte.weight.detach().clone())
        elif tied:
            self.head.weight = self.wte.weight
        if bug == "frozen":
            self.h[0].requires_grad_(False)
        if bug == "large_start":
            nn.init.normal_(self.wte.weight)

    def initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids: torch.Tensor, targets: torch.Tensor | None = None):
        x = self.wte(ids)
        if self.wpe is not None and self.bug != "no_positions":
            places = torch.arange(ids.shape[1])
            x = x + self.wpe(places * 0 if self.bug == "same_position" else places)
        for number, layer in enumerate(self.h):
            if self.bug == "unused_block" and number:
                continue
            x = layer(x)
            if self.bug == "cut_stream" and not number:
                x = x.detach()
        if self.bug == "dropout":
            x = F.dropout(x, 0.1)
        logits = self.head(self.norm(x))
        if self.bug == "probabilities":
            logits = logits.softmax(-1)
        if targets is None:
            return logits
        if self.bug == "shifted_twice":
            return logits, F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten())
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())


# ---------------------------------------------------------------------- healthy ones


class Rotary(GPT):
    def __init__(self) -> None:
        super().__init__(rotary=True, tied=False)


class WithDropout(GPT):
    def __init__(self) -> None:
        super().__init__(p=0.2)


class Copied(nn.Module):
    """A copy of a model stays tied."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = copy.deepcopy(GPT())

    def forward(self, ids: torch.Tensor):
        return self.inner(ids)


class LSTM(nn.Module):
    def __init__(self, vocab_size: int = 40) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab_size, 24)
        self.cell = nn.LSTM(24, 32, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(32, vocab_size)

    def forward(self, ids: torch.Tensor):
        x, state = self.cell(self.table(ids))
        return self.head(x), state


class Table(nn.Module):
    """A bigram: zeros at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(30, 30)
        nn.init.zeros_(self.table.weight)

    def forward(self, ids: torch.Tensor):
        return self.table(ids)


class LastOnly(GPT):
    """Writes the last logits alone when it is given no targets."""

    def forward(self, ids: torch.Tensor, targets: torch.Tensor | None = None):
        given = super().forward(ids, targets)
        return (given[:, -1:], None) if targets is None else given


class Torchs(nn.Module):
    """torch's own encoder with a causal mask, norms after each part, positions that start at zero, torch's start."""

    def __init__(self, norm_first: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(V, C)
        self.places = nn.Parameter(torch.zeros(1, CONTEXT, C))
        layer = nn.TransformerEncoderLayer(C, H, 4 * C, 0.1, batch_first=True, norm_first=norm_first)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(C, V)

    def forward(self, ids: torch.Tensor):
        T = ids.shape[1]
        x = self.table(ids) + self.places[:, :T]
        mask = nn.Transformer.generate_square_subsequent_mask(T, dtype=x.dtype)
        return self.head(self.layers(x, mask=mask, is_causal=True))


class ByHeads(nn.Module):
    """A module for each head, a fixed table of waves, a head that starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(V, C)
        t, c = torch.arange(CONTEXT)[:, None], torch.arange(0, C, 2)[None]
        waves = torch.cat(((t / 100 ** (c / C)).sin(), (t / 100 ** (c / C)).cos()), 1)
        self.waves = nn.Parameter(waves, requires_grad=False)
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Linear(C, C // H, bias=False) for _ in range(3)) for _ in range(H)
        )
        self.head = nn.Linear(C, V)
        nn.init.zeros_(self.head.weight)
        self.register_buffer("seen", torch.ones(CONTEXT, CONTEXT).tril())

    def forward(self, ids: torch.Tensor):
        T = ids.shape[1]
        x = self.table(ids) + self.waves[:T]
        outs = []
        for q, k, v in self.heads:
            scores = q(x) @ k(x).transpose(1, 2) * (C // H) ** -0.5
            scores = scores.masked_fill(self.seen[:T, :T] == 0, float("-inf"))
            outs.append(scores.softmax(-1) @ v(x))
        return self.head(x + torch.cat(outs, -1))


class Slopes(nn.Module):
    """Positions as slopes on the scores (Press et al. 2022), scores by einsum, axes (B, T, H, D) throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(V, C), nn.Linear(C, V)
        self.qkv, self.out, self.norm = nn.Linear(C, 3 * C), nn.Linear(C, C), nn.RMSNorm(C)

    def forward(self, ids: torch.Tensor):
        B, T = ids.shape
        x = self.table(ids)
        q, k, v = self.qkv(self.norm(x)).view(B, T, 3, H, C // H).unbind(2)
        far = (torch.arange(T)[None] - torch.arange(T)[:, None]).to(x.dtype)
        slopes = 2.0 ** -torch.arange(1, H + 1).to(x.dtype)
        scores = torch.einsum("bqhd,bkhd->bhqk", q / math.sqrt(C // H), k) + slopes[:, None, None] * far
        scores = scores + torch.full((T, T), -torch.inf).triu(1).to(x.dtype)
        mixed = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v)
        return {"logits": self.head(x + self.out(mixed.reshape(B, T, C)))}


HEALTHY = (GPT, Rotary, WithDropout, Copied, LSTM, Table, LastOnly, Torchs, ByHeads, Slopes)
for _bug in BUGS:  # a class each, as FILE.py:Class names them
    _made = type(_bug, (GPT,), {"__init__": lambda self, bug=_bug: GPT.__init__(self, bug)})
    globals()[_bug] = _made
