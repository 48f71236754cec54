"""OpenAI's own client against the server: chat, stream, errors, leaving early."""

from __future__ import annotations

import json

import pytest
from serving import until

openai = pytest.importorskip("openai")

ASKED = [{"role": "user", "content": "The cat"}]


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_models(client, server):
    assert [model.id for model in client.models.list()] == ["farm-1"]
    assert client.models.retrieve("farm-1").owned_by == "pellucid"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-x")


def test_a_run_without_weights_is_no_model_yet(start, runs):
    (runs / "begun").mkdir()
    for name in ("config.json", "tokenizer.json"):
        (runs / "begun" / name).write_bytes((runs / "farm-1" / name).read_bytes())
    own = openai.OpenAI(base_url=f"{start(runs).url}/v1", api_key="none", max_retries=0)
    assert [model.id for model in own.models.list()] == ["farm-1"]
    with pytest.raises(openai.NotFoundError, match="has no weights yet") as caught:
        own.models.retrieve("begun")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("more", [{}, {"n": 2, "logprobs": True, "top_logprobs": 2}], ids=str)
def test_answers_are_what_the_clients_types_declare(server, more):
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    asked = {"model": "farm-1", "messages": ASKED, "max_tokens": 5, "seed": 3, **more}
    answer = server.client.post("/v1/chat/completions", json=asked)
    ChatCompletion.model_validate(answer.json(), strict=True)
    asked |= {"stream": True, "stream_options": {"include_usage": True}}
    *events, done = server.client.post("/v1/chat/completions", json=asked).text.strip().split("\n\n")
    assert done == "data: [DONE]" and len(events) > 3
    for event in events:
        ChatCompletionChunk.model_validate(json.loads(event.removeprefix("data: ")), strict=True)


def test_a_completion_is_the_same_conversation_as_the_pages(client, server):
    made = client.chat.completions.create(model="farm-1", messages=ASKED, seed=3, max_tokens=30)
    reply = server.chat("The cat", seed=3, max_tokens=30).json()
    choice = made.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", reply["reply"])
    assert choice.finish_reason == reply["finish_reason"]
    assert made.usage.prompt_tokens == len("YOU:\nThe cat\n\nPELLUCID:\n")
    assert made.usage.completion_tokens >= len(reply["reply"])
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens


def test_a_stream_keeps_to_the_wire_contract(client, server):
    asked = {"model": "farm-1", "messages": ASKED, "seed": 3, "max_tokens": 30}
    whole = client.chat.completions.create(**asked)
    chunks = list(
        client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )
    first, *middle, last, usage = chunks
    assert first.choices[0].delta.role == "assistant"
    assert all(chunk.choices[0].finish_reason is None and chunk.choices[0].delta.content for chunk in middle)
    assert "".join(chunk.choices[0].delta.content for chunk in middle) == whole.choices[0].message.content
    assert (
        last.choices[0].finish_reason == whole.choices[0].finish_reason and not last.choices[0].delta.content
    )
    assert usage.choices == [] and usage.usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    raw = server.client.post("/v1/chat/completions", json={**asked, "stream": True}).text
    assert raw.endswith("data: [DONE]\n\n") and '"usage"' not in raw
    assert all(line.startswith("data: ") for line in raw.strip().split("\n\n"))


