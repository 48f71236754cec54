"""What a person gets wrong: exit code 2, one sentence with the remedy, nothing half-written, no traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from complaints import check, snapshot
from foreign import EMPTY_PICKLE

Cli = Callable[..., Any]
SMALL = (
    *("--n-layers", 1, "--n-heads", 2, "--d-model", 16, "--context-length", 16, "--batch-size", 4),
    *("--precision", "float32"),
)
TRAIN = ("train", "farm.txt", *SMALL)


@pytest.fixture(autouse=True)
def texts(farm: Path, here: Path) -> None:
    (here / "empty.txt").write_bytes(b"")
    (here / "blank.txt").write_text(" \n\n ")
    (here / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (here / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    (here / "short.txt").write_text("Too short.")
    (here / "nothing").mkdir()
    (here / "letters.toml").write_text("[model]\nn_layers = 'two'\n")


STARTING = {
    "missing": (("train", "fram.txt"), ["fram.txt does not exist; did you mean farm.txt?"]),
    "empty": (("train", "empty.txt"), ["empty.txt is empty"]),
    "blank": (("train", "blank.txt"), ["blank.txt is empty"]),
    "binary": (("train", "binary.txt"), ["binary.txt"]),
    "picture": (("train", "picture.png"), ["picture.png cannot be read", "plain text"]),
    "empty folder": (("train", "nothing"), ["nothing holds no text", ".txt"]),
    "empty pattern": (("train", "*.tex"), ["matches no file"]),
    "no text": (("train",), ["no text to train on", "name files"]),
    "too short": (("train", "short.txt", *SMALL), ["fewer than one context of 16", "--context-length"]),
    "unknown preset": ((*TRAIN, "--preset", "minny"), ["choose one of auto, bigram, chars", "mini"]),
    "heads": (
        ("train", "farm.txt", "--d-model", 30, "--n-heads", 4),
        ["30 does not divide into 4 heads", "multiple of 4"],
    ),
    "key/value heads": ((*TRAIN, "--n-kv-heads", 3), ["n_kv_heads must divide n_heads"]),
    "two budgets": ((*TRAIN, "--steps", 3, "--minutes", 1), ["just one of --minutes"]),
    "zero steps": ((*TRAIN, "--steps", 0), ["--steps must be above 0"]),
    "negative minutes": ((*TRAIN, "--minutes", -1), ["--minutes must be above 0"]),
    "endless minutes": ((*TRAIN, "--minutes", "inf"), ["--minutes must lie between"]),
    "infinite steps": ((*TRAIN, "--steps", "inf"), ["--steps", "whole number"]),
    "half a step": ((*TRAIN, "--steps", "1.5"), ["--steps", "whole number"]),
    "negative rate": ((*TRAIN, "--lr", -1), ["--lr must lie between"]),
    "dropout": ((*TRAIN, "--dropout", 1), ["dropout is a probability"]),
    "unequal parts": ((*TRAIN, "--accumulate", 3), ["3 equal parts", "--accumulate"]),
    "activation": ((*TRAIN, "--activation", "tanh"), ["choose one of relu"]),
    "schedule": ((*TRAIN, "--schedule", "step"), ["cosine or wsd or constant"]),
    "tokenizer": ((*TRAIN, "--tokenizer", "words"), ["give auto, char, bpe, wordpiece, or"]),
    "character vocabulary": ((*TRAIN, "--tokenizer", "char", "--vocab-size", 90), ["leave out --vocab-size"]),
    "tiny vocabulary": ((*TRAIN, "--vocab-size", 9), ["9"]),
    "device": ((*TRAIN, "--device", "tpu"), ["choose auto, cpu, cuda or mps"]),
    "precision": ((*TRAIN, "--precision", "half"), ["choose auto, float32 or bfloat16"]),
    "seed": ((*TRAIN, "--seed", -1), ["--seed must lie between"]),
    "missing recipe": (
        (*TRAIN, "--config", "no.toml"),
        ["no.toml cannot be read", "--config names a TOML file"],
    ),
    "binary recipe": ((*TRAIN, "--config", "binary.txt"), ["binary.txt"]),
    "wrong recipe": (("train", "farm.txt", "--config", "letters.toml"), ["n_layers must be a whole number"]),
    "unknown flag": ((*TRAIN, "--warmth", 3), ["--warmth", "pellucid train --help"]),
    "abbreviated flag": ((*TRAIN, "--step", 3), ["--step"]),
    "out is a file": ((*TRAIN, "--out", "farm.txt"), ["farm.txt is a file", "--out names a folder"]),
    "out holds other files": ((*TRAIN, "--out", "."), ["holds other files", "choose a new folder"]),
    "out below a file": ((*TRAIN, "--out", "farm.txt/run"), ["farm.txt/run", "--out"]),
    "both resume and overwrite": ((*TRAIN, "--resume", "--overwrite"), ["give one of them"]),
    "nothing to resume": (("train", "--resume"), ["there is no run here yet", "pellucid train FILE"]),
    "no run to resume": (("train", "--resume", "--out", "runs/none"), ["runs/none is not a run folder"]),
    "nothing to sample": (("sample",), ["there is no run here yet"]),
    "no such run": (("sample", "no-such"), ["no-such is not a run folder"]),
    "a text is no run": (("sample", "farm.txt"), ["farm.txt is not a run folder"]),
    "nothing to evaluate": (("eval",), ["pellucid eval --help"]),
    "nothing to chat with": (("chat",), ["there is no run here yet"]),
    "nothing to delete": (("runs", "--delete", "no-such"), ["no-such is not a run folder"]),
    "unknown verb": (("trian", "farm.txt"), ["did you mean 'train'?"]),
    "no verb at all like it": (("xyzzy",), ["choose one of demo, train"]),
    "no repeats": (("bench", "--repeats", 0), ["--repeats"]),
    "demo of no time": (("demo", "--minutes", 0), ["--minutes must be above 0"]),
}


@pytest.mark.parametrize(("arguments", "remedy"), STARTING.values(), ids=STARTING)
def test_before_there_is_a_run(
    cli: Cli, here: Path, arguments: tuple[Any, ...], remedy: list[str], monkeypatch: pytest.MonkeyPatch
):
    from pellucid.text.corpora import named
    from pellucid.text.sources import read

    monkeypatch.setattr(named, "demo_corpus", lambda **_: read("farm.txt"))
    before = snapshot(here)
    check(cli(*arguments), *remedy)
    assert snapshot(here) == before, "nothing is left behind"


KNOWN_FROM_THE_TEXT = ("empty", "blank", "binary", "picture", "empty folder", "too short", "out below a file")
AT_ONCE = {
    **{name: start for name, start in STARTING.items() if start[0][0] == "train"},
    "no such book": (("train", "gutenberg:moby"), ["gutenberg:moby names no books"]),
    "odd heads": (("train", "farm.txt", "--n-heads", 5), ["does not divide into 5 heads"]),
    "floor above every rate": (("train", "farm.txt", "--min-lr", 1), ["--min-lr must lie between 0 and"]),
    "wide in words": (("train", "farm.txt", "--config", "wide.toml"), ["d_model must be a whole number"]),
    "existing run": (("train", "farm.txt", "--out", "a-run"), ["a-run holds a run already", "--overwrite"]),
}


@pytest.mark.parametrize("name", [name for name in AT_ONCE if name not in KNOWN_FROM_THE_TEXT])
def test_what_needs_no_text_is_refused_before_anything_is_measured_or_read(
    cli: Cli, here: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    def too_early(*_: object, **__: object) -> None:
        pytest.fail("this takes time, and it could be known before")

    monkeypatch.setattr("pellucid.training.plan.probe", too_early)
    monkeypatch.setattr("pellucid.training.train.read", too_early)
    (here / "wide.toml").write_text("[model]\nd_model = 'wide'\n")
    (here / "a-run").mkdir()
    (here / "a-run" / "config.json").write_text("{}")
    arguments, remedy = AT_ONCE[name]
    check(cli(*arguments), *remedy)


def test_a_preview_of_a_missing_text_is_refused_at_once(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pellucid.training.plan.probe", lambda *_: pytest.fail("it could be known before"))
    check(cli("preview", "fram.txt"), "fram.txt does not exist; did you mean farm.txt?")


WITH_A_RUN = {
    "existing run": ((*TRAIN, "--steps", 3, "--out", "runs/farm-1"), ["--resume", "--overwrite"]),
    "changed model": (("train", "--resume", "--d-model", 32), ["d_model 16, not 32", "leave the flag out"]),
    "changed recipe": (("train", "--resume", "--lr", 0.5), ["lr", "leave the flag out"]),
    "changed switch": (("train", "--resume", "--no-qk-norm"), ["qk_norm", "leave the flag out"]),
    "changed tokenizer": (("train", "--resume", "--tokenizer", "bpe"), ["tokenizer 'char', not 'bpe'"]),
    "changed text": (("train", "short.txt", "--resume"), ["same text", "start a new run"]),
    "preset on resuming": (("train", "--resume", "--preset", "mini"), ["keeps its recipe"]),
    "two budgets on resuming": (
        ("train", "--resume", "--steps", 50, "--minutes", 1),
        ["just one of --minutes"],
    ),
    "zero steps on resuming": (("train", "--resume", "--steps", 0), ["steps"]),
    "negative steps on resuming": (("train", "--resume", "--steps", -5), ["--steps"]),
    "negative temperature": (("sample", "--temperature", -1), ["temperature -1.0 is negative", "give 0"]),
    "negative top-k": (("sample", "--top-k", -1), ["top_k -1 is negative"]),
    "top-p of zero": (("chat", "--top-p", 0), ["top_p"]),
    "no tokens": (("sample", "--max-tokens", 0), ["max_tokens must be at least 1"]),
    "empty stop": (("sample", "--stop", ""), ["a stop string must be some text"]),
    "temperature in words": (("sample", "--temperature", "hot"), ["--temperature"]),
    "same names": (("chat", "--name", "YOU"), ["both speakers are called 'YOU'"]),
    "eval without a text": (("eval", "farm-1"), ["no text to score"]),
    "a task and a text": (("eval", "farm.txt", "--task", "t.jsonl"), ["takes a run and no text"]),
    "a task that is not there": (("eval", "farm-1", "--task", "t.jsonl"), ["t.jsonl cannot be read"]),
    "eval of a missing text": (("eval", "farm-1", "no.txt"), ["no.txt does not exist"]),
    "eval of an empty text": (("eval", "empty.txt"), ["empty.txt is empty"]),
    "eval on an unknown device": (("eval", "farm.txt", "--device", "tpu"), ["choose auto, cpu"]),
    "deleting without a yes": (("runs", "--delete", "farm-1"), ["add --yes"]),
}


@pytest.mark.parametrize(("arguments", "remedy"), WITH_A_RUN.values(), ids=WITH_A_RUN)
def test_with_a_run(cli: Cli, finished_run: Path, here: Path, arguments: tuple[Any, ...], remedy: list[str]):
    before = snapshot(here)
    check(cli(*arguments), *remedy)
    assert snapshot(here) == before, "the run is as it was"


def test_a_changed_file_is_a_changed_text(cli: Cli, finished_run: Path, here: Path, farm: Path):
    config = json.loads((finished_run / "config.json").read_text())
    config["data"]["sources"] = [str(farm)]
    (finished_run / "config.json").write_text(json.dumps(config))
    farm.write_text(farm.read_text() + "One more line.\n")
    check(cli("train", "--resume"), "the same text", "restore it, or start a new run")
    farm.unlink()
    check(cli("train", "--resume"), "farm.txt does not exist")


# ---------------------------------------------------------------------- damaged runs


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_weights(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    next(iter(weights.values())).view(-1)[0] = float("nan")
    save_file(weights, path)


def other_weights(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"somebody.else": torch.zeros(3)}, path)


def without(part: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        values = json.loads(path.read_text())
        del values[part]
        path.write_text(json.dumps(values))

    return change


def with_value(*where: str, value: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        values = json.loads(path.read_text())
        part = values
        for name in where[:-1]:
            part = part[name]
        part[where[-1]] = value
        path.write_text(json.dumps(values))

    return change


DAMAGE = {
    "config cut": ("config.json", cut),
    "config empty": ("config.json", lambda path: path.write_text("")),
    "config a list": ("config.json", lambda path: path.write_text("[]")),
    "config binary": ("config.json", lambda path: path.write_bytes(b"\xff\xfe\x00")),
    "config without a model": ("config.json", without("model")),
    "config of a later format": ("config.json", with_value("format", value=99)),
    "config of a strange model": ("config.json", with_value("model", "d_model", value="wide")),
    "config of a huge model": ("config.json", with_value("model", "d_model", value=1 << 40)),
    "config of another shape": ("config.json", with_value("model", "d_ff", value=32)),
    "config with an unknown setting": ("config.json", with_value("model", "warmth", value=1)),
    "weights cut": ("model.safetensors", cut),
    "weights empty": ("model.safetensors", lambda path: path.write_bytes(b"")),
    "weights a pickle": ("model.safetensors", lambda path: path.write_bytes(EMPTY_PICKLE)),
    "weights not numbers": ("model.safetensors", spoil_weights),
    "weights of another model": ("model.safetensors", other_weights),
    "weights missing": ("model.safetensors", Path.unlink),
    "tokenizer cut": ("tokenizer.json", cut),
    "tokenizer missing": ("tokenizer.json", Path.unlink),
}


@pytest.mark.parametrize(("file", "how"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_run_is_told_by_the_file(
    cli: Cli, finished_run: Path, file: str, how: Callable[[Path], None]
):
    how(finished_run / file)
    sentence = check(cli("sample", "--max-tokens", 3))
    assert "runs/farm-1" in sentence or "configuration" in sentence or "d_model" in sentence
    check(cli("eval", finished_run, "farm.txt"))


@pytest.mark.parametrize("name", [name for name, (file, _) in DAMAGE.items() if file != "model.safetensors"])
def test_a_damaged_run_is_not_resumed(cli: Cli, finished_run: Path, name: str):
    file, how = DAMAGE[name]
    how(finished_run / file)
    before = snapshot(finished_run)
    check(cli("train", "--resume"))
    assert snapshot(finished_run) == before


def test_a_damaged_run_does_not_hide_the_others(cli: Cli, finished_run: Path):
    broken = Path(shutil.copytree(finished_run, finished_run.parent / "broken-1"))
    cut(broken / "config.json")
    (broken / "metrics.jsonl").write_text("nonsense\n")
    (broken / "journal.jsonl").write_text('{"event": "finished"}\n[1, 2]\n')
    result = cli("runs")
    assert result.code == 0, result.err
    assert "farm-1" in result.out
    assert "broken-1" in result.out


# ---------------------------------------------------------------------- failures that are not a person's mistake


def test_debug_shows_where_an_error_came_from(cli: Cli, here: Path):
    from pellucid.errors import InputError

    with pytest.raises(InputError):
        cli("train", "no.txt", "--debug")


def test_an_unexpected_error_is_one_line_and_one(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pellucid.text.sources.read", lambda *_, **__: 1 / 0)
    monkeypatch.setattr("pellucid.training.train.read", lambda *_, **__: 1 / 0)
    result = cli(*TRAIN, "--steps", 3)
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith(
        "pellucid: ZeroDivisionError: division by zero (add --debug"
    )
    assert "Traceback" not in result.err


def test_divergence_says_what_to_try_and_exits_1(cli: Cli, here: Path):
    result = cli(*TRAIN, "--steps", 3000, "--eval-every", 3000, "--lr", 90, "--schedule", "constant")
    check(result, "most often the learning rate is too high: it was", "is saved", code=1)
    result = cli("sample", "--max-tokens", 3)
    assert result.code == 0, "the run's weights are still those of its best moment"


def test_running_out_of_memory_says_what_would_fit_and_exits_1(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
):
    import torch

    from pellucid.training import loop

    def failing(model: object, windows: object, first: int, *rest: object) -> object:
        if first == 5 * 4:  # the batch is of 4 windows
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loop_fill(model, windows, first, *rest)

    loop_fill: Any = loop.fill_gradients
    with monkeypatch.context() as patch:
        patch.setattr(loop, "fill_gradients", failing)
        check(cli(*TRAIN, "--steps", 8), "--accumulate 2", "step 5 is saved", code=1)
    result = cli("train", "--resume", "--accumulate", 2)
    assert result.code == 0, result.err
    assert "Resuming at step 5 of 8" in result.err


def test_a_first_step_that_does_not_fit_leaves_nothing(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch):
    def failing(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pellucid.training.loop.fill_gradients", failing)
    before = snapshot(here)
    check(cli(*TRAIN, "--steps", 8, "--out", "run"), "--accumulate 2", code=1)
    assert snapshot(here) == before


def test_too_little_memory_is_refused_before_a_run_is_made(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pellucid.training.machine.available_memory", lambda *_: 150_000)
    before = snapshot(here)
    check(cli(*TRAIN, "--steps", 8), "GiB are free", "add --accumulate")
    assert snapshot(here) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("finetune", "~nobody-here/chat.zip"),
        ("chat", "~nobody-here/run"),
        ("audit", "~nobody-here/run"),
        ("eval", "~nobody-here/run", "farm.txt"),
        ("train", "~nobody-here/farm.txt"),
        ("train", "farm.txt", "--config", "~nobody-here/mine.toml"),
    ],
    ids=" ".join,
)
def test_the_home_of_nobody(cli: Cli, arguments: tuple[str, ...]):
    check(cli(*arguments))
