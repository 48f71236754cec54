from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from pellucid.generation.options import SamplingOptions
from pellucid.generation.sampling import draw, next_token_distribution


def distribution(probabilities: list[float], **options: float) -> list[float]:
    logits = torch.tensor([probabilities]).log()
    return next_token_distribution(logits, SamplingOptions(**options))[0].tolist()  # pyright: ignore


def test_the_defaults_change_nothing():
    assert distribution([0.5, 0.3, 0.2]) == pytest.approx([0.5, 0.3, 0.2])


def test_temperature_is_a_power_of_the_odds():
    assert distribution([0.5, 0.3, 0.2], temperature=0.5) == pytest.approx(
        [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]
    )


@pytest.mark.parametrize("temperature", [0, 1e-320, 1e-7])
def test_no_temperature_is_the_likeliest(temperature):
    assert distribution([0.2, 0.4, 0.4], temperature=temperature) == [0, 1, 0]


@pytest.mark.parametrize("temperature", [1e-5, 1e30])
def test_extreme_temperatures_stay_finite(temperature):
    logits = torch.tensor([[1e4, -1e4, 0.0]])
    row = next_token_distribution(logits, SamplingOptions(temperature=temperature))
    assert row.isfinite().all() and row.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(("k", "kept"), [(1, 1), (2, 2), (3, 3), (4, 4), (100, 4), (0, 4)])
def test_top_k(k, kept):
    row = distribution([0.4, 0.3, 0.2, 0.1], top_k=k)
    assert [p > 0 for p in row] == [True] * kept + [False] * (4 - kept)
    assert sum(row) == pytest.approx(1)


def test_tokens_tied_with_the_kth_stay():
    assert distribution([0.25, 0.25, 0.25, 0.25], top_k=2) == pytest.approx([0.25] * 4)


@pytest.mark.parametrize(
    ("p", "kept"), [(1e-9, 1), (0.39, 1), (0.41, 2), (0.69, 2), (0.71, 3), (0.95, 4), (1.0, 4)]
)
def test_top_p_is_the_smallest_set_that_reaches_p(p, kept):
    row = distribution([0.4, 0.3, 0.2, 0.1], top_p=p)
    assert [p > 0 for p in row] == [True] * kept + [False] * (4 - kept)
    assert sum(row) == pytest.approx(1)


def test_top_p_of_equals_takes_the_first():
    assert distribution([0.25] * 4, top_p=0.5) == pytest.approx([0.5, 0.5, 0, 0])
    assert distribution([0.25] * 4, top_p=1e-9) == [1, 0, 0, 0]
    assert distribution([0.25] * 4, top_p=5e-324) == [1, 0, 0, 0]  # 0 in float32


@pytest.mark.parametrize(("p", "kept"), [(0.0, 4), (0.24, 4), (0.26, 3), (0.51, 2), (0.76, 1), (1.0, 1)])
def test_min_p_is_a_fraction_of_the_likeliest(p, kept):
    row = distribution([0.4, 0.3, 0.2, 0.1], min_p=p)
    assert [p > 0 for p in row] == [True] * kept + [False] * (4 - kept)


def test_top_p_sees_what_top_k_left():
    # of [4/7, 3/7] the first alone reaches 0.5; of all four, 0.4 does not
    assert distribution([0.4, 0.3, 0.2, 0.1], top_k=2, top_p=0.5) == [1, 0, 0, 0]


def test_repetition_penalty_by_hand():
    logits = torch.tensor([[2.0, -2.0, 1.0, -1.0]])
    seen = torch.tensor([[True, True, False, False]])
    row = next_token_distribution(logits, SamplingOptions(repetition_penalty=2.0), seen)
    torch.testing.assert_close(row, torch.tensor([[1.0, -4.0, 1.0, -1.0]]).softmax(-1))


def test_forbidden_tokens_are_as_if_not_there():
    logits = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    forbidden = torch.tensor([False, True] * 4)
    options = SamplingOptions(temperature=0.7, top_k=3, top_p=0.8)
    for one in (options, dataclasses.replace(options, temperature=0)):
        row = next_token_distribution(logits, one, forbidden=forbidden)
        assert (row[:, forbidden] == 0).all()
        torch.testing.assert_close(row[:, ~forbidden], next_token_distribution(logits[:, ~forbidden], one))


def test_half_precision_logits():
    logits = torch.randn(2, 50).to(torch.bfloat16)
    row = next_token_distribution(logits, SamplingOptions(top_p=0.9))
    assert row.dtype == torch.float32
    torch.testing.assert_close(row, next_token_distribution(logits.float(), SamplingOptions(top_p=0.9)))


# ---------------------------------------------------------------------- drawing


def test_draws_follow_the_probabilities():
    probabilities = torch.tensor([0.5, 0.25, 0.125, 0.0, 0.1, 0.02, 0.004, 0.001])
    n = 20_000
    generator = torch.Generator().manual_seed(1)
    tokens = draw(probabilities.expand(n, -1), [generator] * n)
    counts = tokens.bincount(minlength=8).double()
    assert counts[3] == 0
    likely = probabilities > 0
    expected = probabilities[likely].double() * n
    chi_squared = ((counts[likely] - expected) ** 2 / expected).sum().item()
    assert chi_squared < 22.5  # 6 degrees of freedom, p = 0.001


def test_a_row_draws_alone_what_it_draws_among_others():
    probabilities = torch.rand(5, 100, generator=torch.Generator().manual_seed(0))
    together = draw(probabilities, [torch.Generator().manual_seed(row) for row in range(5)])
    for row in range(5):
        alone = draw(probabilities[row : row + 1], [torch.Generator().manual_seed(row)])
        assert alone.item() == together[row].item()


def test_an_impossible_token_is_never_drawn(monkeypatch):
    probabilities = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]])
    for uniform, token in ((0.0, 1), (math.nextafter(1, 0), 3)):
        monkeypatch.setattr(torch, "rand", lambda *_, u=uniform, **__: torch.tensor([u], dtype=torch.float64))
        assert draw(probabilities, [torch.Generator()]).item() == token


# ---------------------------------------------------------------------- the same as transformers


def test_order_and_values_equal_transformers():
    """Through its public `generate`, which returns the logits before and after its own processors."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=60, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config).eval()
    model.lm_head.weight.data.mul_(40)
    prompt = torch.randint(3, 60, (3, 5))
    cases = [
        SamplingOptions(temperature=0.7, repetition_penalty=1.5),
        SamplingOptions(temperature=1.3, top_k=10),
        SamplingOptions(temperature=1.5, top_p=0.7),
        SamplingOptions(temperature=2.0, min_p=0.2),
        SamplingOptions(temperature=1.7, top_k=20, top_p=0.8, min_p=0.05, repetition_penalty=1.2),
    ]
    for options in cases:
        out = model.generate(
            prompt,
            do_sample=True,
            max_new_tokens=8,
            min_new_tokens=0,
            pad_token_id=0,
            eos_token_id=None,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            min_p=options.min_p or None,
            repetition_penalty=options.repetition_penalty,
            return_dict_in_generate=True,
            output_logits=True,
            output_scores=True,
        )
        for step, (logits, theirs) in enumerate(zip(out.logits, out.scores, strict=True)):
            seen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, out.sequences[:, : 5 + step], True)
            ours = next_token_distribution(logits, options, seen)
            torch.testing.assert_close(ours, theirs.softmax(dim=-1), atol=1e-6, rtol=1e-5)
