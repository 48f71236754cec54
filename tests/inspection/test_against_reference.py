"""What the views show is what formulas over the weights give, which share no code with the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference import Reference, bits, kept_by_hand, reference, reference_of
from small_models import MODELS, OTHERS

from pellucid.inspection import attention, sampling
from pellucid.inspection.capture import capture
from pellucid.inspection.subject import Subject

MakeSubject = Callable[..., Subject]
TEXT = "The quick brown fox, no?"  # 24 tokens: the whole context
CLOSE = {"rtol": 2e-4, "atol": 2e-5}


def expected(subject: Subject, **changes: Any) -> Reference:
    """The reference for TEXT, of a subject's weights; `changes` are laid over its configuration."""
    ids = subject.tokenizer.encode(TEXT).tolist()
    return reference(subject.config.to_dict() | changes, subject.loaded.model.state_dict(), ids)


def same(got: Any, want: torch.Tensor) -> None:
    np.testing.assert_allclose(np.asarray(got, dtype=np.float64), want.detach().numpy(), **CLOSE)


def same_everywhere(subject: Subject, want: Reference, **way: str) -> None:
    """All heads, each head in full, and the loss."""
    frame = attention.overview(subject, TEXT, **way)
    same(frame.arrays["weights"], torch.stack(want.weights))
    ids = subject.tokenizer.encode(TEXT).tolist()
    assert frame.header["loss"]["nats"] == pytest.approx(want.losses(ids).mean().item(), rel=1e-4)
    for layer in range(subject.config.n_layers):
        for head in range(subject.config.n_heads):
            full = attention.head(subject, TEXT, layer, head, **way)
            shared = head * subject.config.n_kv_heads // subject.config.n_heads
            assert full.header["kv_head"] == shared
            for name, values in (
                ("q", want.q[layer][head]),
                ("k", want.k[layer][shared]),
                ("scores", want.scores[layer][head]),
                ("weights", want.weights[layer][head]),
            ):
                same(full.arrays[name], values)


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_attention_is_that_of_the_formulas(make_subject: MakeSubject, settings: dict[str, Any]):
    subject = make_subject(**settings)
    same_everywhere(subject, expected(subject))


@pytest.mark.parametrize("settings", OTHERS.values(), ids=OTHERS)
def test_and_so_it_is_with_every_other_part(make_subject: MakeSubject, settings: dict[str, Any]):
    subject = make_subject(**settings)
    want = expected(subject)
    if subject.config.architecture == "transformer":
        same(attention.overview(subject, TEXT).arrays["weights"], torch.stack(want.weights))
    captured = capture(subject, subject.read(TEXT).ids)
    same(captured.logits, want.logits[-1])
    same(captured.losses, want.losses(subject.tokenizer.encode(TEXT).tolist()))


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_the_next_token_is_that_of_the_formulas(make_subject: MakeSubject, settings: dict[str, Any]):
    subject = make_subject(**settings)
    want = expected(subject)
    own = want.next_probabilities()
    answer = sampling.next_token(subject, TEXT, temperature=1.0, top_k=0, shown=1000)
    size = subject.config.vocab_size
    assert answer["entropy_bits"] == pytest.approx(bits(own), rel=1e-4)
    assert [each["rank"] for each in answer["candidates"]] == list(range(1, size + 1))
    order = sorted(range(size), key=lambda id: -own[id])
    assert [each["id"] for each in answer["candidates"]] == order
    same([each["logit"] for each in answer["candidates"]], want.logits[-1][order])
    same([each["probability"] for each in answer["candidates"]], own[order])
    written = [id == 0 or id >= 7 for id in range(size)]  # of the reserved tokens, end of text alone
    drawn = own * torch.tensor(written)
    same([each["drawn"] for each in answer["candidates"]], (drawn / drawn.sum())[order])
    assert [each["kept"] for each in answer["candidates"]] == [written[id] for id in order]
    assert answer["kept"] == sum(written)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.5, "top_k": 25, "top_p": 1.0, "min_p": 0.0},
        {"temperature": 2.0, "top_k": 7, "top_p": 1.0, "min_p": 0.0},
        {"temperature": 1.3, "top_k": 0, "top_p": 0.7, "min_p": 0.0},
        {"temperature": 0.8, "top_k": 0, "top_p": 1.0, "min_p": 0.05},
        {"temperature": 1.0, "top_k": 12, "top_p": 0.9, "min_p": 0.02},
    ],
)
def test_kept_and_cut_are_those_worked_out_by_hand(make_subject: MakeSubject, options: dict[str, float]):
    subject = make_subject(**MODELS["rotary, grouped queries, RMSNorm, SwiGLU"])
    want = kept_by_hand(expected(subject).next_probabilities(), **options)
    answer = sampling.next_token(subject, TEXT, **options, shown=5)
    every = sampling.next_token(subject, TEXT, **options, shown=1000)
    assert {each["id"] for each in every["candidates"] if each["kept"]} == want.keys()
    assert every["kept"] == answer["kept"] == len(want)
    for each in every["candidates"]:
        assert each["drawn"] == pytest.approx(want.get(each["id"], 0.0), rel=1e-3, abs=1e-6)
    assert every["drawn_entropy_bits"] == pytest.approx(bits(torch.tensor(list(want.values()))), rel=1e-3)
    assert answer["candidates"] == every["candidates"][:5]
    assert every["rest"] == {"n": 0, "probability": 0.0, "drawn": 0.0}
    assert answer["rest"]["n"] == subject.config.vocab_size - 5
    for key in ("probability", "drawn"):
        shown = sum(each[key] for each in answer["candidates"])
        assert shown + answer["rest"][key] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("way", [{"scale": "none"}, {"mask": "none"}, {"scale": "none", "mask": "none"}])
