"""A training from the page: a text goes in, a curve grows, and whatever breaks off can go on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import Hosted, Watch, hash_of, table_of
from patience import PATIENCE
from playwright.sync_api import Page, Route, expect
from serving import Client, until

DATA = Path(os.environ.get("PELLUCID_CORPORA") or Path(__file__).parents[3] / "shared" / "data")
SMALL = {"n_layers": 1, "n_heads": 2, "d_model": 32, "context_length": 32, "batch_size": 8}
ENDLESS = "9"  # minutes; one of ten would be compiled first


@pytest.fixture(autouse=True)
def nothing_goes_on(own_site: Hosted, page: Page) -> object:
    """Trainings that a test began end with it, and with them what the page would ask of a server that is gone."""
    yield
    page.close()
    own_site.house.close()


def drop(page: Page, path: Path) -> None:
    page.get_by_test_id("input-files").set_input_files(path)


def settle(page: Page, minutes: str, name: str, **settings: object) -> None:
    """Fill in the form, and wait for the report on the text."""
    page.get_by_test_id("minutes").fill(minutes)
    page.get_by_test_id("more-settings").locator("summary").click()
    for field, value in {**SMALL, "tokenizer": "char", **settings}.items():
        control = page.get_by_test_id(f"setting-{field}")
        if control.evaluate("each => each.tagName") == "SELECT":
            control.select_option(str(value))
        else:
            control.fill(str(value))
    page.get_by_test_id("run-name").fill(name)


def begin(site: Hosted, page: Page, text_file: Path, **settings: object) -> None:
    """A training that was asked for elsewhere, as seen by this page."""
    headers = {"X-Pellucid-Token": site.house.token}
    with Client(base_url=site.url, headers=headers, timeout=PATIENCE) as client:
        body = {"kind": "train", "source": {"upload": client.upload({"farm.txt": text_file.read_bytes()})}}
        budget = settings or {"minutes": 8}
        given = {**SMALL, "tokenizer": "char", **budget}
        job = client.ok("POST", "/api/jobs", json={**body, "settings": given, "name": "mine"})["id"]
        until(lambda: client.job(job)["run"])
    site.open(page, place="train", run="mine")
    expect(page.get_by_test_id("run-title")).to_have_text("mine")


def state(page: Page, wanted: str) -> None:
    expect(page.get_by_test_id("run-state")).to_have_text(wanted)


def step(page: Page) -> int:
    found = re.search(r"step ([\d,]+)", page.get_by_test_id("run-progress").text_content() or "")
    return int(found[1].replace(",", "")) if found else 0


def steps_in_table(page: Page) -> list[int]:
    """The steps with a batch's loss, as the table of the curves has them."""
    return [row[0] for row in table_of(page, "curves") if isinstance(row[3], float | int)]


def beyond(page: Page, least: int) -> None:
    until(lambda: step(page) > least)


def process_of(site: Hosted, run: str) -> int:
    """The process that trains a run of this server: others at the same time may train one of the same name."""
    (job,) = (job for job in site.house.jobs.all() if job.run == site.run(run) and job.code is None)
    return job.process.pid


def test_a_text_is_looked_at_trained_on_reloaded_paused_stopped_and_talked_to(
    own_site: Hosted, page: Page, text_file: Path
):
    own_site.open(page, place="train", job="new")
    drop(page, text_file)
    expect(page.get_by_test_id("source-name")).to_have_text("farm.txt")
    expect(page.get_by_test_id("report-found")).to_contain_text("14,112 characters")
    expect(page.get_by_test_id("report-beginning")).to_contain_text(
        text_file.read_text(encoding="utf-8")[:40]
    )
    settle(page, ENDLESS, "mine", sample_prompt="The ")
    expect(page.get_by_test_id("report-model")).to_contain_text("32 channels")
    page.get_by_test_id("train").click()
    expect(page.get_by_test_id("run-title")).to_have_text("mine")
    state(page, "training")
    beyond(page, 20)
    seen = step(page)
    beyond(page, seen + 20)  # the curve grows
    before = steps_in_table(page)

    page.reload()  # in the middle
    state(page, "training")
    beyond(page, seen)
    until(lambda: len(after := steps_in_table(page)) >= len(before) and set(before) <= set(after))
    after = steps_in_table(page)
    assert len(after) == len(set(after)), "steps are there twice"

    page.get_by_test_id("pause").click()
    state(page, "paused")
    paused = step(page)
    page.get_by_test_id("resume").click()
    state(page, "training")
    beyond(page, paused)

    page.get_by_test_id("stop").click()
    state(page, "stopped")
    expect(page.get_by_test_id("run-problem")).to_be_hidden()
    page.get_by_test_id("go-chat").click()
    page.get_by_test_id("message").fill("The cat")
    page.get_by_test_id("message").press("Enter")
    expect(page.get_by_test_id("regenerate-1")).to_be_visible()
    assert hash_of(page)["run"] == "mine"


