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
# the time from a change, of the prompt or (counts know none) of the row, to the second frame after the answer
WATCH = """view => new Promise((done, failed) => {
  setTimeout(() => failed(new Error(`${view} was not drawn anew`)), 30_000);
  const field = document.querySelector("[data-testid=prompt]");
  const asked = view === "sampling" ? "next" : view;
  const begun = performance.now();
  const entries = new PerformanceObserver(list => {
    const own = each => each.name.endsWith(`/api/inspect/${asked}`) && each.startTime >= begun;
    if (!list.getEntries().some(own)) return;
    entries.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
  });
  entries.observe({type: "resource"});
  if (view === "bigram") {
    const state = new URLSearchParams(location.hash.slice(1));
    state.set("row", 8 + (Number(state.get("row")) + 1) % 12);
    location.hash = state;
  } else {
    field.value = field.value.slice(1) + field.value[0];
    field.dispatchEvent(new Event("input", {bubbles: true}));
  }
})"""


def change(page: Page, view: str) -> float:
    """Milliseconds from a change (of a prompt with the pause after typing) until the view is drawn anew."""
    return float(page.evaluate(WATCH, view))


def first_paint(page: Page) -> float:
    """Milliseconds from asking for the page to its first content."""
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


def large_run(path: Path, text: Path, train: Callable[..., Any]) -> None:
    """A run of `LARGE` that has learned for one step: as fast as any other."""
    train(text, out=path, **LARGE)
