"""What a model is: one frozen dataclass, validated. What it costs: accounting.py.

Imports no torch, so that `--help`, forecasts and tables are instant.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, get_args

from pellucid.errors import InputError

Architecture = Literal["transformer", "bigram", "own"]
Positions = Literal["learned", "sinusoidal", "rotary", "none"]
Norm = Literal["layernorm", "rmsnorm", "rmsnorm_fixed", "none"]
NormPosition = Literal["pre", "post"]
Residual = Literal["add", "none"]
Mask = Literal["causal", "none"]
Scale = Literal["sqrt", "none"]
FeedForwardKind = Literal["dense", "experts", "none"]
Activation = Literal["relu", "gelu", "gelu_tanh", "relu2", "swiglu"]
SharedExpert = Literal["none", "plain", "gated"]
Balance = Literal["loss", "bias", "none"]

DEFAULT_ACTIVATION: Activation = "relu2"

IGNORE = -100  # a target that is not scored
LARGEST = 1 << 24  # no dimension of a model on one machine is larger; a damaged config.json is


CHOICES: dict[str, Any] = {
    "architecture": Architecture,
    "positions": Positions,
    "norm": Norm,
    "norm_position": NormPosition,
    "residual": Residual,
    "mask": Mask,
    "scale": Scale,
    "feedforward": FeedForwardKind,
    "activation": Activation,
    "shared_expert": SharedExpert,
    "balance": Balance,
}
SWITCHES = ("final_norm", "qk_norm", "bias", "tie_embeddings", "value_residual", "x0_residual")
EXPERT_SETTINGS = ("n_experts", "experts_per_token", "shared_expert", "balance", "balance_rate")
N_EXPERTS, EXPERTS_PER_TOKEN = 8, 2
BALANCE_RATES = {"loss": 0.01, "bias": 0.001, "none": 0.0}  # as in Switch and DeepSeek-V3


@dataclasses.dataclass(frozen=True)
class OwnCode:
    """A model class of a person's own: what a run says of it. The code itself is in the run's model.py.

    Attributes:
        file, name: where it was taken from, and the class.
        sha256: of the file's bytes.
        settings: what the class is given besides the vocabulary and the context; JSON.
        n_params: trainable parameters.
        kept_per_token: values that its forward pass keeps for the backward pass, for each token.
    """

    file: str
    name: str
    sha256: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    n_params: int = 0
    kept_per_token: int = 0

    @classmethod
    def from_dict(cls, values: Any) -> OwnCode:
        """Raises: InputError when something is missing or not of its kind."""
        kinds = {"file": str, "name": str, "sha256": str, "settings": dict}
        kinds |= {"n_params": int, "kept_per_token": int}
        if not isinstance(values, dict) or any(
            type(values.get(name)) is not kind for name, kind in kinds.items()
        ):
            raise InputError(
                f"the model configuration does not say whose code it is (own needs {', '.join(kinds)}): restore it"
            )
        return cls(**{name: values[name] for name in kinds})


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The shape of a decoder-only language model.

    What is left out follows from the rest: `n_kv_heads` is `n_heads`, `head_dim` is `d_model / n_heads`, `d_ff` is
    `4 · d_model` (two thirds of that, rounded up to a multiple of 32, for SwiGLU's three matrices).

    With feedforward "experts" each of `n_experts` SwiGLU layers has `d_ff` channels and no biases, and
    `experts_per_token` of them handle a token; `balance_rate` is the weight of the balancing loss, or what the
    balancing bias moves a step.

    A few values show what a part is good for, and are no advice: positions, norm, residual, mask, scale and
    feedforward may be "none" (a block is then its attention part alone), the norm may stand after its part ("post"),
    and `final_norm` may be off. Mask "none" lets tokens see the very answer; and what a cache kept of earlier tokens
    had not seen the later ones, so that writing differs from reading there.

    Attributes:
        vocab_size: tokens that there are, reserved ones counted; of a run, those of its tokenizer.
        context_length: tokens it sees at once.
        n_layers: blocks.
        n_heads: query heads a block.
        n_kv_heads: key/value heads, which the query heads share evenly; 0 is as many as query heads.
        head_dim: channels a head; 0 is d_model / n_heads.
        d_model: channels a token.
        d_ff: hidden channels of the feed-forward part, of each expert where there are experts; 0 follows from d_model.
        positions: how a token knows where it stands.
        rope_base: base of the rotary angles; above 1.
        norm: what keeps the channels of a token at one scale; rmsnorm_fixed learns no scale.
        norm_eps: what a norm adds under its root; above 0.
        norm_position: before each part, or after its sum.
        final_norm: a norm between the last block and the output; post-norm blocks end with one of their own.
        residual: whether each part adds to the stream, or replaces it.
        mask: whether a token sees only itself and earlier ones.
        scale: whether attention scores are divided by √head_dim.
        feedforward: one layer for all tokens, a mixture of experts, or none.
        activation: the function between its two layers; swiglu has three, and is what experts are.
        n_experts: experts there are; 0 is 8 with feedforward "experts".
        experts_per_token: experts that handle a token; 0 is 2 with feedforward "experts".
        shared_expert: one expert more for every token; gated by a sigmoid of the token, or not.
        balance: what keeps experts evenly used: a loss, a bias moved a step at a time, or nothing.
        balance_rate: weight of that loss, or what the bias moves a step; None is 0.01 or 0.001.
        qk_norm: normalise queries and keys of each head.
        bias: linear layers have biases.
        tie_embeddings: one table for tokens in and out.
        value_residual: each block's values are mixed with the first's.
        x0_residual: what enters a block is mixed with what entered the first.
        logit_softcap: logits stay between this and its negative, by tanh; 0 is off.
        dropout: share of activations dropped while training; from 0 to below 1.
        architecture: the transformer, a table of pairs (the baseline), or code of one's own.
        own: whose code that is, its settings and its cost, written down by `--model FILE.py:Class`.

    A model of a person's own code (architecture "own") has a vocabulary, a context, and what `own` says.

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
    norm_position: NormPosition = "pre"
    final_norm: bool = True
    residual: Residual = "add"
    mask: Mask = "causal"
    scale: Scale = "sqrt"
    feedforward: FeedForwardKind = "dense"
    activation: Activation = DEFAULT_ACTIVATION
    n_experts: int = 0
    experts_per_token: int = 0
    shared_expert: SharedExpert = "none"
    balance: Balance = "loss"
    balance_rate: float | None = None
    qk_norm: bool = False
    bias: bool = False
    tie_embeddings: bool = False
    value_residual: bool = False
    x0_residual: bool = False
    logit_softcap: float = 0.0
    dropout: float = 0.0
    architecture: Architecture = "transformer"
    own: OwnCode | None = None

    def __post_init__(self) -> None:
        for name, kind in CHOICES.items():
            value = getattr(self, name)
            if value not in get_args(kind):
                raise InputError(f"{name} {value!r} is unknown: choose one of {', '.join(get_args(kind))}")
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be true or false, not {getattr(self, name)!r}")
        self._check_sizes("vocab_size", "context_length", "n_layers", "n_heads", "d_model")
        self._fill_in_attention()
        self._fill_in_feedforward()
        self._check_numbers()
        self._check_fit()

    def _fill_in_attention(self) -> None:
        self._fill_in("n_kv_heads", self.n_heads)
        if not self.head_dim:
            if self.d_model % self.n_heads:
                raise InputError(
                    f"d_model {self.d_model} does not divide into {self.n_heads} heads: "
                    f"choose a multiple of {self.n_heads}, or give --head-dim"
                )
            self._fill_in("head_dim", self.d_model // self.n_heads)
        self._check_sizes("n_kv_heads", "head_dim")

    def _fill_in_feedforward(self) -> None:
        if self.feedforward == "experts":
            self._fill_in("n_experts", N_EXPERTS)
            self._check_sizes("n_experts")
            self._fill_in("experts_per_token", min(EXPERTS_PER_TOKEN, self.n_experts))
            self._check_sizes("experts_per_token")
            if self.balance_rate is None:
                object.__setattr__(self, "balance_rate", BALANCE_RATES[self.balance])
            if self.activation == DEFAULT_ACTIVATION:
                object.__setattr__(self, "activation", "swiglu")
        gated = self.activation == "swiglu"
        self._fill_in("d_ff", 32 * math.ceil(self.d_model * 8 / 3 / 32) if gated else 4 * self.d_model)
        self._check_sizes("d_ff")

    def _fill_in(self, name: str, value: int) -> None:
        if getattr(self, name) == 0:
            object.__setattr__(self, name, value)

    def _check_sizes(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
                raise InputError(f"{name} must be a whole number from 1 to {LARGEST:,}, not {value!r}")

    def _check_numbers(self) -> None:
        if not (_is_number(self.dropout) and 0 <= self.dropout < 1):
            raise InputError(f"dropout is a probability from 0 to below 1, not {self.dropout!r}")
        if not (_is_number(self.rope_base) and 1 < self.rope_base < math.inf):
            raise InputError(f"rope_base must be a number above 1, not {self.rope_base!r}")
        if not (_is_number(self.norm_eps) and 0 < self.norm_eps < math.inf):
            raise InputError(f"norm_eps must be a number above 0, not {self.norm_eps!r}")
        for name in ("logit_softcap", "balance_rate"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value >= 0):
                raise InputError(f"{name} must be 0 or a number above it, not {value!r}")

    def _check_fit(self) -> None:
        """Raises InputError where two settings do not go together."""
        if (self.architecture == "own") != (self.own is not None):
            raise InputError("a model of your own is named by its file: give --model FILE.py:Class")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        given = [name for name in EXPERT_SETTINGS if getattr(self, name) != defaults[name]]
        if given and self.feedforward != "experts":
            raise InputError(
                f"{given[0]} is for a mixture of experts: add --feedforward experts, or leave it out"
            )
        if self.n_heads % self.n_kv_heads:
            raise InputError(
                f"{self.n_heads} query heads cannot share {self.n_kv_heads} key/value heads evenly: "
                "n_kv_heads must divide n_heads"
            )
        if self.positions == "rotary" and self.head_dim % 2:
            raise InputError(
                f"rotary positions turn pairs of channels: head_dim {self.head_dim} must be even"
            )
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise InputError(f"sines and cosines come in pairs: d_model {self.d_model} must be even")
        if not self.final_norm and self.norm_position == "post":
            raise InputError(
                "post-norm blocks end with a norm of their own: leave out final_norm, or choose pre"
            )
        if self.experts_per_token > self.n_experts:
            raise InputError(
                f"a token cannot go to {self.experts_per_token} of {self.n_experts} experts: "
                "lower experts_per_token"
            )
        if self.feedforward == "experts" and self.activation != "swiglu":
            raise InputError(f"experts are SwiGLU layers: leave out the activation {self.activation}")
        if self.feedforward == "experts" and self.balance == "none" and self.balance_rate:
            raise InputError("balance none has no rate: leave out balance_rate, or choose loss or bias")

    # ------------------------------------------------------------------ reading and writing

    def to_dict(self) -> dict[str, Any]:
        values = dataclasses.asdict(self)
        if self.own:
            return {name: values[name] for name in ("architecture", "vocab_size", "context_length", "own")}
        del values["own"]
        return values

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
        own = values.get("own")
        return cls(**{**values, "own": OwnCode.from_dict(own) if own is not None else None})


def _is_number(value: object) -> bool:
    """Whether it is a finite number, and not a truth value."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
