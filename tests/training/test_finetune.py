"""A model learns someone's replies: what it learns from, what it keeps, and what the new run says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from small_chats import messages, whatsapp

import pellucid
from pellucid.errors import InputError
from pellucid.model.config import IGNORE
from pellucid.training.conversations import ChatOptions, read_conversations
from pellucid.training.finetune import LoRA, finetune
from pellucid.training.run_folder import RunFolder

BOB = ChatOptions("Bob")
QUICK: dict[str, Any] = {"batch_size": 4, "device": "cpu", "precision": "float32", "sample_tokens": 4}


@pytest.fixture(scope="session")
def base(train_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "farm-1"
    train_tiny(path, steps=20, context_length=128)
    return path


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    return whatsapp(tmp_path / "chat.txt")


def tuned(base: Path, source: Path, out: Path, **how: Any) -> RunFolder:
    how = {"chats": BOB, "steps": 30, "lr": 3e-3, "mix": 0, **QUICK, **how}
    return finetune(base, source, out=out, **how).run


def heard(source: Path, options: ChatOptions) -> tuple[Any, list[str]]:
    notes: list[str] = []
    return read_conversations(source, options, notes.append), notes


def test_replies_are_learned_and_the_base_is_left_as_it_is(base: Path, chat: Path, tmp_path: Path):
    before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file() and path.name != ".lock"}
    run = tuned(base, chat, tmp_path / "run")
    assert all(path.read_bytes() == content for path, content in before.items())
    losses = [record["dev_loss"] for record in run.metrics() if "dev_loss" in record]
    assert min(losses) < losses[0] - 0.5
    config = run.config()
    assert (config["template"], config["trained_on_private"], config["base"]["run"]) == (
        "markers",
        True,
        "farm-1",
    )
    assert config["data"]["chats"]["assistant"] == "Bob"
    assert not (run.path / "adapter_config.json").exists()
    reply = pellucid.load(run.path, "cpu").template
    assert reply is not None
    assert reply.kind == "markers"


def test_the_held_out_parts_are_whole_sessions_and_the_last(chat: Path):
    found, _ = heard(chat, BOB)
    parts = (found.train, found.dev, found.validation)
    numbers = [
        [int(turn.text.split()[-1][:-1]) for each in part for turn in each.turns[:1]] for part in parts
    ]
    assert [number for part in numbers for number in part] == list(range(60))
    assert list(map(len, numbers)) == [51, 3, 6]
    assert all(len(each.turns) == 8 for part in parts for each in part)


def test_redacted_by_default(chat: Path):
    found, notes = heard(chat, BOB)
    text = "\n".join(turn.text for each in found.train for turn in each.turns)
    assert "[email]" in text
    assert "[phone]" in text
    assert "example.org" not in text
    assert any("email 6×, phone 6×" in note for note in notes)
    kept, _ = heard(chat, ChatOptions("Bob", keep=("email",)))
    assert "bob@example.org" in kept.train[0].turns[1].text


def test_names_are_replaced_and_the_person_is_chosen_by_the_real_one(chat: Path):
    found, notes = heard(chat, ChatOptions("Bob", names=True))
    text = "\n".join(turn.text for each in found.train for turn in each.turns)
    assert "Anna" not in text
    assert "Bob" not in text
    assert found.train[0].turns[1].role == "assistant"
    assert any("names replaced" in note for note in notes)


def test_adapters_train_alone_and_are_merged_into_the_weights(base: Path, chat: Path, tmp_path: Path):
    run = tuned(base, chat, tmp_path / "run", lora=LoRA(rank=2, targets="q_proj,v_proj"))
    before, after = load_file(base / "model.safetensors"), load_file(run.model_path)
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed == {"blocks.0.attention.qkv.weight"}
    width = before["blocks.0.attention.qkv.weight"].shape[0] // 3
    change = after["blocks.0.attention.qkv.weight"] - before["blocks.0.attention.qkv.weight"]
    assert not change[width : 2 * width].any(), "keys were not to be adapted"
    files = load_file(run.path / "adapter_model.safetensors")
    said = json.loads((run.path / "adapter_config.json").read_text(encoding="utf-8"))
    assert (said["r"], said["lora_alpha"], said["target_modules"]) == (2, 4, ["q_proj", "v_proj"])
    where = "base_model.model.model.layers.0.self_attn"
    down, up = (files[f"{where}.v_proj.lora_{part}.weight"] for part in "AB")
    assert (change[2 * width :] - 2 * up @ down).abs().max() < 1e-6


def test_a_share_of_what_is_learned_is_text_of_the_base(base: Path, chat: Path, tmp_path: Path):
    from pellucid.text.template import template_of
    from pellucid.training.base import open_base
    from pellucid.training.conversations import reply_data, with_mix

    start = open_base(base)

    examples, _ = heard(chat, BOB)
    notes: list[str] = []
    data = reply_data(template_of(start.tokenizer), examples, chat, BOB, 64, 128, notes.append)
    mixed = with_mix(data, start.run, start.stored, 0.25, notes.append).batches(64, 0)
    learned = [int((mixed.batch(number, 1)[1] != IGNORE).sum()) for number in range(mixed.per_epoch)]
    of_text = sum(count for count in learned if count == 64)
    assert of_text, "text is learned whole, chats are not"
    assert of_text / sum(learned) == pytest.approx(0.25, abs=0.02), "the last window of a text may be short"
    with pytest.raises(InputError, match="--mix is a share from 0"):
        with_mix(data, start.run, start.stored, 1.0, notes.append)


def test_it_stops_early_when_dev_gets_no_better(base: Path, chat: Path, tmp_path: Path):
    run = tuned(
        base, chat, tmp_path / "run", steps=200, lr=0.3, schedule="constant", clip=0, patience=2, eval_every=3
    )
    finished = run.finished
    assert finished is not None
    assert finished["step"] < 200
    losses = [record["dev_loss"] for record in run.metrics() if "dev_loss" in record]
    assert min(losses) <= min(losses[-2:])
    assert load_file(run.model_path)["embedding.weight"].isfinite().all()


def test_plain_text_goes_on_without_a_mask(base: Path, text_file: Path, tmp_path: Path):
    run = tuned(base, text_file, tmp_path / "run", chats=None, mix=None, steps=6)
    config = run.config()
    assert "template" not in config
    assert "chats" not in config["data"]
    assert config["base"]["run"] == "farm-1"


def test_roles_need_no_name(base: Path, tmp_path: Path):
    source = messages(tmp_path / "talk.jsonl")
    run = tuned(base, source, tmp_path / "run", chats=None, steps=4)
    assert run.config()["data"]["chats"]["assistant"] == "assistant"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"chats": None}, r"who should the model become\? Choose with --as NAME: Anna \(240 messages\), Bob"),
        ({"chats": ChatOptions("Cara")}, "nobody here is called 'Cara'"),
        ({"d_model": 32}, "leave --d-model out"),
        ({"lora": LoRA(rank=0)}, "--rank is a whole number"),
        ({"lora": LoRA(targets="w_proj")}, "no 'w_proj' to adapt"),
        ({"chats": ChatOptions("Bob", keep=("mail",))}, "--keep takes"),
        ({"chats": ChatOptions("Bob", gap=0)}, "--gap is a number"),
    ],
)
def test_refused_and_nothing_left(
    base: Path, chat: Path, tmp_path: Path, settings: dict[str, Any], complaint: str
):
    with pytest.raises(InputError, match=complaint):
        tuned(base, chat, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_under_200_replies_only_anyway(base: Path, tmp_path: Path):
    source = whatsapp(tmp_path / "short.txt", 20)
    with pytest.raises(InputError, match=r"80 replies of that person are too few: below 200 .*--anyway"):
        tuned(base, source, tmp_path / "run")
    run = tuned(base, source, tmp_path / "run", chats=ChatOptions("Bob", anyway=True), steps=3)
    assert run.finished is not None


def test_a_recipe_of_ones_own_is_kept_with_adapters(base: Path, chat: Path, tmp_path: Path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('about = "mine"\n[training]\nlr = 2e-4\nmin_lr = 1e-4\n', encoding="utf-8")
    run = tuned(base, chat, tmp_path / "run", lora=LoRA(2), lr=None, config=str(recipe), steps=2)
    training = run.config()["training"]
    assert (training["lr"], training["min_lr"]) == (2e-4, 1e-4)


@pytest.mark.parametrize(
    ("d_model", "adapters", "given", "rate"),
    [(16, None, {}, 1e-3), (272, None, {}, 3e-4), (272, LoRA(2), {}, 1e-3), (16, None, {"lr": 5e-4}, 5e-4)],
)
def test_small_models_and_adapters_learn_at_a_higher_rate(
    train_tiny: Any, chat: Path, tmp_path: Path, d_model: int, adapters: LoRA | None, given: Any, rate: float
):
    train_tiny(tmp_path / "base", steps=1, context_length=128, d_model=d_model)
    run = tuned(tmp_path / "base", chat, tmp_path / "run", lora=adapters, steps=1, **{"lr": None, **given})
    training = run.config()["training"]
    assert (training["lr"], training["min_lr"]) == (rate, pytest.approx(rate / 10))


def test_adapters_take_no_other_optimizer(base: Path, chat: Path, tmp_path: Path):
    with pytest.raises(InputError, match="trained with adamw, not muon"):
        tuned(base, chat, tmp_path / "run", lora=LoRA(2), optimizer="muon")
    assert not (tmp_path / "run").exists()
