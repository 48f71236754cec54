"""Tokenizers of Hugging Face folders: the ids that `transformers` itself gives for the same folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from published import TEXT, byte_level, llama_folder, metaspace, qwen, split_by

from pellucid.interop.huggingface import read_folder
from pellucid.text.tokenizers.patterns import DIGITS_BY_THREE
from pellucid.text.tokenizers.tokenizer import Tokenizer, parse_tokenizer

transformers = pytest.importorskip("transformers")

TEXTS = [
    TEXT,
    "2024, 3.14, ½ ٣٤ 12 345   \n\n\n  \t\t runs\r\n of \r blanks   ",
    "def f(x):\n    return {'a': [x**2]}  # naïve\n\n\tpass\n<b>&amp;</b> $x_1^2$",
    "Straße Ελληνικά русский עברית العربية हिन्दी ไทย 漢字文 한국어 e\u0301\u00a0\u3000\u200b",
    "🙂👩‍🚀🏳️‍🌈 “quotes” don't DON'T we'll I'M they've" + "a" * 200 + " " * 40,
    "",
]
Ids = Callable[[str], list[int]]


FOLDERS: dict[str, tuple[str, Callable[[], tokenizers.Tokenizer]]] = {
    "gpt2": ("GPT2Tokenizer", byte_level),
    "llama 3": ("PreTrainedTokenizerFast", lambda: split_by(DIGITS_BY_THREE)),
    "qwen": ("Qwen2Tokenizer", qwen),
    "llama 2": ("PreTrainedTokenizerFast", metaspace),
}


@pytest.fixture(scope="module", params=FOLDERS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Ids]:
    """Our tokenizer of a folder, and what theirs makes of a text."""
    name, make = FOLDERS[request.param]
    folder: Path = llama_folder(tmp_path_factory.mktemp("published") / "model")
    engine = make()
    engine.save(str(folder / "tokenizer.json"))
    end = "</s>" if engine.token_to_id("</s>") else "<|endoftext|>"
    said = {"tokenizer_class": name, "eos_token": end, "unk_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = parse_tokenizer(read_folder(folder).tokenizer.encode(), "tokenizer.json")
    return ours, lambda text: theirs(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_same_ids(text: str, pair: tuple[Tokenizer, Ids]):
    ours, ids = pair
    assert ours.encode(text).tolist() == ids(text)


@given(text=st.text(max_size=60))
@settings(max_examples=60)
def test_the_same_ids_of_any_text(text: str, pair: tuple[Tokenizer, Ids]):
    ours, ids = pair
    assert ours.encode(text).tolist() == ids(text)
