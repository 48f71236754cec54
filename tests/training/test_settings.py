"""From what a person asks for to a full configuration, and what a run is told to take before it starts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid import presets
from pellucid.errors import InputError
from pellucid.model.accounting import n_active_params, n_params
from pellucid.model.config import ModelConfig
from pellucid.text.corpora.lesson import lesson
from pellucid.training.config import TrainConfig
from pellucid.training.forecast import check_memory, seconds_per_step, training_memory
from pellucid.training.loop import Trainer
from pellucid.training.machine import Machine, probe
from pellucid.training.settings import request, resolve

MACHINE = Machine("cpu", "float32", 5e10, 1e9, 2, 8 << 30)


def configs(preset: str = "auto", **settings: Any) -> tuple[ModelConfig, TrainConfig]:
    asked = request(preset, **settings)
    return resolve(asked, 72, "char", 1_000_000, MACHINE)[:2]


def test_auto_gives_no_reasons_for_what_was_asked_for():
    def reasons(**settings: Any) -> list[str]:
        return resolve(request(minutes=20, **settings), 72, "char", 10_000, MACHINE)[2]

    size, dropout = reasons()
    assert size.startswith("size: 4 layers, d_model 192, ") and dropout.startswith("dropout 0.2")
    assert reasons(d_model=64, context_length=32, dropout=0)[0].startswith(
        "size: 4 layers, batch 12, because"
    )
    assert reasons(n_layers=1, d_model=64, context_length=32, batch_size=4, dropout=0) == []


# ---------------------------------------------------------------------- presets


def test_mini_is_the_classic_recipe():
    model, training = configs("mini")
    assert n_params(dataclasses.replace(model, vocab_size=65)) == 813_440
    assert (model.n_layers, model.n_heads, model.d_model, model.d_ff, model.context_length) == (
        4,
        4,
        128,
        512,
        128,
    )
    assert (model.dropout, model.bias, model.tie_embeddings, model.norm) == (0.1, False, True, "layernorm")
    assert (model.activation, model.positions, model.qk_norm) == ("relu", "learned", False)
    assert (training.optimizer, training.schedule, training.lr) == ("adamw", "constant", 3e-4)
    assert (training.beta1, training.beta2, training.weight_decay, training.clip) == (0.9, 0.95, 0.1, 1.0)
    assert (training.batch_size, training.steps, training.eval_every) == (64, 5000, 500)
    assert (training.sample_tokens, training.sample_temperature) == (500, 0.8)
    assert request("mini").tokenizer == "char"


def test_chars_is_the_larger_character_model():
    model, training = configs("chars")
    assert n_params(dataclasses.replace(model, vocab_size=65)) == 10_775_040
    assert (model.n_layers, model.n_heads, model.head_dim, model.d_model) == (6, 6, 64, 384)
    assert (model.context_length, model.positions, model.norm) == (256, "learned", "layernorm")
    assert (model.activation, model.dropout, request("chars").tokenizer) == ("relu", 0.1, "char")
    assert training.dev_fraction == 0.0  # nine tenths to train on, one to validate


def test_gutenberg_moe_is_its_sources_recipe():
    model, training = configs("gutenberg-moe")
    model = dataclasses.replace(model, vocab_size=10_000)
    assert n_params(model) == pytest.approx(483e6, rel=0.002)
    assert n_active_params(model) == pytest.approx(199e6, rel=0.005)
    assert (model.n_layers, model.n_heads, model.n_kv_heads, model.d_model) == (8, 8, 4, 768)
    assert (model.n_experts, model.d_ff, model.experts_per_token, model.activation) == (8, 3072, 3, "swiglu")
    assert (model.norm, model.positions, model.context_length) == ("rmsnorm", "rotary", 512)
    assert (model.tie_embeddings, model.bias, model.dropout) == (False, False, 0.1)
    assert (training.batch_size, training.epochs, training.optimizer, training.lr) == (32, 2, "adamw", 5e-4)
    assert (training.warmup_steps, training.warmup_start, training.schedule) == (2000, 0.01, "cosine")
    assert (training.min_lr, training.clip) == (0.0, 6.0)
    assert request("gutenberg-moe").text == {"tokenizer": "bpe", "vocab_size": 10_000}


def test_gpt2_is_the_124_million_one():
    model, training = configs("gpt2")
    assert n_params(dataclasses.replace(model, vocab_size=50_257)) == 124_439_808
    assert (model.n_layers, model.n_heads, model.d_model, model.context_length) == (12, 12, 768, 1024)
    assert training.batch_size * model.context_length == pytest.approx(0.5e6, rel=0.02)


def test_lesson_has_twenty_four_tokens(tmp_path: Path):
    corpus = lesson()
    assert len(set(corpus.documents[0].text)) == 17
    outcome = pellucid.train("lesson", corpus=corpus, preset="lesson", out=tmp_path / "run", steps=300)
    run = pellucid.load(tmp_path / "run")
    assert (run.tokenizer.vocab_size, run.model.config.d_model) == (24, 32)
    assert outcome.validation.loss < outcome.bigram.loss - 0.1


LARGE = ("gutenberg-moe", "gpt2")  # more than 20 million parameters
CUT = {"d_model": 64, "head_dim": 8, "d_ff": 96}


@pytest.mark.parametrize(
    ("preset", "width"),
    [(name, CUT if name in LARGE else {}) for name in presets.names()]
    + [pytest.param(name, {}, marks=pytest.mark.slow) for name in LARGE],
)
def test_every_preset_trains_samples_and_comes_back(preset: str, width: dict[str, int], tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("A small text about a small cat that sat. " * 200)
    size = {"batch_size": 2, "accumulate": 1, "context_length": 64, **width}
    outcome = pellucid.train(
        text, out=tmp_path / "run", preset=preset, steps=1, sample_tokens=3, precision="float32", **size
    )
    assert outcome.steps == 1
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    run = pellucid.load(moved)
    assert run.folder.config()["training"]["steps"] == 1
    assert run.loss("A small text") == pellucid.load(moved).loss("A small text")
    assert len(run.generate("A", max_tokens=5, seed=0, ignore_eos=True)) >= 5
    assert run.generate("A", max_tokens=9, seed=4) == run.generate("A", max_tokens=9, seed=4)


def test_presets_are_told_when_one_is_unknown():
    with pytest.raises(
        InputError,
        match=r"'minny' is unknown: choose one of auto, bigram, chars, chat, gpt2, gutenberg-moe, lesson, mini",
    ):
        request("minny")


# ---------------------------------------------------------------------- layers of settings


def test_a_flag_wins_over_the_file_and_the_file_over_the_preset(tmp_path: Path):
    file = tmp_path / "own.toml"
    file.write_text("[model]\nn_layers = 2\nd_model = 64\n[training]\nlr = 0.5\nepochs = 3\n")
    model, training = configs("mini", config=str(file), d_model=32)
    assert (model.n_layers, model.d_model, model.context_length) == (2, 32, 128)
    assert training.lr == 0.5
    assert training.budget == ("epochs", 3)  # a later budget takes the place of an earlier one


def test_the_default_budget_is_five_minutes():
    assert configs()[1].budget == ("minutes", 5.0)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[model]\nn_layer = 2\n", "n_layer"),
        ("[training]\nlearning_rate = 2\n", "learning_rate"),
        ("[text]\nkind = 'char'\n", "kind"),
        ("[model]\nvocab_size = 5\n", "vocab_size"),
        ("[oven]\nheat = 1\n", "oven"),
        ("model = 3\n", "[model]"),
        ("not toml", "not valid TOML"),
        ("[training]\nlr = 'high'\n", "--lr"),
        ("[training]\nbatch_size = 16.5\n", "whole number"),
        ("[training]\nsteps = 10\nminutes = 1\n", "one budget"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, content: str, complaint: str):
    file = tmp_path / "own.toml"
    file.write_text(content)
    with pytest.raises(InputError) as raised:
        configs(config=str(file))
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"steps": 0}, "--steps must be above 0"),
        ({"minutes": -1.0}, "--minutes must be above 0"),
        ({"minutes": math.nan}, "--minutes must be above 0"),
        ({"minutes": math.inf}, "--minutes"),
        ({"steps": 3, "epochs": 1.0}, "steps and epochs"),
        ({"lr": 0.0}, "--lr"),
        ({"lr": math.nan}, "--lr"),
        ({"min_lr": 1.0}, "--min-lr"),
        ({"batch_size": 0}, "--batch-size"),
        ({"batch_size": 10, "accumulate": 4}, "--accumulate"),
        ({"optimizer": "sgd"}, "adamw or muon"),
        ({"schedule": "linear"}, "cosine or wsd or constant"),
        ({"dropout": 1.0}, "dropout"),
        ({"d_model": 33, "n_heads": 4}, "d_model 33 does not divide into 4 heads"),
        ({"n_heads": 4, "n_kv_heads": 3}, "n_kv_heads must divide n_heads"),
        ({"seed": -1}, "--seed"),
        ({"dev_fraction": 0.9}, "--dev-fraction"),
        ({"n_layer": 3}, "did you mean 'n_layers'"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], complaint: str):
    with pytest.raises(InputError) as raised:
        configs(**settings)
    assert complaint in str(raised.value)


def test_a_recipe_survives_its_way_through_json():
    import json

    training = configs("mini")[1]
    assert TrainConfig.from_dict(json.loads(json.dumps(training.to_dict()))) == training
    with pytest.raises(InputError, match="warmth"):
        TrainConfig.from_dict({"warmth": 3})


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"steps": 7}, 7),
        ({"epochs": 1.0}, 13),
        ({"epochs": 0.01}, 1),
        ({"train_tokens": 1600}, 25),
        ({"minutes": 5.0}, None),
    ],
)
def test_steps_that_a_budget_buys(budget: dict[str, Any], steps: int | None):
    assert TrainConfig(**budget, batch_size=8).planned_steps(windows_per_epoch=100, context_length=8) == steps


# ---------------------------------------------------------------------- memory and time


def big(accumulate: int = 1) -> tuple[ModelConfig, TrainConfig]:
    model = ModelConfig(8192, 1024, n_layers=12, n_heads=12, d_model=768)
    return model, TrainConfig(steps=1, batch_size=64, accumulate=accumulate)


def test_a_model_that_does_not_fit_is_refused_with_parts_that_do():
    model, training = big()
    with pytest.raises(
        InputError, match=r"about \d+\.\d GiB, and 16\.0 GiB are free: add --accumulate \d+"
    ) as raised:
        check_memory(model, training, 16 << 30)
    parts = int(str(raised.value).split("--accumulate ")[1].split()[0])
    assert check_memory(*big(parts), 16 << 30) <= 16 << 30
    fewer = max(n for n in range(1, parts) if 64 % n == 0)
    with pytest.raises(InputError):
        check_memory(*big(fewer), 16 << 30)


def test_a_model_too_large_for_any_batch_is_told_apart():
    with pytest.raises(InputError, match="smaller --d-model or fewer --n-layers"):
        check_memory(*big(), 1 << 30)


def test_memory_that_suffices_is_counted():
    model, training = big()
    assert check_memory(model, training, 1 << 50) == training_memory(model, training) > 16 * n_params(model)


def test_measuring_a_step_changes_neither_weights_nor_random_states(make_trainer: Callable[..., Trainer]):
    import torch

    trainer = make_trainer(dropout=0.2)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    random = torch.get_rng_state()
    assert 0 < seconds_per_step(trainer) < 600
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


# ---------------------------------------------------------------------- the machine


def test_the_probe_measures_and_takes_what_is_much_faster(
    quick_probe: Callable[..., float], monkeypatch: pytest.MonkeyPatch
):
    import torch

    from pellucid.training import machine

    assert 1e6 < quick_probe("cpu", torch.float32, 0.02) < 1e14
    for factor, expected in ((8.0, "bfloat16"), (1.2, "float32"), (0.02, "float32")):
        speeds = {torch.float32: 1e10, torch.bfloat16: factor * 1e10}
        monkeypatch.setattr(machine, "matmul_flops", lambda _, dtype, speeds=speeds: speeds[dtype])
        assert probe("cpu").precision == expected
        assert probe("cpu", "float32").precision == "float32"


@pytest.mark.parametrize(
    ("device", "precision", "complaint"),
    [
        ("tpu", "auto", "choose auto, cpu, cuda or mps"),
        ("cpu", "float16", "choose auto, float32 or bfloat16"),
    ],
)
def test_what_is_not_there_is_refused(quick_probe: object, device: str, precision: str, complaint: str):
    with pytest.raises(InputError, match=complaint):
        probe(device, precision)
