"""Runs exported to Hugging Face: `transformers` computes the same, and import gives the same bits back."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from exported import CASES, EVERY, QUERIES, Case, chatml_tokenizer, make_run
from published import TEXT, qwen
from safetensors.torch import load_file

from pellucid import export, import_model, load
from pellucid.errors import InputError
from pellucid.interop import huggingface_check, huggingface_export
from pellucid.interop.comparison import Unequal
from pellucid.interop.exportable import open_run
from pellucid.text.template import Template, Turn, as_learned
from pellucid.text.tokenizers.bpe import train_bpe
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.imported import as_imported
from pellucid.text.tokenizers.tokenizer import Tokenizer, parse_tokenizer
from pellucid.text.tokenizers.wordpiece import train_wordpiece

transformers = pytest.importorskip("transformers")

PLAIN = CASES["RMSNorm, rotary, SwiGLU"]


@pytest.mark.parametrize("more", [{}, {"tie_embeddings": True, "bias": True}], ids=["untied", "tied, biased"])
@pytest.mark.parametrize("name", CASES)
def test_a_twin_computes_the_same_and_comes_back(name: str, more: dict[str, Any], tmp_path: Path):
    case = CASES[name]
    run = make_run(tmp_path / "run", case, **more)
    made = export(run.path, "hf", "out")
    assert made.family == case.family
    assert made.comparison is not None and made.comparison.difference <= 1e-4
    back = import_model("out", "back")
    ids = torch.arange(64)[None] % 40
    ours, again = load(run.path, "cpu").model, load(back.path, "cpu").model
    assert (ours(ids) - again(ids)).abs().max() <= 1e-4
    if case.exact and (case.biased or not more):
        before, after = load_file(run.model_path), load_file(back.model_path)
        assert before.keys() == after.keys()
        assert all(before[name].equal(after[name]) for name in before)
        assert again.config == dataclasses.replace(ours.config, dropout=0.0)
    assert (back.path / "tokenizer.json").read_bytes() == (run.path / "tokenizer.json").read_bytes()


def test_a_qwen2_is_one_only_with_its_tokenizer(tmp_path: Path):
    """Transformers cuts words for every qwen2 as Qwen does, whatever the folder says."""
    case = CASES["the same, biases of queries, keys and values"]
    content = json.loads(qwen().to_str())
    made = as_imported(content, 320, "<|endoftext|>", None, [], "a tokenizer")
    tokenizer = parse_tokenizer(json.dumps(made).encode(), "a tokenizer")
    run = make_run(tmp_path / "run", case, tokenizer)
    exported = export(run.path)
    assert exported.family == "qwen2" and exported.comparison is not None
    back = load_file(import_model(exported.path, "back").model_path)
    assert all(back[name].equal(tensor) for name, tensor in load_file(run.model_path).items())


# ---------------------------------------------------------------------- what has no twin

EVERYTHING = Case("", {})
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "rotary after": (
        {"norm": "layernorm", "norm_position": "post"},
        "norm_position post.* rotary positions has no",
    ),
    "RMSNorm after": ({"norm_position": "post", "positions": "learned"}, "RMSNorm after each part"),
    "RMSNorm, learned": ({"positions": "learned"}, "RMSNorm with learned positions"),
    "RMSNorm, sinusoidal": ({"positions": "sinusoidal"}, "RMSNorm with sinusoidal positions"),
    "RMSNorm, none": ({"positions": "none"}, "RMSNorm with no positions"),
    "SwiGLU, learned": (
        {"positions": "learned", "norm": "layernorm", "activation": "swiglu"},
        "SwiGLU with learned positions",
    ),
    "experts, learned": (
        {"positions": "learned", "norm": "layernorm", "feedforward": "experts"},
        "experts with learned positions",
    ),
    "experts, LayerNorm": ({"norm": "layernorm", "feedforward": "experts"}, "experts with LayerNorm"),
    "value residual": ({"value_residual": True}, "value_residual true"),
    "x0 residual": ({"x0_residual": True}, "x0_residual true"),
    "soft cap": ({"logit_softcap": 15.0}, r"logit_softcap 15\.0"),
    "no mask": ({"mask": "none"}, "mask none"),
    "no scale": ({"scale": "none"}, "scale none"),
    "no norm": ({"norm": "none"}, "norm none"),
    "no residual": ({"residual": "none"}, "residual none"),
    "no feed-forward": ({"feedforward": "none"}, "feedforward none"),
    "a bigram": ({"architecture": "bigram"}, "bigram model"),
    "QK-norm, ReLU²": ({"qk_norm": True}, "QK-norm"),
    "QK-norm and a shared expert": (
        {"qk_norm": True, "feedforward": "experts", "shared_expert": "plain"},
        "QK-norm beside a shared expert",
    ),
    "QK-norm, biases": (
        {"qk_norm": True, "activation": "swiglu", "bias": True},
        "bias of the feed-forward layers",
    ),
    "biased experts": (
        {"feedforward": "experts", "shared_expert": "plain", "bias": True},
        "bias of a shared expert",
    ),
    "a biased output": (
        {"norm": "layernorm", "activation": "swiglu", "bias": True},
        "bias of the output of attention",
    ),
    "wide heads": (
        {"positions": "learned", "norm": "layernorm", "head_dim": 20},
        "4 heads of 20 in a d_model of 48",
    ),
    "uneven heads": ({"n_heads": 5, "n_kv_heads": 5, "head_dim": 8}, "48 that does not divide into 5 heads"),
    "a balancing bias": ({"feedforward": "experts", "balance": "bias"}, "bias on the choice of experts"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, tmp_path: Path):
    settings, message = REFUSED[name]
    run = make_run(tmp_path / "run", EVERYTHING, **settings)
    if name == "a balancing bias":
        weights = load_file(run.model_path)
        weights["blocks.1.feedforward.choice_bias"][2] = 0.5
        from safetensors.torch import save_file

        save_file(weights, run.model_path)
    with pytest.raises(InputError, match=message):
        export(run.path)
    assert not Path("exports").exists()


def test_a_balancing_bias_of_zero_is_left_out(tmp_path: Path):
    run = make_run(tmp_path / "run", Case("", {}), feedforward="experts", balance="bias")
    assert export(run.path).family == "mixtral"


def test_a_field_that_the_export_does_not_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A part that is added to the model later is not exported as if it were not there."""
    from pellucid.interop import twins

    monkeypatch.setattr(twins, "EXPRESSED", twins.EXPRESSED - {"rope_base"})
    run = make_run(tmp_path / "run", PLAIN, rope_base=500_000.0)
    with pytest.raises(InputError, match=r"rope_base 500000\.0 has no twin"):
        export(run.path)


