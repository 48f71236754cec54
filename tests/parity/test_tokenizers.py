"""Our tokenizer.json in `transformers`: the same ids, the same text."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.text.tokenizers.bpe import train_bpe
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.text.tokenizers.wordpiece import train_wordpiece

transformers = pytest.importorskip("transformers")

TEXTS = [
    "It was a bright cold day in April , and the clocks weren't striking thirteen .\n\n  Don't they've 1234?\n",
    "# A heading\n### Another ##one\n\ttabs    and blanks  \n",
    "naïve cafés, 漢字とかな。🙂👩‍🚀 שלום e\u0301 " + "x" * 150,
    "Straßenbahnhaltestellenverbotsschild" * 20,
]


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_transformers_reads_the_file_alike(kind: str, tmp_path: Path):
    train = {"bpe": train_bpe, "wordpiece": train_wordpiece}[kind]
    ours: Tokenizer = train([*TEXTS, *TEXTS], 620)
    ours.save(tmp_path)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    assert len(theirs) == ours.vocab_size
    for text in TEXTS:
        ids = ours.encode(text).tolist()
        assert theirs(text)["input_ids"] == ids
        assert theirs.decode(ids, clean_up_tokenization_spaces=False) == text
        assert theirs.decode([0, *ids, 1], skip_special_tokens=True) == text
