"""What a model is: one frozen dataclass, validated, with its parameter, FLOP and KV-cache accounting.

Imports no torch, so that `--help`, forecasts and tables are instant.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, get_args

from pellucid.errors import InputError

Architecture = Literal["transformer", "bigram"]
Positions = Literal["learned", "rotary"]
Norm = Literal["layernorm", "rmsnorm"]
Activation = Literal["relu", "gelu", "gelu_tanh", "relu2", "swiglu"]

IGNORE = -100  # a target that is not scored
LARGEST = 1 << 24  # no dimension of a model on one machine is larger; a damaged config.json is


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The shape of a decoder-only language model.

    `n_kv_heads`, `head_dim` and `d_ff` may be left out: they become `n_heads`, `d_model / n_heads`
    and `4 · d_model` (two thirds of that, rounded up to a multiple of 32, for SwiGLU's three matrices).

    Raises:
        InputError: a size is out of range, or two of them do not fit together.
    """

    vocab_size: int
    context_length: int = 128
    n_layers: int = 4
    n_heads: int = 4
    n_kv_heads: int = 0
    head_dim: int = 0
    d_model: int = 128
    d_ff: int = 0
    positions: Positions = "rotary"
    rope_base: float = 10_000.0
    norm: Norm = "rmsnorm"
    norm_eps: float = 1e-5
    activation: Activation = "relu2"
    qk_norm: bool = False
    bias: bool = False
    tie_embeddings: bool = False
    dropout: float = 0.0
    architecture: Architecture = "transformer"

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_sizes("vocab_size", "context_length", "n_layers", "n_heads", "d_model")
        if not self.n_kv_heads:
            object.__setattr__(self, "n_kv_heads", self.n_heads)
        if not self.head_dim:
            if self.d_model % self.n_heads:
                raise InputError(
                    f"d_model {self.d_model} does not divide into {self.n_heads} heads: "
                    f"choose a multiple of {self.n_heads}, or give --head-dim"
                )
            object.__setattr__(self, "head_dim", self.d_model // self.n_heads)
        if not self.d_ff:
            gated = self.activation == "swiglu"
            d_ff = 32 * math.ceil(self.d_model * 8 / 3 / 32) if gated else 4 * self.d_model
            object.__setattr__(self, "d_ff", d_ff)
        self._check_sizes("n_kv_heads", "head_dim", "d_ff")
        if self.n_heads % self.n_kv_heads:
            raise InputError(
                f"{self.n_heads} query heads cannot share {self.n_kv_heads} key/value heads evenly: "
                "n_kv_heads must divide n_heads"
            )
        if self.positions == "rotary" and self.head_dim % 2:
            raise InputError(
                f"rotary positions turn pairs of channels: head_dim {self.head_dim} must be even"
            )
        if not (_is_number(self.dropout) and 0 <= self.dropout < 1):
            raise InputError(f"dropout is a probability from 0 to below 1, not {self.dropout!r}")
        if not (_is_number(self.rope_base) and 1 < self.rope_base < math.inf):
            raise InputError(f"rope_base must be a number above 1, not {self.rope_base!r}")
        if not (_is_number(self.norm_eps) and 0 < self.norm_eps < math.inf):
            raise InputError(f"norm_eps must be a number above 0, not {self.norm_eps!r}")

    def _check_choices(self) -> None:
        choices = {
            "architecture": Architecture,
            "positions": Positions,
            "norm": Norm,
            "activation": Activation,
        }
        for name, kind in choices.items():
            value = getattr(self, name)
            if value not in get_args(kind):
                raise InputError(f"{name} {value!r} is unknown: choose one of {', '.join(get_args(kind))}")
        for name in ("qk_norm", "bias", "tie_embeddings"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be true or false, not {getattr(self, name)!r}")

    def _check_sizes(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
                raise InputError(f"{name} must be a whole number from 1 to {LARGEST:,}, not {value!r}")

    # ------------------------------------------------------------------ accounting

    def parameter_counts(self) -> dict[str, int]:
        """Trainable parameters by part; tied embeddings are counted once."""
        if self.architecture == "bigram":
            return {"table": self.vocab_size**2}
        d, bias = self.d_model, int(self.bias)
        queries, key_values = self.n_heads * self.head_dim, 2 * self.n_kv_heads * self.head_dim
        norm = d * (2 if self.norm == "layernorm" else 1)
        inputs = 2 if self.activation == "swiglu" else 1  # gate and up, or up alone
        return {
            "token embedding": self.vocab_size * d,
            "position embedding": self.context_length * d if self.positions == "learned" else 0,
            "attention": self.n_layers
            * (
                (d + bias) * (queries + key_values)
                + (queries + bias) * d
                + (2 * self.head_dim if self.qk_norm else 0)
            ),
            "feed-forward": self.n_layers * ((d + bias) * inputs * self.d_ff + (self.d_ff + bias) * d),
            "norms": (2 * self.n_layers + 1) * norm,
            "output head": 0 if self.tie_embeddings else self.vocab_size * d,
        }

    @property
    def n_params(self) -> int:
        """Trainable parameters."""
        return sum(self.parameter_counts().values())

    def flops_per_token(self, length: int | None = None) -> int:
        """Floating-point operations of one token's forward pass at sequence length `length`.

        Two per weight of every matrix product, plus 4·T·H·D a layer for scores and weighted values, halved
        because the mask is causal. A training step costs three times as much
        (Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1).
        """
        if self.architecture == "bigram":
            return 0
        length = length or self.context_length
        counts = self.parameter_counts()
        matrices = counts["attention"] + counts["feed-forward"] + self.vocab_size * self.d_model
        return 2 * matrices + self.n_layers * 2 * length * self.n_heads * self.head_dim

    def kv_cache_bytes(self, batch: int = 1, length: int | None = None, bytes_per_value: int = 4) -> int:
        """Bytes that the keys and values of `length` tokens (default: a full context) take."""
        if self.architecture == "bigram":
            return 0
        values = 2 * self.n_layers * self.n_kv_heads * self.head_dim
        return batch * (length or self.context_length) * values * bytes_per_value

    # ------------------------------------------------------------------ reading and writing

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Raises: InputError when a name is unknown, `vocab_size` is missing, or a value is bad."""
        if not isinstance(values, dict):
            raise InputError(f"a model configuration is names and values (a JSON object), not {values!r}")
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(
                f"the model configuration has settings unknown here: {', '.join(unknown)}; "
                "remove them, or use the version of Pellucid that wrote them"
            )
        if "vocab_size" not in values:
            raise InputError(
                "the model configuration lacks vocab_size: add it, the number of tokens of the tokenizer"
            )
        return cls(**values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
