"""Mixture of experts: against a Python loop over the experts, and against a dense layer of the same active size.

    python benchmarks/experts.py [--repeats 9]

Forward and backward of one layer, 8 experts of which 3 a token, float32, medians of alternating repeats:

- ours: `pellucid.model.experts.Experts`, tokens sorted by expert and multiplied in groups;
- three loops over the experts that are found in implementations: "masked", a boolean mask of each expert's tokens,
  its SwiGLU on those, the weighted result added back through the mask; "by choice", the same for the first, second
  and third choice of each token one after the other; "all", every token through every expert, weighted by zero where
  it was not chosen;
- a dense SwiGLU layer of three times the width, which has the operations of three experts.

All give the same values (checked), the dense layer apart. The last rows are whole models.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch
from peers import in_turn
from torch import Tensor, nn

from pellucid.model.config import ModelConfig
from pellucid.model.experts import Experts, take_balance_loss
from pellucid.model.feedforward import SwiGLU
from pellucid.model.transformer import build_model, next_token_loss

N_EXPERTS, CHOSEN = 8, 3
LOOPS = ("masked", "by choice", "all")
SIZES = (  # tokens, d_model, d_ff
    (1, 128, 192),
    (64, 64, 96),
    (256, 128, 192),
    (1024, 128, 192),
    (4096, 128, 192),
    (4096, 256, 352),
    (2048, 512, 704),
)


class LoopOverExperts(nn.Module):
    """The same weights as `experts`, one expert after another."""

    def __init__(self, experts: Experts, kind: str) -> None:
        super().__init__()
        self.router, self.kind = nn.Linear(*experts.router.weight.T.shape, bias=False), kind
        self.router.weight = experts.router.weight
        self.experts = nn.ModuleList()
        for gate_up, down in zip(experts.gate_up.weight, experts.down.weight, strict=True):
            expert = SwiGLU(
                ModelConfig(vocab_size=2, d_model=gate_up.shape[1], d_ff=down.shape[1], n_heads=1)
            )
            with torch.no_grad():
                expert.gate_up.weight.copy_(gate_up)
                expert.down.weight.copy_(down)
            self.experts.append(expert)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, 1)
        chosen_scores, chosen = self.router(tokens).topk(CHOSEN, dim=-1)
        weights = torch.zeros(len(tokens), N_EXPERTS).scatter(1, chosen, chosen_scores.softmax(dim=-1))
        out = torch.zeros_like(tokens)
        if self.kind == "all":
            for e, expert in enumerate(self.experts):
                out = out + weights[:, e : e + 1] * expert(tokens)
            return out.view_as(x)
        for choices in [chosen] if self.kind == "masked" else chosen.split(1, dim=1):
            for e, expert in enumerate(self.experts):
                mine = (choices == e).any(dim=-1)
                if mine.any():
                    out[mine] += weights[mine, e : e + 1] * expert(tokens[mine])
        return out.view_as(x)


def layers(n_tokens: int, d_model: int, d_ff: int) -> dict[str, Callable[[], None]]:
    """A step of each layer, all on the same tokens."""
    shape = {"vocab_size": 2, "d_model": d_model, "n_heads": 1}
    config = ModelConfig(
        **shape, d_ff=d_ff, feedforward="experts", n_experts=N_EXPERTS, experts_per_token=CHOSEN
    )
    ours = Experts(config)
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.05)
    loops = {kind: LoopOverExperts(ours, kind) for kind in LOOPS}
    dense = SwiGLU(ModelConfig(**shape, d_ff=CHOSEN * d_ff, activation="swiglu"))
    x = torch.randn(1, n_tokens, d_model, requires_grad=True)
    upstream = torch.randn_like(x)
    for other in loops.values():
        torch.testing.assert_close(other(x), ours(x), rtol=1e-4, atol=1e-4)

    def step(layer: nn.Module) -> Callable[[], None]:
        def run() -> None:
            x.grad = None
            layer.zero_grad()
            loss = (layer(x) * upstream).sum()
            if (balance := take_balance_loss(layer)) is not None:
                loss = loss + balance
            loss.backward()

        return run

    return {"ours": step(ours), **{kind: step(loop) for kind, loop in loops.items()}, "dense": step(dense)}


def models(d_model: int, d_ff: int, context: int, batch: int) -> dict[str, Callable[[], None]]:
    """A step without the optimizer of a four-layer model with experts, and of the dense one."""
    shape = {"vocab_size": 2048, "d_model": d_model, "context_length": context, "tie_embeddings": True}
    experts = ModelConfig(
        **shape, feedforward="experts", n_experts=N_EXPERTS, experts_per_token=CHOSEN, d_ff=d_ff
    )
    dense = ModelConfig(**shape, activation="swiglu", d_ff=CHOSEN * d_ff)
    ids = torch.randint(2048, (batch, context + 1))

    def step(config: ModelConfig) -> Callable[[], None]:
        model = build_model(config, "explicit")

        def run() -> None:
            model.zero_grad()
            loss = next_token_loss(model(ids[:, :-1]), ids[:, 1:])
            if (balance := take_balance_loss(model)) is not None:
                loss = loss + balance
            loss.backward()

        return run

    return {"ours": step(experts), "dense": step(dense)}


def medians(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Milliseconds of each, measured in turn."""
    return {name: 1000 * statistics.median(laps) for name, laps in in_turn(steps, repeats).items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; milliseconds forward and backward")
    for size in SIZES:
        ms = medians(layers(*size), repeats)
        loops = "".join(f", {kind} {ms[kind]:.2f} ({ms[kind] / ms['ours']:.2f}×)" for kind in LOOPS)
        print(
            f"layer  {size[0]} tokens, d_model {size[1]}, d_ff {size[2]}: ours {ms['ours']:.2f}{loops}, "
            f"dense {ms['dense']:.2f} (ours is {ms['ours'] / ms['dense']:.2f}× that)"
        )
    for size in ((128, 192, 128, 16), (256, 352, 256, 8)):
        ms = medians(models(*size), repeats)
        print(
            f"model  d_model {size[0]}, d_ff {size[1]}, {size[3]}×{size[2]} tokens: ours {ms['ours']:.1f}, "
            f"dense {ms['dense']:.1f} (ours is {ms['ours'] / ms['dense']:.2f}× that)"
        )


if __name__ == "__main__":
    main()
