"""What OpenAI's clients send: bodies of /v1/chat/completions and /v1/completions.

Fields that clients send and nobody here can use are passed over; what is used is bounded, and what would change the
answer and cannot be done is refused by its name.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from pellucid.generation.options import CHAT_DEFAULTS, LARGEST_SEED, SamplingOptions
from pellucid.server.errors import Impossible, Refusal
from pellucid.server.fields import Name, Text, TopK, at_most
from pellucid.server.limits import MAX_TOKENS, PROMPT_CHARACTERS, REPLIES, TURNS

MOST_STOPS = 16
MOST_LIKELIEST = 20  # told with each token
MOST_BIASES = 1_000
LEAST_TOP_P = 1e-6  # some clients send 0 for "only the likeliest"
SHORT = 16  # tokens of a completion where the client does not say, as of OpenAI's own

Stop = Annotated[str, Field(min_length=1, max_length=1000)]
Asking = Annotated[int, Field(ge=1, le=1 << 31)]  # of tokens: no more than MAX_TOKENS are written
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Biases = Annotated[
    dict[Annotated[int, Field(ge=0, le=1 << 31)], Bias],
    Field(max_length=MOST_BIASES),
    BeforeValidator(at_most(MOST_BIASES)),
]
Likeliest = Annotated[int, Field(ge=0, le=MOST_LIKELIEST)]
TokenId = Annotated[int, Field(strict=True, ge=0, le=1 << 31)]


class Lenient(BaseModel):
    """A body of /v1: what is not known is passed over."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class StreamOptions(Lenient):
    include_usage: bool = False


class Writing(Lenient):
    """What a body says of how words are picked and sent."""

    model: Name
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    top_k: TopK | None = None  # not OpenAI's, but many clients can send it
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Biases | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    seed: Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED)] | None = None
    n: Annotated[int, Field(ge=1, le=REPLIES)] | None = 1

    @property
    def n_replies(self) -> int:
        """To each prompt."""
        return self.n or 1

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends by saying how many tokens were read and written."""
        return self.stream_options is not None and self.stream_options.include_usage

    def picked(self, max_tokens: int, default: SamplingOptions) -> list[SamplingOptions]:
        """How the words of each reply to a prompt are picked, as `default` where the client does not say.

        With a seed, reply i draws from seed + i, whichever prompts stand beside its own.
        """
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return [
            SamplingOptions(
                temperature=default.temperature if self.temperature is None else self.temperature,
                top_k=default.top_k if self.top_k is None else self.top_k,
                top_p=1.0 if self.top_p is None else max(self.top_p, LEAST_TOP_P),
                presence_penalty=self.presence_penalty or 0.0,
                frequency_penalty=self.frequency_penalty or 0.0,
                logit_bias=tuple((self.logit_bias or {}).items()),
                max_tokens=min(max_tokens, MAX_TOKENS),
                seed=None if self.seed is None else (abs(self.seed) + i) % (LARGEST_SEED + 1),
                stop=stop,
            )
            for i in range(self.n_replies)
        ]

    def check_tokens(self, vocab_size: int) -> None:
        """Raises: Refusal where a bias is of a token that there is not."""
        check_ids((self.logit_bias or {}).keys(), vocab_size, "logit_bias")


def check_ids(ids: Collection[int], vocab_size: int, where: str) -> None:
    """Raises: Refusal where a token is outside the vocabulary; `where` begins with the field's name."""
    unknown = next((id for id in ids if id >= vocab_size), None)
    if unknown is not None:
        raise Refusal(
            f"{where} names the token {unknown}, but the tokens of this model are 0 to {vocab_size - 1}: "
            "use the tokenizer.json of its run",
            where.partition(" ")[0],
        )


# ---------------------------------------------------------------------- chat


class Part(Lenient):
    """A part of a message; parts that are no text have none."""

    type: Annotated[str, Field(max_length=100)]
    text: Text | None = None


class Message(Lenient):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[Part], Field(max_length=TURNS, fail_fast=True)] | None = None

    def text(self) -> str:
        """What it says. Raises: Refusal where a part is no text."""
        if not isinstance(self.content, list):
            return self.content or ""
        for part in self.content:
            if part.type != "text" or part.text is None:
                raise Refusal(
                    f"messages are text here: a part of type {part.type!r} cannot be read", "messages"
                )
        text = "".join(part.text or "" for part in self.content)
        if len(text) > PROMPT_CHARACTERS:
            raise Refusal(f"a message has {PROMPT_CHARACTERS:,} characters at most", "messages")
        return text


class Format(Lenient):
    """The form a reply is to have."""

    type: Annotated[str, Field(max_length=100)]


