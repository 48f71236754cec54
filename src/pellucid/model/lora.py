"""Low-rank adapters: a small trained change beside each frozen linear layer (Hu et al. 2021, LoRA, section 4).

    y = W·x + (alpha / rank) · B·A·x        A starts random, B at zero, so that training starts from the model as it is

Queries, keys and values are one matrix here and three elsewhere; each has an adapter of its own, and so do gate and up,
so that the adapters are those of the three matrices.

Shapes: C inputs, O outputs of a layer, r rank, n adapters of a layer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.model.attention import Attention
from pellucid.model.feedforward import FeedForward, SwiGLU

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEEDFORWARD = ("gate_proj", "up_proj", "down_proj")
TARGETS = {"attention": ATTENTION, "feedforward": FEEDFORWARD, "all": ATTENTION + FEEDFORWARD}
MARK = ".lora_"  # in the names of what is trained


@dataclasses.dataclass(frozen=True)
class Adapters:
    """Which layers are adapted, and how.

    Attributes:
        rank: of each change.
        alpha: its strength; the change is multiplied by alpha / rank.
        targets: the names of ATTENTION and FEEDFORWARD that are adapted.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]


class LoRALinear(nn.Linear):
    """A frozen linear layer with trained adapters for some of its output slices.

    Args:
        linear: the layer; its weights are shared, not copied.
        slices: the names of consecutive groups of its outputs, and their sizes.
        adapters: those of `slices` among its targets are adapted.
    """

    def __init__(self, linear: nn.Linear, slices: dict[str, int], adapters: Adapters) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        for frozen in self.parameters():
            frozen.requires_grad_(False)
        self.slices, self.rank, self.scale = slices, adapters.rank, adapters.alpha / adapters.rank
        self.names = [name for name in slices if name in adapters.targets]
        device = linear.weight.device
        self.lora_a, self.lora_b = nn.ParameterDict(), nn.ParameterDict()
        for name in self.names:
            down = torch.empty(self.rank, linear.in_features)
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
            self.lora_a[name] = nn.Parameter(down.to(device))
            self.lora_b[name] = nn.Parameter(torch.zeros(slices[name], self.rank, device=device))

    def down(self) -> Tensor:
        """(n·r, C): all A, one below the other."""
        return torch.cat([self.lora_a[name] for name in self.names])

    def up(self) -> Tensor:
        """(O, n·r): each B at the rows of its slice and the columns of its A, zero elsewhere."""
        width, rows = self.rank * len(self.names), []
        for name, size in self.slices.items():
            if name in self.names:
                before = self.rank * self.names.index(name)
                rows.append(F.pad(self.lora_b[name], (before, width - self.rank - before)))
            else:
                rows.append(self.weight.new_zeros(size, width))
        return torch.cat(rows)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        out = F.linear(x, self.weight, self.bias)  # (…, O)
        small = F.linear(x, self.down()).flatten(0, -2)  # (N, n·r)
        up = self.up().to(out.dtype)  # autocast leaves what works in place alone
        out.flatten(0, -2).addmm_(small, up.T, alpha=self.scale)
        return out

    @torch.no_grad()
    def merged(self) -> Tensor:
        """(O, C): the one matrix that does the same."""
        return torch.addmm(self.weight, self.up(), self.down(), alpha=self.scale)


def linear_slices(model: nn.Module) -> Iterator[tuple[nn.Module, str, dict[str, int], str]]:
    """The linear layers of the blocks that can be adapted: parent, attribute, slices and full name.

    In a mixture of experts these are the attention's alone.
    """
    for index, block in enumerate(getattr(model, "blocks", ())):
        attention, feedforward = block.attention, getattr(block, "feedforward", None)
        assert isinstance(attention, Attention)
        keys = attention.n_kv_heads * attention.head_dim
        qkv: dict[str, int] = {
            "q_proj": attention.n_heads * attention.head_dim,
            "k_proj": keys,
            "v_proj": keys,
        }
        where = f"blocks.{index}"
        yield attention, "qkv", qkv, f"{where}.attention.qkv"
        yield attention, "out", {"o_proj": attention.out.out_features}, f"{where}.attention.out"
        if isinstance(feedforward, SwiGLU):
            half = feedforward.gate_up.out_features // 2
            yield feedforward, "gate_up", {"gate_proj": half, "up_proj": half}, f"{where}.feedforward.gate_up"
        elif isinstance(feedforward, FeedForward):
            yield feedforward, "up", {"up_proj": feedforward.up.out_features}, f"{where}.feedforward.up"
        if isinstance(feedforward, SwiGLU | FeedForward):
            size = feedforward.down.out_features
            yield feedforward, "down", {"down_proj": size}, f"{where}.feedforward.down"


def possible_targets(model: nn.Module) -> list[str]:
    """The names that can be adapted in this model."""
    return list(dict.fromkeys(name for _, _, slices, _ in linear_slices(model) for name in slices))


def add_adapters(model: nn.Module, adapters: Adapters) -> None:
    """Freeze a model and put adapters beside its targets; draws the start of A from torch's random state."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parent, attribute, slices, _ in list(linear_slices(model)):
        if set(slices) & set(adapters.targets):
            setattr(parent, attribute, LoRALinear(getattr(parent, attribute), slices, adapters))


def adapted_layers(model: nn.Module) -> list[tuple[str, LoRALinear]]:
    """The adapted layers by name; none of a model without adapters."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, LoRALinear)]


def adapter_names(names: Sequence[str]) -> list[str]:
    """Those of a model's parameter names that are of adapters."""
    return [name for name in names if MARK in name]
