"""How fast the page is at 10.7M parameters, context 256, all heads: medians of 20 changes of every view.

    PYTHONPATH=src:tests/support python -P benchmarks/page.py [--changes 20] [--chromium PATH]

Trains a run for one step in a temporary folder, serves it from a process of its own, opens it in Chromium, changes the
prompt (of counts: the row) again and again, and takes the time from the change to the second frame after the answer is
there, as the page's clock has it; the 50 ms that the page waits for typing to pause are part of it. The first paint is
that of five new pages. Budgets: first paint 1,000 ms, a view 300 ms, on an idle machine.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
from pathlib import Path

from browsing import VIEWS, Served
from playwright.sync_api import sync_playwright
from speed import change, first_paint, large_run

from pellucid.training.train import train


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--chromium", default=os.environ.get("PELLUCID_CHROMIUM") or shutil.which("chromium"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        letters = random.Random(0).choices("etaoin shrdlu", k=20_000)
        (home / "text.txt").write_text("".join(letters), encoding="utf-8")
        large_run(home / "runs" / "large", home / "text.txt", train)
        server = Served(home).start()
        try:
            measure(server, "".join(letters[:256]), args.changes, args.chromium)
        finally:
            server.stop()


def measure(server: Served, prompt: str, n_changes: int, chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        paints = []
        for _ in range(5):
            page = browser.new_page()
            server.open(page)
            paints.append(first_paint(page))
            page.close()
        print(f"{'first paint':12} {statistics.median(paints):6.0f} ms")
        page = browser.new_page()
        for view in VIEWS:
            server.look(page, view, run="large", prompt=prompt)
            change(page, view)  # the first one warms up
            times = [change(page, view) for _ in range(n_changes)]
            print(f"{view:12} {statistics.median(times):6.0f} ms (largest {max(times):.0f})")
        browser.close()


if __name__ == "__main__":
    main()
