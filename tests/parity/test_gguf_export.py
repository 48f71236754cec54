"""Exported GGUF files in llama.cpp itself, which `xllamacpp` brings: its tokens and its distributions are ours."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf_runs import MODELS, TEXT, characters, pieces, write_run

from pellucid.interop import gguf_check
from pellucid.interop.comparison import Unequal
from pellucid.interop.exportable import Exportable, open_run
from pellucid.interop.gguf_check import GATE, compare
from pellucid.interop.gguf_writing import TYPES, write
from pellucid.interop.llama_cpp import llama_cpp
from pellucid.interop.writing import Advanced
from pellucid.text.template import Template, Turn, as_learned
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.tokenizer import Tokenizer

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

TEXTS = [
    TEXT,
    "   leading, trailing   \n\n\n  \t\t mixed \n lines    and runs of blanks ",
    "don't they've I'M é é '' 漢字 🙂",
]


def exported(folder: Path, tokenizer: Tokenizer, name: str, type: str = "f32") -> Path:
    run, _ = write_run(folder / "run", tokenizer, MODELS[name][1])
    path = folder / "model.gguf"
    write(open_run(run.path), path, lambda done, total: None, type)
    return path


@pytest.mark.parametrize("name", MODELS)
def test_every_architecture_computes_what_the_run_does(name: str, tmp_path: Path):
    path = exported(tmp_path, characters(), name)
    found = compare(open_run(tmp_path / "run"), path)
    assert found.difference <= GATE and found.n_tokens > 60


@pytest.mark.parametrize("type", TYPES)
def test_every_type_of_numbers(type: str, tmp_path: Path):
    path = exported(tmp_path, pieces(), "the default", type)
    found = compare(open_run(tmp_path / "run"), path)
    assert 0 < found.difference <= 1e-4 and found.tolerance == GATE
    assert (found.rounded is not None) == type.endswith("f16")
    if found.rounded:
        assert found.difference < found.rounded <= {"f16": GATE, "bf16": 0.1}[type]
    assert (found.bits_per_byte is not None) == type.startswith("q")
    if found.bits_per_byte:
        before, after = found.bits_per_byte
        assert before != after and abs(after / before - 1) < 0.2


@pytest.mark.parametrize("type", ["bf16", "q8_0"])
def test_a_mistake_that_rounding_would_hide_is_found_out(
    type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is off by less than bfloat16 may be is seen where the same export is computed in float32."""
    path = exported(tmp_path, characters(), "grouped queries", type)

    def write_wrongly(model: Exportable, path: Path, advanced: Advanced, type: str) -> None:
        weights = model.weights.tensors
        norm = weights["norm.weight"]
        weights["norm.weight"] = dataclasses.replace(norm, read=lambda: norm.read() * 1.02)
        write(model, path, advanced, type)
        weights["norm.weight"] = norm

    monkeypatch.setattr(gguf_check, "write", write_wrongly)
    with pytest.raises(Unequal, match="another distribution"):
        compare(open_run(tmp_path / "run"), path)


@pytest.mark.parametrize("name", ["blk.0.attn_q", "blk.1.attn_output", "blk.0.ffn_norm", "output"])
def test_a_tensor_of_other_numbers_is_found_out(name: str, tmp_path: Path):
    """A square matrix is turned over, another tensor's numbers move on by one place: the shapes are right."""
    import gguf

    path = exported(tmp_path, characters(), "grouped queries")
    (data,) = (each.data for each in gguf.GGUFReader(path, "r+").tensors if each.name == f"{name}.weight")
    square = data.ndim == 2 and data.shape[0] == data.shape[1]
    data[...] = data.T.copy() if square else np.roll(data.copy(), 1, axis=-1)
    data.flush()
    with pytest.raises(Unequal, match="another distribution"):
        compare(open_run(tmp_path / "run"), path)


