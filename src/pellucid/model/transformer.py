"""The transformer, in the order it computes: tokens, positions, blocks, logits, loss.

Shapes: B batch, T time, S keys, C d_model, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.model.attention import ATTEND, Attend, Attention, Shared, attention_mask
from pellucid.model.bigram import Bigram
from pellucid.model.cache import KVCache
from pellucid.model.config import IGNORE, ModelConfig
from pellucid.model.dropout import Dropout
from pellucid.model.experts import Experts, GroupedLinear
from pellucid.model.feedforward import FeedForward, SwiGLU
from pellucid.model.linear import Linear
from pellucid.model.norms import NORMS, RMSNorm
from pellucid.model.own import OwnModel
from pellucid.model.positions import POSITIONS

INIT_STD = 0.02

FEEDFORWARDS: dict[str, Callable[[ModelConfig], nn.Module]] = {
    "dense": lambda config: SwiGLU(config) if config.activation == "swiglu" else FeedForward(config),
    "experts": Experts,
}
RESIDUALS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"add": torch.add, "none": lambda x, part: part}


class Enter(nn.Module):
    """How the residual stream enters a block: as it is."""

    def forward(self, x: Tensor, shared: Shared) -> Tensor:
        return x


class EnterWithStart(Enter):
    """Mixed with what entered the first block, by two learned scalars (Jordan et al. 2024, modded-nanogpt)."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, x: Tensor, shared: Shared) -> Tensor:
        return self.mix[0] * x + self.mix[1] * shared.x0


class AttentionBlock(nn.Module):
    """Tokens look at one another: a block that has no feed-forward part.

    The norm comes before the part (Radford et al. 2019, section 2.3).
    """

    def __init__(self, config: ModelConfig, layer: int, attend: Attend) -> None:
        super().__init__()
        self.enter = EnterWithStart() if config.x0_residual else Enter()
        self.attention_norm = NORMS[config.norm](config.d_model, eps=config.norm_eps)
        self.attention = Attention(config, layer, attend)
        self.dropout = Dropout(config.dropout)
        self.join = RESIDUALS[config.residual]

    def forward(self, x: Tensor, shared: Shared) -> Tensor:
        x = self.enter(x, shared)
        return self.join(x, self.dropout(self.attention(self.attention_norm(x), shared)))


class Block(AttentionBlock):
    """Tokens look at one another, then each thinks by itself; both add to the residual stream."""

    def __init__(self, config: ModelConfig, layer: int, attend: Attend) -> None:
        super().__init__(config, layer, attend)
        self.feedforward_norm = NORMS[config.norm](config.d_model, eps=config.norm_eps)
        self.feedforward = FEEDFORWARDS[config.feedforward](config)

    def forward(self, x: Tensor, shared: Shared) -> Tensor:
        x = self.enter(x, shared)
        x = self.join(x, self.dropout(self.attention(self.attention_norm(x), shared)))
        return self.join(x, self.dropout(self.feedforward(self.feedforward_norm(x))))


class PostNormAttentionBlock(AttentionBlock):
    """The first with its norm after the sum (Vaswani et al. 2017, section 3.1)."""

    def forward(self, x: Tensor, shared: Shared) -> Tensor:
        x = self.enter(x, shared)
        return self.attention_norm(self.join(x, self.dropout(self.attention(x, shared))))


class PostNormBlock(Block):
    """The second with each norm after its sum."""

    def forward(self, x: Tensor, shared: Shared) -> Tensor:
        x = self.enter(x, shared)
        x = self.attention_norm(self.join(x, self.dropout(self.attention(x, shared))))
        return self.feedforward_norm(self.join(x, self.dropout(self.feedforward(x))))


ATTENTION_BLOCKS = {"pre": AttentionBlock, "post": PostNormAttentionBlock}  # with feedforward "none"
BLOCKS = {"pre": Block, "post": PostNormBlock}


class SoftCap(nn.Module):
    """Logits kept between −cap and cap (Gemma Team 2024, Gemma 2, section 2)."""

    def __init__(self, cap: float) -> None:
        super().__init__()
        self.cap = cap

    def forward(self, logits: Tensor) -> Tensor:
        return self.cap * torch.tanh(logits / self.cap)


