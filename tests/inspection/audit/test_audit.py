"""Audits of real small models: what was learned by heart is found, and what was not is not."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.errors import InputError
from pellucid.inspection.audit import copy
from pellucid.inspection.audit.canaries import CANDIDATES, UNSEEN
from pellucid.inspection.audit.extraction import reply_pieces, text_pieces
from pellucid.inspection.audit.report import record, rows
from pellucid.text.packing import Example


def contents(folder: Path) -> dict[str, str]:
    """Every file of a run and its hash."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_canaries_planted_often_are_found_and_unseen_ones_are_not(by_heart: Path):
    before = contents(by_heart)
    said: list[str] = []
    found = pellucid.audit(by_heart, only=["canaries"], minutes=1000, device="cpu", note=said.append).canaries
    assert found is not None
    once, four, sixteen = found.planted
    assert (once.times, four.times, sixteen.times) == (1, 4, 16)
    assert found.ceiling == math.log2(CANDIDATES) == 10
    assert min(sixteen.bits) > found.ceiling - 2
    assert sixteen.median >= once.median
    assert len(found.unseen.bits) == UNSEEN >= 50
    assert 0.4 < found.unseen.median < 1.9  # a rank as good as any has a median of 1 bit
    assert found.budget.share == 1
    assert any("trained on all of the text" in note for note in said)
    after = contents(by_heart)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"audit.json", "AUDIT.md"}


def test_a_copy_with_little_time_reads_a_part_as_often(by_heart: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(copy, "seconds_per_step", lambda trainer: 0.003)
    found = pellucid.audit(by_heart, only=["canaries"], minutes=0.002, device="cpu").canaries
    assert found is not None
    assert found.budget.share < 0.5
    assert 1 <= found.budget.steps < 80
    assert found.budget.epochs > 20


def test_what_was_learned_by_heart_is_told_from_what_was_held_out(by_heart: Path):
    heard: list[tuple[str, int, int]] = []
    found = pellucid.audit(
        by_heart,
        only=["gap", "extraction", "verbatim"],
        device="cpu",
        progress=lambda *each: heard.append(each),
    )
    assert found.gap is not None
    assert found.extraction is not None
    assert found.verbatim is not None
    assert found.gap.train < 0.7 * found.gap.held_out
    held_out = found.extraction.held_out
    assert held_out is not None
    assert found.extraction.train.share > held_out.share + 0.1
    assert found.verbatim.excess > 0.01
    assert found.verbatim.held_out is not None
    assert len(found.verbatim.written.longest) > 2 * len(found.verbatim.held_out.longest)
    (source,) = pellucid.load(by_heart).folder.config()["data"]["sources"]
    training = Path(source).read_text(encoding="utf-8")
    assert found.verbatim.written.longest in training
    assert len(found.verbatim.written.longest) > 20
    assert {what for what, *_ in heard} >= {"Continuing prefixes", "Writing freely"}
    assert all(0 <= done <= total for _, done, total in heard)
    kept = json.loads((by_heart / "audit.json").read_text())
    assert kept == json.loads(json.dumps(record(found)))
    assert kept["canaries"] is None
    page = (by_heart / "AUDIT.md").read_text()
    assert page.count("\n## ") == len(rows(found)) == 5
    assert "Share it only with" in page


def test_a_model_that_learned_nothing_remembers_nothing(finished_run: Path):
    """24 steps of a tiny model."""
    found = pellucid.audit(finished_run, only=["gap", "extraction"], device="cpu")
    assert found.gap is not None
    assert found.extraction is not None
    assert abs(found.gap.bits) < 0.1 * found.gap.held_out
    assert found.extraction.train.exact == 0
    assert "No sign" in rows(found)[-1][1][0]


@pytest.mark.parametrize("with_adapters", [False, True])
def test_a_model_that_answers_is_audited_by_its_replies(
    tuned: Callable[[Path, bool], Path], tmp_path: Path, with_adapters: bool
):
    run = tuned(tmp_path / "runs" / "chat-1", with_adapters)
    found = pellucid.audit(run, device="cpu")
    assert not found.refused
    assert found.canaries is not None
    assert found.extraction is not None
    assert found.verbatim is not None
    assert found.gap is not None
    assert found.extraction.train.n > 20
    assert found.extraction.train.tokens_asked >= 4
    assert 0.4 < found.canaries.unseen.median < 1.9
    assert found.verbatim.n_texts > 1
    assert found.gap.n_bytes_held_out > 20


def test_pieces_of_a_text_lie_within_a_document():
    silent = np.zeros(50, dtype=bool)
    silent[0] = True
    tokens = np.where(np.arange(4000) % 23 == 0, 0, 1 + np.arange(4000) % 49)
    pieces = text_pieces(tokens, silent, 8, np.random.default_rng(0))
    assert pieces
    joined = "," + ",".join(map(str, tokens.tolist())) + ","
    for piece in pieces:
        assert len(piece.prompt) == len(piece.after) == 8
        assert 0 not in (*piece.prompt, *piece.after)
        assert "," + ",".join(map(str, (*piece.prompt, *piece.after))) + "," in joined
    assert text_pieces(tokens[:6], silent, 8, np.random.default_rng(0)) == []


def test_pieces_of_a_reply_begin_within_it_and_end_with_it():
    ids = np.arange(60)
    learned = (ids >= 20) & (ids < 40)
    silent = np.zeros(60, dtype=bool)
    silent[39] = True  # the token that ends it
    (piece,) = reply_pieces([Example(ids, learned)], silent, 64, np.random.default_rng(0))
    assert piece.prompt == tuple(range(29))
    assert piece.after == tuple(range(29, 38))
    (short,) = reply_pieces([Example(ids, learned)], silent, 16, np.random.default_rng(0))
    assert len(short.prompt) + len(short.after) <= 16
    assert short.prompt[-1] + 1 == short.after[0] == 28


def test_a_bigram_has_no_canaries_but_the_rest(text_file: Path, tmp_path: Path, quick_probe: object):
    from pellucid.training.train import train

    out = tmp_path / "runs" / "pairs-1"
    train(
        text_file, out=out, architecture="bigram", context_length=16, steps=8, device="cpu", sample_tokens=0
    )
    found = pellucid.audit(out, device="cpu")
    assert set(found.refused) == {"canaries"}
    assert "not done: a table of pairs" in dict(rows(found))["Canaries"][0]
    with pytest.raises(InputError, match=r"nothing could be audited \(canaries: a table"):
        pellucid.audit(out, only=["canaries"], device="cpu")
