"""The engine: prompts in, words out, several at once or token by token.

Shapes: B sequences, V vocabulary.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from pellucid.errors import InputError
from pellucid.generation.options import SamplingOptions
from pellucid.generation.rolling import RollingWindows, prompt_start
from pellucid.generation.sampling import draw, next_token_distribution
from pellucid.generation.text_stream import TextStream
from pellucid.model.transformer import LanguageModel
from pellucid.text.tokenizers.tokenizer import Tokenizer

FinishReason = Literal["stop", "length"]


@dataclasses.dataclass(frozen=True)
class Token:
    """One token as it is written.

    Args:
        id: the token.
        logprob: its natural log-probability under the model itself, before temperature and the rest.
        text: the text that can be shown since the token before, often more or less than this token's own.
    """

    id: int
    logprob: float
    text: str


@dataclasses.dataclass(frozen=True)
class Generation:
    """What a model wrote.

    Args:
        text: without the prompt; it ends before a stop string.
        ids: the tokens written, without the end-of-text token that ended them.
        prompt_ids: the tokens of the prompt as the model read them.
        finish_reason: "stop" at the end of the text or a stop string, "length" after `max_tokens`.
    """

    text: str
    ids: tuple[int, ...]
    prompt_ids: tuple[int, ...]
    finish_reason: FinishReason


class _Sequence:
    """One text in the making."""

    def __init__(
        self, prompt_ids: list[int], options: SamplingOptions, tokenizer: Tokenizer, vocab_size: int
    ) -> None:
        self.ids = list(prompt_ids)
        self.n_prompt = len(prompt_ids)
        self.n_tokens = 0
        self.options = options
        self.text = TextStream(tokenizer, options.stop)
        self.pieces: list[str] = []
        self.finish_reason: FinishReason | None = None
        self.generator = torch.Generator()  # its own: what else is in the batch does not change its words
        if options.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(options.seed)
        self.seen = None
        if options.repetition_penalty != 1:
            self.seen = torch.zeros(vocab_size, dtype=torch.bool)
            self.seen[prompt_ids] = True
        # sequences that differ only in what comes after the draw share one pass over the logits
        self.drawing = dataclasses.replace(options, seed=None, stop=(), max_tokens=1, ignore_eos=False)

    def take(self, token: int, end_of_text: int) -> str:
        """Append a token; returns the text that can be shown."""
        self.n_tokens += 1
        ended = token == end_of_text and not self.options.ignore_eos
        piece = ""
        if not ended:
            self.ids.append(token)
            piece = self.text.push(token)
            if self.seen is not None:
                self.seen[token] = True
        if ended or self.text.stopped:
            self.finish_reason = "stop"
        elif self.n_tokens == self.options.max_tokens:
            self.finish_reason = "length"
        if self.finish_reason:
            piece += self.text.flush()
        self.pieces.append(piece)
        return piece

    def result(self) -> Generation:
        assert self.finish_reason is not None
        prompt, written = self.ids[: self.n_prompt], self.ids[self.n_prompt :]
        return Generation("".join(self.pieces), tuple(written), tuple(prompt), self.finish_reason)


class Engine:
    """Writes with a model.

    Sampling is done on the CPU whatever the device: a seed then means the same on all of them, and the token
    has to come back anyway. Reserved tokens are never written; end of text ends a text (with `ignore_eos` the
    model goes on into the next one).

    Args:
        model: any model of this package; its training mode is left as it was found.
        tokenizer: the one it was trained with.
        device: where to move the model; None leaves it where it is.
        note: called with one sentence a person should know, as when a prompt is too long.

    Raises:
        InputError: the tokenizer has more tokens than the model.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        device: torch.device | str | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.model = model if device is None else model.to(device)
        self.tokenizer = tokenizer
        self.note = note or (lambda sentence: None)
        vocab_size = model.config.vocab_size
        if tokenizer.vocab_size > vocab_size:
            raise InputError(
                f"the tokenizer has {tokenizer.vocab_size} tokens but the model only {vocab_size}: "
                "they are not from the same run; use the tokenizer.json saved with the model"
            )
        self.forbidden = torch.ones(vocab_size, dtype=torch.bool)  # (V,)
        for token in range(tokenizer.vocab_size):
            self.forbidden[token] = not tokenizer.token_bytes(token) or token == tokenizer.unknown
        self.forbidden[tokenizer.end_of_text] = False

    def generate(
        self, prompts: str | Sequence[str], options: SamplingOptions | Sequence[SamplingOptions] | None = None
    ) -> list[Generation]:
        """Continue every prompt, all at once; the results are in the prompts' order.

        Args:
            prompts: of any length; an empty one is the beginning of a text.
            options: for all, or one for each. Where one is for all, prompt i draws from seed + i, so that
                equal prompts are continued differently. Each text is the one its prompt and seed give alone.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        options = options or SamplingOptions()
        if isinstance(options, SamplingOptions):
            options = [_with_seed(options, i) for i in range(len(prompts))]
        if len(options) != len(prompts):
            raise InputError(
                f"{len(prompts)} prompts but {len(options)} options: give one for all, or one for each"
            )
        sequences = [self._begin(*pair) for pair in zip(prompts, options, strict=True)]
        for _ in self._decode(sequences):
            pass
        return [sequence.result() for sequence in sequences]

    def stream(self, prompt: str, options: SamplingOptions | None = None) -> Generator[str]:
        """The text of `generate`, in pieces as they are written; closing the iterator stops the model."""
        return _texts(self.tokens(prompt, options))  # notes come now, not with the first piece

    def tokens(self, prompt: str, options: SamplingOptions | None = None) -> Generator[Token]:
        """Every token as it is written, an end of text included; closing the iterator stops the model."""
        return self._decode([self._begin(prompt, options or SamplingOptions())])

    def _begin(self, prompt: str, options: SamplingOptions) -> _Sequence:
        ids = self.tokenizer.encode(prompt).tolist() or [self.tokenizer.end_of_text]
        context = self.model.config.context_length
        dropped = prompt_start(len(ids), context, options.max_tokens)
        if dropped:
            self.note(
                f"The prompt has {len(ids)} tokens and this model sees {context}: "
                f"only the last {len(ids) - dropped} are read."
            )
        if unknown := sum(token == self.tokenizer.unknown for token in ids):
            self.note(
                f"{unknown} of the prompt's characters never occurred in training: they are read as unknown."
            )
        return _Sequence(ids[dropped:], options, self.tokenizer, self.model.config.vocab_size)

    @torch.inference_mode()
    def _decode(self, sequences: Sequence[_Sequence]) -> Generator[Token]:
        """The tokens of all sequences until each has ended, computed as they are asked for."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        try:
            running = list(sequences)
            windows = self._windows(running)
            while running:
                logits = windows.next_logits().float().cpu()  # (B, V)
                for sequence, token, logprob in self._choose(running, logits):
                    piece = sequence.take(token, self.tokenizer.end_of_text)
                    yield Token(token, logprob, piece)
                rows = [row for row, sequence in enumerate(running) if sequence.finish_reason is None]
                if 0 < len(rows) < len(running):
                    windows.keep(rows)
                running = [running[row] for row in rows]
        finally:
            for module in training:
                module.training = True

    def _windows(self, sequences: Sequence[_Sequence]) -> RollingWindows:
        weights = next(self.model.parameters())
        kind = weights.device.type
        # inside a trainer's autocast the keys and values come in its type, not in the weights'
        autocast = torch.is_autocast_enabled(kind)
        dtype = torch.get_autocast_dtype(kind) if autocast else weights.dtype
        capacity = max((sequence.n_prompt + sequence.options.max_tokens for sequence in sequences), default=1)
        return RollingWindows(
            self.model, [sequence.ids for sequence in sequences], capacity, weights.device, dtype
        )

    def _choose(
        self, sequences: Sequence[_Sequence], logits: Tensor
    ) -> Iterator[tuple[_Sequence, int, float]]:
        """The next token of every sequence, with its log-probability under the model."""
        totals = logits.logsumexp(dim=-1)  # (B,)
        if not totals.isfinite().all():
            raise InputError(
                "the model's outputs are not finite numbers, so no word can be chosen: its weights are "
                "damaged or its training diverged; use an earlier checkpoint or train again with a lower --lr"
            )
        groups: dict[SamplingOptions, list[int]] = {}
        for row, sequence in enumerate(sequences):
            groups.setdefault(sequence.drawing, []).append(row)
        chosen = torch.empty(len(sequences), dtype=torch.long)
        for drawing, rows in groups.items():
            masks = [mask for row in rows if (mask := sequences[row].seen) is not None]
            seen = torch.stack(masks) if masks else None
            probabilities = next_token_distribution(logits[rows], drawing, seen, self.forbidden)
            chosen[rows] = draw(probabilities, [sequences[row].generator for row in rows])
        logprobs = logits.gather(-1, chosen[:, None]).squeeze(-1) - totals  # (B,)
        return zip(sequences, chosen.tolist(), logprobs.tolist(), strict=True)


def _texts(tokens: Generator[Token]) -> Generator[str]:
    with contextlib.closing(tokens):
        for token in tokens:
            if token.text:
                yield token.text


def _with_seed(options: SamplingOptions, offset: int) -> SamplingOptions:
    return options if options.seed is None else dataclasses.replace(options, seed=options.seed + offset)
