"""What the page shows is what formulas over the run's files give, which share no code with the package."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Hosted, data_of, hosted, table_of
from playwright.sync_api import Page, expect
from reference import Reference, bits, kept_by_hand, reference
from safetensors.torch import load_file, save_file
from serving import until

PROMPT = "The cat in the barn sees"
MODELS = ("learned", "rotary", "experts")
HEADS = [("learned", 1, 0), ("learned", 0, 1), ("rotary", 1, 2), ("rotary", 0, 1), ("experts", 0, 1)]
CLOSE = {"rtol": 2e-4, "atol": 2e-5}
OPTIONS = [
    {"temperature": 0.5, "top_k": 25, "top_p": 1.0, "min_p": 0.0},
    {"temperature": 1.3, "top_k": 7, "top_p": 1.0, "min_p": 0.0},
    {"temperature": 0.8, "top_k": 0, "top_p": 0.7, "min_p": 0.0},
    {"temperature": 2.0, "top_k": 12, "top_p": 0.9, "min_p": 0.05},
]


def vocabulary(run: Path) -> dict[str, int]:
    """Character to id, of a run with a character tokenizer."""
    tokenizer = json.loads((run / "tokenizer.json").read_text(encoding="utf-8"))
    reserved = {each["content"] for each in tokenizer["added_tokens"]}
    return {text: id for text, id in tokenizer["model"]["vocab"].items() if text not in reserved}


def ids_of(run: Path, text: str) -> list[int]:
    known = vocabulary(run)
    return [known[letter] for letter in text]


def expected(run: Path, text: str = PROMPT, **changes: Any) -> Reference:
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))["model"]
    return reference(config | changes, load_file(run / "model.safetensors"), ids_of(run, text))


def same(got: Any, want: Any) -> None:
    np.testing.assert_allclose(np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64), **CLOSE)


def number(page: Page, testid: str, name: str = "value") -> float:
    found = page.get_by_test_id(testid).get_attribute(f"data-{name}")
    assert found is not None
    return float(found)


# ---------------------------------------------------------------------- attention


@pytest.mark.parametrize(("run", "layer", "head"), HEADS)
def test_every_weight_and_score_of_a_head(site: Hosted, page: Page, run: str, layer: int, head: int):
    want = expected(site.run(run))
    site.look(page, "attention", run=run, prompt=PROMPT, layer=layer, head=head)
    rows = table_of(page, "head")
    n = len(PROMPT)
    assert [(row[0], row[2]) for row in rows] == [(q, k) for q in range(n) for k in range(q + 1)]
    queries, keys = [row[0] for row in rows], [row[2] for row in rows]
    same([row[4] for row in rows], want.weights[layer][head][queries, keys])
    same([row[5] for row in rows], want.scores[layer][head][queries, keys])


@pytest.mark.parametrize("run", MODELS)
def test_the_overview_has_what_each_head_looks_at_most(site: Hosted, page: Page, run: str):
    want = expected(site.run(run))
    site.look(page, "attention", run=run, prompt=PROMPT)
    rows = [row for row in table_of(page, "attention") if isinstance(row[4], float | int)]
    for layer, head, query, _, weight in rows:
        place = int(query.split()[0])
        same(weight, want.weights[layer][head][place].max())
    layers, heads = len(want.weights), len(want.weights[0])
    assert len(rows) == layers * heads * len(PROMPT)


@pytest.mark.parametrize("run", MODELS)
def test_a_cell_is_read_by_pointing_and_by_arrow_keys(site: Hosted, page: Page, run: str):
    want = expected(site.run(run))
    site.look(page, "attention", run=run, prompt=PROMPT, layer=0, head=1)
    chart, readout = page.get_by_test_id("head-map"), page.get_by_test_id("readout").last
    chart.focus()
    for key in [*["ArrowDown"] * 9, *["ArrowRight"] * 4, "ArrowLeft"]:
        chart.press(key)
    expect(readout).to_have_attribute("data-query", "9")
    expect(readout).to_have_attribute("data-key", "3")
    same(float(readout.get_attribute("data-weight") or "nan"), want.weights[0][1][9, 3])
    same(float(readout.get_attribute("data-score") or "nan"), want.scores[0][1][9, 3])
    expect(page.locator("#announcer")).to_contain_text("looks at")
    chart.press("Home")
    expect(readout).to_have_attribute("data-key", "0")
    chart.press("End")  # the last column is masked for an early token: that is said, and no number
    expect(readout).to_have_attribute("data-masked", "true")
    expect(readout).to_contain_text("masked")
    box = chart.bounding_box()
    assert box
    for query, key in ((20, 5), (11, 11)):  # from the lower right, where the canvas ends with the last cell
        size = cell_size(page)
        page.mouse.move(
            box["x"] + box["width"] - (len(PROMPT) - key - 0.5) * size,
            box["y"] + box["height"] - (len(PROMPT) - query - 0.5) * size,
        )
        expect(readout).to_have_attribute("data-query", str(query))
        expect(readout).to_have_attribute("data-key", str(key))
        same(float(readout.get_attribute("data-weight") or "nan"), want.weights[0][1][query, key])


def cell_size(page: Page) -> float:
    """Pixels of a cell of the enlarged head, from the box around the one that is read."""
    return (
        float(page.get_by_test_id("panel-head").locator(".cell-box").evaluate("box => box.offsetWidth")) - 2
    )


WAYS = [{"scale": "none"}, {"scale": "none", "mask": "none"}, {"mask": "none"}]


@pytest.mark.parametrize("run", MODELS)
def test_switched_off_it_is_another_model_and_says_so(site: Hosted, page: Page, run: str):
    ids = ids_of(site.run(run), PROMPT)
    trained = expected(site.run(run)).losses(ids).mean().item()
    site.look(page, "attention", run=run, prompt=PROMPT, layer=0, head=0)
    table_of(page, "head")
    verdict = page.get_by_test_id("verdict")
    expect(verdict).to_be_hidden()
    for way in WAYS:
        for name in ("scale", "mask"):
            page.get_by_test_id(f"switch-{name}").set_checked(name not in way)
        want = expected(site.run(run), **way)
        loss = want.losses(ids).mean().item()
        expect(verdict).to_contain_text(f"to {loss:.3f}")
        expect(verdict).to_contain_text("Not trained this way")
        expect(verdict).to_be_visible()
        told = verdict.locator("[data-value]")
        same(float(told.get_attribute("data-trained") or "nan"), trained)
        same(float(told.get_attribute("data-nats") or "nan"), loss)
        same(float(told.get_attribute("data-value") or "nan"), loss - trained)
        n = len(PROMPT)
        # more are copied
        pairs = [(q, k) for q in range(n) for k in range(n if "mask" in way else q + 1)][:400]
        wait_for_last(page, want.scores[0][0][pairs[-1]].item())
        rows = table_of(page, "head")
        assert [(row[0], row[2]) for row in rows] == pairs
        same([row[4] for row in rows], [want.weights[0][0][pair] for pair in pairs])
        same([row[5] for row in rows], [want.scores[0][0][pair] for pair in pairs])
    page.get_by_test_id("switch-mask").check()
    expect(verdict).to_be_hidden()


def wait_for_last(page: Page, score: float) -> None:
    """Wait until the last cell of the head's table has this score: its answer comes apart from the overview's."""
    page.wait_for_function(
        """score => {
          const cell = document.querySelector("[data-testid=panel-head] tbody tr:last-child td:last-child");
          return cell && Math.abs(Number(cell.dataset.value) - score) < 2e-5 + 2e-4 * Math.abs(score);
        }""",
        arg=score,
    )


def test_a_weight_changed_on_the_disk_changes_the_numbers(own_home: Path, page: Page):
    with hosted(own_home) as site:
        run = site.run("rotary")
        site.look(page, "attention", run="rotary", prompt=PROMPT, layer=1, head=2)
        before = table_of(page, "head")
        weights = load_file(run / "model.safetensors")
        weights["blocks.1.attention.qkv.weight"][2 * 8 + 1, 5] += 0.5  # in the query of head 2
        save_file(weights, run / "changed", metadata={"step": "60"})
        (run / "changed").replace(run / "model.safetensors")
        page.reload()
        want = expected(run)
        after = table_of(page, "head")
        same(
            [row[4] for row in after],
            want.weights[1][2][[row[0] for row in after], [row[2] for row in after]],
        )
        assert not np.allclose([row[4] for row in before], [row[4] for row in after], atol=1e-3)


# ---------------------------------------------------------------------- the next token


@pytest.mark.parametrize("run", MODELS)
def test_logits_probabilities_entropy_and_what_is_kept(site: Hosted, page: Page, run: str):
    want = expected(site.run(run))
    own = want.next_probabilities()
    for options in OPTIONS:
        kept = kept_by_hand(own, **options)
        site.look(page, "sampling", run=run, prompt=PROMPT, **options)
        expect(page.get_by_test_id("kept")).to_have_attribute("data-value", str(len(kept)))
        wait_for_entropy(page, kept)  # as many may be kept by the options before
        shown = data_of(page, "[data-testid=candidates] [data-testid=bar]")
        ids = [int(bar["id"]) for bar in shown]
        assert ids == sorted(range(len(own)), key=lambda id: -own[id])[:40]
        same([float(bar["logit"]) for bar in shown], want.logits[-1][ids])
        same([float(bar["probability"]) for bar in shown], own[ids])
        assert {int(bar["id"]) for bar in shown if bar["kept"] == "true"} == set(kept) & set(ids)
        same([float(bar["drawn"]) for bar in shown], [kept.get(id, 0.0) for id in ids])
        same(number(page, "entropy"), bits(own))


def wait_for_entropy(page: Page, kept: dict[int, float]) -> None:
    """Wait until what is shown has the entropy of what is kept."""
    want = pytest.approx(bits(torch.tensor(list(kept.values()))), rel=2e-4, abs=2e-5)
    until(lambda: number(page, "drawn-entropy") == want)


def test_sliders_change_what_is_kept(site: Hosted, page: Page):
    own = expected(site.run("learned")).next_probabilities()
    site.look(page, "sampling", run="learned", prompt=PROMPT)
    expect(page.get_by_test_id("temperature")).to_have_value("0.5")
    page.get_by_test_id("top_p").focus()
    page.get_by_test_id("top_p").fill("0.6")
    kept = kept_by_hand(own, 0.5, 25, 0.6, 0.0)
    expect(page.get_by_test_id("kept")).to_have_attribute("data-value", str(len(kept)))
    page.get_by_test_id("temperature").fill("2")
    kept = kept_by_hand(own, 2.0, 25, 0.6, 0.0)
    expect(page.get_by_test_id("kept")).to_have_attribute("data-value", str(len(kept)))
    wait_for_entropy(page, kept)


def test_ten_thousand_draws_fall_as_the_bars_say(site: Hosted, page: Page):
    """Ten times a thousand, χ² against the bars; what is expected less than five times is taken together."""
    options = {"temperature": 1.2, "top_k": 10}
    site.look(page, "sampling", run="rotary", prompt=PROMPT, **options)
    drawn: Counter[int] = Counter()
    for _ in range(10):
        with page.expect_response("**/api/inspect/draw") as answer:
            page.get_by_test_id("draw-many").click()
        counts = {str(each["id"]): each["count"] for each in answer.value.json()["counts"]}
        page.wait_for_function(
            "counts => [...document.querySelectorAll('[data-testid=bar]')].every(bar =>"
            " Number(bar.dataset.count) === (counts[bar.dataset.id] ?? 0))",
            arg=counts,
        )
        drawn.update({int(id): count for id, count in counts.items()})
    bars = {int(bar["id"]): float(bar["drawn"]) for bar in data_of(page, "[data-testid=bar][data-kept=true]")}
    total = sum(drawn.values())
    assert total == 10_000
    assert sum(bars.values()) == pytest.approx(1, abs=1e-5)
    often = [id for id, p in bars.items() if p * total >= 5]
    pairs = [(drawn[id], bars[id] * total) for id in often]
    rare = (total - sum(n for n, _ in pairs), total - sum(n for _, n in pairs))
    if rare[1] >= 5:
        pairs.append(rare)
    statistic = sum((n - want) ** 2 / want for n, want in pairs)
    # the chance to be above is 1e-6 for these degrees of freedom (Wilson and Hilferty's approximation)
    freedom = len(pairs) - 1
    bound = freedom * (1 - 2 / (9 * freedom) + 4.75 * (2 / (9 * freedom)) ** 0.5) ** 3
    assert freedom >= 2
    assert statistic < bound, (pairs, statistic, bound)


def test_a_drawn_token_is_put_behind_the_prompt(site: Hosted, page: Page):
    site.look(page, "sampling", run="learned", prompt=PROMPT, top_k=1)
    own = expected(site.run("learned")).next_probabilities()
    letters = {id: letter for letter, id in vocabulary(site.run("learned")).items()}
    page.get_by_test_id("draw").click()
    expect(page.get_by_test_id("prompt")).to_have_value(PROMPT + letters[int(own.argmax())])


# ---------------------------------------------------------------------- counts


def train_split(run: Path, text_file: Path) -> str:
    data = json.loads((run / "config.json").read_text(encoding="utf-8"))["data"]
    return text_file.read_text(encoding="utf-8")[: data["splits"]["characters"]["train"]]


def test_bigram_counts_are_those_of_the_training_split(site: Hosted, page: Page, text_file: Path):
    known = vocabulary(site.run("rotary"))
    text = train_split(site.run("rotary"), text_file)
    pairs = Counter(itertools.pairwise(text))
    site.look(page, "bigram", run="rotary", row=known["e"])
    expect(page.get_by_test_id("row-title")).to_contain_text("e")
    followers = data_of(page, "[data-testid=followers] [data-testid=bar]")
    want = {known[b]: n for (a, b), n in pairs.items() if a == "e"}
    assert {int(bar["id"]): int(bar["count"]) for bar in followers} == want
    rows = table_of(page, "bigram")
    head = page.get_by_test_id("panel-bigram").locator("thead th").all_text_contents()[1:]
    seen = {"·": " ", "↵": "\n"}
    checked = 0
    for row in rows:
        first = seen.get(row[0], row[0])
        for column, count in zip(head, row[1:], strict=True):
            second = seen.get(column, column)
            if len(first) == 1 and len(second) == 1:  # not the end of text, which stands between documents
                assert count == pairs[first, second], (first, second)
                checked += 1
    assert checked == len(set(text)) ** 2


def test_the_tokens_are_those_of_the_vocabulary(site: Hosted, page: Page):
    site.look(page, "tokens", run="experts", prompt="The owl\nhoots")
    shown = data_of(page, "[data-testid=token-ids] .chip")
    assert [int(chip["id"]) for chip in shown] == ids_of(site.run("experts"), "The owl\nhoots")
    page.get_by_test_id("prompt").fill("The dog barks.")
    ids = ids_of(site.run("experts"), "The dog barks.")
    expect(page.locator("[data-testid=token-ids] .chip")).to_have_text([str(id) for id in ids])


# ---------------------------------------------------------------------- shapes


@pytest.mark.parametrize("run", MODELS)
def test_parameters_are_those_of_the_file_and_flops_those_of_its_products(site: Hosted, page: Page, run: str):
    weights = load_file(site.run(run) / "model.safetensors")
    config = json.loads((site.run(run) / "config.json").read_text(encoding="utf-8"))["model"]
    site.look(page, "shapes", run=run, prompt=PROMPT)
    rows = table_of(page, "shapes")
    parameters = {
        name: sum(w.numel() for key, w in weights.items() if key.startswith(name + "."))
        for name in ("head", "embedding")
    }
    by_name = {row[0]: row for row in rows}
    for name, count in parameters.items():
        assert by_name[name][4] == count
    learned = sum(w.numel() for key, w in weights.items() if "choice_bias" not in key)
    assert sum(row[4] for row in rows) == learned
    facts = dict(
        page.get_by_test_id("panel-shapes")
        .locator("dl.facts > div")
        .evaluate_all(
            "all => all.map(each =>"
            " [each.querySelector('dt').textContent, Number(each.querySelector('dd').dataset.value)])"
        )
    )
    assert facts["parameters"] == learned
    assert facts["bytes of weights"] == 4 * learned
    n = len(PROMPT)
    assert facts["FLOPs for this prompt"] == sum(row[5] for row in rows) == flops_by_hand(config, weights, n)
    assert (
        facts["bytes of keys and values"]
        == 2 * 4 * n * config["n_layers"] * config["n_kv_heads"] * config["head_dim"]
    )


def flops_by_hand(config: dict[str, Any], weights: dict[str, torch.Tensor], n: int) -> int:
    """Two for each weight of a product and token, and of attention those of the pairs that are seen."""
    total = 0
    for key, weight in weights.items():
        if key in ("embedding.weight", "positions.table.weight") or (
            re.search(r"(^|_|\.)norm\.", key) and "attention." not in key
        ):
            continue
        used = weight.numel()
        if weight.dim() == 3:  # an expert each
            used = used * config["experts_per_token"] // config["n_experts"]
        total += 2 * n * used
    return total + config["n_layers"] * config["n_heads"] * config["head_dim"] * 4 * n * n // 2
