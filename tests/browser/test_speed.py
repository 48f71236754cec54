"""The page is fast enough to think with: three times the budgets, for machines that do other things, too."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import VIEWS, Hosted, hosted
from playwright.sync_api import Page
from speed import LARGE, change, first_paint

pytestmark = pytest.mark.slow
ROOM = 3


@pytest.fixture(scope="module")
def large(train_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    home = tmp_path_factory.mktemp("large")
    train_tiny(home / "runs" / "large", eval_every=1, checkpoint_every=1, **LARGE)
    with hosted(home) as site:
        yield site


def test_the_first_paint_takes_less_than_a_second(large: Hosted, page: Page):
    large.open(page)
    took = first_paint(page)
    print(f"first paint: {took:.0f} ms")
    assert took < ROOM * 1000


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_follows_a_change_within_300_ms(large: Hosted, page: Page, view: str, text_file: Path):
    prompt = text_file.read_text(encoding="utf-8")[:256]
    large.look(page, view, run="large", prompt=prompt)
    times = [change(page, view) for _ in range(6)][1:]
    print(f"{view}: {statistics.median(times):.0f} ms after a change")
    assert statistics.median(times) < ROOM * 300