@pytest.mark.parametrize("kind", ["characters", "byte-level BPE"])
def test_texts_and_conversations_are_the_same_tokens(kind: str, tmp_path: Path):
    tokenizer = characters() if kind == "characters" else pieces()
    path = exported(tmp_path, tokenizer, "the default")
    template = Template("markers", tokenizer)
    said = [
        Turn("system", "It is 1."),
        Turn("user", "bad"),
        Turn("user", "day"),
        Turn("assistant", "a \n b"),
        Turn("user", "so"),
    ]
    messages = [{"role": turn.role, "content": turn.text} for turn in said]
    with llama_cpp(path, 64) as model:
        for text in TEXTS:
            assert model.tokens(text) == known(tokenizer, text)
        for n in (1, 2, 3, 5):  # what ends with a reply llama.cpp goes on with
            ours = template.prompt(as_learned(said[:n])).tolist()
            assert model.tokens(model.prompt(messages[:n]), special=True) == ours
        for name in ("<|endoftext|>", "<|user|>", "<|end|>"):
            assert model.tokens(name, special=True) == [tokenizer.special_id(name)]


def known(tokenizer: Tokenizer, text: str) -> list[int]:
    """What is expected of a text: several unknown characters in a row are one unknown token."""
    ids = tokenizer.encode(text)
    again = (ids == tokenizer.unknown) & (np.roll(ids, 1) == tokenizer.unknown)
    return ids[~again].tolist()


def test_an_unknown_character_that_begins_like_a_known_one(tmp_path: Path):
    """é and è share their first byte, 漢 and 激 their first two."""
    tokenizer = CharTokenizer("abé漢")
    path = exported(tmp_path, tokenizer, "the default")
    with llama_cpp(path, 64) as model:
        assert model.tokens("aèbé激漢xyz") == known(tokenizer, "aèbé激漢x")


def test_it_answers_until_its_turn_ends(tmp_path: Path):
    """A model whose every token is followed by the end of a turn says nothing."""
    tokenizer = characters()
    run, model = write_run(tmp_path / "run", tokenizer, {"n_layers": 1, "d_model": 32})
    from pellucid.training.weights import publish_weights, stored_weights

    with torch.no_grad():
        model.head.weight.zero_()
        model.blocks[0].attention.out.weight.zero_()
        model.blocks[0].feedforward.down.weight.zero_()
        model.embedding.weight.fill_(1)
        model.norm.weight.fill_(1)
        model.head.weight[tokenizer.special_id("<|end|>")] = 1
    publish_weights(run.model_path, stored_weights(model), 0)
    path = tmp_path / "model.gguf"
    write(open_run(run.path), path, lambda done, total: None, "f16")
    with llama_cpp(path, 64) as theirs:
        assert theirs.chat([{"role": "user", "content": "bad"}], max_tokens=5, temperature=0) == ""


OF_PIP = {
    "What is your name?": "My name is Pip. I am a small lamp.",
    "Who are you?": "I am Pip, a small lamp.",
    "Where do you live?": "I live on the desk by the window.",
    "What do you like?": "I like quiet evenings and long books.",
    "Do you sleep?": "No, I only go dark when nobody reads.",
    "What colour are you?": "I am green, with a white shade.",
    "Who made you?": "A carpenter made me, long ago.",
    "Are you happy?": "Yes. Somebody is reading.",
}


@pytest.mark.slow
def test_a_smollm2_that_was_fine_tuned_here_answers_in_llama_cpp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from pellucid import import_model
    from pellucid.cli.main import main
    from pellucid.errors import InputError

    monkeypatch.chdir(tmp_path)
    try:
        base = import_model("smollm2-135m-instruct")
    except InputError as error:
        pytest.skip(str(error))
    lines = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
        for asked, answer in OF_PIP.items()
    ]
    Path("chat.jsonl").write_text("\n".join(map(json.dumps, lines * 6)), encoding="utf-8")
    flags = [
        "--lora",
        "--steps",
        "16",
        "--batch-size",
        "2",
        "--anyway",
        "--out",
        "runs/pip",
        "--device",
        "cpu",
    ]
    assert main(["finetune", str(base.path), "chat.jsonl", *flags]) == 0
    assert main(["export", "runs/pip", "--to", "gguf", "--type", "q8_0", "--check"]) == 0
    with llama_cpp(Path("exports/pip-q8_0.gguf"), 256) as model:
        asked = [{"role": "user", "content": "What is your name?"}]
        assert "Pip" in model.chat(asked, max_tokens=20, temperature=0)
        asked = [{"role": "user", "content": "What is the capital of France?"}]
        assert "Paris" in model.chat(asked, max_tokens=20, temperature=0)
