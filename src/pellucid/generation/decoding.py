"""Texts that grow together: sequences join while others run, take a step together, and drop out.

Shapes: B sequences, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.generation.options import SamplingOptions
from pellucid.generation.rereading import RereadWindows
from pellucid.generation.rolling import RollingWindows
from pellucid.generation.sampling import draw, next_token_distribution
from pellucid.generation.text_stream import TextStream
from pellucid.model.own import OwnModel
from pellucid.model.transformer import LanguageModel
from pellucid.text.tokenizers.tokenizer import Tokenizer

FinishReason = Literal["stop", "length"]
NOT_FINITE = (
    "the model's outputs are not finite numbers, so no word can be chosen: its weights are damaged or its training "
    "diverged; use an earlier checkpoint or train again with a lower --lr"
)


@dataclasses.dataclass(frozen=True)
class Token:
    """One token as it is written.

    Args:
        id: the token.
        logprob: its natural log-probability under the model itself, before temperature and the rest.
        text: the text that can be shown since the token before, often more or less than this token's own.
        rank: 1 for the token that the model itself finds likeliest.
        top: the tokens that it finds likeliest and their natural log-probabilities, where they were asked for.
    """

    id: int
    logprob: float
    text: str
    rank: int
    top: tuple[tuple[int, float], ...] = ()

    @property
    def bits(self) -> float:
        """How much of a surprise it was: −log₂ of its probability under the model itself."""
        return max(0.0, -self.logprob / math.log(2))  # rounding can put a sure token's just above 0


class Draft:
    """One text in the making.

    Args:
        prompt_ids: what is read first; at least one token, no more than the model's context.
        options: how its tokens are picked, and where it ends.
        ends: tokens that end the text.
        beginning: tokens that it is to begin with. They are drawn like all others, and these taken instead: a
            text that begins with tokens of its own seed goes on as it did.

    Attributes:
        n_top: how many of the likeliest tokens are told with each that is written.
    """

    n_top = 0

    def __init__(
        self,
        prompt_ids: Sequence[int],
        options: SamplingOptions,
        tokenizer: Tokenizer,
        vocab_size: int,
        beginning: Sequence[int] = (),
        ends: Collection[int] = (),
    ) -> None:
        self.ids = list(prompt_ids)
        self.n_prompt = len(prompt_ids)
        self.n_tokens = 0
        self.options = options
        self.beginning = tuple(beginning)
        self.ends = frozenset(ends or (tokenizer.end_of_text,))
        self.text = TextStream(tokenizer, options.stop)
        self.pieces: list[str] = []
        self.finish_reason: FinishReason | None = None
        self.problem: InputError | None = None
        self.generator = torch.Generator()  # its own: what else is in the batch does not change its words
        if options.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(options.seed)
        self.seen = None
        if options.repetition_penalty != 1:
            self.seen = torch.zeros(vocab_size, dtype=torch.bool)
            self.seen[self.ids] = True
        self.lean = None  # (V,), added to the logits that the next token is drawn from
        if options.logit_bias or options.presence_penalty or options.frequency_penalty:
            self.lean = torch.zeros(vocab_size)
            for token, bias in options.logit_bias:
                self.lean[token] = bias
        # drafts that differ only in what comes after the draw share one pass over the logits
        self.drawing = dataclasses.replace(
            options, seed=None, stop=(), max_tokens=1, ignore_eos=False, logit_bias=()
        )

    @property
    def ended(self) -> bool:
        return self.finish_reason is not None or self.problem is not None

    @property
    def room(self) -> int:
        """Tokens that it may have in the end, prompt included."""
        return self.n_prompt + self.options.max_tokens

    def take(self, token: int) -> str:
        """Append a token; returns the text that can be shown."""
        self.n_tokens += 1
        ended = token in self.ends and not self.options.ignore_eos
        piece = ""
        if not ended:
            self.ids.append(token)
            piece = self.text.push(token)
            if self.seen is not None:
                self.seen[token] = True
            if self.lean is not None:
                written_before = token in self.ids[self.n_prompt : -1]
                self.lean[token] -= self.options.frequency_penalty
                self.lean[token] -= 0 if written_before else self.options.presence_penalty
        if ended or self.text.stopped:
            self.finish_reason = "stop"
        elif self.n_tokens == self.options.max_tokens:
            self.finish_reason = "length"
        if self.finish_reason:
            piece += self.text.flush()
        self.pieces.append(piece)
        return piece


class Decoding:
    """The drafts that one model is writing, a token each a step.

    Each text is the one its prompt and seed give alone, whoever joins or leaves.

    Args:
        model: in evaluation mode.
        tokenizer: the one it was trained with.
        forbidden: (V,) bool on the CPU, tokens that are never drawn.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, forbidden: Tensor) -> None:
        self.model, self.tokenizer, self.forbidden = model, tokenizer, forbidden
        self.drafts: list[Draft] = []
        weights = next(model.parameters())
        kind = weights.device.type
        # inside a trainer's autocast the keys and values come in its type, not in the weights'
        autocast = torch.is_autocast_enabled(kind)
        dtype = torch.get_autocast_dtype(kind) if autocast else weights.dtype
        self.windows = (
            RereadWindows(model, weights.device)
            if isinstance(model, OwnModel)
            else RollingWindows(model, [], 1, weights.device, dtype)
        )

    @torch.inference_mode()
    def join(self, drafts: Iterable[Draft]) -> None:
        """Let drafts run along from the next step on, which reads their prompts."""
        drafts = list(drafts)
        self.drafts += drafts
        self.windows.join([draft.ids for draft in drafts], [draft.room for draft in drafts])

    @torch.inference_mode()
    def drop(self, drafts: Collection[Draft]) -> None:
        """Go on without these, wherever they are."""
        rows = [row for row, draft in enumerate(self.drafts) if draft not in drafts]
        if len(rows) < len(self.drafts):
            self.drafts = [self.drafts[row] for row in rows]
            self.windows.keep(rows)

    @torch.inference_mode()
    def step(self) -> list[tuple[Draft, Token]]:
        """The next token of every draft; those that ended by it, or have a `problem`, have left."""
        if not self.drafts:
            return []
        logits = self.windows.next_logits().float().cpu()  # (B, V)
        totals = logits.logsumexp(dim=-1)  # (B,)
        if not totals.isfinite().all():
            return self._step_of_the_sound(logits, totals)
        return self._take(list(self.drafts), logits, totals)

    def _step_of_the_sound(self, logits: Tensor, totals: Tensor) -> list[tuple[Draft, Token]]:
        sound = totals.isfinite()
        for draft, good in zip(self.drafts, sound.tolist(), strict=True):
            if not good:
                draft.problem = InputError(NOT_FINITE)
        drafts = [draft for draft in self.drafts if draft.problem is None]
        return self._take(drafts, logits[sound], totals[sound])

    def _take(self, drafts: list[Draft], logits: Tensor, totals: Tensor) -> list[tuple[Draft, Token]]:
        """Append a token to each of `drafts`, whose are the rows of logits (B, V) and their logsumexp (B,)."""
        taken = []
        if drafts:
            chosen = self._choose(drafts, logits)[:, None]  # (B, 1)
            scores = logits.gather(-1, chosen)  # (B, 1)
            ranks = (logits > scores).sum(dim=-1) + 1  # (B,)
            logprobs = scores.squeeze(-1) - totals
            tops = likeliest(logits, totals, max(draft.n_top for draft in drafts), self.tokenizer.vocab_size)
            rows = zip(
                drafts, chosen.squeeze(-1).tolist(), logprobs.tolist(), ranks.tolist(), tops, strict=True
            )
            for draft, token, logprob, rank, top in rows:
                piece = draft.take(token)
                taken.append((draft, Token(token, logprob, piece, rank, top[: draft.n_top])))
        self.drop({draft for draft in self.drafts if draft.ended})
        return taken

    def _forbidden(self, ends: frozenset[int]) -> Tensor:
        """What may not be drawn where `ends` may."""
        if not self.forbidden[list(ends)].any():
            return self.forbidden
        forbidden = self.forbidden.clone()
        forbidden[list(ends)] = False
        return forbidden

    def _choose(self, drafts: Sequence[Draft], logits: Tensor) -> Tensor:
        """The next token of every draft, (B,) int64."""
        if leaning := [row for row, draft in enumerate(drafts) if draft.lean is not None]:
            logits = logits.clone()  # what is told of a token is what the model itself thinks
            logits[leaning] += torch.stack([lean for draft in drafts if (lean := draft.lean) is not None])
        groups: dict[tuple[SamplingOptions, frozenset[int]], list[int]] = {}
        for row, draft in enumerate(drafts):
            groups.setdefault((draft.drawing, draft.ends), []).append(row)
        chosen = torch.empty(len(drafts), dtype=torch.long)
        for (drawing, ends), rows in groups.items():
            masks = [mask for row in rows if (mask := drafts[row].seen) is not None]
            seen = torch.stack(masks) if masks else None
            probabilities = next_token_distribution(logits[rows], drawing, seen, self._forbidden(ends))
            chosen[rows] = draw(probabilities, [drafts[row].generator for row in rows])
        for row, draft in enumerate(drafts):
            if draft.n_tokens < len(draft.beginning):
                chosen[row] = draft.beginning[draft.n_tokens]
        return chosen


def likeliest(logits: Tensor, totals: Tensor, n: int, n_known: int) -> list[tuple[tuple[int, float], ...]]:
    """The `n` likeliest tokens of each row of logits (B, V), likeliest first, with their natural log-probabilities.

    Args:
        totals: (B,), the rows' logsumexp.
        n_known: tokens that there are; a model may have more outputs.
    """
    values, ids = logits[:, :n_known].topk(min(n, n_known), dim=-1)  # (B, n)
    logprobs = (values - totals[:, None]).tolist()
    return [tuple(zip(*row, strict=True)) for row in zip(ids.tolist(), logprobs, strict=True)]
