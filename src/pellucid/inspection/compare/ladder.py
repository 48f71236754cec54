"""The ladder: from guessing to a transformer of today, a part a rung, all with one budget."""

from __future__ import annotations

import dataclasses
from typing import Any

from pellucid.inspection.compare.contender import BASE, Comparison, Contender, Counted

STEPS = 600


@dataclasses.dataclass(frozen=True)
class Rung:
    """A contender by what it changes.

    A `fresh` one builds on nothing. One that stands `aside` is left again: the next builds on, and is held against,
    the one before it.
    """

    name: str
    says: str
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    counted: Counted = ""
    aside: bool = False
    fresh: bool = False


# Rates were chosen by one training each, at a third and three times theirs (docs/LOG.md, "The ladder's rates"): without
# residuals and norms, weights that begin small take and need more.
COMMON = {**BASE, "batch_size": 32, "lr": 5e-3}
BARE = {
    "lr": 2e-2,
    "n_layers": 1,
    "n_heads": 1,
    "positions": "learned",
    "feedforward": "none",
    "residual": "none",
    "norm": "none",
    "activation": "relu",
}

# fmt: off
RUNGS = (
    Rung("uniform", "Every token is as likely as any other: what a model knows before it has read anything.",
         counted="uniform"),
    Rung("unigram", "How often each token occurs, counted.", counted="unigram"),
    Rung("counted-bigram", "Which token follows which, counted.", counted="bigram"),
    Rung("learned-bigram", "The same table, learned by gradient descent: it comes to what counting gives.",
         {"architecture": "bigram", "lr": 0.1, "warmup_steps": 0, "weight_decay": 0.0}, fresh=True),
    Rung("one-head", "One attention head alone: a token's guess is made from all before it, and from nothing of itself "
         "but what the head passes on.", BARE, fresh=True),
    Rung("several-heads", "Four heads of a quarter the size look at four things at once.", {"n_heads": 4}),
    Rung("feed-forward", "Each token thinks about what it was told.", {"feedforward": "dense"}),
    Rung("residual-norm", "Parts add to what is there instead of replacing it, and read it at one scale.",
         {"residual": "add", "norm": "layernorm", "lr": COMMON["lr"]}),
    Rung("deeper", "Three such blocks instead of one.", {"n_layers": 3}),
    Rung("dropout", "A tenth of the activations is dropped while training: against learning by heart a text that is "
         "read often. Here it is not read even once.", {"dropout": 0.1}, aside=True),
    Rung("rotary", "Queries and keys are turned by their places, instead of a learned vector for each place.",
         {"positions": "rotary"}),
    Rung("swiglu", "Gated feed-forward layers of the same size.", {"activation": "swiglu"}),
    Rung("grouped-query", "Two heads share keys and values: half the cache, for a little of the loss.",
         {"n_kv_heads": 2}),
    Rung("experts", "Four feed-forward layers of half the width, of which a router sends each token to two.",
         {"feedforward": "experts", "n_experts": 4, "experts_per_token": 2, "d_ff": 96}),
    Rung("shared-expert", "One more such layer, for all tokens.", {"shared_expert": "plain"}),
    Rung("muon", "Another optimizer for the blocks' matrices: every update is made orthogonal.",
         {"optimizer": "muon"}),
)
# fmt: on


def ladder() -> Comparison:
    """The rungs as contenders, each with all that was changed up to it."""
    contenders, settings, before = list[Contender](), dict[str, Any](), ""
    for rung in RUNGS:
        own = rung.changes if rung.fresh else {**settings, **rung.changes}
        against = before if contenders and contenders[-1].name != before else ""
        contenders.append(Contender(rung.name, rung.says, own, against, rung.counted))
        if not rung.aside:
            settings, before = own, rung.name
    about = "From guessing to a transformer of today, a part a rung, all with one budget."
    return Comparison("ladder", about, tuple(contenders), dict(COMMON), steps=STEPS, ladder=True)