class ChatBody(Writing):
    """A conversation to be continued."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=TURNS)]
    max_tokens: Asking | None = None
    max_completion_tokens: Asking | None = None
    logprobs: bool | None = False
    top_logprobs: Likeliest | None = None
    response_format: Format | None = None
    modalities: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=10)] | None = None
    tools: list[Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    functions: list[Any] | None = None  # what tools were called before
    function_call: str | dict[str, Any] | None = None

    @property
    def notes(self) -> list[str]:
        """What a person should know of what is passed over: a model may choose to call no tool."""
        offered = bool(self.tools or self.functions)
        return [
            "The models here write text and call no tools: those that were offered are not read."
        ] * offered

    def options(self) -> list[SamplingOptions]:
        """As `pellucid chat` picks its words, where the client does not say.

        Raises:
            Refusal: likeliest tokens are asked for, but not what they would be told with; or what cannot be done.
        """
        if self.top_logprobs and not self.logprobs:
            raise Refusal("top_logprobs are told with logprobs: set logprobs to true", "top_logprobs")
        self._check_possible()
        asked = self.max_completion_tokens or self.max_tokens or CHAT_DEFAULTS.max_tokens
        return self.picked(asked, CHAT_DEFAULTS)

    def _check_possible(self) -> None:
        """Raises: Impossible."""
        if self.response_format is not None and self.response_format.type != "text":
            raise Impossible(
                "response_format", "replies are plain text; leave it out, and ask for the form in a message"
            )
        if any(kind != "text" for kind in self.modalities or ()):
            raise Impossible("modalities", "replies are text; leave it out")
        for name, asked in (("tool_choice", self.tool_choice), ("function_call", self.function_call)):
            if asked not in (None, "auto", "none"):
                raise Impossible(name, "the models write text and call no tools; leave it out")


# ---------------------------------------------------------------------- text


def _kind(prompt: Any) -> str:
    """Which of its kinds a prompt is to be read as, so that what is wrong with it is said of that kind alone."""
    if prompt is None:
        return "nothing"
    if not isinstance(prompt, list):
        return "text"
    first = prompt[0] if prompt else ""
    return "texts" if isinstance(first, str) else "lists" if isinstance(first, list) else "tokens"


Ids = Annotated[list[TokenId], Field(max_length=PROMPT_CHARACTERS, fail_fast=True)]
Prompt = Annotated[
    Annotated[None, Tag("nothing")]
    | Annotated[Text, Tag("text")]
    | Annotated[list[Text], Field(min_length=1, max_length=REPLIES), Tag("texts")]
    | Annotated[Ids, Field(min_length=1), Tag("tokens")]
    | Annotated[list[Ids], Field(min_length=1, max_length=REPLIES, fail_fast=True), Tag("lists")],
    Discriminator(_kind),
]


class TextBody(Writing):
    """Prompts to be gone on with."""

    prompt: Prompt = None
    suffix: Text | None = None
    max_tokens: Annotated[int, Field(ge=0, le=1 << 31)] | None = None
    best_of: Annotated[int, Field(ge=0, le=1 << 31)] | None = None
    logprobs: Likeliest | None = None
    echo: bool | None = False

    @property
    def reads(self) -> bool:
        """Whether the prompt's own tokens are scored."""
        return bool(self.echo) and self.logprobs is not None

    @property
    def n_tokens(self) -> int:
        """How many may be written; 0 where the prompt is only read."""
        return SHORT if self.max_tokens is None else self.max_tokens

    def options(self) -> list[SamplingOptions]:
        """By the model's own odds, where the client does not say."""
        return self.picked(max(1, self.n_tokens), SamplingOptions())

    def prompts(self) -> list[str | list[int]]:
        """One or more, each a text or tokens.

        Raises:
            Refusal: more replies are asked for than one request may have, or what cannot be done.
        """
        if self.suffix:
            raise Impossible("suffix", "the models go on with a text, none fills in; leave it out")
        if self.best_of not in (None, 0, self.n_replies):
            raise Impossible("best_of", "ask for as many with n, with logprobs, and choose")
        prompt = self.prompt
        if prompt is None or isinstance(prompt, str):
            prompts: list[str | list[int]] = [prompt or ""]
        elif _kind(prompt) == "tokens":
            prompts = [cast(list[int], prompt)]
        else:
            prompts = list(cast(list[str | list[int]], prompt))
        if len(prompts) * self.n_replies > REPLIES:
            raise Refusal(
                f"{len(prompts)} prompts with n {self.n_replies} are more than the {REPLIES} replies of one request: "
                "send fewer at a time",
                "prompt",
            )
        return prompts
