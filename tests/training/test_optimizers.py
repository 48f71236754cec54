"""AdamW against torch's own, Muon against its definition, and the state that a checkpoint keeps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pellucid.model.config import ModelConfig
from pellucid.model.transformer import Transformer
from pellucid.training.optimizers import AdamW, Muon, Optimizers, build_optimizers, orthogonalise

SHAPE = {"n_layers": 2, "n_heads": 4, "d_model": 32, "context_length": 8}


def small_model(**settings: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(ModelConfig.from_dict({"vocab_size": 11, **SHAPE, **settings}))


def give_gradients(model: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def take_steps(model: torch.nn.Module, optimizers: Optimizers, seeds: range) -> None:
    for seed in seeds:
        give_gradients(model, seed)
        optimizers.set_rate(1 / (1 + seed))
        optimizers.step()


def test_adamw_is_torchs_with_decay_on_matrices_alone():
    ours, theirs = small_model(bias=True, norm="layernorm"), small_model(bias=True, norm="layernorm")
    optimizers = build_optimizers(ours, "adamw", lr=0.01, betas=(0.8, 0.9), weight_decay=0.3)
    parameters = list(theirs.parameters())
    reference = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() == 2], "weight_decay": 0.3},
            {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        ],
        lr=0.01,
        betas=(0.8, 0.9),
        foreach=False,
    )
    for seed in range(5):
        for model in (ours, theirs):
            give_gradients(model, seed)
        optimizers.step()
        reference.step()
    for mine, expected in zip(ours.parameters(), parameters, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(32, 32), (32, 128), (16, 17), (1, 8), (64, 384)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, int]):
    torch.manual_seed(1)
    singular = torch.linalg.svdvals(orthogonalise(torch.randn(8, *shape)))
    # the smallest of a square random matrix are too small for three steps to lift
    bulk = singular[:, : max(1, int(0.9 * shape[0]))]
    assert bulk.min() > 0.6
    assert singular.max() < 1.28


def test_orthogonalising_keeps_the_singular_vectors():
    torch.manual_seed(1)
    u, v = torch.linalg.qr(torch.randn(16, 16))[0], torch.linalg.qr(torch.randn(32, 16))[0]
    made = orthogonalise((u @ torch.diag(torch.linspace(1, 3, 16)) @ v.T)[None])[0]
    turned = u.T @ made @ v
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-3


def test_orthogonalising_together_is_orthogonalising_one_by_one():
    torch.manual_seed(2)
    matrices = torch.randn(5, 24, 40)
    together = orthogonalise(matrices)
    for matrix, expected in zip(matrices, together, strict=True):
        torch.testing.assert_close(orthogonalise(matrix[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_directions_in_bfloat16_are_those_of_float32_nearly():
    torch.manual_seed(2)
    matrices = torch.randn(3, 64, 160)
    full, half = orthogonalise(matrices), orthogonalise(matrices, torch.bfloat16).float()
    assert (half - full).norm() < 0.02 * full.norm()
    values = torch.linalg.svdvals(half)
    assert values.min() > 0.7 and values.max() < 1.3


def test_a_zero_gradient_moves_nothing():
    weight = torch.randn(8, 8)
    muon = Muon([(weight, (8,))], lr=0.1)
    before = weight.clone()
    weight.grad = torch.zeros_like(weight)
    muon.step()
    assert torch.equal(weight, before)


def muon_step(weight: Tensor, rows: tuple[int, ...], gradient: Tensor) -> Tensor:
    """What one step adds to a weight."""
    moved = weight.clone()
    moved.grad = gradient.clone()
    Muon([(moved, rows)], lr=0.1).step()
    return moved - weight


def test_rows_of_a_fused_projection_are_orthogonalised_by_themselves():
    torch.manual_seed(3)
    weight, gradient = torch.randn(48, 32), torch.randn(48, 32)
    gradient[:32] *= 1000  # would drown the other rows if they were treated as one matrix
    fused = muon_step(weight, (32, 8, 8), gradient)
    for rows in (slice(0, 32), slice(32, 40), slice(40, 48)):
        alone = muon_step(weight[rows], (rows.stop - rows.start,), gradient[rows])
        torch.testing.assert_close(fused[rows], alone, rtol=1e-4, atol=1e-6)


def test_the_model_tells_muon_which_rows_are_fused():
    model = small_model(n_kv_heads=2, activation="swiglu", d_ff=64)
    muon = next(o for o in build_optimizers(model, "muon", lr=0.01).optimizers if isinstance(o, Muon))
    block: Any = model.blocks[0]
    assert muon.row_blocks[block.attention.qkv.weight] == (32, 16, 16)
    assert muon.row_blocks[block.feedforward.gate_up.weight] == (64, 64)
    assert muon.row_blocks[block.feedforward.down.weight] == (32,)


def test_muon_takes_the_blocks_matrices_and_adamw_the_rest():
    model = small_model(qk_norm=True)
    adamw, muon = build_optimizers(model, "muon", lr=0.01).optimizers
    names = {parameter: name for name, parameter in model.named_parameters()}

    def held(optimizer: AdamW | Muon) -> set[str]:
        return {names[weight] for weight in optimizer.state}

    assert held(muon) == {n for p, n in names.items() if n.startswith("blocks.") and p.dim() == 2}
    assert held(adamw) == set(names.values()) - held(muon)
    assert "embedding.weight" in held(adamw)


@pytest.mark.parametrize("transposed", [False, True])
def test_an_update_has_the_size_of_adamws(transposed: bool):
    torch.manual_seed(4)
    shape = (128, 32) if transposed else (32, 128)
    update = muon_step(torch.zeros(shape), (shape[0],), torch.randn(shape))
    assert update.square().mean().sqrt() == pytest.approx(0.1 * 0.2, rel=0.25)  # lr × root mean square


def test_decay_shrinks_weights_by_rate_times_decay():
    weight = torch.ones(4, 4)
    weight.grad = torch.zeros_like(weight)
    Muon([(weight, (4,))], lr=0.5, weight_decay=0.1).step()
    torch.testing.assert_close(weight, torch.full((4, 4), 0.95))


def test_one_rate_for_both():
    optimizers = build_optimizers(small_model(), "muon", lr=0.03)
    optimizers.set_rate(0.5)
    assert [optimizer.lr for optimizer in optimizers.optimizers] == [0.015, 0.015]


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_state_taken_out_and_put_back_goes_on_to_the_same_bits(kind: str):
    straight, first, second = (small_model(tie_embeddings=True) for _ in range(3))
    one = build_optimizers(straight, kind, lr=0.01)
    take_steps(straight, one, range(6))

    before = build_optimizers(first, kind, lr=0.01)
    take_steps(first, before, range(3))
    state = {name: tensor.clone() for name, tensor in before.state_tensors().items()}
    second.load_state_dict(first.state_dict())
    after = build_optimizers(second, kind, lr=0.01)
    after.load_state_tensors(state)
    take_steps(second, after, range(3, 6))

    for name, tensor in second.state_dict().items():
        assert torch.equal(tensor, straight.state_dict()[name]), name
    expected = one.state_tensors()
    assert after.state_tensors().keys() == expected.keys()
    for name, tensor in after.state_tensors().items():
        assert torch.equal(tensor, expected[name]), name


def test_a_training_on_text_loads_neither_the_compiler_nor_what_reads_chats(tmp_path: Path):
    (tmp_path / "text.txt").write_text("to be or not to be\n" * 200, encoding="utf-8")
    code = """
import sys, pellucid
pellucid.train("text.txt", out="run", steps=2, n_layers=1, n_heads=2, d_model=16, context_length=8, batch_size=2)
sys.exit(bool({"torch._dynamo", "pellucid.text.chats.whatsapp"} & sys.modules.keys()))  # two seconds, a quarter
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
