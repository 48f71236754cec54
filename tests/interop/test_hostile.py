"""Files that are cut off, damaged or made to harm: refused in one sentence, before any number is read."""

from __future__ import annotations

import json
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import SIZES, byte_level, llama_folder, randomise

from pellucid.errors import InputError
from pellucid.interop.gguf import read_gguf
from pellucid.interop.gguf_tokenizer import gguf_tokenizer
from pellucid.interop.importing import import_model
from pellucid.interop.safetensors_files import safetensors_entries
from pellucid.interop.tensors import TensorFiles
from pellucid.model.config import LARGEST

HUGE = (1 << 63) - 1
LIMITS = (1 << 31, 1 << 32, 1 << 62, HUGE, 1 << 63, (1 << 64) - 1)

# ---------------------------------------------------------------------- GGUF, by hand


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def tensor(name: str, shape: tuple[int, ...] = (4,), kind: int = 0, start: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, start)


def gguf_bytes(
    keys: tuple[bytes, ...] = (),
    tensors: tuple[bytes, ...] = (),
    data: int = 64,
    counts: Any = None,
    version: int = 3,
) -> bytes:
    n_tensors, n_keys = counts or (len(tensors), len(keys))
    header = b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + b"".join(keys) + b"".join(tensors)
    return header + bytes(-len(header) % 32) + bytes(data)


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Any]:
    def from_bytes(data: bytes) -> Any:
        path = tmp_path / "model.gguf"
        path.write_bytes(data)
        return read_gguf(path)

    return from_bytes


def test_a_sound_header(read: Callable[[bytes], Any]):
    keys = (key("a", 4, struct.pack("<I", 7)), key("b", 9, struct.pack("<IQ", 8, 2) + text("x") + text("y")))
    found = read(gguf_bytes(keys, (tensor("t", (2, 4)), tensor("u", (4,), 1, 32))))
    assert found.metadata == {"a": 7, "b": ["x", "y"]}
    assert found.files.entries["t"].shape == (4, 2)
    assert found.files.entries["u"].n_bytes == 8


HEADERS: dict[str, bytes] = {
    "empty": b"",
    "another format": b"PK\x03\x04" + bytes(60),
    "version 1": gguf_bytes(version=1),
    "version 4": gguf_bytes(version=4),
    "big-endian": gguf_bytes(version=3 << 24),
    "a list of lists": gguf_bytes((key("a", 9, struct.pack("<IQ", 9, 1)),)),
    "a value of no type": gguf_bytes((key("a", 99, b""),)),
    "a key twice": gguf_bytes((key("a", 0, b"1"), key("a", 0, b"1"))),
    "a tensor twice": gguf_bytes((), (tensor("t"), tensor("t", start=32))),
    "an overlap": gguf_bytes((), (tensor("t", (16,)), tensor("u", (8,), start=32))),
    "a tensor not aligned": gguf_bytes((), (tensor("t", start=1),)),
    "no dimension": gguf_bytes((), (tensor("t", ()),)),
    "five dimensions": gguf_bytes((), (tensor("t", (1,) * 5),)),
    "a dimension of nothing": gguf_bytes((), (tensor("t", (0, 4)),)),
    "a long name": gguf_bytes((), (tensor("t" * 600),)),
    "a text without end": gguf_bytes((key("a", 8, struct.pack("<Q", 17 << 20) + bytes(17 << 20)),)),
    "half a block": gguf_bytes((), (tensor("t", (16,), 3),)),
    "a quantisation that is not read": gguf_bytes((), (tensor("t", (256,), 16),)),
    "a type of no name": gguf_bytes((), (tensor("t", (256,), 200),)),
    "an alignment of nothing": gguf_bytes((key("general.alignment", 4, bytes(4)),), (tensor("t"),)),
    "an alignment that is a text": gguf_bytes((key("general.alignment", 8, text("32")),), (tensor("t"),)),
    **{f"{n} tensors": gguf_bytes(counts=(n, 0)) for n in LIMITS},
    **{f"{n} keys": gguf_bytes(counts=(0, n)) for n in LIMITS},
    **{f"a name of {n} bytes": gguf_bytes((struct.pack("<Q", n) + b"abc",)) for n in LIMITS},
    **{f"a list of {n} bytes": gguf_bytes((key("a", 9, struct.pack("<IQ", 0, n)),)) for n in LIMITS},
    **{f"a list of {n} texts": gguf_bytes((key("a", 9, struct.pack("<IQ", 8, n)),)) for n in LIMITS},
    **{f"a side of {n}": gguf_bytes((), (tensor("t", (n,)),)) for n in LIMITS},
    **{f"sides of {n}": gguf_bytes((), (tensor("t", (n, n, n, n)),)) for n in LIMITS},
    **{f"a tensor at {n}": gguf_bytes((), (tensor("t", start=n & ~31),)) for n in LIMITS},
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_gguf_header_is_not_believed(case: str, read: Callable[[bytes], Any]):
    with pytest.raises(InputError) as refusal:
        read(HEADERS[case])
    assert len(str(refusal.value)) < 500


def test_the_refusal_names_the_quantisation(read: Callable[[bytes], Any]):
    with pytest.raises(
        InputError, match="in IQ2_XXS: the types that are read are F32, F16, BF16, Q4_0, Q4_1, Q8_0"
    ):
        read(HEADERS["a quantisation that is not read"])


def test_a_gguf_file_cut_off_anywhere(tmp_path: Path, read: Callable[[bytes], Any]):
    keys = (key("a", 4, struct.pack("<I", 7)), key("b", 9, struct.pack("<IQ", 8, 2) + text("x") + text("y")))
    whole = gguf_bytes(keys, (tensor("t", (2, 4)), tensor("u", (16,), 0, 32)), data=96)
    read(whole)
    for length in range(len(whole)):
        with pytest.raises(InputError):
            read(whole[:length])


def test_a_gguf_file_with_any_bytes_changed(read: Callable[[bytes], Any]):
    """Read or refused, never anything else."""
    keys = (key("a", 4, struct.pack("<I", 7)), key("b", 9, struct.pack("<IQ", 8, 2) + text("x") + text("y")))
    whole = gguf_bytes(keys, (tensor("t", (2, 4)), tensor("u", (16,), 0, 32)), data=96)
    draw = random.Random(0)
    refused = 0
    for _ in range(1000):
        changed = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 8))):
            changed[draw.randrange(len(whole) - 96)] = draw.choice(
                (0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256))
            )
        try:
            read(bytes(changed))
        except InputError:
            refused += 1
    assert refused > 300


