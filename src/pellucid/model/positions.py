"""Where a token stands: vectors added to it, or queries and keys turned.

Shapes: B batch, T time, C d_model, D head size.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pellucid.model.config import ModelConfig

Rotate = Callable[[Tensor], Tensor]


def leave(heads: Tensor) -> Tensor:
    """The rotation of positions that rotate nothing."""
    return heads


class NoPositions(nn.Module):
    """Tokens do not know where they stand, but for what the causal mask betrays (Haviv et al. 2022)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        return x

    def rotation(self, positions: Tensor) -> Rotate:
        return leave


class LearnedPositions(NoPositions):
    """One trained vector a position, added to the token's (Radford et al. 2018, section 3.1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.table = nn.Embedding(config.context_length, config.d_model)

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        return x + self.table(positions)


class SinusoidalPositions(NoPositions):
    """Waves of wavelengths from 2π to 10,000 · 2π, added to the token's vector times √C (Vaswani et al. 2017, 3.4–3.5).

    Channel 2i holds the sine and 2i + 1 the cosine of one wave.
    """

    table: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        half = torch.arange(0, config.d_model, 2, dtype=torch.float32)
        frequencies = 10_000.0 ** (-half / config.d_model)  # (C/2,)
        angles = torch.arange(config.context_length, dtype=torch.float32)[:, None] * frequencies
        # (context, C/2, 2) → (context, C)
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
        self.register_buffer("table", waves, persistent=False)
        self.scale = math.sqrt(config.d_model)

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        return self.scale * x + self.table[positions]


class RotaryPositions(NoPositions):
    """Queries and keys turned by an angle that grows with the position (Su et al. 2021, RoFormer, section 3.2.2).

    Channel i is paired with channel i + D/2, the layout of Llama weights as Hugging Face publishes them.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        half = config.head_dim // 2
        # One over the power, as published models round it. The power of the negative differs in the last bit, which
        # grows with the position: SmolLM2's logits were 1e-4 off after 560 tokens, and are the same bits now.
        frequencies = 1.0 / config.rope_base ** (torch.arange(half, dtype=torch.float32) / half)  # (D/2,)
        times = torch.arange(config.context_length, dtype=torch.float32)
        angles = times[:, None] * frequencies  # (context, D/2)
        cos, sin = angles.cos(), angles.sin()
        self.register_buffer("cos", torch.cat((cos, cos), dim=-1), persistent=False)  # (context, D)
        self.register_buffer("sin", torch.cat((-sin, sin), dim=-1), persistent=False)

    def rotation(self, positions: Tensor) -> Rotate:
        # positions is (T,) or (B, T); heads are (B, heads, T, D)
        cos, sin = self.cos[positions], self.sin[positions]
        if positions.dim() == 2:
            cos, sin = cos[:, None], sin[:, None]
        return Rotation(cos, sin)


class Rotation:
    """Turns heads (B, heads, T, D) by angles whose cosine and sine are (T, D) or (B, 1, T, D).

    Channels i and i + D/2 become first·cos − second·sin and second·cos + first·sin: all of them times the cosine, plus
    their partners times the sine, whose first half is therefore negative.
    """

    def __init__(self, cos: Tensor, sin: Tensor) -> None:
        self.cos, self.sin = cos, sin

    def __call__(self, heads: Tensor) -> Tensor:
        first, second = heads.chunk(2, dim=-1)
        partners = torch.cat((second, first), dim=-1)
        return (heads * self.cos + partners * self.sin).to(heads.dtype)


POSITIONS = {
    "learned": LearnedPositions,
    "sinusoidal": SinusoidalPositions,
    "rotary": RotaryPositions,
    "none": NoPositions,
}
