"""The rows of the shapes view: all there, of the shapes they say, adding up to the accounting; real source lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_models import MODELS, OTHERS
from torch import nn

import pellucid
from pellucid.inspection import shapes
from pellucid.inspection.subject import Subject
from pellucid.model.accounting import flops_per_token, kv_cache_bytes, n_active_params, n_params

MakeSubject = Callable[..., Subject]
EVERY = MODELS | OTHERS
TEXT = "Fair is foul"


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("text", [TEXT, ""])
def test_the_rows_add_up_to_the_accounting(make_subject: MakeSubject, settings: dict[str, Any], text: str):
    subject = make_subject(**settings)
    answer, length = shapes.budget(subject, text), len(text) or 1
    config, totals = subject.config, answer["totals"]
    assert totals["parameters"] == sum(row["parameters"] for row in answer["rows"]) == n_params(config)
    assert (
        totals["flops"]
        == sum(row["flops"] for row in answer["rows"])
        == flops_per_token(config, length) * length
    )
    assert totals["active_parameters"] == n_active_params(config)
    assert totals["kv_bytes"] == kv_cache_bytes(config, 1, length)
    assert totals["weights_bytes"] == sum(4 * p.numel() for p in subject.loaded.model.parameters())


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_a_shape_is_what_its_symbols_say(make_subject: MakeSubject, settings: dict[str, Any]):
    answer = shapes.budget(make_subject(**settings), TEXT)
    for row in answer["rows"]:
        symbols = row["symbols"].replace("·", "*").split(",")
        assert [eval(each, {}, dict(answer["legend"])) for each in symbols] == row["shape"], row
        assert row["what"] and row["formula"]


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_every_layer_with_parameters_has_a_row_and_no_name_comes_twice(
    make_subject: MakeSubject, settings: dict[str, Any]
):
    subject = make_subject(**settings)
    names = [row["name"] for row in shapes.budget(subject, TEXT)["rows"]]
    assert len(set(names)) == len(names)
    for name, module in subject.loaded.model.named_modules():
        if any(True for _ in module.parameters(recurse=False)):
            assert name in names
    assert names[0] == "ids"
    if subject.config.architecture == "transformer":
        assert names[1] == "embedding" and names[-1] in ("head", "cap")


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_a_source_line_is_one_that_calls_the_part(make_subject: MakeSubject, settings: dict[str, Any]):
    package = Path(pellucid.__file__).parent
    for row in shapes.budget(make_subject(**settings), TEXT)["rows"]:
        file, line = row["source"].split(":")
        statement = (package / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        own = row["name"].split(".")[-1]
        called = {
            "ids": "(ids",
            "cos": "self.positions.rotation(",
            "sin": "self.positions.rotation(",
            "hidden": "self.down(",
            "chosen": "chosen = (scores",
            "sent": "_Dispatch.apply(",
            "ends": "ends = load.cumsum",
            "q": "shared.rotate(",
            "k": "shared.rotate(",
            "v": "self.values(",
            "joined": "self.out(",
            "join": "self.join(",
            "embed": "self.positions.embed(",
        }
        called |= dict.fromkeys(("scores", "mask", "weights", "mixed"), "self.attend(")
        if row["name"].endswith("feedforward.weights"):
            called["weights"] = "weights = scores.gather("
        assert called.get(own, f"self.{own}(") in statement, (row, statement)


def test_nothing_is_left_behind_in_the_model_that_is_looked_into(make_subject: MakeSubject):
    subject = make_subject()
    first = shapes.budget(subject, TEXT)["rows"]
    for module in subject.twin.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
    assert all(isinstance(block, nn.Module) for block in subject.twin.blocks)  # pyright: ignore
    for step in ("embed", "rotation"):
        assert step not in vars(subject.twin.positions)  # pyright: ignore
    assert shapes.budget(subject, TEXT)["rows"] == first


def test_speed_is_measured(trained: Subject):
    measured = shapes.budget(trained, "The owl")["measured"]
    assert all(speed > 0 for speed in measured.values())
    records = [record for record in trained.loaded.folder.metrics() if "tokens_per_second" in record]
    assert measured["training_tokens_per_second"] == records[-1]["tokens_per_second"]
    trained.loaded.folder.metrics_path.unlink()
    again = Subject(trained.loaded)  # what was read once is kept
    assert shapes.budget(again, "The owl")["measured"]["training_tokens_per_second"] is None