def test_a_switched_way_is_that_of_a_model_built_so(
    make_subject: MakeSubject, settings: dict[str, Any], way: dict[str, str]
):
    """By the formulas, and by a model of that configuration with the same weights."""
    subject = make_subject(**settings)
    same_everywhere(subject, expected(subject, **way), **way)
    built = make_subject(**settings, **way)
    theirs, ours = attention.overview(built, TEXT), attention.overview(subject, TEXT, **way)
    np.testing.assert_allclose(ours.arrays["weights"], theirs.arrays["weights"], rtol=1e-5, atol=1e-6)
    assert ours.header["loss"]["nats"] == pytest.approx(theirs.header["loss"]["nats"], rel=1e-5)
    assert theirs.header["trained_this_way"] and theirs.header["loss"]["change"] == 0
    trained = attention.overview(subject, TEXT).header
    assert trained["trained_this_way"] and not ours.header["trained_this_way"]
    loss = ours.header["loss"]
    assert loss["trained_nats"] == trained["loss"]["nats"]
    assert loss["change"] == loss["nats"] - loss["trained_nats"] != 0
    assert loss["n_tokens"] == len(TEXT) - 1


def test_a_model_trained_otherwise_can_be_switched_to_the_usual_way(make_subject: MakeSubject):
    subject = make_subject(scale="none", mask="none")
    same_everywhere(subject, expected(subject, scale="sqrt", mask="causal"), scale="sqrt", mask="causal")
    header = attention.overview(subject, TEXT, scale="sqrt", mask="causal").header
    assert header["scale"] == {"kind": "sqrt", "value": pytest.approx(8**-0.5), "trained": "none"}
    assert header["mask"] == {"kind": "causal", "trained": "none"}


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_one_weight_more_or_less_changes_the_numbers(make_subject: MakeSubject, settings: dict[str, Any]):
    def nudge(model: Any) -> None:
        model.blocks[0].attention.qkv.weight[3, 5] += 0.5

    before, after = make_subject(**settings), make_subject(nudge, **settings)
    assert not np.allclose(
        attention.overview(before, TEXT).arrays["weights"],
        attention.overview(after, TEXT).arrays["weights"],
        atol=1e-4,
    )
    assert (
        sampling.next_token(before, TEXT)["entropy_bits"] != sampling.next_token(after, TEXT)["entropy_bits"]
    )
    same_everywhere(after, expected(after))


def test_weights_changed_in_the_loaded_model_are_seen_at_once(make_subject: MakeSubject):
    """The instance that is looked into shares them; what it is given to stand in is its own."""
    subject = make_subject()
    first = attention.overview(subject, TEXT[:-1]).arrays["weights"]
    with torch.no_grad():
        for parameter in subject.loaded.model.parameters():
            parameter.mul_(1.3)
    again = Subject(subject.loaded)
    same(attention.overview(again, TEXT).arrays["weights"], torch.stack(expected(again).weights))
    assert not np.allclose(first, attention.overview(again, TEXT[:-1]).arrays["weights"], atol=1e-4)
    own = [each.attention.attend for each in subject.loaded.model.blocks]  # pyright: ignore
    assert len(set(own)) == 1 and own[0].__module__ == "pellucid.model.attention"


def test_a_finished_run_is_as_its_files_say(finished_run: Path):
    from pellucid.api import load

    subject = Subject(load(finished_run, "cpu"))
    text = "The owl by the"
    ids = subject.tokenizer.encode(text).tolist()
    want = reference_of(finished_run, ids)
    same(attention.overview(subject, text).arrays["weights"], torch.stack(want.weights))
    answer = sampling.next_token(subject, text, temperature=1, shown=5)
    same(
        [each["probability"] for each in answer["candidates"]],
        want.next_probabilities().sort(descending=True).values[:5],
    )


def test_the_reference_is_no_copy_of_what_it_checks(make_subject: MakeSubject):
    """It must be able to disagree: with one layer's norm forgotten, it does."""
    subject = make_subject()
    ids = subject.tokenizer.encode(TEXT).tolist()
    state = dict(subject.loaded.model.state_dict())
    state["blocks.0.attention_norm.weight"] = torch.ones(32)
    wrong = reference(subject.config.to_dict(), state, ids)
    got = attention.overview(subject, TEXT).arrays["weights"]
    assert not np.allclose(got, torch.stack(wrong.weights), atol=1e-3)
