"""The walk through a forward pass: numbers are those of the tensors, sums those of the accounting, of any preset."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from small_models import MODELS, OTHERS

from pellucid import presets
from pellucid.errors import InputError
from pellucid.inspection import capture, parts, shapes, trace, untrained
from pellucid.inspection.subject import Subject
from pellucid.model.accounting import flops_per_token, n_params
from pellucid.model.attention import Attention
from pellucid.model.config import ModelConfig, Norm

MakeSubject = Callable[..., Subject]
EVERY = MODELS | OTHERS
TEXT = "Fair is foul"
SMALL = {
    "n_layers": 3,
    "d_model": 48,
    "d_ff": 40,
    "context_length": 24,
}  # heads and all else as the preset has them


def rows_of(subject: Subject, text: str = TEXT) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in shapes.walk(subject, text)["rows"]}


def is_close(row: dict[str, Any], tensor: torch.Tensor) -> None:
    tensor = tensor.double()
    assert row["shape"] == list(tensor.shape), row
    assert row["mean"] == pytest.approx(tensor.mean().item(), rel=1e-4, abs=1e-6), row
    assert row["std"] == pytest.approx(tensor.std(correction=0).item(), rel=1e-4, abs=1e-6), row
    assert row["norm"] == pytest.approx(torch.linalg.vector_norm(tensor).item(), rel=1e-4), row


# ---------------------------------------------------------------------- numbers of the tensors


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_shapes_and_numbers_are_those_of_what_the_modules_give(
    make_subject: MakeSubject, settings: dict[str, Any]
):
    """Heard of by hooks of the test's own, on the loaded model and not the twin."""
    subject = make_subject(**settings)
    made: dict[str, torch.Tensor] = {}
    for name, module in subject.loaded.model.named_modules():
        module.register_forward_hook(lambda _, inputs, out, name=name: made.update({name: out}))
    ids = subject.read(TEXT).ids
    with torch.inference_mode():
        subject.loaded.model(torch.tensor([ids]))
    rows = rows_of(subject)
    compared = [name for name in rows if name in made]
    assert len(compared) >= (1 if subject.config.architecture == "bigram" else 4)
    for name in compared:
        is_close(rows[name], made[name])
    assert rows["ids"]["shape"] == [1, len(ids)] and rows["ids"]["mean"] is None


