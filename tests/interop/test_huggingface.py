"""Folders of Hugging Face: float32 logits within 1e-4 · max(1, |logit|) of `transformers`, or a refusal by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import published_models
import pytest
import torch
from published import GPT2_SIZES, SIZES, TEXT, assert_same_logits, byte_level, metaspace, randomise

from pellucid import import_model, load
from pellucid.errors import InputError

transformers = pytest.importorskip("transformers")

Save = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict[str, Any]], object]], None]


def build(family: str, **changes: Any) -> Any:
    return published_models.build(family.lower(), SIZES, changes)


def test_settings_of_old_files_that_compute_nothing(save: Save, edit: Edit):
    folder = save(randomise(transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2_SIZES))))
    old = {"n_special": 0, "predict_special_tokens": True, "output_past": True, "_num_labels": 1}
    edit(folder / "config.json", lambda values: values.update(old))
    import_model(folder, "imported")


def test_gpt2_without_a_prefix(save: Save):
    """As its first files are: the names of the model without its head."""
    theirs = randomise(transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2_SIZES)))
    folder = save(theirs)
    theirs.transformer.save_pretrained(folder)
    assert_same_logits(load(import_model(folder, "imported").path, "cpu").model, theirs, 320)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_kept_as_it_is(dtype: torch.dtype, save: Save):
    folder = save(build("Llama").to(dtype))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    run = import_model(folder, "imported")
    assert run.model_path.stat().st_size < 2.2 * sum(weight.numel() for weight in theirs.parameters())
    ours = load(run.path, "cpu").model
    assert next(ours.parameters()).dtype == torch.float32
    assert_same_logits(ours, theirs, 320)


def test_shards(save: Save):
    theirs = build("Qwen2", tie_word_embeddings=True)
    folder = save(theirs, max_shard_size="60KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    assert_same_logits(load(import_model(folder, "imported").path, "cpu").model, theirs, 320)


# ---------------------------------------------------------------------- the run


def test_the_run(llama: Path):
    run = import_model(llama)
    assert run.path == Path("runs/model-1")
    config = run.config()
    assert config["imported"] == {
        "from": str(llama),
        "format": "huggingface",
        "family": "llama",
        "licence": None,
    }
    assert config["template"] == "chatml"
    loaded = load(run.path, "cpu")
    assert loaded.tokenizer.kind == "imported"
    assert loaded.tokenizer.vocab_size == loaded.model.config.vocab_size == 320  # of which 300 are tokens
    assert loaded.tokenizer.special_id("<|im_start|>") == 1
    assert loaded.generate("It was", max_tokens=5, seed=1, ignore_eos=True)
    first = loaded.tokenizer.token_bytes(int(loaded.tokenizer.encode(TEXT)[0]))
    assert loaded.score(TEXT).n_bytes == len(TEXT.encode()) - len(first)  # which nothing predicts
    assert import_model(llama).path == Path("runs/model-2")


def test_a_model_without_a_chat_template_has_none(llama: Path):
    (llama / "chat_template.jinja").write_text("{% for m in messages %}[INST] {{ m['content'] }}{% endfor %}")
    assert "template" not in import_model(llama).config()


def test_a_model_that_begins_documents(save: Save):
    """Llama 2 and Mistral put `<s>` before every text; so do writing and scoring."""
    engine = metaspace()
    theirs = build("Mistral", sliding_window=None, eos_token_id=2)
    loaded = load(import_model(save(theirs, engine), "imported").path, "cpu")
    ids = [1, *engine.encode("the cat", add_special_tokens=False).ids]
    assert loaded.engine().draft("the cat", _options()).ids == ids
    assert loaded.tokenizer.encode_documents(["the cat"]).tolist() == [*ids, 2]


def _options() -> Any:
    from pellucid.generation.options import SamplingOptions

    return SamplingOptions(max_tokens=1)


# ---------------------------------------------------------------------- what cannot be expressed

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a scaled rotary": ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_type = 'llama3'"),
    "an old scaled rotary": ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "type = 'linear'"),
    "scaling in rope_parameters": (
        {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}},
        "rope_type = 'yarn'",
    ),
    "rotary by kind of layer": (
        {"rope_parameters": {"full_attention": {"rope_type": "default"}}},
        "full_attention",
    ),
    "part of a head rotated": ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5"),
    "an activation": ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
    "interleaved pairs": ({"rope_interleaved": True}, "rope_interleaved"),
    "heads of an odd size": ({"head_dim": 13}, "head_dim"),
    "an unknown setting": ({"logit_scale": 0.5}, "logit_scale = 0.5"),
    "a softcap": ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
    "quantised weights": ({"quantization_config": {"bits": 4}}, "quantization_config"),
    "another family": ({"model_type": "gemma3"}, "model_type 'gemma3'.*llama, qwen2, .*, qwen2_moe"),
    "no family": ({"model_type": None}, "model_type None"),
    "biases that are not there": ({"attention_bias": True}, "no tensor .*proj.bias"),
    "a width of another model": ({"hidden_size": 64}, "not of one model"),
    "a layer too few": ({"num_hidden_layers": 1}, r"layers\.1\..* no place for"),
    "a layer too many": ({"num_hidden_layers": 3}, r"has no tensor 'model\.layers\.2"),
    "a missing size": ({"intermediate_size": None}, "lacks intermediate_size"),
    "a size that is a text": ({"hidden_size": "48"}, "hidden_size = '48'"),
    "a size that is a truth value": ({"hidden_size": True}, "hidden_size = True"),
    "an absurd size": ({"vocab_size": 1 << 62}, "vocab_size"),
    "a negative size": ({"num_hidden_layers": -1}, "num_hidden_layers = -1"),
    "a base that is a list": ({"rope_theta": [1]}, "rope_theta"),
    "a tie that is a number": ({"tie_word_embeddings": 1}, "tie_word_embeddings = 1"),
    "an epsilon of nothing": ({"rms_norm_eps": 0}, "rms_norm_eps = 0"),
    "heads that do not group": ({"num_key_value_heads": 3}, "evenly"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str, llama: Path, edit: Edit):
    changes, message = REFUSED[case]
    edit(llama / "config.json", lambda values: values.update(changes))
    with pytest.raises(InputError, match=message):
        import_model(llama, "imported")
    assert not Path("imported").exists()


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("Mistral", {"sliding_window": 32}),
        ("Qwen2", {"use_sliding_window": True, "sliding_window": 32, "max_window_layers": 1}),
        ("Qwen3", {"use_sliding_window": True, "sliding_window": 32, "max_window_layers": 0}),
    ],
)
def test_a_window_in_use_is_refused(family: str, changes: dict[str, Any], save: Save):
    with pytest.raises(InputError, match="sliding_window = 32"):
        import_model(save(build(family, **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"scale_attn_by_inverse_layer_idx": True},
        {"activation_function": "silu"},
    ],
)
def test_a_gpt2_that_computes_otherwise_is_refused(changes: dict[str, Any], save: Save):
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2_SIZES, **changes))
    with pytest.raises(InputError, match=next(iter(changes))):
        import_model(save(theirs))


def test_a_head_that_is_not_the_embedding_it_is_said_to_be(llama: Path, edit: Edit):
    edit(llama / "config.json", lambda values: values.update(tie_word_embeddings=True))
    with pytest.raises(InputError, match=r"lm_head\.weight is not its embedding"):
        import_model(llama)


# ---------------------------------------------------------------------- folders that are not whole


def test_pickles_are_never_read(llama: Path):
    (llama / "model.safetensors").unlink()
    (llama / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(InputError, match=r"pytorch_model\.bin is a pickle.*safe_serialization=True"):
        import_model(llama)
    with pytest.raises(InputError, match="is a pickle"):
        import_model(llama / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "has no model.safetensors"),
        ("tokenizer.json", "has no tokenizer.json.*save_pretrained"),
    ],
)
def test_a_file_is_missing(name: str, message: str, llama: Path):
    (llama / name).unlink()
    with pytest.raises(InputError, match=message):
        import_model(llama)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"]
)
@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_file_is_no_json_object(name: str, content: bytes, llama: Path):
    (llama / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        import_model(llama)


def test_what_is_no_model(tmp_path: Path, llama: Path):
    run = import_model(llama, "imported")
    for source, message in [
        (run.path, "is a run already"),
        (tmp_path / "nowhere", "is not there"),
        (llama / "model.safetensors", "give the folder"),
        (llama / "tokenizer_config.json", "give the folder"),
    ]:
        with pytest.raises(InputError, match=message):
            import_model(source)
    with pytest.raises(InputError, match="holds a run already"):
        import_model(llama, "imported")
    assert load(run.path, "cpu").tokenizer.kind == "imported"  # as it was


def test_a_disk_without_room(llama: Path, monkeypatch: pytest.MonkeyPatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match=r"model takes .* kB, and 1 kB are free in imported: make room"):
        import_model(llama, "imported")
    assert not Path("imported").exists()


def test_numbers_that_are_not_finite(save: Save):
    theirs = build("Llama")
    with torch.no_grad():
        theirs.model.norm.weight[0] = torch.nan
    with pytest.raises(InputError, match=r"not finite, in 'model\.norm\.weight'"):
        import_model(save(theirs), "imported")
    assert not Path("imported").exists()


def test_a_tokenizer_of_another_model(save: Save, llama: Path):
    other = save(build("Llama", vocab_size=200), byte_level(), "other")
    with pytest.raises(InputError, match="not of one model"):
        import_model(other)
    content = json.loads((llama / "tokenizer.json").read_text())
    content["model"] = {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "a"}
    (llama / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="is a WordPiece tokenizer"):
        import_model(llama)


@pytest.mark.parametrize(
    "name", ["../model-00001.safetensors", "/etc/passwd", "a/b.safetensors", "x.bin", "gone.safetensors"]
)
def test_an_index_stays_in_its_folder(name: str, save: Save, edit: Edit):
    folder = save(build("Llama"), max_shard_size="60KB")
    shard = next(iter(folder.glob("model-00001*")))
    shutil.copy(shard, folder.parent / "model-00001.safetensors")
    index = folder / "model.safetensors.index.json"
    edit(index, lambda values: values["weight_map"].update({"model.norm.weight": name}))
    with pytest.raises(InputError, match="names the file"):
        import_model(folder)


def test_an_index_that_is_not_of_its_shards(save: Save, edit: Edit):
    folder = save(build("Llama"), max_shard_size="60KB")
    index = folder / "model.safetensors.index.json"
    edit(
        index,
        lambda values: values["weight_map"].update({"model.norm.weight": "model-00001-of-00004.safetensors"}),
    )
    names = sorted(path.name for path in folder.glob("model-*"))
    edit(index, lambda values: values["weight_map"].update({"model.norm.weight": names[0]}))
    with pytest.raises(InputError, match="has no tensor"):
        import_model(folder)
    edit(index, lambda values: values.update(weight_map=[1]))
    with pytest.raises(InputError, match="no weight_map"):
        import_model(folder)
