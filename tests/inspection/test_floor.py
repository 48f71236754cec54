"""The gap above the floor: none for the grammar itself, right for what is known by hand, real for what was trained."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import pellucid
from pellucid.api import load
from pellucid.cli.floor import floor_lines
from pellucid.errors import InputError
from pellucid.inspection.floor import (
    HELD_OUT,
    gap_per_character,
    is_trained_on_tales,
    keep_floor,
    measure_floor,
    story_losses,
)
from pellucid.text.corpora.tales import SEED
from pellucid.text.tales.grammar import END
from pellucid.text.tales.tales import floor, log_probability, next_character, write
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.training.prepare import prepare
from pellucid.training.train import resume

STORIES = [write(HELD_OUT, index) for index in range(6)]
TOKENIZER = CharTokenizer.from_texts(write(SEED, index) for index in range(200))


class Oracle:
    """Predicts what the grammar predicts, of rows that are whole stories; or all tokens alike."""

    def __init__(self, context_length: int, is_uniform: bool = False) -> None:
        self.config = SimpleNamespace(context_length=context_length)
        self.is_uniform = is_uniform

    def eval(self) -> Oracle:
        return self

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        """(R, T, V) logits."""
        logits = torch.full((*ids.shape, TOKENIZER.vocab_size), 0.0 if self.is_uniform else -1e9)
        if self.is_uniform:
            return logits
        for number, row in enumerate(ids.tolist()):
            story = [id for id in row[1:] if id != TOKENIZER.pad]
            for place in range(len(story) + 1):
                ways = next_character(TOKENIZER.decode(story[:place]))
                for character, probability in ways.items():
                    id = TOKENIZER.end_of_text if character == END else int(TOKENIZER.encode(character)[0])
                    logits[number, place, id] = math.log(probability)
        return logits


def of(model: Oracle) -> Any:
    return SimpleNamespace(model=model, tokenizer=TOKENIZER, device="cpu")


def test_the_grammar_as_a_model_is_on_the_floor():
    losses, n_tokens = story_losses(of(Oracle(4096)), STORIES)
    assert n_tokens.tolist() == [len(story) + 1 for story in STORIES]
    assert losses == pytest.approx([-log_probability(story) for story in STORIES], rel=1e-5)
    found = measure_floor(of(Oracle(4096)), 6, n_samples=0)
    assert found.gap == pytest.approx(0, abs=1e-5) and found.error == pytest.approx(0, abs=1e-5)
    assert found.floor == floor() and found.n_longer == 0


def test_what_sees_what_it_is_to_predict_is_below_the_floor():
    class Cheat(Oracle):
        def __call__(self, ids: torch.Tensor) -> torch.Tensor:
            ends = torch.full_like(ids[:, :1], TOKENIZER.end_of_text)
            follows = torch.cat([ids[:, 1:], ends], dim=1)
            follows[follows == TOKENIZER.pad] = TOKENIZER.end_of_text
            return 20.0 * torch.nn.functional.one_hot(follows, TOKENIZER.vocab_size)

    found = measure_floor(of(Cheat(4096)), 20, n_samples=0)
    assert found.gap < -10 * found.error and found.gap == pytest.approx(-found.floor, rel=0.1)
    assert any("sees what it is to predict" in line for line in floor_lines(found))
    assert not any("sees" in line for line in floor_lines(dataclasses.replace(found, gap=0.03)))


@pytest.mark.parametrize("context_length", [1, 2, 7, 64, 1000])
def test_every_token_is_scored_once_whatever_the_context(context_length: int):
    losses, n_tokens = story_losses(of(Oracle(context_length, is_uniform=True)), STORIES)
    assert losses == pytest.approx(n_tokens * math.log(TOKENIZER.vocab_size), rel=1e-6)
    assert n_tokens.tolist() == [len(story) + 1 for story in STORIES]


def test_a_gap_is_a_ratio_of_means_with_its_error():
    rng = np.random.default_rng(1)
    lengths = rng.integers(100, 900, 500)
    excess = 0.03 * lengths + rng.normal(0, 2, 500)
    gap, error = gap_per_character(excess, lengths)
    assert error == pytest.approx(2 / (lengths.mean() * math.sqrt(500)), rel=0.1)
    assert abs(gap - 0.03) < 3 * error
    assert gap_per_character(0.5 * lengths, lengths)[1] == pytest.approx(0, abs=1e-12)


def test_one_story_has_no_standard_error():
    with pytest.raises(InputError, match="two stories"):
        measure_floor(of(Oracle(64, is_uniform=True)), 1)


def test_a_trained_run_is_held_against_the_floor(train_tiny: Any, tmp_path: Path):
    run = load(train_tiny(tmp_path / "run", "tales:40").run.path)
    assert is_trained_on_tales(run.folder)
    found = measure_floor(run, 8, n_samples=2)
    assert found.gap > 1 > 10 * found.error, "24 steps teach little"
    assert found.n_longer == 8, "its context has 16 tokens"
    assert found.n_samples == 2 and found.n_whole == 0
    assert found.n_tokens == found.n_characters and found.gap_per_token == pytest.approx(found.gap)
    assert json.loads(json.dumps(found.to_dict()))["gap"] == found.gap
    assert measure_floor(run, 8, n_samples=2) == found


def test_what_takes_too_long_is_measured_on_less():
    model = of(Oracle(64, is_uniform=True))
    hasty = measure_floor(model, 40, n_samples=4, seconds=0)
    assert (hasty.n_stories, hasty.n_samples) == (16, 0)
    assert measure_floor(model, 40, n_samples=0).n_stories == 40
    assert measure_floor(model, 16, n_samples=0) == hasty


def test_the_floor_is_kept_in_the_run_until_it_is_trained_on(train_tiny: Any, tmp_path: Path):
    outcome = train_tiny(tmp_path / "run", "tales:40")
    run = load(outcome.run.path)
    found = measure_floor(run, 8, n_samples=0)
    before = run.folder.card_path.read_text(encoding="utf-8")
    for _ in range(2):  # told once, however often it is measured
        keep_floor(run, found, floor_lines(found))
        card = run.folder.card_path.read_text(encoding="utf-8")
        assert card.startswith(before) and card.count("bits a character, ") == 1
    kept = json.loads(run.folder.floor_path.read_text(encoding="utf-8"))
    assert kept["gap"] == found.gap and kept["step"] == outcome.best_step
    resume(run.folder.path, steps=outcome.steps + 8)
    assert not run.folder.floor_path.exists()
    assert "Above the floor" not in run.folder.card_path.read_text(encoding="utf-8")


def test_pieces_of_words_have_a_gap_a_token(train_tiny: Any, tmp_path: Path):
    run = load(train_tiny(tmp_path / "run", "tales:40", tokenizer="bpe", vocab_size=300).run.path)
    found = measure_floor(run, 8, n_samples=0)
    assert found.n_tokens < found.n_characters and found.gap_per_token > found.gap > 0


def test_a_run_from_a_prepared_folder_is_known_too(train_tiny: Any, tmp_path: Path):
    prepare("tales:40", tmp_path / "tokens")
    assert is_trained_on_tales(train_tiny(tmp_path / "run", str(tmp_path / "tokens")).run)


def test_other_runs_are_not_on_tales(finished_run: Path):
    assert not is_trained_on_tales(load(finished_run).folder)


@pytest.mark.slow
def test_a_model_that_was_really_trained_is_above_the_floor(tmp_path: Path):
    outcome = pellucid.train(
        "tales",
        out=tmp_path / "run",
        steps=600,
        n_layers=2,
        d_model=64,
        n_heads=2,
        context_length=256,
        batch_size=8,
    )
    found = measure_floor(load(outcome.run.path, "cpu"))
    assert -2 * found.error < found.gap < 1.0
    kept = {rule.rule: rule for rule in found.rules}
    assert kept["quotes"].total > 0
