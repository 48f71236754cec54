"""What is typed becomes contenders, or a sentence that says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid import presets
from pellucid.errors import InputError
from pellucid.inspection.compare.asked import Asked, comparisons, find
from pellucid.inspection.compare.trial import refuse_at_once, request_of

LATER = {"steps": 10}


def contenders(*names: str, **flags: Any) -> dict[str, dict[str, Any]]:
    return {each.name: each.settings for each in find(Asked(names, flags=flags)).contenders}


def test_without_a_name_it_is_the_ladder():
    ladder = find(Asked())
    assert [each.name for each in ladder.contenders][:4] == [
        "uniform", "unigram", "counted-bigram", "learned-bigram",
    ]  # fmt: skip
    names = {each.name: each for each in ladder.contenders}
    assert ladder.rival(names["uniform"]) is None
    assert ladder.rival(names["muon"]) is names["shared-expert"]
    assert ladder.rival(names["rotary"]) is names["deeper"], "dropout stands aside"
    assert "dropout" not in names["rotary"].settings and names["dropout"].settings["dropout"] > 0
    assert names["muon"].settings["n_kv_heads"] == 2, "what a lower rung changed stays"


def test_every_set_can_be():
    for comparison in comparisons().values():
        refuse_at_once(comparison, LATER)
        assert comparison.about.endswith(".") and all(
            each.says.endswith(".") for each in comparison.contenders
        )
        for contender in comparison.contenders[1:]:
            rival = comparison.rival(contender)
            assert rival is not None and rival is not contender
        asked = [request_of(comparison, each, LATER) for each in comparison.contenders]
        kinds = [(each.text, each.model, each.training, c.documents, c.times, c.counted)
                 for each, c in zip(asked, comparison.contenders, strict=True)]  # fmt: skip
        assert all(a != b for n, a in enumerate(kinds) for b in kinds[:n]), "no two contenders are the same"


def test_contenders_of_ones_own(tmp_path: Path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[text]\ntokenizer = "char"\n[model]\nn_layers = 3\n[training]\nsteps = 9\nlr = 0.5\n')
    found = contenders(
        "rotary", "rotary,n_layers=5,lr=1e-2", "mini", "n_heads=8,tie-embeddings=true", str(recipe)
    )
    rotary, deeper, mini, inline, own = found.values()
    assert rotary["n_layers"] == 3 and deeper == {**rotary, "n_layers": 5, "lr": 0.01}
    assert mini["d_model"] == 128 and "steps" not in mini and "eval_every" not in mini
    assert inline["n_heads"] == 8 and inline["tie_embeddings"] is True and inline["d_model"] == 64
    assert own == {"tokenizer": "char", "n_layers": 3, "lr": 0.5}
    assert [*found][1] == "rotary,n_layers=5,lr=1e-2"


def test_flags_are_for_all_and_what_is_typed_is_for_one():
    flagged = contenders("mini", "n_layers=2,d_model=32", d_model=48)
    assert [each["d_model"] for each in flagged.values()] == [48, 32]
    norms = find(Asked(("norms",), flags={"d_model": 32}))
    assert all(request_of(norms, each, LATER).model["d_model"] == 32 for each in norms.contenders)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_can_be_a_contender(name: str):
    refuse_at_once(find(Asked((name, "n_layers=1"))), LATER)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("normz",), "did you mean 'norms'"),
        (("zzz",), "one name is a ready-made set"),
        (("mini",), "or name two contenders"),
        (("norms", "mini"), "norms is a whole set of contenders"),
        (("mini", "mini"), "named twice"),
        (("mini", "rotari"), "did you mean 'rotary'"),
        (("mini", "n_head=8"), "did you mean 'n_heads'"),
        (("mini", "n_heads=8,rotary"), "cannot be read"),
        (("mini", "steps=8"), "steps is the same for all"),
        (("mini", "uniform,n_heads=2"), "uniform is counted"),
        (("mini", "nothing.toml"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_said(names: tuple[str, ...], words: str):
    with pytest.raises(InputError, match=words):
        find(Asked(names))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 5, "minutes": 1.0}, "--steps or --minutes, not both"),
        ({"seeds": 101}, "from 1 to 100"),
    ],
)
def test_a_budget_that_cannot_be_is_said(settings: dict[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        Asked(**settings)


def test_a_flag_that_the_set_decides_is_refused():
    with pytest.raises(InputError, match="decides n_heads itself: leave out --n-heads"):
        find(Asked(("n-heads",), flags={"n_heads": 2}))
    with pytest.raises(InputError, match="decides n_layers itself"):
        find(Asked((), flags={"n_layers": 2}))


def test_a_wrong_setting_names_its_contender():
    with pytest.raises(InputError, match="n_heads=3: d_model 64 does not divide into 3 heads"):
        refuse_at_once(find(Asked(("mini", "n_heads=3"))), LATER)