def test_history_system_parts_and_stops(client):
    def reply(messages: list, **fields: object) -> str:
        fields = {"model": "farm-1", "seed": 1, "max_tokens": 40, "temperature": 0, **fields}
        return client.chat.completions.create(messages=messages, **fields).choices[0].message.content

    plain = reply(ASKED)
    parts = [{"role": "user", "content": [{"type": "text", "text": "The "}, {"type": "text", "text": "cat"}]}]
    assert reply(parts) == plain
    letter = plain[len(plain) // 2]
    assert reply(ASKED, stop=letter) == reply(ASKED, stop=["\x7f", letter]) == plain[: plain.index(letter)]
    system = [{"role": "system", "content": "The cow moos."}, *ASKED]
    developer = [{"role": "developer", "content": "The cow moos."}, *ASKED]
    assert reply(system) == reply(developer)
    longer = [*ASKED, {"role": "assistant", "content": "purrs."}, {"role": "user", "content": "And?"}]
    assert reply(longer, max_tokens=None, max_completion_tokens=5) == reply(longer)[:5]
    assert reply(ASKED, user="x", store=True, parallel_tool_calls=False) == plain  # passed over


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"model": "gpt-x"}, 404, "no run called 'gpt-x'"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "image_url"),
        ({"temperature": 3}, 400, "temperature"),
        ({"n": 33}, 400, "n must be 32 or less, not 33"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"seed": 10**30}, 400, "seed"),
        ({"stop": [""]}, 400, "stop"),
        ({"stream_options": 3}, 400, "stream_options"),
        ({"top_logprobs": 3}, 400, "set logprobs to true"),
        ({"logprobs": True, "top_logprobs": 21}, 400, "top_logprobs must be 20 or less"),
        ({"logit_bias": {"99999": 1}}, 400, "logit_bias names the token 99999"),
        ({"logit_bias": {"cat": 1}}, 400, "logit_bias"),
        ({"presence_penalty": 3}, 400, "presence_penalty must be 2 or less"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_openais_shape(client, change, status, says, stream):
    asked = {"model": "farm-1", "messages": ASKED, "stream": stream, **change}
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**asked)
    assert caught.value.status_code == status
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert says in caught.value.body["message"]


def test_an_error_names_its_field_and_its_kind(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="farm-1", messages=ASKED, temperature=3)
    assert (caught.value.param, caught.value.code) == ("temperature", None)
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-x", messages=ASKED)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError) as elsewhere:  # no model would help there
        client.embeddings.create(model="farm-1", input="The cat")
    assert elsewhere.value.code is None


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "add"}}}, "tool_choice"),
        ({"function_call": {"name": "add"}}, "function_call"),
    ],
    ids=str,
)
def test_what_would_change_the_answer_and_cannot_be_done_is_refused(client, change, param):
    with pytest.raises(openai.BadRequestError, match=f"{param} is not possible here") as caught:
        client.chat.completions.create(model="farm-1", messages=ASKED, **change)
    assert caught.value.param == param


