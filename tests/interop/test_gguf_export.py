"""Runs exported to GGUF: what is imported from the file computes the same, bit for bit; what cannot is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf_runs import MODELS, SIZES, TEXT, characters, pieces, write_run
from published import byte_level
from small_models import OTHERS

from pellucid import import_model, load
from pellucid.errors import InputError
from pellucid.interop.exportable import open_run
from pellucid.interop.gguf import read_gguf
from pellucid.interop.gguf_architectures import ARCHITECTURES, choose, twin_of
from pellucid.interop.gguf_vocabulary import vocabulary
from pellucid.interop.gguf_writing import TYPES, write
from pellucid.interop.run_weights import weights_of
from pellucid.model.config import ModelConfig
from pellucid.text.template import CHATML_MARKERS, Template
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.imported import as_imported
from pellucid.text.tokenizers.tokenizer import Tokenizer, parse_tokenizer
from pellucid.text.tokenizers.wordpiece import train_wordpiece
from pellucid.training.weights import stored_weights

gguf = pytest.importorskip("gguf")

TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {"characters": characters, "byte-level BPE": pieces}


def written(run: Path, type: str = "f32") -> Path:
    path = run.with_suffix(f".{type}.gguf")
    write(open_run(run), path, lambda done, total: None, type)
    return path


@pytest.mark.parametrize("name", MODELS)
def test_back_and_forth_the_weights_are_the_same_bits(name: str, tmp_path: Path):
    arch, settings = MODELS[name]
    run, ours = write_run(tmp_path / "run", characters(), settings)
    path = written(run.path)
    assert read_gguf(path).metadata["general.architecture"] == arch
    back = load(import_model(path, tmp_path / "back").path, "cpu")
    theirs, expected = stored_weights(back.model), twin_of(weights_of(run)).weights.tensors
    repeated = {"positions.table.weight", "head.weight"}  # waves as a table, a tied head as its own matrix
    assert (
        theirs.keys() - repeated == stored_weights(ours).keys() - repeated
    )  # nothing that had to be filled in
    assert all(tensor.equal(expected[part].read()) for part, tensor in theirs.items())
    assert all(theirs[part].equal(value) for part, value in shared(ours).items())
    ids = torch.randint(ours.config.vocab_size, (2, SIZES["context_length"]))
    with torch.no_grad():
        assert torch.allclose(back.model(ids), ours(ids), atol=1e-5)
    assert back.template is not None and back.template.kind == "markers"


def shared(ours: Any) -> dict[str, torch.Tensor]:
    """What a model has that is written as it is: all but an embedding that is scaled."""
    scaled = ("embedding.weight",) if ours.config.positions == "sinusoidal" else ()
    return {name: value for name, value in stored_weights(ours).items() if name not in scaled}


def test_every_architecture_is_tried():
    assert {arch for arch, _ in MODELS.values()} | {"qwen2"} == set(ARCHITECTURES)  # as llama, biases and all


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_tokens_come_back(kind: str, tmp_path: Path):
    tokenizer = TOKENIZERS[kind]()
    run, _ = write_run(tmp_path / "run", tokenizer, {})
    back = load(import_model(written(run.path), tmp_path / "back").path, "cpu").tokenizer
    assert back.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()
    assert back.end_of_text == tokenizer.end_of_text and back.vocab_size == tokenizer.vocab_size
    for id in range(tokenizer.vocab_size):
        assert back.token_bytes(id) == tokenizer.token_bytes(id)


@pytest.mark.parametrize("type", TYPES)
def test_numbers_are_rounded_as_the_gguf_package_rounds_them(type: str, tmp_path: Path):
    run, ours = write_run(tmp_path / "run", characters(), MODELS["the default"][1])
    path = written(run.path, type)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    own = ours.state_dict()
    kind = gguf.GGMLQuantizationType[TYPES[type]]
    for name, theirs, wanted in (
        ("blk.1.ffn_up.weight", "blocks.1.feedforward.up.weight", kind),
        ("token_embd.weight", "embedding.weight", gguf.GGMLQuantizationType.Q8_0 if type == "q4_0" else kind),
        ("output_norm.weight", "norm.weight", gguf.GGMLQuantizationType.F32),
    ):
        tensor = tensors[name]
        assert tensor.tensor_type == wanted
        expected = gguf.quants.quantize(own[theirs].numpy(), wanted)
        assert np.array_equal(tensor.data.reshape(-1), expected.reshape(-1))
    assert load(import_model(path, tmp_path / "back").path, "cpu").generate("It", max_tokens=3, seed=0)


def test_rows_that_are_no_blocks_and_numbers_that_are_too_large_are_told_of(tmp_path: Path):
    settings = {"d_model": 48, "d_ff": 96, "activation": "swiglu"}
    run, _ = write_run(tmp_path / "run", characters(), settings)
    done = write(open_run(run.path), tmp_path / "q.gguf", lambda done, total: None, "q8_0")
    assert "blocks of 32 are not quantised" in done.notes[-1]
    kinds = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "q.gguf").tensors}
    assert kinds["blk.0.attn_q.weight"] == "F16" and kinds["blk.0.ffn_down.weight"] == "Q8_0"

    from safetensors.torch import load_file, save_file

    weights = load_file(run.model_path)
    weights["embedding.weight"][3, 5] = 1e5
    save_file(weights, run.model_path)
    done = write(open_run(run.path), tmp_path / "f16.gguf", lambda done, total: None, "f16")
    assert "token_embd.weight, kept in float32" in done.notes[-1]
    assert gguf.GGUFReader(tmp_path / "f16.gguf").tensors[0].data.max() == np.float32(1e5)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "ReLU": (
        {"norm": "layernorm", "positions": "learned", "activation": "relu"},
        "gelu_tanh instead of relu",
    ),
    "erf GELU": ({"activation": "gelu"}, "activation .* instead of gelu"),
    "RMSNorm and learned positions": ({"positions": "learned"}, "positions rotary instead of learned"),
    "a gated shared expert": (
        {"feedforward": "experts", "shared_expert": "gated"},
        "shared_expert none instead of gated",
    ),
    "QK-norm and ReLU²": ({"qk_norm": True}, "activation swiglu instead of relu2"),
    "LayerNorm and experts": (
        {"norm": "layernorm", "feedforward": "experts"},
        "norm rmsnorm instead of layernorm",
    ),
    "wide heads": (
        {"norm": "layernorm", "activation": "gelu_tanh", "head_dim": 32},
        "head_dim 16 .* instead of 32",
    ),
    "post-norm": ({"norm_position": "post"}, "no architecture with norm_position post"),
    "a soft cap": ({"logit_softcap": 5.0}, "no architecture with logit_softcap 5.0"),
    "value residual": ({"value_residual": True}, "no architecture with value_residual true"),
    "no scale": ({"scale": "none"}, "no architecture with scale none"),
    "no mask": ({"mask": "none"}, "no architecture with mask none"),
    "no norms": ({"norm": "none"}, "norm rmsnorm instead of none"),
    "no feed-forward": ({"feedforward": "none"}, "feedforward dense instead of none"),
    "a bigram": ({"architecture": "bigram"}, "no architecture that is a bigram model"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_twin_is_refused_by_name(case: str, tmp_path: Path):
    settings, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        choose(ModelConfig(**{**SIZES, "vocab_size": 30, **settings}))


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "experts by bias"])
def test_no_odd_model_slips_through(name: str):
    with pytest.raises(InputError, match=r"llama\.cpp has no architecture"):
        choose(ModelConfig(**{**SIZES, "vocab_size": 30, **OTHERS[name]}))


def test_a_bias_without_a_place_is_refused_unless_it_is_zero(tmp_path: Path):
    settings = {"bias": True}  # arcee has none but those of queries, keys and values
    run, model = write_run(tmp_path / "run", characters(), settings)
    with pytest.raises(InputError, match=r"no place for blocks\.0\.attention\.out\.bias"):
        written(run.path)

    from safetensors.torch import load_file, save_file

    weights = load_file(run.model_path)
    for name, value in weights.items():
        if name.endswith((".out.bias", ".up.bias", ".down.bias")):
            value.zero_()
    save_file(weights, run.model_path)
    model.load_state_dict(weights)
    back = load(import_model(written(run.path), tmp_path / "back").path, "cpu")
    ids = torch.arange(20)[None]
    with torch.no_grad():
        assert torch.allclose(back.model(ids), model(ids), atol=1e-5)


def test_a_bias_on_the_choice_of_experts_is_refused_unless_it_is_zero(tmp_path: Path):
    settings = {"feedforward": "experts", "balance": "bias", "d_ff": 64}
    run, _ = write_run(tmp_path / "run", characters(), settings)
    written(run.path)

    from safetensors.torch import load_file, save_file

    weights = load_file(run.model_path)
    weights["blocks.1.feedforward.choice_bias"][2] = 0.5
    save_file(weights, run.model_path)
    with pytest.raises(InputError, match="balance bias"):
        written(run.path)


# ---------------------------------------------------------------------- vocabularies


def test_wordpiece_has_no_twin():
    tokenizer = train_wordpiece([TEXT * 3], 600)
    with pytest.raises(InputError, match=r"is a wordpiece, and llama\.cpp has none"):
        vocabulary(tokenizer, tokenizer.vocab_size, None)


@pytest.mark.parametrize("character", ["\u2581", "\0"])
def test_an_alphabet_that_llama_cpp_cannot_hold(character: str):
    tokenizer = CharTokenizer(f"ab{character}")
    with pytest.raises(InputError, match=f"U\\+{ord(character):04X}"):
        vocabulary(tokenizer, tokenizer.vocab_size, None)


def test_words_that_are_cut_in_an_unknown_way():
    text = pieces().to_json().replace('"use_regex": true', '"use_regex": false')
    tokenizer = parse_tokenizer(text.encode(), "a tokenizer")
    with pytest.raises(InputError, match=r"not known to be one of llama\.cpp's"):
        vocabulary(tokenizer, tokenizer.vocab_size, None)


def test_a_turn_that_ends_as_a_document_does():
    """ChatML in a vocabulary without a token for the end of a document."""
    content = json.loads(byte_level(CHATML_MARKERS).to_str())
    made = as_imported(content, 320, "<|im_end|>", None, CHATML_MARKERS, "a tokenizer")
    tokenizer = parse_tokenizer(json.dumps(made).encode(), "a tokenizer")
    said = vocabulary(tokenizer, 320, Template("chatml", tokenizer))
    end = tokenizer.special_id("<|im_end|>")
    assert said["tokenizer.ggml.eot_token_id"] == said["tokenizer.ggml.eos_token_id"] == end


def test_what_a_file_says_of_its_tokens():
    tokenizer = characters()
    said = vocabulary(tokenizer, tokenizer.vocab_size + 2, None)
    own = {key.removeprefix("tokenizer.ggml."): value for key, value in said.items()}
    assert own["tokens"][:3] == ["<|endoftext|>", "<|pad|>", "<|unk|>"]
    assert own["tokens"][-2:] == [f"<|unused-{tokenizer.vocab_size + n}|>" for n in (0, 1)]
    assert own["eos_token_id"] == own["bos_token_id"] == tokenizer.end_of_text
    assert own["unknown_token_id"] == tokenizer.unknown and not own["add_bos_token"]
    assert "tokenizer.chat_template" not in said and "eot_token_id" not in own
