"""Tensors turned into a file's and back are the same bits."""

from __future__ import annotations

import pytest
import torch

from pellucid.interop.assembling import assemble, taken_apart
from pellucid.interop.mapping import Layout, Part, Place, plan
from pellucid.interop.names import (
    GGUF_NAMES,
    GPT2_NAMES,
    GRANITE_NAMES,
    LLAMA_NAMES,
    MIXTRAL_NAMES,
    OPT_NAMES,
    QWEN_MOE_NAMES,
    STARCODER_NAMES,
)
from pellucid.interop.turns import HalfSplit, Turn, Without, as_it_is, transposed
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model

EVERY = frozenset(("qkv", "q", "k", "v", "out", "gate", "up", "down"))


class Kept:
    """Tensors by name, as the files of a model."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = tensors

    def dtype(self, name: str) -> torch.dtype:
        return self.tensors[name].dtype

    def read(self, name: str) -> torch.Tensor:
        return self.tensors[name]


@pytest.mark.parametrize("turn", [as_it_is, transposed, HalfSplit(6), Without(2)])
def test_a_turn_has_a_way_back(turn: Turn):
    theirs = torch.arange(12.0 * 5).reshape(12, 5)
    if isinstance(turn, Without):
        theirs[: turn.n_rows] = 0
    ours = turn(theirs)
    assert ours.shape == turn.shape(tuple(theirs.shape))
    assert turn.theirs(tuple(ours.shape)) == theirs.shape
    assert turn.back(ours).equal(theirs)


def test_interleaved_pairs_by_hand():
    theirs = torch.tensor([0, 1, 2, 3, 10, 11, 12, 13])  # two heads of two pairs
    assert HalfSplit(4)(theirs).tolist() == [0, 2, 1, 3, 10, 12, 11, 13]


LAYOUTS = {
    "llama": (Layout(LLAMA_NAMES, EVERY), {"n_kv_heads": 2, "activation": "swiglu", "bias": True}),
    "interleaved": (Layout(GGUF_NAMES, frozenset(), heads=HalfSplit(6)), {"n_kv_heads": 1, "qk_norm": True}),
    "gpt2": (
        Layout(GPT2_NAMES, EVERY, matrix=transposed, fused=True),
        {"positions": "learned", "norm": "layernorm", "bias": True, "tie_embeddings": True},
    ),
    "opt": (
        Layout(OPT_NAMES, EVERY, positions=Without(2)),
        {"positions": "learned", "norm": "layernorm", "norm_position": "post", "bias": True},
    ),
    "starcoder2": (Layout(STARCODER_NAMES), {"norm": "layernorm"}),
    "mixtral": (Layout(MIXTRAL_NAMES), {"feedforward": "experts", "n_experts": 3}),
    "granite": (
        Layout(GRANITE_NAMES),
        {"feedforward": "experts", "n_experts": 3, "shared_expert": "plain"},
    ),
    "qwen with experts": (
        Layout(QWEN_MOE_NAMES),
        {"feedforward": "experts", "n_experts": 3, "shared_expert": "gated"},
    ),
    "experts side by side": (
        Layout(GGUF_NAMES, heads=HalfSplit(6)),
        {"feedforward": "experts", "n_experts": 3, "shared_expert": "plain"},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_model_taken_apart_and_assembled_is_the_same(name: str):
    layout, settings = LAYOUTS[name]
    config = ModelConfig(
        **{"vocab_size": 30, "context_length": 8, "n_layers": 2, "n_heads": 4, "d_model": 24, **settings}
    )
    tensors = dict(build_model(config).named_parameters(remove_duplicate=True))
    places = plan(config, layout)
    assert places.keys() == tensors.keys()
    theirs = {
        part: value.detach()
        for ours, place in places.items()
        for part, value in taken_apart(place, tensors[ours])
    }
    files = Kept(theirs)
    for ours, place in places.items():
        assert {part.name: part.shape for part in place.parts} == {
            part.name: tuple(theirs[part.name].shape) for part in place.parts if part.name
        }
        assert assemble(place, files).equal(tensors[ours])  # pyright: ignore[reportArgumentType]


def test_experts_stand_below_one_another_or_side_by_side():
    """(E, 2F, C) of an expert's gate and up after another's, or of all gates and all ups."""
    ours = torch.arange(3.0 * 8 * 5).reshape(3, 8, 5)
    single = tuple(Part(f"{n}.{what}", (4, 5)) for n in range(3) for what in ("gate", "up"))
    apart = dict(taken_apart(Place(single, own_shape=(3, 8, 5)), ours))
    assert apart["1.up"].equal(ours[1, 4:])
    stacked = Place((Part("gate", (3, 4, 5)), Part("up", (3, 4, 5))), along=1)
    sides = dict(taken_apart(stacked, ours))
    assert sides["gate"].equal(ours[:, :4]) and sides["up"].equal(ours[:, 4:])
    for place, parts in ((Place(single, own_shape=(3, 8, 5)), apart), (stacked, sides)):
        assert assemble(place, Kept(parts)).equal(ours)  # pyright: ignore[reportArgumentType]
