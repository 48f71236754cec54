"""Whether llama.cpp computes from a GGUF file what the run computes here.

Shapes: T tokens, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pellucid.errors import InputError
from pellucid.interop.assembling import assemble
from pellucid.interop.comparison import Comparison, Unequal, any_tokens, own_model, real_text
from pellucid.interop.ends import written_template
from pellucid.interop.exportable import Exportable
from pellucid.interop.gguf import read_gguf
from pellucid.interop.gguf_models import read_gguf_model
from pellucid.interop.gguf_writing import FILE_TYPES, QUANTISED, write
from pellucid.interop.llama_cpp import LlamaCpp, llama_cpp
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.template import Template, Turn, as_learned
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.observer import Observer
from pellucid.training.train import known_data

# The largest difference of log-probabilities that is let pass where llama.cpp computes in float32 what the run does: it
# was 0.00002 in small random models, 0.0001 in SmolLM2, and 0.002 with GELU, of which llama.cpp has a table in float16.
GATE = 0.01
# And of the file itself: llama.cpp rounds what flows through a matrix to the matrix's type, and one number that is
# rounded up there and down here goes on through all layers. In float16 that made up to 0.011 in small random models and
# 0.02 in SmolLM2, over its 49,152 tokens; in bfloat16 0.11 and 0.2.
GATES = {"F32": GATE, "F16": 0.1, "BF16": 0.5}
# Where matrices are quantised, so is what flows through them, and rare tokens of a large vocabulary differ by any
# amount: there bits per byte are compared, of a text and with the very same weights.
GATE_OF_BITS = 0.05
LONGEST = 256  # tokens of a text that distributions are compared in
POSITIONS = 6  # at which they are
POSITIONS_DRAWN = 3  # and in tokens drawn from the whole vocabulary
N_SCORED = 512  # tokens that bits per byte are measured on
SPARE = 16  # tokens of room more than a text has
SAID = (Turn("system", "Answer in one word."), Turn("user", "Is it late?"))


def compare(model: Exportable, path: Path) -> Comparison:
    """Compare llama.cpp with ours on a text: its tokens, and the whole distribution of the next token.

    A file of rounded numbers is judged twice. Written in float32, the same export must give ours; then the file itself
    is compared with ours of the weights as they are in it: its distributions, or, quantised, its bits per byte.

    Raises:
        Unequal: llama.cpp computes something else.
        InputError: llama.cpp is not installed, or cannot use the file.
    """
    kind = {number: kind for kind, number in FILE_TYPES.items()}[
        read_gguf(path).metadata["general.file_type"]
    ]
    text = _Text.of(model)
    version = f"llama.cpp (xllamacpp {importlib.metadata.version('xllamacpp')})"
    if kind == "F32":
        with llama_cpp(path, text.room) as theirs:
            n_same = _compare_tokens(model, theirs, text.ids[: text.length])
            exact = _compare_distributions(own_model(model), theirs, text, GATE, path)
        return Comparison(version, n_same, exact, GATE, of="log-probability")
    exact, before = _compare_in_float32(model, text, kind in QUANTISED)
    with llama_cpp(path, text.room) as theirs:
        n_same = _compare_tokens(model, theirs, text.ids[: text.length])
        if kind not in QUANTISED:
            rounded = _compare_distributions(_as_in(path), theirs, text, GATES[kind], path)
            return Comparison(version, n_same, exact, GATE, "log-probability", rounded)
        after = _bits_per_byte(_scores_of(theirs, model.tokenizer), text)
    expected = _bits_per_byte(_own_scores(_as_in(path)), text)
    if not abs(after - expected) <= GATE_OF_BITS * max(1.0, expected):
        raise Unequal(
            f"llama.cpp makes {after:.3f} bits per byte of {path}, and the run with the same weights {expected:.3f}: "
            "this is a mistake of Pellucid"
        )
    return Comparison(version, n_same, exact, GATE, "log-probability", bits_per_byte=(before, after))


@dataclasses.dataclass(frozen=True)
class _Text:
    """What is compared on: what the run held out of its own text, or fairy tales where that is not there any more.

    Args:
        ids: its first tokens.
        length: of them that fit into the context; llama.cpp has no room for a whole one.
        drawn: as many tokens from all over the vocabulary.
    """

    ids: list[int]
    length: int
    drawn: list[int]
    tokenizer: Tokenizer

    @classmethod
    def of(cls, model: Exportable) -> _Text:
        ids = _ids_of_text(model)
        config = model.weights.config
        length = min(config.context_length - 1, LONGEST, len(ids))
        return cls(ids, length, any_tokens(config)[0, :length].tolist(), model.tokenizer)

    @property
    def room(self) -> int:
        """Tokens of context that llama.cpp is to have."""
        return self.length + SPARE


def _compare_in_float32(model: Exportable, text: _Text, score: bool) -> tuple[float, float]:
    """The largest difference of log-probabilities where the export is written in float32, and its bits per byte there.

    Raises:
        Unequal: llama.cpp computes something else.
    """
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        whole = Path(folder) / "f32.gguf"
        write(model, whole, lambda done, total: None, "f32")
        with llama_cpp(whole, text.room) as theirs:
            difference = _compare_distributions(own_model(model), theirs, text, GATE, whole)
            bits = _bits_per_byte(_scores_of(theirs, model.tokenizer), text) if score else math.nan
    return difference, bits


def _ids_of_text(model: Exportable) -> list[int]:
    part = None
    if "imported" not in model.stored:
        try:
            data = known_data(model.run, model.stored, None, Observer())
            part = data.dev if len(data.dev) > 1 else data.train
        except InputError:
            part = None
    if part is None:
        return model.tokenizer.encode(real_text())[:N_SCORED].tolist()
    streams = [part] if isinstance(part, np.ndarray) else [example.ids for example in part]
    return np.concatenate(streams)[:N_SCORED].tolist()


def _compare_tokens(model: Exportable, theirs: LlamaCpp, ids: Sequence[int]) -> int:
    """How many tokens llama.cpp cut as we do: those of a text, and of a conversation where the run has a template.

    Raises:
        Unequal: it cuts them otherwise.
    """
    tokenizer = model.tokenizer
    text = tokenizer.decode([id for id in ids if id != tokenizer.unknown])
    ours = tokenizer.encode(text).tolist()
    _must_be_same(ours, theirs.tokens(text), tokenizer, "a text")
    template, _ = written_template(model.template)
    if template is None:
        return len(ours)
    asked = _prompt(template, SAID)
    written = theirs.prompt([{"role": turn.role, "content": turn.text} for turn in SAID])
    _must_be_same(
        _merged(asked, tokenizer), theirs.tokens(written, special=True), tokenizer, "a conversation"
    )
    return len(ours) + len(asked)


def _prompt(template: Template, turns: Sequence[Turn]) -> list[int]:
    """Tokens of a conversation up to the answer, without what stands before every document."""
    return template.prompt(as_learned(turns)).tolist()[len(template.tokenizer.beginning) :]


def _merged(ids: list[int], tokenizer: Tokenizer) -> list[int]:
    """Several unknown characters in a row are one token in llama.cpp."""
    return [id for place, id in enumerate(ids) if id != tokenizer.unknown or ids[place - 1 : place] != [id]]


def _must_be_same(ours: list[int], theirs: list[int], tokenizer: Tokenizer, what: str) -> None:
    if ours == theirs:
        return
    pairs = zip([*ours, -1], [*theirs, -1], strict=False)
    place = next(place for place, (one, other) in enumerate(pairs) if one != other)
    near = tokenizer.decode(ours[max(0, place - 5) : place + 5], keep_special=True)
    raise InputError(
        f"llama.cpp cuts {what} into other tokens than this run, near {near!r}: do not use the file"
    )


@torch.no_grad()
def _compare_distributions(
    own: LanguageModel, theirs: LlamaCpp, text: _Text, gate: float, path: Path
) -> float:
    """The largest difference of log-probabilities of the next token, after a few lengths of a text and of `drawn`.

    Raises:
        Unequal: it is more than is let pass.
    """
    several = [(text.ids[: text.length], POSITIONS), (text.drawn, POSITIONS_DRAWN)]
    end = text.tokenizer.end_of_text
    largest = float(np.max([_largest_difference(own, theirs, ids, n, end) for ids, n in several]))
    if not largest <= gate:  # nor is NaN
        raise Unequal(
            f"llama.cpp computes another distribution from {path}: log-probabilities differ from the run's by up to "
            f"{largest:.3g}, and {gate:g} is allowed: this is a mistake of Pellucid"
        )
    return largest


def _largest_difference(
    own: LanguageModel, theirs: LlamaCpp, ids: list[int], n_places: int, end: int
) -> float:
    places = sorted({round(n) for n in np.geomspace(len(ids), 1, n_places)})
    ours = own(torch.tensor([ids]))[0].float().log_softmax(dim=-1).double().numpy()  # (T, V)
    found = [np.abs(theirs.distribution(ids[:n], ours.shape[1], end) - ours[n - 1]).max() for n in places]
    return np.max(found).item()  # NaN if any is


def _as_in(path: Path) -> LanguageModel:
    """The model of a file: ours with the weights rounded as they are there."""
    source = read_gguf_model(path)
    model = build_model(source.config)
    weights = {name: assemble(place, source.files).float() for name, place in source.plan.items()}
    if source.config.tie_embeddings:
        weights["head.weight"] = weights["embedding.weight"]
    model.load_state_dict(weights)
    return model.eval()


# of a window: the logarithm of each token's probability but the first's
Scores = Callable[[list[int]], np.ndarray]


def _scores_of(theirs: LlamaCpp, tokenizer: Tokenizer) -> Scores:
    return lambda window: theirs.scores(window, tokenizer.vocab_size, tokenizer.end_of_text)


def _own_scores(own: LanguageModel) -> Scores:
    @torch.no_grad()
    def scores(window: list[int]) -> np.ndarray:
        logs = own(torch.tensor([window]))[0, :-1].float().log_softmax(dim=-1)
        return logs.gather(1, torch.tensor(window[1:])[:, None])[:, 0].double().numpy()

    return scores


def _bits_per_byte(scores: Scores, text: _Text) -> float:
    """Of the tokens that spell something, each after those before it in its window of `length` tokens."""
    tokenizer = text.tokenizer
    nats, n_bytes = 0.0, 0
    for start in range(0, len(text.ids) - 1, text.length):
        window = text.ids[start : start + text.length]
        for id, score in zip(window[1:], scores(window) if len(window) > 1 else (), strict=True):
            if id != tokenizer.unknown and (spelled := len(tokenizer.token_bytes(id))):
                nats, n_bytes = nats - float(score), n_bytes + spelled
    return nats / (math.log(2) * n_bytes) if n_bytes else math.nan
