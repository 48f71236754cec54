"""GGUF vocabularies in llama.cpp itself, which `xllamacpp` brings: the same ids for the same text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from published import SIZES, TEXT, byte_level, randomise

from pellucid.errors import InputError
from pellucid.interop.gguf_models import read_gguf_model
from pellucid.interop.named import named_file
from pellucid.text.tokenizers.patterns import NORMALIZERS, PRE_TOKENIZERS
from pellucid.text.tokenizers.tokenizer import Tokenizer, parse_tokenizer

transformers = pytest.importorskip("transformers")
gguf = pytest.importorskip("gguf")
xllamacpp = pytest.importorskip("xllamacpp")

TEXTS = [
    TEXT,
    "The year 2024, 3.14159, 1,000,000 and ½ ⅔ ٣٤ 12 345",
    "   leading, trailing   \n\n\n  \t\t mixed \r\n lines \r and   runs      of blanks ",
    "def f(x):\n    return {'a': [x**2 for x in range(10)]}  # naïve\n\n\nclass A:\n\tpass\n",
    "Straße, façade, Ελληνικά, русский текст, עברית, العربية, हिन्दी में, ไทย, 漢字仮名交じり文、한국어 문장.",
    "🙂👩‍🚀🏳️‍🌈 👍🏽 emoji—dashes… “quotes” ‘single’ don't DON'T we'll WE'LL I'm they've",
    "e\u0301 \u00a0 \u2003 \u3000 \u200b zero",
    "https://example.org/a?b=c&d=%20#e <b>bold</b> &amp; $x_1^2$ \\frac{a}{b}",
    "a" * 300 + " " * 50 + "-" * 70 + "\n" * 20,
]
Ids = Callable[[str], list[int]]


def llama_cpp(path: Path) -> tuple[Any, Ids]:
    """A server of llama.cpp for a model, and what its tokenizer makes of a text."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 64, 1, False, -1
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)

    def ids(text: str) -> list[int]:
        asked = {"content": text, "add_special": False, "parse_special": False}
        answer = httpx.post(f"{server.listening_address}/tokenize", json=asked, timeout=60)
        return answer.raise_for_status().json()["tokens"]

    return server, ids


def ours_of(path: Path) -> Tokenizer:
    return parse_tokenizer(read_gguf_model(path).tokenizer.encode(), "its tokenizer")


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_each_way_of_cutting_words(pre: str, tmp_path: Path):
    from gguf_models import write_gguf

    config = transformers.LlamaConfig(**{**SIZES, "hidden_size": 64, "intermediate_size": 96})
    path = tmp_path / "model.gguf"
    more = {"tokenizer.ggml.pre": pre}
    theirs = randomise(transformers.LlamaForCausalLM(config))
    write_gguf(path, theirs, "llama", byte_level(), gguf.GGMLQuantizationType.F32, **more)
    ours = ours_of(path)
    server, ids = llama_cpp(path)
    for text in TEXTS:
        if pre in NORMALIZERS:  # llama.cpp leaves out what Qwen's own tokenizer does first; ours does it
            text = unicodedata.normalize("NFC", text)
        assert ours.encode(text).tolist() == ids(text), text
    del server


@pytest.fixture(scope="module")
def smollm2() -> Iterator[tuple[Tokenizer, Ids]]:
    try:
        with named_file("smollm2-135m-instruct") as path:
            server, ids = llama_cpp(path)
            yield ours_of(path), ids
            del server
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_real_smollm2(text: str, smollm2: tuple[Tokenizer, Ids]):
    ours, ids = smollm2
    assert ours.encode(text).tolist() == ids(text)


@pytest.mark.slow
def test_the_real_smollm2_on_any_text(smollm2: tuple[Tokenizer, Ids]):
    from hypothesis import given, settings
    from hypothesis import strategies as st

    ours, ids = smollm2

    @given(text=st.text(max_size=80))
    @settings(max_examples=300)
    def same(text: str) -> None:
        assert ours.encode(text).tolist() == ids(text)

    same()
