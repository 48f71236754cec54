"""AdamW, and Muon for the matrices inside the blocks, behind one small interface.

They are not `torch.optim.Optimizer`s: those load torch's compiler, which takes two of the seconds that a training or a
preview needs to begin (docs/LOG.md, "The start of a training").

Shapes: R rows, C columns of a weight, n matrices of one shape.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from pellucid.model.attention import Attention
from pellucid.model.experts import Experts, GroupedLinear
from pellucid.model.feedforward import SwiGLU
from pellucid.training.distributed import full, is_part, part

# Odd polynomials that, one after another, come nearest to 1 on what is left of [0.01, 1]: in the end within 0.27 of it
# (Amsel et al. 2025, "The Polar Express", section 3; here from a larger least singular value, for fewer steps).
POLAR_EXPRESS = ((8.0934, -23.6204, 17.4462), (3.6366, -2.7219, 0.5365), (2.6613, -1.9772, 0.4526))
NORM_MARGIN = 1.01  # singular values stay below 1 in spite of rounding
RMS_OF_ADAMW = 0.2


class AdamW:
    """Adam with weight decay of its own (Loshchilov & Hutter 2019), by torch's kernel that takes one pass.

    Weight decay spares vectors: norms' scales and biases (as in GPT-3, Brown et al. 2020, appendix B, by custom).
    """

    def __init__(
        self,
        weights: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.lr, self.betas, self.weight_decay, self.eps = lr, betas, weight_decay, eps
        self.state = {
            weight: {
                "step": torch.zeros((), device=weight.device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
            for weight in weights
        }

    @torch.no_grad()
    def step(self) -> None:
        self._step((weight for weight in self.state if weight.dim() >= 2), self.weight_decay)
        self._step((weight for weight in self.state if weight.dim() < 2), 0.0)

    def _step(self, candidates: Iterable[Tensor], weight_decay: float) -> None:
        weights, gradients = _with_gradients(candidates)
        if not weights:
            return
        steps, means, squares = (
            [self.state[weight][entry] for weight in weights] for entry in ("step", "exp_avg", "exp_avg_sq")
        )
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            weights, gradients, means, squares, [], steps, lr=self.lr, beta1=self.betas[0],
            beta2=self.betas[1], weight_decay=weight_decay, eps=self.eps, amsgrad=False, maximize=False,
        )  # fmt: skip


class Muon:
    """Momentum whose every update is made orthogonal (Jordan et al. 2024).

    The update is scaled to the root mean square that AdamW's has (Liu et al. 2025, "Muon is Scalable for LLM
    Training", section 2.2), so both optimizers share one learning rate. Matrices of one shape are orthogonalised
    together, and the rows of a fused projection (queries, keys, values; gate, up) and of each expert by themselves.
    Of a weight that processes share out, each computes the whole update and keeps its part.

    Args:
        matrices: (weight, row blocks) pairs; the blocks' sizes add up to the weight's rows, all dimensions but the
            last counted together.
    """

    def __init__(
        self,
        matrices: Iterable[tuple[Tensor, tuple[int, ...]]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.lr, self.momentum, self.weight_decay, self.dtype = lr, momentum, weight_decay, dtype
        self.row_blocks = dict(matrices)
        self.state = {weight: {"momentum": torch.zeros_like(weight)} for weight in self.row_blocks}

    @torch.no_grad()
    def step(self) -> None:
        weights, gradients = _with_gradients(self.state)
        momenta = [self.state[weight]["momentum"] for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - self.momentum)
        directions = _looked_ahead(gradients, momenta, self.momentum)
        if self.weight_decay:
            torch._foreach_mul_(weights, 1 - self.lr * self.weight_decay)
        updated = [
            torch.zeros_like(direction) if is_part(weight) else weight
            for weight, direction in zip(weights, directions, strict=True)
        ]
        blocks = [
            pair
            for weight, target, direction in zip(weights, updated, directions, strict=True)
            for pair in zip(
                target.flatten(0, -2).split(self.row_blocks[weight]),
                direction.flatten(0, -2).split(self.row_blocks[weight]),
                strict=True,
            )
        ]
        for targets, updates in _by_shape(blocks):
            step_size = -self.lr * RMS_OF_ADAMW * math.sqrt(max(updates.shape[1:]))
            orthogonal = orthogonalise(updates, self.dtype).to(updates.dtype)
            torch._foreach_add_(targets, list(orthogonal.unbind()), alpha=step_size)
        for weight, target in zip(weights, updated, strict=True):
            if target is not weight:
                weight.add_(part(target, weight))


def _with_gradients(weights: Iterable[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Those that have gradients, and these."""
    pairs = [(weight, weight.grad) for weight in weights if weight.grad is not None]
    return [weight for weight, _ in pairs], [gradient for _, gradient in pairs]