@pytest.mark.parametrize("settings", [EVERY[name] for name in EVERY if name != "bigram"])
def test_attentions_rows_are_what_its_core_gets_and_makes(
    make_subject: MakeSubject, settings: dict[str, Any]
):
    subject = make_subject(**settings)
    got: list[tuple[torch.Tensor, ...]] = []
    attentions = [module for module in subject.loaded.model.modules() if isinstance(module, Attention)]
    for attention in attentions:
        core = attention.attend

        def spy(q: Any, k: Any, v: Any, mask: Any, dropout: Any, scale: Any, core: Any = core) -> Any:
            out = core(q, k, v, mask, dropout, scale)
            got.append((q, k, v, out, scale))
            return out

        attention.attend = spy
    ids = subject.read(TEXT).ids
    with torch.inference_mode():
        subject.loaded.model(torch.tensor([ids]))
    rows, config, length = rows_of(subject), subject.config, len(ids)
    see = (
        torch.ones(length, length).bool()
        if config.mask == "none"
        else torch.ones(length, length).tril().bool()
    )
    for layer, (q, k, v, out, scale) in enumerate(got):
        keys = k.repeat_interleave(config.n_heads // config.n_kv_heads, dim=1)
        scores = q @ keys.mT * scale
        weights = scores.masked_fill(~see, -math.inf).softmax(-1)
        joined = out.transpose(1, 2).flatten(2)
        made = {"q": q, "k": k, "v": v, "scores": scores, "mask": see, "weights": weights, "mixed": out}
        for name, tensor in (made | {"joined": joined}).items():
            if name in ("q", "k", "v") and f"blocks.{layer}.attention.{name}" not in rows:
                continue  # what is not turned is what its norm, or its mixing, gave
            is_close(rows[f"blocks.{layer}.attention.{name}"], tensor)


def test_parts_come_in_the_order_they_are_made(make_subject: MakeSubject):
    names = list(rows_of(make_subject(positions="learned")))
    own = [name.removeprefix("blocks.0.") for name in names if not name.startswith("blocks.1.")]
    assert own == [
        *("ids", "embedding", "positions.table", "positions.embed", "attention_norm", "attention.qkv"),
        *(
            f"attention.{each}"
            for each in ("q", "k", "v", "scores", "mask", "weights", "mixed", "joined", "out")
        ),
        *("attention.join", "feedforward_norm", "feedforward.up", "feedforward.hidden", "feedforward.down"),
        *("feedforward.join", "norm", "head"),
    ]
    assert {"positions.cos", "positions.sin"} <= rows_of(make_subject()).keys()
    experts = rows_of(make_subject(**MODELS["experts"]))
    parts = ("router", "chosen", "weights", "sent", "ends", "gate_up", "hidden", "down")
    own = [name.rpartition(".")[2] for name in experts if name.startswith("blocks.0.feedforward.")]
    assert [name for name in own if name in parts][: len(parts)] == [*parts]


def test_experts_shares_are_of_those_the_router_scores_best(make_subject: MakeSubject):
    subject = make_subject(**MODELS["experts"])
    ids, rows = subject.read(TEXT).ids, rows_of(subject)
    scores: list[torch.Tensor] = []
    for module in subject.loaded.model.modules():
        if hasattr(module, "router"):
            module.router.register_forward_hook(lambda _, inputs, out: scores.append(out))  # pyright: ignore
    with torch.inference_mode():
        subject.loaded.model(torch.tensor([ids]))
    for layer, of_layer in enumerate(scores):
        best = of_layer.topk(2, dim=-1).values
        is_close(rows[f"blocks.{layer}.feedforward.weights"], best.softmax(-1))
        assert rows[f"blocks.{layer}.feedforward.chosen"]["shape"] == [len(ids), 2]


def test_heads_taken_a_few_at_a_time_give_the_same_rows(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
):
    subject = make_subject(n_heads=8, n_kv_heads=4)
    at_once = rows_of(subject)
    monkeypatch.setattr(capture, "SCORES_AT_ONCE", 1)
    for name, row in rows_of(subject).items():
        assert {**row, **dict.fromkeys(("mean", "std", "norm"))} == {
            **at_once[name],
            **dict.fromkeys(("mean", "std", "norm")),
        }
        for fact in ("mean", "std", "norm") if name != "ids" else ():
            assert row[fact] == pytest.approx(at_once[name][fact], rel=1e-4, abs=1e-7)


def test_numbers_that_are_not_finite_have_no_mean():
    moments = trace.Moments()
    moments.add(torch.tensor([1.0, math.nan]))
    assert set(moments.facts().values()) == {None}
    moments = trace.Moments()
    moments.add(torch.tensor([3, 4]))
    assert set(moments.facts().values()) == {None}, "whole numbers name or count"


def test_every_part_has_a_sentence_of_its_own(make_subject: MakeSubject):
    for settings in EVERY.values():
        for row in rows_of(make_subject(**settings)).values():
            assert row["says"][0].isupper() and row["says"].endswith(".")
    assert "counted there" in rows_of(make_subject(tie_embeddings=True))["head"]["says"]
    left_out = rows_of(make_subject(feedforward="none"))
    assert "blocks.0.attention.join" in left_out and not [name for name in left_out if "feedforward" in name]
    assert "shared" not in rows_of(make_subject())["blocks.0.attention.k"]["says"]
    assert "share them" in rows_of(make_subject(n_kv_heads=2))["blocks.0.attention.k"]["says"]
    assert "no mask" in rows_of(make_subject(mask="none"))["blocks.0.attention.mask"]["says"]


# ---------------------------------------------------------------------- sums


@pytest.fixture
def scaled_down(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Subject]:
    """A preset's model with its every choice, three small blocks and a small vocabulary."""

    def make(preset: str) -> Subject:
        real = presets.load

        def small(name: str) -> presets.Recipe:
            recipe = real(name)
            head = {"head_dim": 8} if recipe.model.get("architecture") != "bigram" else {}
            text = recipe.text | ({"vocab_size": 300} if "vocab_size" in recipe.text else {})
            model = recipe.model | (SMALL | head if head else {})
            return dataclasses.replace(recipe, text=text, model=model)

        monkeypatch.setattr(presets, "load", small)
        try:
            return Subject(untrained.untrained(preset, TEXT, "cpu"))
        finally:
            monkeypatch.setattr(presets, "load", real)

    return make


@pytest.mark.parametrize("preset", untrained.names())
def test_of_every_preset_rows_and_blocks_add_up_to_the_accounting(
    scaled_down: Callable[[str], Subject], preset: str
):
    subject = scaled_down(preset)
    answer, config = shapes.walk(subject, TEXT), subject.config
    length = len(answer["tokens"])
    assert sum(row["parameters"] for row in answer["rows"]) == n_params(config)
    assert sum(p.numel() for p in subject.loaded.model.parameters()) == n_params(config)
    assert sum(row["flops"] for row in answer["rows"]) == length * flops_per_token(config, length)
    outside = [row for row in answer["rows"] if shapes.block_of(row["name"]) is None]
    for what, total in (("parameters", n_params(config)), ("flops", answer["totals"]["flops"])):
        assert sum(each[what] for each in (*outside, *answer["blocks"])) == total
    assert [block["like"] for block in answer["blocks"]] == [0] * (0 if preset == "bigram" else 3)


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_blocks_and_what_is_outside_add_up(make_subject: MakeSubject, settings: dict[str, Any]):
    answer = shapes.walk(make_subject(**settings), TEXT)
    outside = [row for row in answer["rows"] if shapes.block_of(row["name"]) is None]
    for what in ("parameters", "flops"):
        assert sum(each[what] for each in (*outside, *answer["blocks"])) == answer["totals"][what]


def test_blocks_that_differ_are_not_taken_for_one_another():
    def row(block: int, parameters: int) -> dict[str, Any]:
        return {"name": f"blocks.{block}.up", "shape": [1, 2], "parameters": parameters, "flops": 4}

    blocks = shapes.blocks([row(0, 5), row(1, 6), row(2, 5), row(3, 6)])
    assert [block["like"] for block in blocks] == [0, 1, 0, 1]


def test_t_by_t_is_counted_a_head_and_in_all(make_subject: MakeSubject):
    config = make_subject(n_layers=3, n_heads=4).config
    now, at_128, at_4096 = shapes.squares(config, 10)
    assert now == {
        "tokens": 10,
        "entries_a_head": 100,
        "bytes_a_head": 400,
        "heads": 12,
        "entries": 1200,
        "bytes": 4800,
    }
    assert (at_128["tokens"], at_128["entries_a_head"], at_128["bytes_a_head"]) == (128, 16_384, 65_536)
    assert (at_4096["tokens"], at_4096["entries_a_head"]) == (4096, 16_777_216)
    assert at_4096["entries"] == 12 * 16_777_216 and at_4096["bytes"] == 4 * at_4096["entries"]
    assert [each["tokens"] for each in shapes.squares(config, 128)] == [128, 4096]
    assert shapes.squares(make_subject(architecture="bigram").config, 10) == []


# ---------------------------------------------------------------------- untrained models


def test_a_presets_weights_are_random_and_the_same_each_time():
    before = torch.get_rng_state()
    one, other = (untrained.untrained("lesson", device="cpu") for _ in range(2))
    assert torch.equal(before, torch.get_rng_state()), "what others draw is not touched"
    assert one.model.config.vocab_size == one.tokenizer.vocab_size == 24
    for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert (one.folder.name, one.step, one.kind) == ("lesson", 0, "untrained")


def test_a_vocabulary_whose_size_the_preset_says_is_whole(scaled_down: Callable[[str], Subject]):
    subject = scaled_down("gutenberg-moe")
    assert subject.config.vocab_size == 300 >= subject.tokenizer.vocab_size


def test_presets_without_a_model_are_refused():
    assert set(untrained.names()) == set(presets.names()) - {"auto", "chat"}
    for preset in ("auto", "chat", "nothing"):
        with pytest.raises(InputError, match="choose one of"):
            untrained.untrained(preset)


def test_every_norm_has_its_formula():
    for kind in get_args(Norm):
        if kind != "none":  # there is nothing to show then
            config = ModelConfig(vocab_size=9, d_model=8, n_heads=2, norm=kind)
            assert "x" in parts.formula("attention_norm", config), kind
