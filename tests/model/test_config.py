"""A model that cannot be is refused in one sentence that says what to do."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import pytest

from pellucid.errors import InputError
from pellucid.model.accounting import parameter_counts
from pellucid.model.config import ModelConfig

SIZES = ("vocab_size", "context_length", "n_layers", "n_heads", "d_model", "n_kv_heads", "head_dim", "d_ff")
NOT_SIZES = (-1, 1.5, 128.0, "128", True, [1], math.inf, math.nan, 10**9)
CHOICES = ("positions", "norm", "activation", "architecture")
SWITCHES = ("qk_norm", "bias", "tie_embeddings")
BAD_FRACTIONS = (-0.1, 1.0, 1, 2.5, math.nan, math.inf, "0.1", None, True)


@pytest.mark.parametrize("value", NOT_SIZES, ids=repr)
@pytest.mark.parametrize("name", SIZES)
def test_a_bad_size_is_refused_with_the_range(name, value):
    with pytest.raises(InputError, match=rf"{name} must be a whole number from 1 to 16,777,216, not "):
        ModelConfig(**{"vocab_size": 65, name: value})


@pytest.mark.parametrize("name", ["vocab_size", "context_length", "n_layers", "n_heads", "d_model"])
def test_nothing_may_be_empty(name):
    with pytest.raises(InputError, match=name):
        ModelConfig.from_dict({"vocab_size": 65, name: 0})


@pytest.mark.parametrize("value", ["alibi", "", "Rotary ", None, 3, ["rotary"]], ids=repr)
@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_part_is_refused_with_the_known_ones(name, value):
    with pytest.raises(InputError, match=rf"{name} .* is unknown: choose one of \w+, "):
        ModelConfig(**{"vocab_size": 65, name: value})


@pytest.mark.parametrize("value", ["false", "yes", 1, 0, None], ids=repr)
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_true_or_false(name, value):
    with pytest.raises(InputError, match=rf"{name} must be true or false"):
        ModelConfig(**{"vocab_size": 65, name: value})


@pytest.mark.parametrize("value", BAD_FRACTIONS, ids=repr)
def test_a_bad_dropout_is_refused_with_the_range(value):
    with pytest.raises(InputError, match="dropout is a probability from 0 to below 1"):
        ModelConfig(vocab_size=65, dropout=value)


@pytest.mark.parametrize("value", [1, 0.5, 0, -3, math.nan, math.inf, "1e4", None], ids=repr)
def test_a_bad_rope_base_is_refused(value):
    with pytest.raises(InputError, match="rope_base must be a number above 1"):
        ModelConfig(vocab_size=65, rope_base=value)


@pytest.mark.parametrize("value", [0, -1e-5, math.nan, math.inf, "1e-5", None], ids=repr)
def test_a_bad_norm_eps_is_refused(value):
    with pytest.raises(InputError, match="norm_eps must be a number above 0"):
        ModelConfig(vocab_size=65, norm_eps=value)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"d_model": 130}, "choose a multiple of 4, or give --head-dim"),
        ({"n_kv_heads": 3}, "n_kv_heads must divide n_heads"),
        ({"n_kv_heads": 8}, "n_kv_heads must divide n_heads"),
        ({"head_dim": 7}, "head_dim 7 must be even"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_with_a_remedy(settings, remedy):
    with pytest.raises(InputError, match=remedy):
        ModelConfig(vocab_size=65, **settings)


def test_what_is_left_out_follows_from_the_rest():
    config = ModelConfig(vocab_size=65, n_heads=6, d_model=384)
    assert (config.n_kv_heads, config.head_dim, config.d_ff) == (6, 64, 1536)


def test_the_gated_feedforward_has_the_weights_of_the_plain_one():
    plain = parameter_counts(ModelConfig(vocab_size=65, d_model=768))["feed-forward"]
    gated = parameter_counts(ModelConfig(vocab_size=65, d_model=768, activation="swiglu"))["feed-forward"]
    assert gated == pytest.approx(plain, rel=0.02)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"architecture": "bigram"},
        {"n_heads": 6, "n_kv_heads": 2, "head_dim": 10, "d_model": 36, "d_ff": 50, "dropout": 0.1},
        {"activation": "swiglu", "positions": "learned", "norm": "layernorm", "bias": True, "qk_norm": True},
    ],
)
def test_a_round_trip_through_json_gives_the_same(settings):
    config = ModelConfig(vocab_size=65, **settings)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_unknown_setting_is_named():
    with pytest.raises(InputError, match=r"unknown here: n_hats, width; .+"):
        ModelConfig.from_dict({"vocab_size": 65, "width": 3, "n_hats": 1})


def test_a_missing_vocabulary_size_is_named():
    with pytest.raises(InputError, match=r"lacks vocab_size: .+"):
        ModelConfig.from_dict({"d_model": 128})


@pytest.mark.parametrize("values", [None, [], "config", 3], ids=repr)
def test_what_is_no_configuration_at_all_is_refused(values):
    with pytest.raises(InputError, match="names and values"):
        ModelConfig.from_dict(values)


def test_it_cannot_be_changed_behind_the_models_back():
    config = ModelConfig(vocab_size=65)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_model = 7  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_it_imports_no_torch():
    code = "import sys, pellucid.model.config; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