def _looked_ahead(gradients: list[Tensor], momenta: list[Tensor], momentum: float) -> list[Tensor]:
    """Nesterov's directions, whole."""
    if not any(map(is_part, gradients)):
        return list(torch._foreach_lerp(gradients, momenta, momentum))
    ahead = [gradient.clone() for gradient in gradients]  # parts of tensors are only changed in place
    torch._foreach_lerp_(ahead, momenta, momentum)
    return [full(each) for each in ahead]


def _by_shape(blocks: list[tuple[Tensor, Tensor]]) -> Iterator[tuple[list[Tensor], Tensor]]:
    """(weights, updates) of one shape at a time: n weights, all lying wide, and their updates (n, R, C)."""
    groups: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = defaultdict(list)
    for weight, update in blocks:
        wide = (weight.T, update.T) if weight.shape[0] > weight.shape[1] else (weight, update)
        groups[tuple(wide[0].shape)].append(wide)
    for group in groups.values():
        yield [weight for weight, _ in group], torch.stack([update for _, update in group])


def orthogonalise(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The nearest (semi-)orthogonal matrices, roughly: singular values of (n, R, C), R ≤ C, brought near 1.

    Three steps instead of the five Newton–Schulz steps of Jordan et al. (2024): the time that they save buys more than
    they lose (docs/LOG.md, "Three steps of Muon").

    Args:
        dtype: of the products. A direction needs no more than bfloat16 (Jordan et al. 2024).
    """
    x = (matrices / (NORM_MARGIN * matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(dtype)
    for a, b, c in POLAR_EXPRESS:
        gram = x @ x.mT  # (n, R, R)
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x


class Optimizers:
    """AdamW and Muon stepped together at one rate, with a state of named tensors."""

    def __init__(self, optimizers: list[AdamW | Muon], names: dict[Tensor, str], lr: float) -> None:
        self.optimizers, self.names, self.peak = optimizers, names, lr

    def set_rate(self, multiplier: float) -> None:
        """The learning rate becomes `multiplier` times its peak."""
        for optimizer in self.optimizers:
            optimizer.lr = multiplier * self.peak

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def state_tensors(self) -> dict[str, Tensor]:
        """Everything the optimizers remember, as "parameter/entry" → tensor."""
        return {
            f"{self.names[weight]}/{entry}": value
            for optimizer in self.optimizers
            for weight, state in optimizer.state.items()
            for entry, value in state.items()
        }

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of `state_tensors`."""
        states = {
            self.names[weight]: (weight, state)
            for optimizer in self.optimizers
            for weight, state in optimizer.state.items()
        }
        for key, value in tensors.items():
            name, entry = key.rsplit("/", 1)
            weight, state = states[name]
            is_count = entry == "step"
            state[entry] = value.to(weight.device, copy=True) if is_count else part(value, weight)


def build_optimizers(
    model: nn.Module,
    kind: str,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    weight_decay: float = 0.1,
    precision: str = "float32",
) -> Optimizers:
    """AdamW, or ("muon") AdamW for embeddings, head and norms with Muon for the blocks' matrices; nothing frozen.

    Args:
        precision: of Muon's products, "float32" or "bfloat16"; weights and what is remembered stay as they are.
    """
    names: dict[Tensor, str] = {p: name for name, p in model.named_parameters() if p.requires_grad}
    matrices = dict(pair for pair in _block_matrices(model) if pair[0] in names) if kind == "muon" else {}
    rest = [weight for weight in names if weight not in matrices]
    optimizers: list[AdamW | Muon] = [AdamW(rest, lr, betas, weight_decay)]
    if matrices:
        optimizers.append(
            Muon(matrices.items(), lr, weight_decay=weight_decay, dtype=getattr(torch, precision))
        )
    return Optimizers(optimizers, names, lr)


def _block_matrices(model: nn.Module) -> Iterator[tuple[Tensor, tuple[int, ...]]]:
    """The weights of the linear layers and experts inside the blocks, with the rows that belong together."""
    blocks = getattr(model, "blocks", nn.ModuleList())
    fused: dict[Tensor, tuple[int, ...]] = {}
    for module in blocks.modules():
        if isinstance(module, Attention):
            keys = module.n_kv_heads * module.head_dim
            fused[module.qkv.weight] = (module.n_heads * module.head_dim, keys, keys)
        elif isinstance(module, SwiGLU):
            rows = module.gate_up.out_features // 2
            fused[module.gate_up.weight] = (rows, rows)
        elif isinstance(module, Experts):
            n_experts, rows, _ = module.gate_up.weight.shape
            fused[module.gate_up.weight] = (rows // 2,) * (2 * n_experts)
    for module in blocks.modules():
        if isinstance(module, nn.Linear):
            yield module.weight, fused.get(module.weight, (module.out_features,))
        elif isinstance(module, GroupedLinear):
            n_experts, rows, _ = module.weight.shape
            yield module.weight, fused.get(module.weight, (rows,) * n_experts)
