"""/v1/completions through OpenAI's own client: prompts of every kind, echo, log-probabilities, streams, refusals."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published import llama_folder, metaspace

from pellucid import import_model
from pellucid.generation.options import SamplingOptions

openai = pytest.importorskip("openai")

RUN = "farm-1"
CONTEXT = 128


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def engine(server):
    return server.house.models.get(RUN).engine


@pytest.fixture(scope="module")
def write(client):
    """What the server completes; greedily, where a test does not say."""

    def written(prompt: Any = "The c", **fields: Any) -> Any:
        asked = {"model": RUN, "max_tokens": 12, "temperature": 0, **fields}
        return client.completions.create(prompt=prompt, **asked)

    return written


def ids_of(engine, text: str) -> list[int]:
    return engine.tokenizer.encode(text).tolist()


def logprobs_of(engine, ids: list[int]) -> list[float]:
    """Of each token but the first, one plain forward pass for each."""
    told = []
    for before, token in enumerate(ids[1:], start=1):
        with torch.inference_mode():
            row = engine.model(torch.tensor([ids[:before]]))[0, -1].log_softmax(-1)
        told.append(float(row[token]))
    return told


# ---------------------------------------------------------------------- prompts


def test_it_writes_what_the_engine_writes(write, engine):
    made = write("The c", seed=3, temperature=1, max_tokens=40)
    alone = engine.generate("The c", SamplingOptions(seed=3, max_tokens=40))[0]
    choice = made.choices[0]
    assert (choice.text, choice.finish_reason, choice.logprobs) == (alone.text, alone.finish_reason, None)
    assert (made.object, made.model, made.usage.prompt_tokens) == ("text_completion", RUN, 5)
    assert write("The c", max_tokens=None).usage.completion_tokens <= 16


def test_a_prompt_may_be_text_or_tokens_alone_or_in_lists(write, engine):
    first, second = ids_of(engine, "The c"), ids_of(engine, "A bee")
    one, two = write("The c").choices[0].text, write("A bee").choices[0].text
    assert write(["The c"]).choices[0].text == one == write(first).choices[0].text
    for prompts in (["The c", "A bee"], [first, second]):
        made = write(prompts)
        assert [(choice.index, choice.text) for choice in made.choices] == [(0, one), (1, two)]
        assert made.usage.prompt_tokens == 10
    assert write("").choices[0].text == write(None).choices[0].text == write([[]]).choices[0].text


@pytest.mark.parametrize("stream", [False, True])
def test_prompts_times_n_keep_their_places_and_seeds(write, stream):
    asked = {"seed": 7, "temperature": 1, "max_tokens": 20}
    prompts = ["The c", "A bee", "The moon"]
    expected = [
        write(prompt, **{**asked, "seed": 7 + i}).choices[0].text for prompt in prompts for i in range(2)
    ]
    made = write(prompts, n=2, stream=stream, **asked)
    if not stream:
        assert [choice.text for choice in made.choices] == expected
        assert [choice.index for choice in made.choices] == list(range(6))
        assert made.usage.prompt_tokens == sum(map(len, prompts))
        return
    said = [""] * 6
    for chunk in made:
        said[chunk.choices[0].index] += chunk.choices[0].text
    assert said == expected


def test_stops(write):
    plain = write(max_tokens=30).choices[0].text
    letter = plain[5]
    for stop in (letter, ["\x7f", letter]):
        choice = write(max_tokens=30, stop=stop).choices[0]
        assert (choice.text, choice.finish_reason) == (plain[: plain.index(letter)], "stop")


def test_a_prompt_beyond_the_context_is_read_from_its_end_and_that_is_told(write):
    long = "The cat sees the moon. " * 20
    made = write(long, max_tokens=4)
    assert made.usage.prompt_tokens < CONTEXT and "tokens and this model sees 128" in made.notes[0]
    assert write(long, max_tokens=4, echo=True).choices[0].text.startswith(long)
    assert "never occurred" in write("Ωmega", max_tokens=1).notes[0]


# ---------------------------------------------------------------------- echo and log-probabilities


@pytest.mark.parametrize("max_tokens", [0, 1])
@pytest.mark.parametrize("kind", ["text", "tokens"])
def test_an_echo_scores_the_prompt(write, engine, max_tokens, kind):
    text = "The cat purrs and the bee hums."
    ids = ids_of(engine, text)
    made = write(text if kind == "text" else [ids], echo=True, logprobs=2, max_tokens=max_tokens)
    choice, told = made.choices[0], made.choices[0].logprobs
    assert choice.text.startswith(text) and choice.finish_reason == "length"
    assert made.usage.completion_tokens == max_tokens
    assert len(told.tokens) == len(ids) + max_tokens
    assert "".join(told.tokens) == choice.text
    assert told.text_offset == list(range(len(choice.text)))
    assert told.token_logprobs[0] is None and told.top_logprobs[0] is None
    ids += ids_of(engine, choice.text[len(text) :])
    assert told.token_logprobs[1:] == pytest.approx(logprobs_of(engine, ids), abs=1e-4)
    for token, logprob, top in zip(
        told.tokens[1:], told.token_logprobs[1:], told.top_logprobs[1:], strict=True
    ):
        assert top[token] == logprob and 2 <= len(top) <= 3


def test_the_likeliest_of_one_tell_what_is_greedy(write):
    """As a harness asks: a token is greedy where its number is the very number of the likeliest."""
    told = write("The cat purrs.", echo=True, logprobs=1, max_tokens=1).choices[0].logprobs
    greedy = [
        max(top.values()) == own
        for own, top in zip(told.token_logprobs, told.top_logprobs, strict=True)
        if top
    ]
    assert True in greedy and False in greedy and greedy[-1]
    assert all(
        len(top) == (1 if same else 2) for top, same in zip(told.top_logprobs[1:], greedy, strict=True)
    )


def test_an_end_of_the_text_is_a_token_like_others(write, engine):
    """What counts tokens from the end must find as many as were drawn, the one that ended the text among them."""
    end = engine.tokenizer.end_of_text
    made = write("The cat", echo=True, logprobs=0, max_tokens=1, logit_bias={str(end): 100})
    told = made.choices[0].logprobs
    assert made.choices[0].text == "The cat" and made.choices[0].finish_reason == "stop"
    assert told.tokens[-1] == "<|endoftext|>" and len(told.tokens) == 8
    assert told.text_offset[-1] == len("The cat") and made.usage.completion_tokens == 1


def test_a_beginning_that_the_client_did_not_send_is_not_told_but_heeded(write, engine):
    end = engine.tokenizer.end_of_text
    told = write([[end, *ids_of(engine, "The")]], echo=True, logprobs=0, max_tokens=0).choices[0]
    assert told.text == "The" and told.logprobs.tokens == ["<|endoftext|>", "T", "h", "e"]
    assert told.logprobs.text_offset == [0, 0, 1, 2] and told.logprobs.token_logprobs[1] is not None


def test_logprobs_without_echo_are_those_of_what_is_written(write, engine):
    text = write().choices[0].text
    told = write(logprobs=3).choices[0].logprobs
    assert "".join(told.tokens) == text and told.text_offset == list(range(len(text)))
    assert told.token_logprobs == pytest.approx(
        logprobs_of(engine, ids_of(engine, "The c" + text))[4:], abs=1e-4
    )
    assert all(len(top) == 3 for top in told.top_logprobs)  # greedily written, each is among them
    whole = write(logprobs=3, echo=True).choices[0].logprobs
    assert whole.token_logprobs[5:] == told.token_logprobs


def test_a_context_and_one_token_more_can_be_scored_and_no_more(write, engine):
    ids = (ids_of(engine, "The cat sees the moon. ") * 6)[: CONTEXT + 1]
    told = write([ids], echo=True, logprobs=0, max_tokens=1).choices[0].logprobs
    assert told.token_logprobs[1 : CONTEXT + 1] == pytest.approx(logprobs_of(engine, ids), abs=1e-4)
    with pytest.raises(
        openai.BadRequestError, match="prompt 1 has 130 tokens, but farm-1 sees 128"
    ) as caught:
        write([ids, [*ids, 1]], echo=True, logprobs=0, max_tokens=0)
    assert caught.value.code == "context_length_exceeded"


def test_a_model_that_begins_every_text_with_a_token(start, tmp_path):
    """Its first own token has something before it, and the tokenizer's blank before a text shifts nothing."""
    folder = llama_folder(tmp_path / "published")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"bos_token_id": 1, "eos_token_id": 2}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    metaspace().save(str(folder / "tokenizer.json"))
    said = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
    import_model(folder, tmp_path / "runs" / "old")
    live = start(tmp_path / "runs")
    engine = live.house.models.get("old").engine
    assert engine.tokenizer.beginning == (1,)
    asked = {"model": "old", "prompt": "the in", "echo": True, "logprobs": 0, "max_tokens": 0}
    answer = live.client.post("/v1/completions", json=asked).json()
    told = answer["choices"][0]["logprobs"]
    ids = [1, *ids_of(engine, "the in")]
    assert told["token_logprobs"] == pytest.approx(logprobs_of(engine, ids), abs=1e-4)
    assert len(told["tokens"]) == len(ids) - 1 and answer["usage"]["prompt_tokens"] == len(ids)
    assert told["text_offset"][0] == 0
    for token, (place, end) in zip(told["tokens"][1:], pairwise([*told["text_offset"][1:], 6]), strict=True):
        assert "the in"[place:end] == token


