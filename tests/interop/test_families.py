"""Every family of Hugging Face, as `transformers` makes and saves it: its logits are ours, or it is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import assert_same_logits
from published_models import CASES, build

from pellucid import import_model, load
from pellucid.errors import InputError
from pellucid.interop.families import FAMILIES
from pellucid.model.experts import expert_layers

pytest.importorskip("transformers")

Save = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict[str, Any]], object]], None]


@pytest.mark.parametrize("case", CASES)
def test_logits(case: str, save: Save):
    theirs = build(*CASES[case])
    run = import_model(save(theirs), "imported")
    assert run.config()["imported"]["family"] == CASES[case][0]
    ours = load(run.path, "cpu").model
    assert_same_logits(ours, theirs, 320)
    if "num_experts_per_tok" in CASES[case][2]:
        assert len(list(expert_layers(ours))) == 2


def test_every_family_is_tested():
    assert {family for family, _, _ in CASES.values()} == set(FAMILIES)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "experts of a mixture that counts all": (
        "qwen2_moe",
        {"norm_topk_prob": False},
        "norm_topk_prob = False",
    ),
    "some layers without experts": ("qwen2_moe", {"mlp_only_layers": [0]}, r"mlp_only_layers = \[0\]"),
    "every second layer": ("qwen2_moe", {"decoder_sparse_step": 2}, "decoder_sparse_step = 2"),
    "a shared expert of another width": (
        "qwen2_moe",
        {"shared_expert_intermediate_size": 80},
        "shared_expert_intermediate_size = 80",
    ),
    "a multiplier": ("granitemoeshared", {"residual_multiplier": 0.5}, "residual_multiplier = 0.5"),
    "another scale": ("granitemoeshared", {"attention_multiplier": 0.5}, "attention_multiplier = 0.5"),
    "more experts than there are": ("mixtral", {"num_experts_per_tok": 5}, "5 of 4 experts"),
    "an expert too few": ("mixtral", {"num_local_experts": 3}, "not of one model|no place for"),
    "an expert too many": ("mixtral", {"num_local_experts": 5}, "not of one model|no tensor"),
    "experts without end": ("mixtral", {"num_local_experts": 1 << 24}, "experts: they are not of one model"),
    "a window": ("mixtral", {"sliding_window": 8}, "sliding_window = 8"),
    "a quarter of a head turned": ("stablelm", {"rope_parameters": None}, "partial_rotary_factor = 0.25"),
    "two paths at once": ("stablelm", {"use_parallel_residual": True}, "use_parallel_residual = True"),
    "norms of heads": ("stablelm", {"qk_layernorm": True}, "qk_layernorm = True"),
    "a key head for each": ("gpt_bigcode", {"multi_query": False}, "multi_query = False"),
    "embeddings of another width": ("opt", {"word_embed_proj_dim": 24}, "word_embed_proj_dim = 24"),
    "norms without a scale": (
        "opt",
        {"layer_norm_elementwise_affine": False},
        "layer_norm_elementwise_affine = False",
    ),
    "another activation": ("starcoder2", {"hidden_act": "silu"}, "hidden_act = 'silu'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str, save: Save, edit: Edit):
    family, changes, message = REFUSED[case]
    folder = save(build(*CASES[family]))
    edit(folder / "config.json", lambda values: values.update(changes))
    with pytest.raises(InputError, match=message):
        import_model(folder, "imported")
    assert not Path("imported").exists()
