"""A model of a person's own code: trained, kept, loaded, and never executed unasked."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pytest
import torch
from own_models import PAGE, write_lstm, write_others

import pellucid
from pellucid.errors import InputError
from pellucid.model import own
from pellucid.model.config import ModelConfig
from pellucid.training.own_code import load_own
from pellucid.training.own_trial import sees_the_future, tried
from pellucid.training.run_folder import RunFolder
from pellucid.training.train import resume

SHAPE = ("n_layers", "n_heads", "d_model")
Train = Callable[..., Any]


@pytest.fixture(autouse=True)
def nobody_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As on a new machine: nothing was loaded in this process, and nothing is allowed."""
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(own, "_LOADED", {})
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def train_own(train_tiny: Train, tiny: dict[str, Any], text_file: Path) -> Train:
    from pellucid.training.train import train

    recipe = {name: value for name, value in tiny.items() if name not in SHAPE}
    return lambda out, model, **settings: train(text_file, out=out, **{**recipe, "model": model, **settings})


@pytest.fixture(scope="module")
def trained(train_own: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, the run of its model, and the cache of who trained it."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(folder / "cache"))
        train_own(folder / "runs" / "lstm", f"{write_lstm(folder)}:LSTM,hidden=16", steps=60, lr=0.02)
    return folder


@pytest.fixture
def lstm_run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "runs" / "lstm"


def as_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another process of another person."""
    monkeypatch.setattr(own, "_LOADED", {})
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "another's cache"))


def test_the_page_shows_about_twenty_lines():
    code = PAGE.read_text(encoding="utf-8").split("```")[1].splitlines()
    assert len([line for line in code if line.strip()]) <= 20


def test_an_lstm_trains_is_kept_whole_and_loads(lstm_run: Path, tmp_path: Path):
    folder = RunFolder(lstm_run)
    model = folder.config()["model"]
    assert set(model) == {"architecture", "vocab_size", "context_length", "own"}
    assert model["own"]["settings"] == {"hidden": 16}
    assert folder.own_code_path.read_bytes() == (tmp_path / "my_model.py").read_bytes()
    assert folder.config()["training"]["optimizer"] == "adamw"
    assert (
        folder.finished is not None
        and folder.finished["validation_loss"] < folder.finished["bigram_loss"] + 1.5
    )
    losses = [record["loss"] for record in folder.metrics() if "loss" in record]
    assert losses[-1] < losses[0] - 0.5
    (tmp_path / "my_model.py").unlink()  # the run does not need it
    own._LOADED.clear()
    run = pellucid.load(lstm_run)
    assert sum(p.numel() for p in run.model.parameters()) == model["own"]["n_params"]
    assert run.generate("The cat", max_tokens=40, seed=1) == run.generate("The cat", max_tokens=40, seed=1)
    assert run.loss("The cat in the barn sees the moon and purrs.") < 4
    assert "LSTM of my_model.py" in folder.card_path.read_text(encoding="utf-8")


def test_writing_rereads_the_window_beyond_the_context_and_in_any_company(lstm_run: Path):
    run = pellucid.load(lstm_run)
    engine, context = run.engine(), run.model.config.context_length
    prompts = ["The cat", "The dog on the hill sees", "", "T"]
    from pellucid.generation.options import SamplingOptions

    options = SamplingOptions(max_tokens=3 * context, temperature=0, ignore_eos=True)
    together = engine.generate(prompts, options)
    for prompt, generation in zip(prompts, together, strict=True):
        assert generation.ids == engine.generate(prompt, options)[0].ids
        ids = [*generation.prompt_ids, *generation.ids]
        for place in range(len(generation.prompt_ids), min(len(ids), context)):  # what the model itself says
            logits = run.model(torch.tensor([ids[:place]]))[0, -1].masked_fill(engine.forbidden, -torch.inf)
            assert logits.argmax() == ids[place]


@pytest.mark.parametrize("at_once", [1, 1 << 24])
def test_given_tokens_are_scored_without_a_cache(
    lstm_run: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
):
    from pellucid.generation import scoring

    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", at_once)
    run = pellucid.load(lstm_run)
    texts = [run.tokenizer.encode(text).tolist() for text in ("The cat in the", "", "The dog", "T")]
    for ids, scored in zip(texts, scoring.score(run.engine(), texts, n_top=2), strict=True):
        assert [token.id for token in scored] == ids[1:]
        for place, token in enumerate(scored):
            says = run.model(torch.tensor([ids[: place + 1]]))[0, -1].log_softmax(-1)
            assert token.logprob == pytest.approx(says[token.id].item(), abs=1e-4)


def test_a_run_of_someone_else_is_not_executed_until_it_is_allowed(
    lstm_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
):
    as_elsewhere(monkeypatch, tmp_path)
    for refused in (lambda: pellucid.load(lstm_run), lambda: resume(lstm_run, steps=61)):
        with pytest.raises(InputError, match="runs --trust-code"):
            refused()
        assert not own._LOADED
    assert cli("sample", lstm_run, "--max-tokens", 3).code == 2
    assert pellucid.load(lstm_run, trust_code=True).loss("The cat") > 0
    own._LOADED.clear()
    with pytest.raises(InputError, match="runs --trust-code"):  # that was for once
        pellucid.load(lstm_run)
    allowed = cli("runs", "--trust-code", lstm_run, "--json")
    assert allowed.code == 0 and json.loads(allowed.out)["code"] == str(lstm_run / "model.py")
    assert cli("sample", lstm_run, "--max-tokens", 3).code == 0


@pytest.mark.parametrize("change", ["code", "settings", "class"])
def test_what_was_allowed_is_this_code_with_these_settings(lstm_run: Path, change: str):
    folder = RunFolder(lstm_run)
    stored = folder.config()
    if change == "code":
        folder.own_code_path.write_text("raise SystemExit('executed')", encoding="utf-8")
    elif change == "settings":
        stored["model"]["own"]["settings"] = {"hidden": 17}
    else:
        stored["model"]["own"]["name"] = "nn"
    folder.config_path.write_text(json.dumps(stored), encoding="utf-8")
    own._LOADED.clear()
    with pytest.raises(InputError, match="not the code" if change == "code" else "runs --trust-code"):
        pellucid.load(lstm_run)


def test_code_that_is_not_what_config_says_is_not_executed_by_a_name_that_lies(
    lstm_run: Path, tmp_path: Path
):
    """A name in config.json that carries lines of the list of trusted code adds none to it."""
    folder = RunFolder(lstm_run)
    stored = folder.config()
    mine = (tmp_path / "cache" / "trusted-code.txt").read_text(encoding="utf-8").split(" ")[0]
    stored["model"]["own"] |= {"file": f"x\n{mine[::-1]}  y", "settings": {"hidden": 16, "n_layers": 2}}
    config = ModelConfig.from_dict(stored["model"])
    from pellucid.training.own_code import allow

    assert config.own is not None
    allow(config.own)
    lines = (tmp_path / "cache" / "trusted-code.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 and not any(line.startswith(mine[::-1]) for line in lines)


def test_compiled_code_beside_the_file_is_not_taken_for_it(lstm_run: Path, tmp_path: Path):
    """Python would run the bytes in __pycache__ in place of a file whose time and size they know."""
    code = lstm_run / "model.py"
    source, times = code.read_bytes(), code.stat()
    evil = b"raise SystemExit('executed')\n"
    code.write_bytes(evil + b"#" * (len(source) - len(evil)))
    os.utime(code, ns=(times.st_atime_ns, times.st_mtime_ns))
    py_compile.compile(str(code), cfile=cache_from_source(str(code)))
    code.write_bytes(source)
    os.utime(code, ns=(times.st_atime_ns, times.st_mtime_ns))
    own._LOADED.clear()
    assert pellucid.load(lstm_run).loss("The cat") > 0


def test_neighbours_of_the_file_are_not_imported(train_own: Train, tmp_path: Path):
    (tmp_path / "my_neighbour_of_own_model.py").write_text("WIDTH = 3\n", encoding="utf-8")
    path = write_lstm(tmp_path)
    path.write_text("import my_neighbour_of_own_model\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be executed \(ModuleNotFoundError"):
        train_own(tmp_path / "run", f"{path}:LSTM")
    assert not (tmp_path / "run").exists()


def test_a_config_ties_and_buffers(train_own: Train, tmp_path: Path):
    run = tmp_path / "run"
    train_own(run, f"{write_others(tmp_path)}:Tied,width=6")
    loaded = pellucid.load(run)
    inside = loaded.model.own
    assert inside.head.weight is inside.table.weight and inside.places.weight.shape == (16, 6)
    assert inside.count.item() >= 24
    assert loaded.step == pellucid.load(run, step=24).step == 24
    moved = Path(shutil.copytree(run, tmp_path / "elsewhere" / "moved"))
    assert pellucid.load(moved).loss("The cat") == loaded.loss("The cat")


def test_one_that_sees_the_future_is_told_of(train_own: Train, tmp_path: Path):
    from trainers import Notes

    notes = Notes()
    path = write_others(tmp_path)
    train_own(tmp_path / "run", f"{path}:Peeking", observer=notes)
    assert any(note.startswith("Peeking sees later tokens") for note in notes.notes)
    for innocent in (f"{write_lstm(tmp_path)}:LSTM", f"{path}:Noisy", f"{path}:NamedConfig"):
        assert not sees_the_future(tried(ModelConfig(11, 8, architecture="own", own=load_own(innocent))))


def test_what_is_found_out_of_it(tmp_path: Path):
    config = tried(
        ModelConfig(11, 8, architecture="own", own=load_own(f"{write_lstm(tmp_path)}:LSTM,hidden=4"))
    )
    assert config.own is not None
    # the table, two layers of four gates with two biases, and the head
    assert config.own.n_params == 11 * 4 + 2 * 4 * (4 * 4 + 4 * 4 + 4 + 4) + 4 * 11 + 11
    assert config.own.kept_per_token >= 3 * 4  # at least what enters the layers and the head
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("Last", {}, "logits of every position are needed"),
        ("Short", {}, "logits of every position are needed"),
        ("Demanding", {}, "insists on 'depth'.*Demanding,NAME=VALUE"),
        ("Empty", {}, "has no parameters to train"),
        ("Failing", {}, "RuntimeError: no such thing"),
        ("Listed", {}, "its state_dict does not hold.*nn.ModuleList"),
        ("Remembering", {}, "its state_dict does not hold"),
        ("Detached", {}, "nothing could be learned"),
        ("Changing", {}, "changes the ids it is given"),
        ("Infinite", {}, "not finite numbers before it has learned.*others.py:Infinite"),
        ("Whole", {}, "gives torch.int64 numbers"),
        ("Leaving", {}, "SystemExit: 3"),
        ("Sparse", {}, "sparse gradients"),
        ("Unsized", {}, "give sizes"),
        ("function", {}, "is no class of that file"),
        ("nn", {}, "is no class of that file"),
        ("Nothing", {}, "has no Nothing: it has Tied, Peeking"),
        ("Peeking,width=3", {}, "has no setting 'width': it takes none"),
        ("Tied,widht=3", {}, "has no setting 'widht': it takes width"),
        ("Tied,width", {}, "is no setting"),
        ("Tied,width=wide", {}, "cannot be built"),
        ("Tied", {"d_model": 32}, "Tied,d_model=32"),
        ("Tied", {"optimizer": "muon"}, "leave --optimizer out"),
        ("Tied", {"compile": "yes"}, "only the blocks of a transformer"),
    ],
)
def test_refused(name: str, settings: dict[str, Any], message: str, train_own: Train, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        train_own(tmp_path / "run", f"{write_others(tmp_path)}:{name}", **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("named", ["LSTM", "nowhere.py:LSTM", "my_model.py", "my_model.py:2"])
def test_a_name_that_names_nothing(
    named: str, train_own: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    write_lstm(tmp_path)
    with pytest.raises(InputError, match=r"FILE\.py:Class|my_model\.py:NAME"):
        train_own(tmp_path / "run", named)


def test_what_a_model_of_its_own_code_cannot_do_is_said(
    lstm_run: Path, text_file: Path, cli: Callable[..., Any]
):
    from pellucid.inspection import attention, shapes
    from pellucid.inspection.subject import Subject

    subject = Subject(pellucid.load(lstm_run))
    assert attention.overview(subject, "The cat").header["layers"] == 0
    for refused in (lambda: attention.head(subject, "The", 0, 0), lambda: shapes.budget(subject, "The")):
        with pytest.raises(InputError, match="LSTM is a model of its own code"):
            refused()
    assert "model of its own code" in cli("finetune", lstm_run, text_file).err
    for view in ("tokens", "bigram", "next"):
        shown = cli("inspect", lstm_run, "--view", view, "--text", "The cat")
        assert shown.code == 0 and "attention" not in shown.err and "shapes" not in shown.err
    shown = cli("inspect", lstm_run, "--view", "attention", "--text", "The cat")
    assert shown.code == 0 and shown.out.startswith("Loss ") and "scores" not in shown.out
    shown = cli("inspect", lstm_run, "--view", "attention", "--layer", 0)
    assert shown.code == 2 and "LSTM is a model of its own code" in shown.err


def test_the_page_can_name_no_file_to_train_with():
    from pellucid.server.settings import as_flags

    with pytest.raises(InputError, match="no setting 'model'"):
        as_flags({"model": "my_model.py:LSTM"})
