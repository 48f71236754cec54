from __future__ import annotations

import subprocess
import sys

import pytest

from pellucid.errors import InputError
from pellucid.generation.options import CHAT_DEFAULTS, SamplingOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": "hot"},
        {"top_k": -1},
        {"top_k": 1.5},
        {"top_p": 0.0},
        {"top_p": 1.01},
        {"top_p": float("nan")},
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": float("nan")},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"seed": -1},
        {"seed": 1 << 63},
        {"seed": 0.5},
        {"stop": ("",)},
        {"stop": (1,)},
    ],
    ids=str,
)
def test_a_wrong_option_is_named(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        SamplingOptions(**wrong)


def test_defaults_are_the_models_own_odds():
    options = SamplingOptions()
    assert (options.temperature, options.top_k, options.top_p, options.min_p) == (1.0, 0, 1.0, 0.0)
    assert options.max_tokens == 100
    assert (CHAT_DEFAULTS.temperature, CHAT_DEFAULTS.top_k, CHAT_DEFAULTS.max_tokens) == (0.5, 25, 180)


def test_a_lone_stop_string_is_one_string():
    assert SamplingOptions(stop="end").stop == ("end",)  # pyright: ignore
    assert SamplingOptions(stop=["a", "b"]).stop == ("a", "b")  # pyright: ignore


def test_options_need_no_torch():
    code = "import pellucid.generation.options, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
