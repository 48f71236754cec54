"""How the next token is picked, and when to stop: one frozen dataclass, validated.

Imports no torch, so that `--help` and a wrong flag's message are instant.
"""

from __future__ import annotations

import dataclasses
import math

from pellucid.errors import InputError

LARGEST_SEED = (1 << 63) - 1  # what a torch.Generator takes


@dataclasses.dataclass(frozen=True)
class SamplingOptions:
    """What a person may ask of the words a model writes.

    Attributes:
        temperature: divides the logits; 0 always takes the likeliest token (greedy).
        top_k: only the k likeliest tokens; 0 is all.
        top_p: only the smallest set of likeliest tokens whose probabilities sum to p; 1 is all.
        min_p: only tokens at least this fraction as likely as the likeliest; 0 is all.
        repetition_penalty: above 1, tokens already in the text become less likely; 1 is off.
        presence_penalty, frequency_penalty: what a token's logit loses once it was written, and with each time that it
            was; the prompt does not count.
        logit_bias: pairs of a token and what is added to its logit.
        max_tokens: tokens written at most.
        seed: the same seed gives the same text; None a new one every time.
        stop: the text ends before the first of these to appear.
        ignore_eos: write on, into the next document, when the model ends one.

    Raises:
        InputError: an option is out of its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    max_tokens: int = 100
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        numbers = (
            "temperature",
            "top_p",
            "min_p",
            "repetition_penalty",
            "presence_penalty",
            "frequency_penalty",
        )
        for name in numbers:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{name} must be a number, not {value!r}")
        for name in ("top_k", "max_tokens"):
            if not _is_whole(getattr(self, name)):
                raise InputError(f"{name} must be a whole number, not {getattr(self, name)!r}")
        if self.temperature < 0:
            raise InputError(
                f"temperature {self.temperature} is negative: give 0 for the likeliest words, "
                "1 for the model's own odds"
            )
        if self.top_k < 0:
            raise InputError(f"top_k {self.top_k} is negative: give 0 to choose among all tokens")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p is a probability above 0 and up to 1 (1 is off), not {self.top_p}")
        if not 0 <= self.min_p <= 1:
            raise InputError(f"min_p is a fraction from 0 (off) to 1, not {self.min_p}")
        if self.repetition_penalty <= 0:
            raise InputError(f"repetition_penalty must be above 0 (1 is off), not {self.repetition_penalty}")
        if self.max_tokens < 1:
            raise InputError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if self.seed is not None and not (_is_whole(self.seed) and 0 <= self.seed <= LARGEST_SEED):
            raise InputError(f"seed must be a whole number from 0 to {LARGEST_SEED}, not {self.seed!r}")
        self._check_stop()

    def _check_stop(self) -> None:
        if isinstance(self.stop, str):  # a lone string would otherwise stop at each of its letters
            object.__setattr__(self, "stop", (self.stop,))
        object.__setattr__(self, "stop", tuple(self.stop))
        if not all(isinstance(text, str) and text for text in self.stop):
            raise InputError(f"a stop string must be some text, not empty: {self.stop!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


CHAT_DEFAULTS = SamplingOptions(temperature=0.5, top_k=25, max_tokens=180)