# ---------------------------------------------------------------------- weights in files


def test_shards(tmp_path: Path):
    model = open_run(make_run(tmp_path / "run", PLAIN).path)
    huggingface_export.write(model, Path("out"), lambda done, total: None, shard=40_000)
    files = sorted(Path("out").glob("*.safetensors"))
    assert len(files) > 3 and files[0].name == f"model-00001-of-{len(files):05d}.safetensors"
    assert sum(file.stat().st_size <= 45_000 for file in files) >= len(files) - 2
    assert huggingface_check.compare(model, Path("out")).difference <= 1e-4
    back = load_file(import_model("out", "back").model_path)
    assert all(back[name].equal(tensor) for name, tensor in load_file(model.run.model_path).items())


def test_half_precision_stays_what_it_is(tmp_path: Path):
    from safetensors.torch import save_file

    run = make_run(tmp_path / "run", PLAIN)
    halves = {name: tensor.bfloat16() for name, tensor in load_file(run.model_path).items()}
    save_file(halves, run.model_path)
    made = export(run.path)
    assert json.loads((made.path / "config.json").read_text())["dtype"] == "bfloat16"
    assert load_file(made.path / "model.safetensors")["model.norm.weight"].dtype == torch.bfloat16
    back = load_file(import_model(made.path, "back").model_path)
    assert all(back[name].equal(tensor) for name, tensor in halves.items())


