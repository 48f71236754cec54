"""Whether llama.cpp computes from a GGUF file what the run computes here.

Shapes: T tokens, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.interop.assembling import assemble
from pellucid.interop.gguf_models import read_gguf_model
from pellucid.interop.gguf_writing import QUANTISED, Exported
from pellucid.interop.llama_cpp import LlamaCpp, llama_cpp
from pellucid.model.transformer import LanguageModel, build_model
from pellucid.text.documents import Progress
from pellucid.text.sources import read
from pellucid.text.template import Template, Turn, as_learned
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.training.observer import Observer
from pellucid.training.train import known_data

# The largest difference of log-probabilities that is let pass. llama.cpp rounds what flows through a matrix to the
# matrix's type, so that with bfloat16 (8 bits) small random models differ by up to 0.06 with the very same weights,
# with float16 by 0.008, and with float32 by 0.000006; its table of GELU values is float16, which makes that 0.002.
GATES = {"F32": 0.01, "F16": 0.01, "BF16": 0.1}
LONGEST = 256  # tokens of a text that distributions are compared in
POSITIONS = 6  # at which they are
N_SCORED = 512  # tokens that bits per byte are measured on
SPARE = 16  # tokens of room more than a text has

# Where a run's own text is not known, or cannot be read any more.
PASSAGE = """\
The harbour lay still that morning. Two boats had come in with the tide, and the men who had sailed them sat on the \
wall with their bread and said little. "You are late," called a woman from the door of the inn. "We waited for the \
wind," one of them answered, "and then we waited for the fog to go." She laughed, went in, and came back with a can of \
coffee and seven cups.

Later the sun came through. Children ran along the pier to count the gulls; they got as far as 43 and began again. \
Nobody could have told what day it was, and nobody asked.
"""
SAID = (Turn("system", "Answer in one word."), Turn("user", "Is it late?"))


@dataclasses.dataclass(frozen=True)
class Check:
    """What llama.cpp made of a file.

    Args:
        text: what was read.
        positions: how many distributions were compared; none of a quantised file.
        largest: difference of two log-probabilities in them.
        gate: what was allowed.
        tokens: how many tokens of the text llama.cpp cut as we do.
        before, after: bits per byte in llama.cpp, with the weights in float32 and as they are in the file, of a
            quantised one.
    """

    text: str
    positions: int = 0
    largest: float | None = None
    gate: float | None = None
    tokens: int = 0
    before: float | None = None
    after: float | None = None


def check_gguf(
    run: LoadedRun,
    exported: Exported,
    unquantised: Callable[[Path], object],
    sources: Sequence[str] = (),
    progress: Progress | None = None,
) -> Check:
    """Compare llama.cpp with ours on a text: its tokens, and the whole distribution of the next token.

    Of a quantised file bits per byte are measured, before and after.

    Args:
        unquantised: writes the same model in float32.
        sources: the text; by default what the run held out, else a short one in English.

    Raises:
        InputError: llama.cpp is not installed, cannot use the file, or computes something else.
    """
    name, ids = text_to_check(run, sources)
    note = progress or (lambda line: None)
    length = min(run.model.config.context_length, LONGEST, len(ids))
    if length < 2:
        raise InputError("the text is too short to compare on: it needs at least two tokens")
    note(f"comparing with llama.cpp on {name}")
    with llama_cpp(exported.path, length + SPARE) as theirs:
        n_same = same_tokens(run, theirs, ids[:length])
        if exported.kind not in QUANTISED:
            largest, positions = _compare(run, exported, theirs, ids[:length])
            return Check(name, positions, largest, GATES[exported.kind], n_same)
        windows = [ids[start : start + length] for start in range(0, min(len(ids), N_SCORED), length)]
        after = _bits_per_byte(theirs, windows, run.tokenizer)
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        whole = Path(folder) / "f32.gguf"
        unquantised(whole)
        with llama_cpp(whole, length + SPARE) as theirs:
            before = _bits_per_byte(theirs, windows, run.tokenizer)
    return Check(name, tokens=n_same, before=before, after=after)


def text_to_check(run: LoadedRun, sources: Sequence[str]) -> tuple[str, list[int]]:
    """A text's name and its tokens."""
    if sources:
        corpus = read(list(sources))
        return corpus.name, run.tokenizer.encode_documents([d.text for d in corpus.documents]).tolist()
    stored = run.folder.config()
    if "imported" not in stored:
        try:
            data = known_data(run.folder, stored, None, Observer())
        except InputError:
            pass  # it is not where it was
        else:
            part = data.dev if len(data.dev) else data.train
            streams = [part] if isinstance(part, np.ndarray) else [example.ids for example in part]
            ids = np.concatenate(streams)[: max(N_SCORED, LONGEST)] if streams else np.empty(0, np.int32)
            if len(ids) > 1:
                return f"what {run.folder.name} held out", ids.tolist()
    return "a short text in English", run.tokenizer.encode_documents([PASSAGE]).tolist()


def same_tokens(run: LoadedRun, theirs: LlamaCpp, ids: Sequence[int]) -> int:
    """How many tokens llama.cpp cut as we do: those of a text, and of a conversation where the run has a template.

    Raises:
        InputError: it cuts them otherwise.
    """
    tokenizer = run.tokenizer
    text = tokenizer.decode([id for id in ids if id != tokenizer.unknown])
    ours = tokenizer.encode(text).tolist()
    _must_be_same(ours, theirs.tokens(text), tokenizer, "a text")
    if run.template is None:
        return len(ours)
    asked = _prompt(run.template, SAID)
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


def _compare(run: LoadedRun, exported: Exported, theirs: LlamaCpp, ids: list[int]) -> tuple[float, int]:
    """The largest difference of log-probabilities, and at how many positions it was looked for.

    Raises:
        InputError: it is more than is let pass.
    """
    model = run.model if exported.kind == "F32" else _as_in(exported.path)
    places = sorted({round(n) for n in np.geomspace(1, len(ids), POSITIONS)})
    with torch.no_grad():
        logits = model(torch.tensor([ids], device=next(model.parameters()).device))[0]
    ours = logits.float().log_softmax(dim=-1).double().cpu().numpy()  # (T, V)
    differences = [
        np.abs(theirs.distribution(ids[:place], ours.shape[1]) - ours[place - 1]).max() for place in places
    ]
    largest, gate = float(np.max(differences)), GATES[exported.kind]
    if not largest <= gate:
        raise InputError(
            f"llama.cpp computes another distribution from {exported.path}: log-probabilities differ by up to "
            f"{largest:.3g}, and no more than {gate:g} is let pass; do not use the file, and report this"
        )
    return largest, len(places)


def _as_in(path: Path) -> LanguageModel:
    """The model of a file: ours with the weights rounded as they are there."""
    source = read_gguf_model(path)
    model = build_model(source.config)
    weights = {name: assemble(place, source.files).float() for name, place in source.plan.items()}
    if source.config.tie_embeddings:
        weights["head.weight"] = weights["embedding.weight"]
    model.load_state_dict(weights)
    return model.eval()


def _bits_per_byte(theirs: LlamaCpp, windows: Sequence[list[int]], tokenizer: Tokenizer) -> float:
    """Of the tokens that spell something, each after those before it in its window."""
    nats, n_bytes = 0.0, 0
    for window in windows:
        if len(window) < 2:
            continue
        for id, score in zip(window[1:], theirs.scores(window), strict=True):
            if id != tokenizer.unknown and (spelled := len(tokenizer.token_bytes(id))):
                nats, n_bytes = nats - score, n_bytes + spelled
    return nats / (math.log(2) * n_bytes) if n_bytes else math.nan
