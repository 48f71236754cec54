"""How far a model trained on the corpus `tales` is above the best there can be, and which of its rules it has learned.

Shapes: R rows, T tokens of the longest of them, at most the context length.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.generation.engine import Generation
from pellucid.generation.options import SamplingOptions
from pellucid.model.config import IGNORE
from pellucid.model.transformer import next_token_loss
from pellucid.text.corpora.tales import SEED, is_tales
from pellucid.text.tales import tales
from pellucid.text.tales.rules import Kept, check
from pellucid.training.files import write_atomically, write_json
from pellucid.training.prepared import prepared_folder, read_state
from pellucid.training.run_folder import RunFolder

STORIES = 128  # about 62,000 characters: a standard error of about 0.001 bits where a model is good
SAMPLES = 16
STORIES_AT_ONCE, SAMPLES_AT_ONCE = 16, 8  # between two looks at the clock
SAMPLE_TOKENS = 1_000  # 95 of 100 tales are shorter in characters
HELD_OUT = SEED + 1  # the corpus is written by SEED, so that these stories are none of its
TOKENS_AT_ONCE = 2048  # bounds the memory of the logits
CARD_TITLE = "## Above the floor"


@dataclasses.dataclass(frozen=True)
class AboveFloor:
    """Bits above the floor, and the rules that the model's own samples keep.

    `floor` is exact, in bits a character; `gap` and `gap_per_token` are the mean over the stories of what the model
    needs more than the grammar itself, `error` is the standard error of `gap`. A gap below 0 by more than three of them
    is no merit: what predicts better than is possible sees what it is to predict.
    """

    floor: float
    gap: float
    error: float
    gap_per_token: float
    floor_per_token: float  # of these stories: bits that the grammar needs, a token
    n_stories: int
    n_characters: int  # ends of stories count as one
    n_tokens: int
    n_longer: int  # stories of which the model's context does not hold all
    n_samples: int
    n_whole: int  # samples that are stories of the grammar from the first character to their end
    rules: tuple[Kept, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return dataclasses.asdict(self)


def is_trained_on_tales(run: RunFolder) -> bool:
    """Whether all that a run learned from are tales, as far as is known."""
    named = list[str]()
    for source in run.config()["data"].get("sources", []):
        folder = prepared_folder(source)
        try:
            named += read_state(folder).get("request", {}).get("sources", [""]) if folder else [source]
        except InputError:  # the folder was damaged since then
            return False
    return bool(named) and all(map(is_tales, named))


def measure_floor(
    run: LoadedRun, n_stories: int = STORIES, n_samples: int = SAMPLES, seconds: float = math.inf
) -> AboveFloor:
    """Scores stories written for this alone, each whole and from its start, and checks stories that the model writes.

    Args:
        seconds: after which no more are begun, neither stories (but the first sixteen) nor samples.

    Raises:
        InputError: fewer than two stories.
    """
    if n_stories < 2:
        raise InputError(f"a standard error needs two stories at least, not {n_stories}: give more")
    end = time.monotonic() + seconds
    stories, nats, n_tokens = _scored_stories(run, n_stories, end)
    exact = np.array([-tales.log_probability(story) for story in stories])
    lengths = np.array([len(story) + 1 for story in stories])
    gap, error = gap_per_character((nats - exact) / math.log(2), lengths)
    total = int(n_tokens.sum())
    samples = _own_stories(run, n_samples, end)
    whole = [sample for sample in samples if sample.finish_reason == "stop" and _is_tale(sample.text)]
    return AboveFloor(
        floor=tales.floor(),
        gap=gap,
        error=error,
        gap_per_token=gap * float(lengths.sum()) / total,
        floor_per_token=float(exact.sum()) / math.log(2) / total,
        n_stories=len(stories),
        n_characters=int(lengths.sum()),
        n_tokens=total,
        n_longer=int((n_tokens > run.model.config.context_length).sum()),
        n_samples=len(samples),
        n_whole=len(whole),
        rules=tuple(check(sample.text for sample in samples)),
    )


def _scored_stories(run: LoadedRun, n_stories: int, end: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Stories that no corpus has, and what `story_losses` gives of them."""
    stories, scored = list[str](), list[tuple[np.ndarray, np.ndarray]]()
    while len(stories) < n_stories and (not stories or time.monotonic() < end):
        upper = min(n_stories, len(stories) + STORIES_AT_ONCE)
        more = [tales.write(HELD_OUT, index) for index in range(len(stories), upper)]
        stories += more
        scored.append(story_losses(run, more))
    nats, n_tokens = (np.concatenate(parts) for parts in zip(*scored, strict=True))
    return stories, nats, n_tokens


