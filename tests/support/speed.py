"""How long the page takes: from a change to the drawn view, as the page's own clock has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

# 10.7M parameters, all heads over the whole context
LARGE: dict[str, Any] = {
    "n_layers": 6,
    "n_heads": 6,
    "d_model": 384,
    "context_length": 256,
    "batch_size": 1,
    "steps": 1,
    "sample_tokens": 1,
    "tokenizer": "char",
}
# the time from a change of the prompt to the second frame after the view's answer was put into the page
WATCH = """view => new Promise(done => {
  const field = document.querySelector("[data-testid=prompt]");
  const panel = document.querySelector(`[data-testid=panel-${view}]`);
  const asked = view === "tokens" ? "tokens" : view === "sampling" ? "next" : view;
  const begun = performance.now();
  let answered = false;
  const entries = new PerformanceObserver(list => {
    if (list.getEntries().some(each => each.name.endsWith(`/api/inspect/${asked}`) && each.startTime >= begun)) answered = true;
    if (answered) { entries.disconnect(); requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun))); }
  });
  entries.observe({type: "resource"});
  const letters = field.value;
  field.value = letters.slice(1) + letters[0];
  field.dispatchEvent(new Event("input", {bubbles: true}));
})"""


def change(page: Page, view: str) -> float:
    """Milliseconds from a change of the prompt, its typing pause included, until the view is drawn anew."""
    return float(page.evaluate(WATCH, view))


def first_paint(page: Page) -> float:
    """Milliseconds from asking for the page to its first content."""
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


def large_run(path: Path, text: Path, train: Callable[..., Any]) -> None:
    """A run of `LARGE` that has learned for one step: as fast as any other."""
    train(text, out=path, **LARGE)
