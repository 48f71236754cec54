"""GGUF files, written with the gguf package: what it dequantises, read by `transformers`, gives our logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published import SIZES, TEXT, assert_same_logits, byte_level, randomise

from pellucid import import_model, load
from pellucid.errors import InputError
from pellucid.interop.blocks import BLOCKS, PACKED, dequantised
from pellucid.interop.gguf import read_gguf, tidy
from pellucid.text.tokenizers.patterns import PRE_TOKENIZERS

transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")

from gguf_models import write_gguf  # noqa: E402 - it needs the package

KINDS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")
WIDE = {**SIZES, "hidden_size": 64, "intermediate_size": 96}  # quantised rows are of 32 values


def build(family: str, **changes: Any) -> Any:
    config = getattr(transformers, f"{family}Config")(**{**WIDE, **changes})
    return randomise(getattr(transformers, f"{family}ForCausalLM")(config))


def write(path: Path, model: Any, arch: str = "llama", kind: str = "F32", **more: Any) -> Path:
    return write_gguf(path, model, arch, byte_level(), gguf.GGMLQuantizationType[kind], **more)


def assert_imported(path: Path, theirs: Any) -> None:
    loaded = load(import_model(path, "imported").path, "cpu")
    assert_same_logits(loaded.model, theirs, WIDE["vocab_size"])
    ids = byte_level().encode(TEXT, add_special_tokens=False).ids
    assert loaded.tokenizer.encode(TEXT).tolist() == ids


@pytest.mark.parametrize("kind", KINDS)
def test_llama(kind: str, tmp_path: Path):
    theirs = build("Llama", tie_word_embeddings=kind == "Q8_0")
    assert_imported(write(tmp_path / "model.gguf", theirs, "llama", kind), theirs)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("Llama", {"attention_bias": True, "mlp_bias": True, "head_dim": 24, "num_key_value_heads": 1}),
        ("Qwen2", {"tie_word_embeddings": True, "rms_norm_eps": 1e-5}),
        ("Qwen3", {"head_dim": 32, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}),
    ],
)
def test_other_architectures(family: str, changes: dict[str, Any], tmp_path: Path):
    theirs = build(family, **changes)
    assert_imported(write(tmp_path / "model.gguf", theirs, family.lower()), theirs)


@pytest.mark.parametrize("kind", ["F32", "Q4_1"])
def test_gpt2(kind: str, tmp_path: Path):
    config = transformers.GPT2Config(
        vocab_size=320, n_positions=64, n_embd=64, n_layer=2, n_head=4, eos_token_id=0
    )
    theirs = randomise(transformers.GPT2LMHeadModel(config))
    assert_imported(write(tmp_path / "model.gguf", theirs, "gpt2", kind), theirs)


@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks_are_read_as_the_gguf_package_reads_them(kind: str):
    values = np.random.default_rng(0).normal(size=(7, 96)).astype(np.float32)
    packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind])
    theirs = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType[kind])
    assert (dequantised(packed.reshape(-1), kind) == theirs.reshape(-1)).all()
    assert np.abs(theirs - values).max() < 1


@pytest.mark.parametrize("kind", PACKED)
def test_other_quantisations_lie_where_the_header_says(kind: str, tmp_path: Path):
    """Two rows after another tensor; bytes below 0x40, so that every scale is finite."""
    of, (values, size) = gguf.GGMLQuantizationType[kind], PACKED[kind]
    assert gguf.GGML_QUANT_SIZES[of] == (values, size)
    data = np.random.default_rng(0).integers(0, 64, (2, 3 * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_tensor("before", np.ones(8, np.float32))
    writer.add_tensor("it", data, raw_dtype=of)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        step()
    writer.close()
    files = read_gguf(tmp_path / "model.gguf").files
    found = files.read("it")
    assert found.shape == (2, 3 * values) and found.dtype == torch.float32
    assert (found.numpy() == gguf.quants.dequantize(data, of)).all() and found.std() > 0


def test_the_run(tmp_path: Path):
    theirs = build("Llama")
    path = write(tmp_path / "Small Model.gguf", theirs, **{"tokenizer.ggml.add_bos_token": False})
    run = import_model(path)
    assert run.path == Path("runs/small-model-1")
    assert run.config()["imported"] == {
        "from": str(path),
        "format": "gguf",
        "family": "llama",
        "licence": "mit",
    }
    assert run.config()["template"] == "chatml"
    assert run.config()["model"]["norm_eps"] == 1e-6  # not its neighbour among 32-bit numbers
    loaded = load(run.path, "cpu")
    assert loaded.tokenizer.end_of_text == loaded.tokenizer.special_id("<|endoftext|>") == 0
    assert loaded.tokenizer.token_bytes(319) == b""  # [PAD319]


def test_what_was_kept_in_32_bits_is_told_as_it_was_written():
    for number in (1e-5, 1e-6, 10_000.0, 500_000.0, 1 / 3):
        assert tidy(float(np.float32(number))) == pytest.approx(number, rel=1e-7)
    assert [tidy(float(np.float32(number))) for number in (1e-5, 0.1, 1e6)] == [1e-5, 0.1, 1e6]


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_every_way_of_cutting_words_is_one_the_library_reads(pre: str, tmp_path: Path):
    path = write(tmp_path / "model.gguf", build("Llama"), **{"tokenizer.ggml.pre": pre})
    tokenizer = load(import_model(path, "imported").path, "cpu").tokenizer
    text = "don't we'LL 77 cafés\n\n  go"
    assert tokenizer.decode(tokenizer.encode(text)) == text


# ---------------------------------------------------------------------- what cannot be expressed

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a scaled rotary": ({"llama.rope.scaling.type": "yarn"}, "rope.scaling.type = 'yarn'"),
    "a factor": ({"llama.rope.scaling.factor": 4.0}, "rope.scaling.factor = 4.0"),
    "a window": ({"llama.attention.sliding_window": 32}, "attention.sliding_window = 32"),
    "experts that choose otherwise": (
        {"llama.expert_count": 8, "llama.expert_used_count": 2, "llama.expert_gating_func": 2},
        "expert_gating_func = 2",
    ),
    "part of a head": ({"llama.rope.dimension_count": 8}, "rope.dimension_count = 8"),
    "a scale of logits": ({"llama.logit_scale": 0.5}, "logit_scale = 0.5"),
    "heads that differ": ({"llama.attention.head_count": [4, 4]}, "attention.head_count"),
    "another architecture": (
        {"general.architecture": "mamba"},
        "architecture 'mamba'.*llama, qwen2, qwen3.*gpt2",
    ),
    "parts": ({"split.count": 2}, "several parts"),
    "another tokenizer": ({"tokenizer.ggml.model": "llama"}, "model 'llama'.*Hugging Face folder"),
    "another way to cut words": ({"tokenizer.ggml.pre": "tekken"}, "'tekken'.*gpt-2, smollm"),
    "a blank before each text": ({"tokenizer.ggml.add_space_prefix": True}, "add_space_prefix"),
    "too few tokens": ({"tokenizer.ggml.tokens": ["a", "b"]}, "2 tokens"),
    "no tokens": ({"tokenizer.ggml.tokens": None}, "not lists of texts"),
    "merges that are numbers": ({"tokenizer.ggml.merges": [1, 2]}, "not lists of texts"),
    "merges of what is not there": ({"tokenizer.ggml.merges": ["qqq zzz"]}, "damaged"),
    "no end": (
        {"tokenizer.ggml.eos_token_id": 1 << 30, "tokenizer.ggml.tokens": [f"t{i}" for i in range(320)]},
        "eos",
    ),
    "no size": ({"llama.embedding_length": None}, "lacks embedding_length"),
    "a size that is a text": ({"llama.embedding_length": "64"}, "embedding_length = '64'"),
    "another width": ({"llama.embedding_length": 128}, "not of one model"),
    "a layer too few": ({"llama.block_count": 1}, r"'blk\.1\."),
    "a layer too many": ({"llama.block_count": 3}, r"no tensor 'blk\.2\."),
    "an odd alignment": ({"general.alignment": 33}, "alignment is 33"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str, tmp_path: Path):
    changes, message = REFUSED[case]
    if case == "another architecture":  # the writer adds the architecture by itself
        path = write(tmp_path / "model.gguf", build("Llama"))
        path.write_bytes(path.read_bytes().replace(b"llama", b"mamba", 1))
    elif case == "an odd alignment":
        path = write(tmp_path / "model.gguf", build("Llama"), **{"general.alignmenu": 33})
        path.write_bytes(path.read_bytes().replace(b"alignmenu", b"alignment", 1))
    else:
        path = write(tmp_path / "model.gguf", build("Llama"), **changes)
    with pytest.raises(InputError, match=message):
        import_model(path, "imported")
    assert not Path("imported").exists()


def test_scaled_frequencies_and_other_tensors(tmp_path: Path):
    """Llama 3.1's converter puts its scaling of positions into a tensor."""
    path = tmp_path / "model.gguf"
    for name, message in (
        ("rope_freqs.weight", "rope_freqs"),
        ("blk.0.attn_sinks.weight", "attn_sinks.*no place"),
    ):
        theirs = build("Llama")
        writer = gguf.GGUFWriter
        original = writer.write_header_to_file

        def with_one_more(self: Any, *args: Any, name: str = name, original: Any = original) -> None:
            self.add_tensor(name, np.ones(8, np.float32))
            original(self, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "write_header_to_file", with_one_more)
            write(path, theirs)
        with pytest.raises(InputError, match=message):
            import_model(path)
