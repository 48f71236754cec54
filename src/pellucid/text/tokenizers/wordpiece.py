"""WordPiece over bytes: a word is cut, from its start, into the longest pieces that the vocabulary has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

from pellucid.errors import InputError
from pellucid.text.documents import Progress
from pellucid.text.tokenizers.bpe import learn
from pellucid.text.tokenizers.byte_level import BYTE_OF, SPECIAL, ByteLevelTokenizer, check_size

CONTINUES = "##"  # begins the name of a piece that does not begin a word
# first or later in a word: every text can be written
BYTES = (*BYTE_OF, *(CONTINUES + byte for byte in BYTE_OF))

# A word is looked up in time with the square of its length, and the library gives up on one of more than 100 bytes:
# words are cut after so many characters, of 4 bytes at most. Of a million words of English prose none is longer.
LONGEST_WORD = 24
LONGEST_BYTES = 100

# GPT-2's way of cutting a text into words, but no longer ones, and `#` always stands alone: in a word, `###` could be
# three signs or one that goes on with it. BERT keeps every mark of punctuation apart.
WORD = (
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}{1,N}| ?\p{N}{1,N}| ?#| ?[^\s\p{L}\p{N}#]{1,N}|\s{1,N}(?!\S)|\s{1,N}"
).replace("{1,N}", f"{{1,{LONGEST_WORD}}}")


class WordPieceTokenizer(ByteLevelTokenizer):
    """Pieces that begin a word, a blank before it included, and, marked by `##`, pieces that go on with one.

    Encoding is the longest match first of Schuster & Nakajima 2012 and Devlin et al. 2019. Unlike theirs it gives
    every text back: case, accents and white space are kept, and bytes take the place of the unknown token.
    """

    kind = "wordpiece"

    @staticmethod
    def _stands_for(token: str) -> str:
        return token.removeprefix(CONTINUES)

    @classmethod
    def _check_content(cls, content: dict[str, Any], special: dict[str, int], name: str) -> None:
        model, vocabulary = content["model"], content["model"]["vocab"]
        pieces = [token.removeprefix(CONTINUES) for token in vocabulary if token not in special]
        strange = [piece for piece in pieces if not piece or not BYTE_OF.keys() >= set(piece)]
        if strange or any(byte not in vocabulary for byte in BYTES):
            raise InputError(
                f"{name} is not a WordPiece over all 256 bytes, so some texts would be unknown to it or changed: "
                "take --tokenizer wordpiece"
            )
        longest = model["max_input_chars_per_word"]
        if model["continuing_subword_prefix"] != CONTINUES or longest < 4 * LONGEST_WORD + 1:
            raise InputError(
                f"{name} marks pieces otherwise than by {CONTINUES}, or gives up on words of {longest} bytes: "
                "take --tokenizer wordpiece"
            )

    @classmethod
    def _check_engine(cls, engine: tokenizers.Tokenizer, name: str) -> None:
        own = _engine({})
        same = (
            engine.normalizer is None
            and engine.pre_tokenizer is not None
            and engine.decoder is not None
            and engine.pre_tokenizer.__getstate__() == own.pre_tokenizer.__getstate__()
            and engine.decoder.__getstate__() == own.decoder.__getstate__()
        )
        if not same:
            raise InputError(
                f"{name} cuts texts into words otherwise than is done here, and may change them: "
                "take --tokenizer wordpiece"
            )


def train_wordpiece(
    texts: Iterable[str],
    vocab_size: int,
    *,
    n_characters: int | None = None,
    progress: Progress | None = None,
) -> WordPieceTokenizer:
    """A tokenizer learned from `texts`, of `vocab_size` tokens (reserved ones included) or what they allow.

    The pieces are those that merging the most frequent pair makes, as the tokenizers library has it: likelihood,
    which Schuster & Nakajima maximise, is not published in enough detail to be repeated.

    Args:
        n_characters: of all texts, where they have been counted; they are then taken as they come.

    Raises:
        InputError: a vocabulary that cannot hold all bytes twice, or is absurdly large.
    """
    check_size(vocab_size, len(BYTES))
    learned = _engine({})
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[*SPECIAL, *BYTES],  # what must be there comes first
        continuing_subword_prefix=CONTINUES,
        show_progress=False,
    )
    learn(learned, trainer, texts, vocab_size, n_characters, progress)
    engine = _engine(learned.get_vocab(with_added_tokens=False))  # without the bytes as special tokens
    engine.add_special_tokens(list(SPECIAL))
    special = {token: id for id, token in enumerate(SPECIAL)}
    return WordPieceTokenizer(engine, special, engine.to_str(pretty=True))


def _engine(vocabulary: dict[str, int]) -> tokenizers.Tokenizer:
    engine = tokenizers.Tokenizer(
        models.WordPiece(
            vocab=vocabulary,
            unk_token="<|unk|>",  # not in the vocabulary, and never needed
            max_input_chars_per_word=LONGEST_BYTES,
            continuing_subword_prefix=CONTINUES,
        )
    )
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    engine.decoder = decoders.Sequence([decoders.Replace(Regex(f"^{CONTINUES}"), ""), decoders.ByteLevel()])
    return engine