class Transformer(nn.Module):
    """A decoder-only transformer (Vaswani et al. 2017; Radford et al. 2019).

    Args:
        config: its shape and parts.
        attend: the core of its attention, "fused" or "explicit"; both give the same values.
    """

    def __init__(self, config: ModelConfig, attend: str = "fused") -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.positions = POSITIONS[config.positions](config)
        self.dropout = Dropout(config.dropout)
        block = (ATTENTION_BLOCKS if config.feedforward == "none" else BLOCKS)[config.norm_position]
        self.blocks = nn.ModuleList(block(config, layer, ATTEND[attend]) for layer in range(config.n_layers))
        # post-norm's last block ends with a norm
        last_norm = config.norm if config.final_norm and config.norm_position == "pre" else "none"
        self.norm = NORMS[last_norm](config.d_model, eps=config.norm_eps)
        self.head = Linear(config.d_model, config.vocab_size, bias=False)
        self.cap = SoftCap(config.logit_softcap) if config.logit_softcap else nn.Identity()
        self.apply(self._initialise)
        for name, weight in self.named_parameters():
            if name.endswith(("attention.out.weight", "down.weight")):
                # 2L additions to the residual stream keep its variance (Radford et al. 2019, section 2.3)
                nn.init.normal_(weight, std=INIT_STD / math.sqrt(2 * config.n_layers))
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding | GroupedLinear):
            nn.init.normal_(module.weight, std=INIT_STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        real: Tensor | None = None,
        documents: Tensor | None = None,
        cache: KVCache | None = None,
        last_only: bool = False,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Logits of the token that follows each of `ids`.

        Args:
            ids: (B, T) token ids; with a cache, the T new ones.
            positions: (T,) or (B, T); default: counted from the first token, or from the first real one
                of each row where `real` is given.
            real: (B, S) bool, False at padding on either side; S counts the cached tokens too.
            documents: (B, S) integers; tokens see only their own document.
            cache: earlier keys and values, extended in place.
            last_only: logits of the last position alone, for decoding.
            wanted: (B, T) bool, the positions whose logits are asked for: where most targets are not learned, or the
                vocabulary is large, the others would cost much for nothing.

        Returns:
            (B, T, V), (B, 1, V) with `last_only`, or (N, V) of the N positions `wanted`, row after row.
        """
        T = ids.shape[1]
        past = cache.length if cache is not None else 0
        assert past + T <= self.config.context_length, f"{past + T} tokens exceed the context"
        for given in (real, documents):  # a mask of the new tokens alone could broadcast over the cached ones
            assert given is None or given.shape[1] == past + T, f"a mask needs all {past + T} tokens"
        if positions is None:
            positions = _positions(past, T, real, ids.device)
        mask = attention_mask((T, past + T), ids.device, real, documents, self.config.mask)

        x = self.dropout(self.positions.embed(self.embedding(ids), positions))
        shared = Shared(x, self.positions.rotation(positions), mask, cache)
        for block in self.blocks:
            x = block(x, shared)
        if cache is not None:
            cache.advance(T)
        if last_only:
            x = x[:, -1:]
        elif wanted is not None:
            x = select(x, wanted)
        return self.cap(self.head(self.norm(x)))


def select(x: Tensor, wanted: Tensor) -> Tensor:
    """(N, C): the places of `x` (B, T, C) at which `wanted` (B, T) is true, row after row."""
    return x.flatten(0, 1).index_select(0, wanted.flatten().nonzero().squeeze(1))


def _positions(past: int, n_tokens: int, real: Tensor | None, device: torch.device) -> Tensor:
    if real is None:
        return torch.arange(past, past + n_tokens, device=device)
    return (real.long().cumsum(dim=1) - 1).clamp_(min=0)[:, -n_tokens:]


LanguageModel = Transformer | Bigram | OwnModel


def build_model(config: ModelConfig, attend: str = "fused", plain: bool = False) -> LanguageModel:
    """A freshly initialised model of any architecture; a `plain` one has its layers computed as torch does.

    Raises:
        InputError: it is of a person's own code, which has not been loaded, or cannot be built.
    """
    if config.architecture == "own":
        return OwnModel(config)
    model = Bigram(config) if config.architecture == "bigram" else Transformer(config, attend)
    for module in model.modules():
        if isinstance(module, Linear | RMSNorm):
            module.plain = plain
    return model


def next_token_loss(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy in nats between `logits` (…, V) and `targets` (…); targets of IGNORE are not scored.

    "mean" is over the scored targets, "sum" over all, "none" gives one of each target.
    """
    loss = F.cross_entropy(
        logits.flatten(0, -2).float(), targets.flatten(), ignore_index=IGNORE, reduction=reduction
    )
    return loss.view(targets.shape) if reduction == "none" else loss
