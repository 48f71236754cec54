"""A model without random weights: of the same names and shapes, and nothing is drawn for it."""

from __future__ import annotations

import torch

from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.model.uninitialised import Uninitialised


def test_nothing_is_drawn_and_the_loaded_model_is_the_same():
    config = ModelConfig(
        vocab_size=65, n_layers=2, d_model=32, n_heads=2, bias=True, positions="rotary", tie_embeddings=True
    )
    built = build_model(config).eval()
    before = torch.get_rng_state()
    with Uninitialised():
        loaded = build_model(config).eval()
    assert torch.equal(torch.get_rng_state(), before)
    assert loaded.state_dict().keys() == built.state_dict().keys()
    loaded.load_state_dict(built.state_dict())
    ids = torch.arange(10)[None]
    assert torch.equal(loaded(ids), built(ids))
    again = build_model(config)  # outside of it all is as ever
    assert 0 < again.embedding.weight.std() < 1