def test_a_model_that_answers_ends_a_text_with_its_reply(start, runs):
    """As in transformers on its export: it was never taught what comes after that."""
    stored = json.loads((runs / RUN / "config.json").read_text(encoding="utf-8"))
    (runs / RUN / "config.json").write_text(json.dumps({**stored, "template": "markers"}), encoding="utf-8")
    live = start(runs)
    tokenizer = live.house.models.get(RUN).engine.tokenizer
    for name in ("<|end|>", "<|endoftext|>"):
        bias = {str(tokenizer.special_id(name)): 100}
        asked = {"model": RUN, "prompt": "The cat", "logit_bias": bias, "logprobs": 0}
        (choice,) = live.client.post("/v1/completions", json=asked).json()["choices"]
        assert (choice["text"], choice["finish_reason"]) == ("", "stop")
        assert choice["logprobs"]["tokens"] == [name]


# ---------------------------------------------------------------------- streams


@pytest.mark.parametrize("echo", [False, True])
def test_a_stream_says_the_same(write, server, echo):
    asked = {"echo": echo, "logprobs": 2, "seed": 4, "temperature": 1, "max_tokens": 25}
    whole = write(**asked)
    chunks = list(write(**asked, stream=True, stream_options={"include_usage": True}))
    *told, usage = chunks
    assert "".join(chunk.choices[0].text for chunk in told) == whole.choices[0].text
    assert [chunk.choices[0].finish_reason for chunk in told][-1] == whole.choices[0].finish_reason
    assert not any(chunk.choices[0].finish_reason for chunk in told[:-1])
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        streamed = [each for chunk in told for each in getattr(chunk.choices[0].logprobs, name)]
        assert streamed == getattr(whole.choices[0].logprobs, name)
    assert usage.choices == [] and usage.usage == whole.usage and not any(chunk.usage for chunk in told)
    body = {"model": RUN, "prompt": "The", "stream": True, "echo": echo}
    raw = server.client.post("/v1/completions", json=body).text
    assert raw.endswith("data: [DONE]\n\n") and '"usage"' not in raw
    raw = server.client.post("/v1/completions", json={**body, "stream_options": {"include_usage": True}}).text
    *events, usage, _ = raw.strip().split("\n\n")  # each has the field, null but in the last
    assert events and all('"usage": null' in event for event in events) and '"usage": {' in usage


