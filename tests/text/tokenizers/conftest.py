"""A tokenizer of each kind, learned from little."""

import pytest
from texts import PROSE

from pellucid.text.tokenizers.bpe import BPETokenizer, train_bpe
from pellucid.text.tokenizers.byte_level import ByteLevelTokenizer
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.text.tokenizers.tokenizer import (
    Tokenizer,
)
from pellucid.text.tokenizers.wordpiece import WordPieceTokenizer, train_wordpiece


@pytest.fixture(scope="module")
def bpe() -> BPETokenizer:
    return train_bpe([PROSE * 3], 330)


@pytest.fixture(scope="module")
def char() -> CharTokenizer:
    return CharTokenizer.from_texts([PROSE])


@pytest.fixture(scope="module")
def wordpiece() -> WordPieceTokenizer:
    return train_wordpiece([PROSE * 3], 600)


@pytest.fixture(scope="module", params=["char", "bpe", "wordpiece"])
def either(request: pytest.FixtureRequest) -> Tokenizer:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=["bpe", "wordpiece"])
def byte_tokenizer(request: pytest.FixtureRequest) -> ByteLevelTokenizer:
    return request.getfixturevalue(request.param)