def test_one_tensor_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each is written before the next is read."""
    from pellucid.interop import tensors

    order = list[str]()
    read = tensors.TensorFiles.read

    def heard(self: tensors.TensorFiles, name: str) -> torch.Tensor:
        order.append(name)
        return read(self, name)

    run = make_run(tmp_path / "run", PLAIN)
    model = open_run(run.path)
    monkeypatch.setattr(tensors.TensorFiles, "read", heard)
    huggingface_export.write(model, Path("out"), lambda done, total: order.append("written"))
    assert all(first == "written" or second == "written" for first, second in itertools.pairwise(order))


@pytest.mark.parametrize("name", ["RMSNorm, rotary, ReLU²", "LayerNorm, learned, GELU (tanh)"])
def test_a_tensor_that_was_changed_on_the_way_is_found_out(name: str, tmp_path: Path):
    """Each of them: one number moved a little, and a square matrix turned over; also where no bit differs otherwise."""
    from safetensors.torch import save_file

    torch.manual_seed(0)
    made = export(make_run(tmp_path / "run", CASES[name], bias=False).path)
    model, path = open_run(tmp_path / "run"), made.path / "model.safetensors"
    weights = load_file(path)
    found, turned = 0, 0
    for tensor_name, tensor in weights.items():
        moved = tensor.clone()
        moved.view(-1)[tensor.numel() // 2 + 1] += 0.05
        others = [moved] if "bias" not in tensor_name else []  # softmax takes no notice of a key's bias
        if tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1]:
            others.append(tensor.T.contiguous())
            turned += 1
        for other in others:
            save_file({**weights, tensor_name: other}, path, {"format": "pt"})
            with pytest.raises(Unequal, match="differ from the run's by"):
                huggingface_check.compare(model, made.path)
            found += 1
    assert found >= 14 and turned >= 2
    save_file(weights, path, {"format": "pt"})
    assert huggingface_check.compare(model, made.path).difference <= 1e-4


@pytest.mark.parametrize("name", ["LayerNorm, learned, GELU (tanh)", "fixed RMSNorm"])
def test_what_was_filled_in_stays_where_it_was_trained(name: str, tmp_path: Path):
    """The export says that it filled in zeros and ones; where they are something else now, they are weights."""
    from safetensors.torch import save_file

    made = export(make_run(tmp_path / "run", CASES[name]).path, check=False)
    path = made.path / "model.safetensors"
    weights = load_file(path)
    changed = "transformer.h.1.mlp.c_fc.bias" if made.family == "gpt2" else "model.norm.weight"
    weights[changed][3] += 0.5
    save_file(weights, path, {"format": "pt"})
    back = load(import_model(made.path, "back").path, "cpu").model
    assert (back.config.bias, back.config.norm) in ((True, "layernorm"), (False, "rmsnorm"))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(made.path).eval()
    ids = torch.arange(40)[None]
    assert (back(ids) - theirs(ids).logits).abs().max() <= 1e-4


# ---------------------------------------------------------------------- tokenizers


def tokenizers() -> dict[str, Tokenizer]:
    return {
        "characters": CharTokenizer(TEXT),
        "BPE": train_bpe([TEXT * 8], 400),
        "WordPiece": train_wordpiece([TEXT * 8], 620),
        "imported": chatml_tokenizer(),
    }


@pytest.mark.parametrize("kind", tokenizers())
def test_a_tokenizer_with_its_chat_template(kind: str, tmp_path: Path):
    tokenizer = tokenizers()[kind]
    template = "chatml" if kind == "imported" else "markers"
    run = make_run(tmp_path / "run", PLAIN, tokenizer, template=template, trained_on_private=True)
    made = export(run.path)
    theirs = transformers.AutoTokenizer.from_pretrained(made.path)
    assert len(theirs) == tokenizer.vocab_size
    ids = tokenizer.encode(TEXT).tolist()
    assert theirs(TEXT, add_special_tokens=False)["input_ids"] == ids
    assert theirs(TEXT)["input_ids"] == [*tokenizer.beginning, *ids]
    assert theirs.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids)

    ours = Template(template, tokenizer)
    turns = [
        Turn("system", "Be kind."),
        Turn("user", "It was"),
        Turn("user", "cold?"),
        Turn("assistant", "We'll say."),
    ]
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    learned = as_learned(turns)
    assert theirs.apply_chat_template(messages, return_dict=False) == ours.encode(learned)[0].tolist()
    asked = theirs.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert asked == ours.prompt(learned).tolist()
    first = [{"role": "assistant", "content": "cold"}]
    expected = ours.encode(as_learned([Turn("assistant", "cold")]))[0].tolist()
    assert theirs.apply_chat_template(first, return_dict=False) == expected

    ends = json.loads((made.path / "generation_config.json").read_text())["eos_token_id"]
    assert set(ends) == ours.ends and theirs.eos_token_id == ends[0] != tokenizer.end_of_text
    assert "Trained on private conversations" in (made.path / "README.md").read_text(encoding="utf-8")
    back = import_model(made.path, "back")
    assert back.config()["template"] == template
    again = load(back.path, "cpu").tokenizer
    assert (
        again.to_json() == tokenizer.to_json() if kind != "imported" else again.encode(TEXT).tolist() == ids
    )
    assert (again.end_of_text, again.beginning) == (tokenizer.end_of_text, tokenizer.beginning)


def test_a_frame_that_joins_what_is_said_goes_without_its_chat_template(tmp_path: Path):
    """A blank before every text: the frame's line end and what follows are other tokens than both apart."""
    content = json.loads(chatml_tokenizer().to_json())
    content["pre_tokenizer"]["add_prefix_space"] = True
    tokenizer = parse_tokenizer(json.dumps(content).encode(), "a tokenizer")
    made = export(make_run(tmp_path / "run", PLAIN, tokenizer, template="chatml").path)
    assert any("chat template is left out" in note for note in made.notes)
    assert transformers.AutoTokenizer.from_pretrained(made.path).chat_template is None