def test_a_stream_of_what_is_only_read_ends(write):
    for echo, text in ((True, "The c"), (False, "")):
        chunks = list(write(echo=echo, max_tokens=0, stream=True))
        assert [(each.choices[0].text, each.choices[0].finish_reason) for each in chunks] == [
            (text, "length")
        ]
        choice = write(echo=echo, max_tokens=0).choices[0]
        assert (choice.text, choice.finish_reason) == (text, "length")


# ---------------------------------------------------------------------- refusals


REFUSED = [
    ({"model": "gpt-x"}, 404, "no run called 'gpt-x'"),
    ({"suffix": "the end"}, 400, "suffix is not possible here"),
    ({"best_of": 3}, 400, "best_of is not possible here"),
    ({"prompt": []}, 400, "prompt must have at least 1 item, not none"),
    ({"prompt": 3}, 400, "prompt must be a text, not 3"),
    ({"prompt": [1, "x"]}, 400, "prompt.1 must be a whole number, not 'x'"),
    ({"prompt": ["x", 1]}, 400, "prompt.1 must be a text, not 1"),
    ({"prompt": [[1], [True]]}, 400, "prompt.1.0 must be a whole number, not true"),
    ({"prompt": [-1]}, 400, "prompt.0 must be 0 or more, not -1"),
    ({"prompt": [5000]}, 400, "prompt 0 names the token 5000"),
    ({"prompt": [[1], [5000]]}, 400, "prompt 1 names the token 5000"),
    ({"prompt": ["x"] * 33}, 400, "prompt must have at most 32 items, not 33"),
    ({"prompt": ["x"] * 17, "n": 2}, 400, "17 prompts with n 2 are more than the 32"),
    ({"prompt": "x" * 100_001}, 400, "prompt must have at most 100,000 characters"),
    ({"prompt": "a\0b"}, 400, "prompt: a text must not hold the character U+0000"),
    ({"max_tokens": -1}, 400, "max_tokens must be 0 or more, not -1"),
    ({"logprobs": 21}, 400, "logprobs must be 20 or less, not 21"),
    ({"logit_bias": {"5000": 1}}, 400, "logit_bias names the token 5000"),
    ({"temperature": math.inf}, 400, "temperature"),
]


