"""Whole comparisons: trained alike, kept, gone on with, and what their special measures find."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_models import write_lstm

from pellucid.errors import InputError
from pellucid.inspection.compare.asked import Asked, comparisons, find
from pellucid.inspection.compare.compare import Done, compare
from pellucid.inspection.compare.contender import Comparison, Contender
from pellucid.inspection.compare.material import Material
from pellucid.inspection.compare.measures.projections import fused_and_separate
from pellucid.inspection.compare.sets import SETS
from pellucid.inspection.compare.trial import Trial, left_to_right, make_trainer, prepare, run_trial
from pellucid.model.attention import Attention
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.training.machine import probe
from pellucid.training.observer import Observer

Compare = Callable[..., Done]


def trainings(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (folder / "trainings.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def made(comparison: Comparison, contender: Contender, material: Material, steps: int = 4) -> Trial:
    return prepare(comparison, contender, material, probe("cpu", "float32"), {"steps": steps})


def several(folder: Path, grammar: Callable[..., str]) -> tuple[str, ...]:
    """Files of three different kinds of sentences."""
    paths = []
    for seed, (old, new) in enumerate((("moon", "moon"), ("moon", "sun"), ("sees", "fears"))):
        paths.append(folder / f"{seed}.txt")
        paths[-1].write_text(grammar(120, seed).replace(old, new), encoding="utf-8")
    return tuple(map(str, paths))


# Small enough for a second, and still what the set is about
SIZES: dict[str, dict[str, Any]] = {
    "epochs": {"steps": 40, "flags": {"d_model": 16, "n_layers": 1, "context_length": 16, "batch_size": 8}},
    "context": {"flags": {"d_model": 16, "n_layers": 1}},
    "length": {"flags": {"d_model": 16, "n_layers": 1}},
    "vocabulary": {"flags": {"d_model": 16, "context_length": 16, "batch_size": 4}},
}


@pytest.mark.parametrize("name", [each.name for each in SETS])
def test_every_set_runs(name: str, run_compare: Compare, here: Path, grammar: Callable[..., str]):
    more = dict(SIZES.get(name, {}))
    if name == "genres":
        more["text"] = several(here, grammar)
    done = run_compare(name, **more)
    comparison = comparisons()[name]
    rows = done.summary.rows
    assert [row.name for row in rows] == [each.name for each in comparison.contenders]
    assert all(row.bits_per_byte and 0 < row.bits_per_byte[0] < 12 for row in rows)
    assert (done.folder / "comparison.png").stat().st_size > 5000
    page = (done.folder / "table.md").read_text(encoding="utf-8")
    assert all(f"| {row.name} |" in page for row in rows)
    extra = done.summary.extra
    assert (extra is None) == (comparison.extra is None)
    if extra:
        assert extra.title in page and all(len(row) == len(extra.header) for row in extra.rows)
        names = ["fused", "separate"] if name == "qkv" else [row.name for row in rows]
        assert [row[0] for row in extra.rows] == names


def test_what_was_trained_is_not_trained_again(run_compare: Compare, here: Path):
    done = run_compare("tying", flags={"d_model": 16, "tokenizer": "char"} | {"context_length": 16})
    before = trainings(done.folder)
    # killed while writing
    (done.folder / "trainings.jsonl").open("a", encoding="utf-8").write('{"contender": "ti')
    more = compare(Asked(seeds=2), resume=True, device="cpu")
    after = (done.folder / "trainings.jsonl").read_text(encoding="utf-8").splitlines()
    assert more.folder == done.folder and [json.loads(line) for line in after[:2]] == before
    assert len(after) == 5 and [json.loads(line)["seed"] for line in after[3:]] == [1, 1]
    assert more.summary.seeds == 2 and more.summary.rows[1].difference is not None


def test_a_stopped_comparison_goes_on_to_what_it_would_have_been(run_compare: Compare, here: Path):
    whole = run_compare("heads", seeds=2, out="whole")
    said: list[str] = []

    def stop(what: str, done: float, left: float) -> None:
        said.append(what)
        if what.startswith("gqa, seed 1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="pellucid compare --resume --out cut"):
        run_compare("heads", seeds=2, out="cut", progress=stop)
    assert len(trainings(here / "cut")) == 3
    page = (here / "cut" / "table.md").read_text(encoding="utf-8")
    assert "| mha |" in page and "| gqa |" not in page, "what is finished is told"
    resumed = compare(Asked(), out="cut", resume=True, device="cpu")
    assert not [what for what in said if what.startswith("mqa")]
    losses = [[each["loss"] for each in trainings(done.folder)] for done in (whole, resumed)]
    assert losses[0] == losses[1]
    assert resumed.summary.rows[1].difference == whole.summary.rows[1].difference


def test_another_text_or_set_is_not_gone_on_with(
    run_compare: Compare, here: Path, grammar: Callable[..., str]
):
    run_compare("tying", out="one", flags={"d_model": 16, "tokenizer": "char", "context_length": 16})
    with pytest.raises(InputError, match="that comparison is of tying"):
        run_compare("heads", out="one", resume=True)
    (here / "other.txt").write_text(grammar(200, seed=9), encoding="utf-8")
    with pytest.raises(InputError, match="is not what one compares on"):
        compare(Asked(text=("other.txt",)), out="one", resume=True, device="cpu")
    with pytest.raises(InputError, match="add --resume to go on"):
        run_compare("heads", out="one")
    with pytest.raises(InputError, match="no comparison"):
        compare(Asked(), out="two", resume=True, device="cpu")


def test_a_text_that_is_too_short_or_too_few_is_said(run_compare: Compare, here: Path):
    (here / "short.txt").write_text("A few words, and no more.\n" * 4, encoding="utf-8")
    with pytest.raises(InputError, match="fewer than one context"):
        run_compare("positions", text=("short.txt",), flags={"context_length": 128})
    with pytest.raises(InputError, match="several documents"):
        run_compare("genres")
    with pytest.raises(InputError, match=r"wants .* tokens of"):
        run_compare("epochs", steps=100_000)
    assert not (here / "comparisons").exists(), "nothing is left behind"


def test_one_seed_is_one_order_of_the_text_for_all(material: Material, here: Path):
    comparison = find(Asked(("mini", "n_layers=1,context_length=128,batch_size=64,lr=1e-2")))
    machine = probe("cpu", "float32")
    batches = {}
    for contender in comparison.contenders:
        trial = made(comparison, contender, material)
        for seed in (0, 1):
            windows = make_trainer(trial, seed, machine, Observer(), here).windows
            batches[contender.name, seed] = windows.batch(3, 8)[0]
    (first, other), (again, another) = (
        [batches[each.name, s] for s in (0, 1)] for each in comparison.contenders
    )
    assert np.array_equal(first, again) and np.array_equal(other, another)
    assert not np.array_equal(first, other)


def test_a_training_is_the_one_that_train_makes(run_compare: Compare, text_file: Path, train_tiny: Any):
    """The same weights, the same score: equal settings, and no second way of training."""
    settings = {
        "n_layers": 1,
        "n_heads": 2,
        "d_model": 16,
        "context_length": 16,
        "batch_size": 4,
        "tokenizer": "char",
        "positions": "rotary",
        "norm": "rmsnorm",
        "activation": "relu2",
        "qk_norm": False,
        "dropout": 0.0,
        "optimizer": "muon",
        "lr": 5e-3,
        "schedule": "wsd",
        "warmup_steps": 20,
        "tie_embeddings": False,
    }
    outcome = train_tiny(Path("run"), eval_every=100, steps=12, **settings)
    typed = ",".join(f"{name}={str(value).lower()}" for name, value in settings.items())
    done = run_compare(typed, "uniform", steps=12, flags={})
    assert outcome.best_step == 12
    assert trainings(done.folder)[0]["loss"] == pytest.approx(outcome.validation.loss, abs=1e-6)


def test_a_model_without_a_mask_is_scored_left_to_right(material: Material):
    comparison = comparisons()["mask"]
    contender = comparison.contenders[1]
    machine = probe("cpu", "float32")
    done = run_trial(
        made(comparison, contender, material, 40), 0, comparison, material, machine, lambda *_: None, False
    )
    assert done["extra"]["as_trained"] < 0.8 * done["loss"], "it has learned to look at the answer"
    assert done["loss"] == done["extra"]["left_to_right"]
    torch.manual_seed(0)
    model = build_model(ModelConfig(vocab_size=11, n_layers=1, d_model=16, mask="none"))
    ids = torch.randint(11, (1, 9))
    changed = ids.clone()
    changed[:, -1] = (ids[:, -1] + 1) % 11
    masked = left_to_right(model)
    torch.testing.assert_close(masked(ids)[:, :-1], masked(changed)[:, :-1])
    assert (model(ids)[:, :-1] - model(changed)[:, :-1]).abs().max() > 1e-6


def test_a_contender_that_diverges_is_told_and_has_no_verdict(run_compare: Compare):
    done = run_compare("n_layers=1", "n_layers=2,lr=100,clip=0,warmup_steps=0,norm=none", seeds=2, steps=30)
    steady, wild = done.summary.rows
    assert steady.n_diverged == 0 and wild.n_diverged == 2
    assert wild.verdict == "diverged" and wild.difference is None and wild.bits_per_byte is None
    assert "2 of 2 diverged" in (done.folder / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("settings", [{}, {"n_kv_heads": 2, "bias": True}, {"n_kv_heads": 1, "head_dim": 12}])
def test_one_matrix_and_three_give_the_same(settings: dict[str, Any]):
    torch.manual_seed(0)
    config = ModelConfig(vocab_size=9, n_heads=4, d_model=32, **settings)
    attention = Attention(config)
    x = torch.randn(10, 32)
    fused, separate = fused_and_separate(attention)
    heads = attention.qkv(x).split(
        [n * config.head_dim for n in (4, config.n_kv_heads, config.n_kv_heads)], dim=-1
    )
    for one, three, own in zip(fused(x), separate(x), heads, strict=True):
        torch.testing.assert_close(one, three)
        torch.testing.assert_close(one, own)


def test_gradients_of_a_deep_model_need_residuals(run_compare: Compare):
    done = run_compare("residuals", steps=2)
    spread = {}
    for name, (figures,) in done.summary.figures.items():
        assert len(figures["before"]) == 12 and min(figures["before"]) > 0
        spread[name] = max(figures["before"]) / min(figures["before"])
    assert spread["no-residuals"] > 3 * spread["residuals"]


def test_minutes_are_a_budget_too(text_file: Path):
    asked = Asked(
        ("n_layers=1", "n_layers=2"), (str(text_file),), 0, 0.01, 1, {"d_model": 16, "context_length": 16}
    )
    done = compare(asked, device="cpu")
    assert all(each["steps"] >= 1 and each["seconds"] < 30 for each in trainings(done.folder))
    with pytest.raises(InputError, match="give --steps instead of --minutes"):
        compare(Asked(("epochs",), (str(text_file),), 0, 0.01), device="cpu")


def test_a_model_of_ones_own_stands_beside_the_others(run_compare: Compare, here: Path):
    own = f"{write_lstm(here)}:LSTM,hidden=16"
    done = run_compare(own, "rotary", flags={"context_length": 16, "batch_size": 4})
    rows = {row.name: row for row in done.summary.rows}
    assert rows[own].parameters < rows["rotary"].parameters
    assert rows[own].bits_per_byte and rows[own].sample
    with pytest.raises(InputError, match="n_layers"):
        run_compare(own, "rotary", flags={"n_layers": 2})