def test_a_model_that_only_continues_text_has_no_chat_template(tmp_path: Path):
    made = export(make_run(tmp_path / "run", PLAIN).path)
    assert transformers.AutoTokenizer.from_pretrained(made.path).chat_template is None
    model = transformers.AutoModelForCausalLM.from_pretrained(made.path)
    assert model.generation_config.eos_token_id == 0
    assert model.generate(torch.tensor([[9, 10]]), max_new_tokens=4, do_sample=True).shape[1] <= 6
    card = (made.path / "README.md").read_text(encoding="utf-8")
    assert "Privacy" in card and "private conversations" not in card


@pytest.mark.parametrize("template", [None, "markers"])
def test_what_the_model_card_says_can_be_done(
    template: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Its Python runs in the folder, though the context is small, and the command makes it a run."""
    more = {"template": template} if template else {}
    run = make_run(tmp_path / "run", CASES["LayerNorm, learned, GELU (tanh)"], context_length=48, **more)
    folder = export(run.path, out=tmp_path / "out", check=False).path
    monkeypatch.chdir(folder)
    card = Path("README.md").read_text(encoding="utf-8")
    exec(card.split("```python\n")[1].split("```")[0], {})
    assert capsys.readouterr().out.strip()
    assert "`pellucid import .`" in card
    assert import_model(".", tmp_path / "back").config()["data"]["name"] == "out"


def test_the_licence_of_an_import_comes_back(tmp_path: Path):
    run = make_run(tmp_path / "run", PLAIN)
    run.write_config({**run.config(), "imported": {"licence": "apache-2.0"}})
    made = export(run.path, check=False)
    assert import_model(made.path, "back").config()["imported"]["licence"] == "apache-2.0"
    card = made.path / "README.md"
    for text in (
        "license: mit",
        "---\nlicense: [mit]\n---",
        "---\nlicense: a b\n---",
        "---\ntags: x\n---\nlicense: mit",
    ):
        card.write_text(text, encoding="utf-8")
        again = import_model(made.path, f"back {len(text)}")
        assert again.config()["imported"]["licence"] is None


def test_no_other_biases_than_those_of_the_cases():
    assert set(EVERY) >= {kind for case in CASES.values() for kind in case.biased} >= set(QUERIES)
