"""The engine: prompts in, words out, several at once or token by token.

Shapes: B sequences, V vocabulary.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Generator, Sequence

import torch

from pellucid.errors import InputError
from pellucid.generation.decoding import Decoding, Draft, FinishReason, Token
from pellucid.generation.options import SamplingOptions
from pellucid.generation.rolling import prompt_start
from pellucid.model.transformer import LanguageModel
from pellucid.text.tokenizers.tokenizer import Tokenizer
from pellucid.text.wording import named_characters, only_the_last


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
        ends: the tokens that end a text where nothing else is said; none is the end of text.

    Raises:
        InputError: the tokenizer has more tokens than the model.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        device: torch.device | str | None = None,
        note: Callable[[str], None] | None = None,
        ends: Collection[int] = (),
    ) -> None:
        self.model = model if device is None else model.to(device)
        self.tokenizer = tokenizer
        self.note = note or (lambda sentence: None)
        self.ends = ends
        vocab_size = model.config.vocab_size
        if tokenizer.vocab_size > vocab_size:
            raise InputError(
                f"the tokenizer has {tokenizer.vocab_size} tokens but the model only {vocab_size}: "
                "they are not from the same run; use the tokenizer.json saved with the model"
            )
        silent = [not tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
        self.forbidden = torch.ones(vocab_size, dtype=torch.bool)  # (V,)
        self.forbidden[: tokenizer.vocab_size] = torch.tensor(silent)
        if tokenizer.unknown is not None:
            self.forbidden[tokenizer.unknown] = True
        self.forbidden[tokenizer.end_of_text] = False

    def generate(
        self,
        prompts: str | Sequence[str | Sequence[int]],
        options: SamplingOptions | Sequence[SamplingOptions] | None = None,
        ends: Collection[int] = (),
    ) -> list[Generation]:
        """Continue every prompt, all at once; the results are in the prompts' order.

        Args:
            prompts: texts, or tokens, of any length; an empty one is the beginning of a text.
            options: for all, or one for each. Where one is for all, prompt i draws from seed + i, so that
                equal prompts are continued differently. Each text is the one its prompt and seed give alone.
            ends: as of `draft`.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        options = options or SamplingOptions()
        if isinstance(options, SamplingOptions):
            options = [_with_seed(options, i) for i in range(len(prompts))]
        if len(options) != len(prompts):
            raise InputError(
                f"{len(prompts)} prompts but {len(options)} options: give one for all, or one for each"
            )
        drafts = [self.draft(*pair, ends=ends) for pair in zip(prompts, options, strict=True)]
        for _ in self._decode(drafts):
            pass
        return [_result(draft) for draft in drafts]

    def stream(
        self,
        prompt: str | Sequence[int],
        options: SamplingOptions | None = None,
        tell_unknown: bool = True,
        ends: Collection[int] = (),
    ) -> Generator[str]:
        """The text of `generate`, in pieces as they are written; closing the iterator stops the model.

        Args:
            tell_unknown, ends: as of `draft`.
        """
        draft = self.draft(prompt, options or SamplingOptions(), tell_unknown=tell_unknown, ends=ends)
        return _texts(self._decode([draft]))  # notes come now, not with the first piece

    def tokens(self, prompt: str, options: SamplingOptions | None = None) -> Generator[Token]:
        """Every token as it is written, an end of text included; closing the iterator stops the model."""
        return self._decode([self.draft(prompt, options or SamplingOptions())])

    def draft(
        self,
        prompt: str | Sequence[int],
        options: SamplingOptions,
        beginning: Sequence[int] = (),
        note: Callable[[str], None] | None = None,
        tell_unknown: bool = True,
        ends: Collection[int] = (),
    ) -> Draft:
        """What `prompt` is the beginning of, for a Decoding to write.

        Args:
            beginning: tokens that the text is to begin with.
            note: hears what a person should know of this prompt, instead of the engine's own.
            ends: the tokens that end the text; default those of the engine.
            tell_unknown: whether that is also how many of its characters are unknown; not where a person wrote
                only some of them.

        Raises:
            InputError: there is no such token.
        """
        note = note or self.note
        for token in beginning:
            self.tokenizer.token_bytes(token)  # complains if there is none
        if isinstance(prompt, str):
            text, given = prompt, [*self.tokenizer.beginning, *self.tokenizer.encode(prompt).tolist()]
        else:
            text, given = "", list(prompt)
        ids = given or [self.tokenizer.end_of_text]
        context = self.model.config.context_length
        dropped = prompt_start(len(ids), context, options.max_tokens)
        if dropped:
            note(
                f"The prompt has {len(ids):,} tokens and this model sees {context:,}: "
                f"{only_the_last(len(ids) - dropped)} read."
            )
        ids = ids[dropped:]
        # where there are unknown tokens, a token is a character
        if tell_unknown and (said := unknown_note(self.tokenizer, text[dropped:])):
            note(said)
        return Draft(ids, options, self.tokenizer, self.model.config.vocab_size, beginning, ends or self.ends)

    def decoding(self) -> Decoding:
        """What writes several drafts at once; the model must be in evaluation mode."""
        return Decoding(self.model, self.tokenizer, self.forbidden)

    def _decode(self, drafts: Sequence[Draft]) -> Generator[Token]:
        """The tokens of all drafts until each has ended, computed as they are asked for."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        try:
            decoding = self.decoding()
            decoding.join(drafts)
            while decoding.drafts:
                for _, token in decoding.step():
                    yield token
                for draft in drafts:
                    if draft.problem:
                        raise draft.problem
        finally:
            for module in training:
                module.training = True


def unknown_note(tokenizer: Tokenizer, text: str) -> str | None:
    """What a person should know of unknown characters in what is read; None where there are none."""
    n_unknown = tokenizer.count_unknown(text)
    if not n_unknown:
        return None
    which = named_characters(tokenizer.unknown_characters(text))
    return (
        f"{n_unknown:,} of the prompt's characters never occurred in training ({which}): "
        f"{'it is' if n_unknown == 1 else 'they are'} read as unknown."
    )


def _result(draft: Draft) -> Generation:
    assert draft.finish_reason is not None
    prompt, written = draft.ids[: draft.n_prompt], draft.ids[draft.n_prompt :]
    return Generation("".join(draft.pieces), tuple(written), tuple(prompt), draft.finish_reason)


def _texts(tokens: Generator[Token]) -> Generator[str]:
    with contextlib.closing(tokens):
        for token in tokens:
            if token.text:
                yield token.text


def _with_seed(options: SamplingOptions, offset: int) -> SamplingOptions:
    return options if options.seed is None else dataclasses.replace(options, seed=options.seed + offset)