def test_views_work_on_a_copy_while_training_goes_on(own_site: Hosted, page: Page, text_file: Path):
    begin(own_site, page, text_file)
    beyond(page, 5)
    page.get_by_test_id("go-look").click()
    page.get_by_test_id("prompt").fill("The cat in")
    page.locator("#tab-attention").click()
    stamp = page.get_by_test_id("panel-attention").get_by_test_id("stamp").first
    expect(stamp).to_have_text(re.compile(r"^mine · step [\d,]+ \(live\)$"))
    first = stamp.text_content()
    expect(stamp).not_to_have_text(first or "")  # the copy is made anew as training goes on
    page.locator("#tab-sampling").click()
    expect(page.get_by_test_id("panel-sampling").get_by_test_id("stamp").first).to_contain_text("(live)")
    expect(page.get_by_test_id("entropy")).to_be_visible()
    own_site.open(page, place="train", run="mine")
    state(page, "training")


def test_a_killed_training_says_so_and_goes_on(own_site: Hosted, page: Page, text_file: Path):
    begin(own_site, page, text_file)
    beyond(page, 10)
    page.get_by_test_id("pause").click()  # which saves
    state(page, "paused")
    saved = step(page)
    page.get_by_test_id("resume").click()
    state(page, "training")
    beyond(page, saved)
    os.kill(process_of(own_site, "mine"), signal.SIGKILL)
    state(page, "stopped")
    expect(page.get_by_test_id("run-problem")).to_be_visible()
    said = page.get_by_test_id("run-problem").text_content() or ""
    assert "Traceback" not in said
    page.get_by_test_id("resume").click()
    state(page, "training")
    beyond(page, saved)
    after = steps_in_table(page)
    assert len(after) == len(set(after)), "steps are there twice"
    page.get_by_test_id("stop").click()
    state(page, "stopped")
    expect(page.get_by_test_id("run-problem")).to_be_hidden()


def test_a_short_training_ends_by_itself_and_can_be_deleted(own_site: Hosted, page: Page, text_file: Path):
    begin(own_site, page, text_file, steps=20)
    state(page, "finished")
    expect(page.get_by_test_id("toggle-validation")).to_be_visible()
    expect(page.get_by_test_id("toggle-dev")).to_be_visible()
    record = json.loads((own_site.run("mine") / "config.json").read_text(encoding="utf-8"))
    assert record["training"]["steps"] == 20
    assert record["model"]["d_model"] == 32
    expect(page.get_by_test_id("run-mine")).to_contain_text("finished")
    page.get_by_test_id("delete-mine").click()
    page.get_by_test_id("dialog-yes").click()
    expect(page.get_by_test_id("run-mine")).to_have_count(0)
    assert not own_site.run("mine").exists()


def test_a_run_that_is_being_deleted_is_not_followed_on(own_site: Hosted, page: Page, finished_run: Path):
    """Whatever redraws the page meanwhile: what it would ask for may be gone."""
    shutil.copytree(finished_run, own_site.run("mine"))
    own_site.open(page, place="train", run="mine")
    state(page, "finished")
    late = list[str]()

    def slowly(route: Route) -> None:
        if route.request.method != "DELETE":
            return route.continue_()
        answer = route.fetch()
        page.on("request", lambda request: late.append(request.url))
        page.evaluate("location.hash += '&step=16'")  # and the place is drawn anew
        expect(page.get_by_test_id("step")).to_have_value("16")
        return route.fulfill(response=answer)

    page.route("**/api/runs/mine", slowly)
    page.get_by_test_id("delete-mine").click()
    page.get_by_test_id("dialog-yes").click()
    expect(page.get_by_test_id("run-mine")).to_have_count(0)
    assert not [url for url in late if "/runs/mine" in url]


def test_dropped_files_are_read_one_by_one(
    own_site: Hosted, page: Page, tmp_path: Path, grammar: Callable[..., str]
):
    """By a drop event with files, as the browser makes one."""
    own_site.open(page, place="train", job="new")
    expect(page.get_by_test_id("drop")).to_be_visible()
    page.evaluate(
        """texts => {
          const given = new DataTransfer();
          texts.forEach((text, n) => given.items.add(new File([text], `part-${n}.txt`, {type: "text/plain"})));
          const zone = document.querySelector("[data-testid=drop]");
          for (const name of ["dragenter", "dragover", "drop"])
            zone.dispatchEvent(new DragEvent(name, {dataTransfer: given, bubbles: true, cancelable: true}));
        }""",
        [grammar(60, 1), grammar(60, 2)],
    )
    expect(page.get_by_test_id("report-found")).to_contain_text("2 files, 2 documents")


def test_a_named_corpus_is_looked_at_and_comes_with_its_recipe(own_site: Hosted, page: Page):
    own_site.open(page, place="train", job="new")
    page.get_by_test_id("corpus-lesson").click()
    expect(page.get_by_test_id("source-name")).to_contain_text("lesson")
    expect(page.get_by_test_id("setting-preset")).to_have_value("lesson")
    expect(page.get_by_test_id("report-found")).to_contain_text("15,880 characters")


def test_what_is_no_text_is_refused_in_plain_words(
    own_site: Hosted, page: Page, tmp_path: Path, watch: Watch
):
    watch.expected.append("400")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    own_site.open(page, place="train", job="new")
    drop(page, tmp_path / "picture.png")
    expect(page.get_by_test_id("start-problem")).to_contain_text("picture.png")
    assert "Traceback" not in (page.get_by_test_id("start-problem").text_content() or "")
    expect(page.get_by_test_id("start-status")).to_be_empty()  # and no endless “looking”