def _own_stories(run: LoadedRun, n_samples: int, end: float) -> list[Generation]:
    """What the model writes from nothing; sample i is the same however many there are."""
    samples = list[Generation]()
    while len(samples) < n_samples and time.monotonic() < end:
        seeds = range(len(samples), min(n_samples, len(samples) + SAMPLES_AT_ONCE))
        options = [SamplingOptions(max_tokens=SAMPLE_TOKENS, seed=seed) for seed in seeds]
        samples += run.engine().generate([""] * len(options), options)
    return samples


def gap_per_character(excess: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """The ratio of two means and its standard error, by the residuals of each pair.

    Source: Cochran, Sampling Techniques, 1977, chapter 6.

    Args:
        excess: (N,) bits that a model needs more than the grammar, of each story.
        lengths: (N,) characters of each.
    """
    gap = float(excess.sum() / lengths.sum())
    residuals = excess - gap * lengths
    return gap, float(residuals.std(ddof=1) / (lengths.mean() * math.sqrt(len(lengths))))


def story_losses(run: LoadedRun, stories: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What the model needs for each story and its end, in nats, and how many tokens these are; (N,) each.

    A story stands alone in its row after what begins every text. Where it is longer than the context, it is read again
    in further rows, each half a context on, and a token is scored where most of what comes before it is seen.
    """
    length, tokenizer = run.model.config.context_length, run.tokenizer
    before = list(tokenizer.beginning) or [tokenizer.end_of_text]
    rows, owners, n_tokens = list[tuple[np.ndarray, np.ndarray]](), list[int](), list[int]()
    for number, story in enumerate(stories):
        ids = np.array([*before, *tokenizer.encode(story).tolist(), tokenizer.end_of_text])
        n_tokens.append(len(ids) - len(before))
        found = _rows(ids, len(before), length)
        rows += found
        owners += [number] * len(found)
    losses = np.zeros(len(stories))
    at_once = max(1, TOKENS_AT_ONCE // length)
    run.model.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), at_once):
            inputs, targets = _padded(rows[start : start + at_once], tokenizer.pad)
            logits = run.model(torch.from_numpy(inputs).to(run.device))
            each = next_token_loss(logits, torch.from_numpy(targets).to(run.device), reduction="none")
            np.add.at(losses, owners[start : start + at_once], each.double().sum(-1).cpu().numpy())
    return losses, np.array(n_tokens)


def _rows(ids: np.ndarray, n_before: int, length: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inputs and targets of a story, in as many rows as it needs; each token after `n_before` is a target once."""
    rows, start, scored = list[tuple[np.ndarray, np.ndarray]](), 0, n_before
    while scored < len(ids):
        row = ids[start : start + length + 1]
        targets = row[1:].copy()
        targets[: max(0, scored - start - 1)] = IGNORE
        rows.append((row[:-1], targets))
        scored = max(scored, start + len(row))
        start += max(1, length // 2)
    return rows


def _padded(rows: Sequence[tuple[np.ndarray, np.ndarray]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """(R, T) inputs and targets; what stands behind a row is neither seen by it nor scored."""
    shape = len(rows), max(len(inputs) for inputs, _ in rows)
    inputs, targets = np.full(shape, pad, dtype=np.int64), np.full(shape, IGNORE, dtype=np.int64)
    for number, (read, asked) in enumerate(rows):
        inputs[number, : len(read)], targets[number, : len(asked)] = read, asked
    return inputs, targets


def _is_tale(text: str) -> bool:
    try:
        tales.log_probability(text)
    except InputError:
        return False
    return True


# ---------------------------------------------------------------------- kept in the run


def keep_floor(run: LoadedRun, found: AboveFloor, lines: Sequence[str]) -> None:
    """In the run's folder: floor.json, and `lines` of it at the end of the model card."""
    write_json(run.folder.floor_path, {"step": run.step, **found.to_dict()})
    card = run.folder.card_path
    if card.is_file():  # one that was copied may have none
        text = card.read_text(encoding="utf-8").split(f"\n{CARD_TITLE}\n")[0]
        told = "\n".join(["", CARD_TITLE, "", *(f"    {line}" for line in lines), ""])
        write_atomically(card, lambda path: path.write_text(text + told, encoding="utf-8"))