# ---------------------------------------------------------------------- safetensors, by hand


def header_of(
    shape: Any = (4,), start: Any = 0, end: Any = 16, dtype: Any = "F32", name: str = "t"
) -> dict[str, Any]:
    return {name: {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}}


def safetensors_bytes(header: Any, data: int = 16, length: int | None = None) -> bytes:
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(written) if length is None else length) + written + bytes(data)


SAFETENSORS: dict[str, bytes] = {
    "empty": b"",
    "seven bytes": bytes(7),
    "no JSON": safetensors_bytes(b"{{{{"),
    "a list": safetensors_bytes([1]),
    "deep": safetensors_bytes(b"[" * 200_000),
    "a long header": safetensors_bytes(b" " * (17 << 20)),
    "a side of nothing": safetensors_bytes({"t": {"dtype": "F32", "shape": [0], "data_offsets": [0, 4]}}, 4),
    "no UTF-8": safetensors_bytes(b'{"\xff": 1}'),
    "a name twice": safetensors_bytes(b'{"a": {}, "a": {}}'),
    "no entry": safetensors_bytes({"t": 1}),
    "no offsets": safetensors_bytes({"t": {"dtype": "F32", "shape": [4]}}),
    "three offsets": safetensors_bytes({"t": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8, 16]}}),
    "an unknown type": safetensors_bytes(header_of(dtype="F4")),
    "a type that is a list": safetensors_bytes(header_of(dtype=["F32"])),
    "a side that is a text": safetensors_bytes(header_of(shape=("4",))),
    "a side that is negative": safetensors_bytes(header_of(shape=(-4,))),
    "a side with a fraction": safetensors_bytes(header_of(shape=(4.0,))),
    "a side that is true": safetensors_bytes(header_of(shape=(True, 4))),
    "backwards": safetensors_bytes(header_of(start=16, end=0)),
    "another size than its shape": safetensors_bytes(header_of(shape=(5,))),
    "a gap": safetensors_bytes({**header_of(), **header_of(start=20, end=36, name="u")}, 36),
    "an overlap": safetensors_bytes({**header_of(), **header_of(start=8, end=24, name="u")}, 24),
    "the same place twice": safetensors_bytes({**header_of(), **header_of(name="u")}),
    "bytes too many": safetensors_bytes(header_of(), 17),
    "bytes too few": safetensors_bytes(header_of(), 15),
    **{f"a header of {n}": safetensors_bytes(header_of(), length=n) for n in (500, 100_000_001, *LIMITS)},
    **{f"a side of {n}": safetensors_bytes(header_of(shape=(n,))) for n in LIMITS},
    **{f"to byte {n}": safetensors_bytes(header_of(shape=(n // 4,), end=n)) for n in LIMITS},
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_a_safetensors_header_is_not_believed(case: str, tmp_path: Path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(SAFETENSORS[case])
    with pytest.raises(InputError) as refusal:
        safetensors_entries(path)
    assert len(str(refusal.value)) < 500


def test_a_safetensors_file_cut_off_anywhere(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    whole = safetensors_bytes({**header_of(), "__metadata__": {"format": "pt"}})
    path.write_bytes(whole)
    assert len(TensorFiles(safetensors_entries(path)).entries) == 1
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            safetensors_entries(path)


# ---------------------------------------------------------------------- places that are no files


def test_a_folder_of_links_is_a_folder(tmp_path: Path):
    """The cache of the hub is made of links to files of other names."""
    whole, linked = llama_folder(tmp_path / "blobs"), tmp_path / "snapshot"
    linked.mkdir()
    for path in whole.iterdir():
        try:
            (linked / path.name).symlink_to(path)
        except OSError:  # Windows, to a person who may not
            pytest.skip("this system makes no links")
    assert import_model(linked).config()["imported"]["family"] == "llama"


FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "device", "nowhere", "folder"])
def test_what_is_no_file_is_not_waited_for(name: str, kind: str, tmp_path: Path):
    """Nothing is read from a pipe, or from a device that never ends: refused, or passed over where none is needed."""
    folder = llama_folder(tmp_path / "model")
    (folder / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "folder":
        (folder / name).mkdir()
    else:
        (folder / name).symlink_to("/dev/zero" if kind == "device" else tmp_path / "nowhere")
    if name in FILES[:3]:
        with pytest.raises(InputError, match=name):
            import_model(folder, "imported")
        assert not Path("imported").exists()
    else:
        import_model(folder, "imported")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_source_that_is_no_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.gguf")
    for source in (tmp_path / "pipe.gguf", Path("/dev/zero")):
        with pytest.raises(InputError, match="is no file"):
            import_model(source, "imported")
    assert not Path("imported").exists()


def test_what_a_file_says_of_itself_stays_in_its_line(tmp_path: Path):
    folder = llama_folder(tmp_path / "a|b <img src=x>")
    card = import_model(folder, "imported").card_path.read_text(encoding="utf-8")
    assert "<img" not in card and "*a b img src x*, imported" in card


def test_a_tensor_in_a_type_that_is_not_read(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    model = randomise(transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES))).double()
    model.save_pretrained(tmp_path / "model")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level(), eos_token="<|endoftext|>")
    fast.save_pretrained(tmp_path / "model")
    with pytest.raises(InputError, match=r"in F64: the types that are read are F32, F16, BF16"):
        import_model(tmp_path / "model", "imported")
    assert not Path("imported").exists()


def test_a_number_of_layers_is_not_believed(tmp_path: Path):
    """Planning for millions of layers would fill the memory before the first tensor is missed."""
    folder = llama_folder(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["num_hidden_layers"] = LARGEST
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match=r"tensors, and its configuration asks for 16,777,216 layers"):
        import_model(folder, "imported")
    assert not Path("imported").exists()


def test_a_context_is_not_believed(tmp_path: Path):
    """It has no tensor: a number in a small file would make tables of gigabytes when the model is loaded."""
    folder = llama_folder(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["max_position_embeddings"] = LARGEST
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"a context of 16,777,216 tokens, whose rotary angles alone would take"
    ):
        import_model(folder, "imported")
    assert not Path("imported").exists()


TOKENIZERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an id that is a list": lambda content: content["model"]["vocab"].update({"er": []}),
    "an id that is true": lambda content: content["model"]["vocab"].update({"er": True}),
    "half a pair of surrogates": lambda content: content["model"].update({"unk_token": "\ud800"}),
    "a decoder of type 1": lambda content: content["decoder"].update({"type": 1}),
    "no vocabulary": lambda content: content["model"].pop("vocab"),
    "no tokens that were added": lambda content: content.update({"added_tokens": [None]}),
}


@pytest.mark.parametrize("change", TOKENIZERS)
def test_a_tokenizer_is_not_believed(change: str, tmp_path: Path):
    folder = llama_folder(tmp_path / "model")
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    TOKENIZERS[change](content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        import_model(folder, "imported")
    assert not Path("imported").exists()


@pytest.mark.parametrize("tokens", [2.5, ["<|endoftext|>", 3], None, []])
def test_an_alphabet_in_gguf_is_not_believed(tokens: Any):
    metadata = {"tokenizer.ggml.model": "t5", "tokenizer.ggml.tokens": tokens}
    with pytest.raises(InputError, match="no alphabet exported here"):
        gguf_tokenizer(metadata, 40, "a file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_attention_heads": 3},
            r"config\.json describes a model that cannot be: 3 query heads cannot share",
        ),
        (
            {"head_dim": 15},
            r"config\.json describes a model that cannot be: rotary positions .* 15 must be even",
        ),
        ({"hidden_size": -1}, r"has hidden_size = -1 instead of a whole number from 1"),
        ({"hidden_size": None}, r"lacks hidden_size, a whole number from 1"),
    ],
)
def test_numbers_that_do_not_fit_are_told_with_their_file(
    changes: dict[str, Any], message: str, tmp_path: Path
):
    folder = llama_folder(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_model(folder, "imported")