@pytest.mark.parametrize("offered", [{"tools": [{"type": "function"}]}, {"functions": [{"name": "add"}]}])
def test_tools_that_are_only_offered_are_passed_over_and_that_is_told(client, offered):
    asked = {"model": "farm-1", "messages": ASKED, "max_tokens": 5, "seed": 1}
    plain = client.chat.completions.create(
        **asked, response_format={"type": "text"}, modalities=["text"], tool_choice="none", tools=[]
    )
    made = client.chat.completions.create(**asked, **offered, tool_choice="auto")
    assert made.choices == plain.choices and not hasattr(plain, "notes")
    assert made.notes == [
        "The models here write text and call no tools: those that were offered are not read."
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_several_replies_are_those_of_the_seeds_that_follow(client, stream):
    asked = {"model": "farm-1", "messages": ASKED, "max_tokens": 25, "temperature": 1}
    alone = [client.chat.completions.create(**asked, seed=5 + i).choices[0] for i in range(3)]
    made = client.chat.completions.create(**asked, seed=5, n=3, stream=stream)
    if not stream:
        assert [choice.index for choice in made.choices] == [0, 1, 2]
        assert [choice.message.content for choice in made.choices] == [
            choice.message.content for choice in alone
        ]
        assert made.usage.prompt_tokens == len("YOU:\nThe cat\n\nPELLUCID:\n")  # read once
        return
    said, ends = ["", "", ""], [None, None, None]
    for chunk in made:
        (choice,) = chunk.choices
        said[choice.index] += choice.delta.content or ""
        ends[choice.index] = choice.finish_reason or ends[choice.index]
    assert said == [choice.message.content for choice in alone]
    assert ends == [choice.finish_reason for choice in alone]


def test_log_probabilities_are_the_models_own(client, server):
    asked = {"model": "farm-1", "messages": ASKED, "seed": 2, "max_tokens": 20}
    made = client.chat.completions.create(**asked, logprobs=True, top_logprobs=3)
    content = made.choices[0].logprobs.content
    assert len(content) == made.usage.completion_tokens
    pages = server.chat("The cat", seed=2, max_tokens=20, tokens=True).json()["tokens"]
    assert [each.token for each in content] == [each["text"] for each in pages]
    assert [each.logprob for each in content] == pytest.approx(
        [-each["bits"] * 0.6931472 for each in pages], abs=1e-4
    )
    for each, told in zip(content, pages, strict=True):
        assert len(each.top_logprobs) == 3
        assert each.bytes == list(each.token.encode()) or each.bytes == []
        ranked = [other.logprob for other in each.top_logprobs]
        assert ranked == sorted(ranked, reverse=True)
        if told["rank"] <= 3:
            assert each.top_logprobs[told["rank"] - 1].logprob == each.logprob
    streamed = client.chat.completions.create(**asked, logprobs=True, top_logprobs=3, stream=True)
    heard = [
        each for chunk in streamed if chunk.choices[0].logprobs for each in chunk.choices[0].logprobs.content
    ]
    assert heard == content
    assert client.chat.completions.create(**asked).choices[0].logprobs is None


def test_biases_and_penalties_change_what_is_written(client, server):
    tokenizer = server.house.models.get("farm-1").engine.tokenizer
    banned = tokenizer.encode("e").tolist()[0]

    def reply(**fields: object) -> str:
        asked = {"model": "farm-1", "messages": ASKED, "temperature": 0, "max_tokens": 40, **fields}
        return client.chat.completions.create(**asked).choices[0].message.content

    assert "e" in reply() and "e" not in reply(logit_bias={str(banned): -100})
    most = max(reply().count(letter) for letter in set(reply()))
    penalised = reply(frequency_penalty=2, presence_penalty=2)
    assert max(penalised.count(letter) for letter in set(penalised)) < most


def test_what_is_left_out_of_a_long_conversation_is_told(client):
    long = [{"role": "user", "content": "The cat sees the moon. " * 20}]
    asked = {"model": "farm-1", "messages": long, "max_tokens": 5}
    assert "are read" in client.chat.completions.create(**asked).notes[0]
    first, *others = client.chat.completions.create(**asked, stream=True)
    assert "are read" in first.notes[0]
    assert not any(hasattr(chunk, "notes") for chunk in others)


def test_an_error_in_the_middle_reaches_the_client(start, runs):
    live = start(runs)
    model = live.house.models.get().loaded.model
    n_passes = 0

    def fail(*_: object) -> None:
        nonlocal n_passes
        n_passes += 1
        if n_passes == 4:
            raise RuntimeError("a cable was pulled")

    model.register_forward_pre_hook(fail)
    own = openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0)
    said = []
    with pytest.raises(openai.APIError, match="something went wrong"):
        for chunk in own.chat.completions.create(model="farm-1", messages=ASKED, seed=3, stream=True):
            said.append(chunk.choices[0].delta.content)
    assert len(said) > 1
    assert own.chat.completions.create(model="farm-1", messages=ASKED, max_tokens=3).choices


def test_closing_a_stream_stops_the_model(start, endless):
    live = start(endless)
    passes: list[int] = []
    live.house.models.get().loaded.model.register_forward_pre_hook(lambda *_: passes.append(1))
    own = openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0)
    stream = own.chat.completions.create(model="farm-1", messages=ASKED, max_tokens=100_000, stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: live.house.scheduler.n_running == 0)
    assert len(passes) < 4000


def test_a_key_is_the_api_key(start, runs):
    live = start(runs, key="s3cret")
    good = openai.OpenAI(base_url=f"{live.url}/v1", api_key="s3cret", max_retries=0)
    assert [model.id for model in good.models.list()] == ["farm-1"]
    bad = openai.OpenAI(base_url=f"{live.url}/v1", api_key="secret", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        bad.models.list()


def test_json_is_plain(server):
    made = server.client.post(
        "/v1/chat/completions", json={"model": "farm-1", "messages": ASKED, "max_tokens": 2}
    )
    json.loads(made.text, parse_constant=pytest.fail)