@pytest.mark.parametrize(("change", "status", "says"), REFUSED, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("stream", [False, True])
def test_refusals_have_openais_shape(server, change, status, says, stream):
    body = {"model": RUN, "prompt": "The c", "stream": stream, **change}
    answer = server.client.post(
        "/v1/completions", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    error = answer.json()["error"]
    assert (answer.status_code, set(error)) == (status, {"message", "type", "param", "code"})
    assert says in error["message"] and len(error["message"]) < 400


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"suffix": "x"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"prompt": [5000]}, "prompt"),
        ({"prompt": ["x"] * 17, "n": 2}, "prompt"),
        ({"prompt": "x" * 200, "echo": True, "logprobs": 1}, "prompt"),
        ({"logit_bias": {"5000": 1}}, "logit_bias"),
    ],
    ids=str,
)
def test_a_refusal_names_the_field_that_is_wrong(write, change, param):
    with pytest.raises(openai.BadRequestError) as caught:
        write(**change)
    assert caught.value.param == param


def test_old_clients_defaults_are_no_refusals(write):
    made = write(best_of=1, n=1, suffix=None, presence_penalty=0, logit_bias={}, user="x", logprobs=None)
    assert made.choices[0].text == write().choices[0].text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "prompt": JSON
        | st.text(max_size=200)
        | st.lists(st.lists(st.integers(0, 60), max_size=150), max_size=3),
        "suffix": JSON,
        "echo": JSON,
        "logprobs": JSON | st.integers(0, 20),
        "n": JSON | st.integers(1, 4),
        "best_of": JSON,
        "stop": JSON,
        "seed": JSON,
        "logit_bias": JSON | st.dictionaries(st.integers(0, 60).map(str), st.floats(-100, 100), max_size=3),
        "presence_penalty": JSON | st.floats(-2, 2),
        "stream": st.booleans(),
        "stream_options": JSON,
        "temperature": JSON | st.floats(0, 2),
        "top_p": JSON | st.floats(0, 1),
    },
)


@settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
@given(fields=FIELDS, max_tokens=st.integers(-1, 3))
def test_whatever_is_asked_it_is_never_the_servers_fault(server, fields, max_tokens):
    answer = server.client.post(
        "/v1/completions",
        content=json.dumps({"model": RUN, **fields, "max_tokens": max_tokens}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert "\n" not in answer.json()["error"]["message"]
    elif not fields.get("stream"):
        told = json.loads(answer.text, parse_constant=pytest.fail)
        assert all(choice["finish_reason"] in ("stop", "length") for choice in told["choices"])
    else:
        assert answer.text.endswith("data: [DONE]\n\n")
