"""Tasks: files that are read, choices that are likeliest, windows in which every token is scored once."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from pellucid.api import LoadedRun
from pellucid.errors import InputError
from pellucid.inspection.tasks import Answered, Question, TaskResult, answer_task, read_task
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text.tokenizers.char import CharTokenizer
from pellucid.training.run_folder import RunFolder

CONTEXT = 16
TEXT = "abc abd. " * 9  # several contexts long


@pytest.fixture(scope="module")
def chars() -> CharTokenizer:
    return CharTokenizer.from_texts(["abcdefgh .äq"])


@pytest.fixture(scope="module")
def run(chars) -> LoadedRun:
    """A transformer with opinions."""
    torch.manual_seed(0)
    config = ModelConfig(
        vocab_size=chars.vocab_size, context_length=CONTEXT, n_layers=2, n_heads=2, d_model=16
    )
    model = build_model(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(6 if weight.dim() > 1 else 1)
    return LoadedRun(RunFolder(Path("none")), model, chars, "cpu")


@pytest.fixture(scope="module")
def table(chars) -> LoadedRun:
    """A model that is sure, after every letter, of the next one of the alphabet, with odds of e⁵ to all others."""
    model = build_model(
        ModelConfig(vocab_size=chars.vocab_size, context_length=CONTEXT, architecture="bigram")
    )
    letters = chars.encode("abcdefgh").tolist()
    with torch.no_grad():
        for one, other in pairwise(letters):
            model.table.weight[one, other] = 5.0  # pyright: ignore
    return LoadedRun(RunFolder(Path("none")), model.eval(), chars, "cpu")


def logprob(run: LoadedRun, ids: list[int], n: int) -> float:
    """Of the last `n` tokens, each by one plain forward pass over all that stands before."""
    total = 0.0
    for end in range(len(ids) - n, len(ids)):
        with torch.inference_mode():
            total += float(run.model(torch.tensor([ids[:end]]))[0, -1].log_softmax(-1)[ids[end]])
    return total


def test_what_is_known_by_construction(table, chars):
    lines = [
        Question("a", ("bcd", "bed"), 0),  # right: three sure steps against one
        Question("d", ("fgh", "e"), 1),  # right: one sure step beats two and one that is not
        Question("a", ("b", "bcde"), 1),  # wrong, for it is longer; right by length
        Question("g", ("a", "h"), 0),  # wrong however it is counted
        "abcdefgh",
    ]
    found = answer_task(table, lines)
    total = math.log(math.exp(5) + chars.vocab_size - 1)
    sure, other, first = 5 - total, -total, -math.log(chars.vocab_size)
    expected = [(3 * sure, 2 * other + sure), (other + 2 * sure, sure), (sure, 4 * sure), (other, sure)]
    for answered, logprobs in zip(found.answered, expected, strict=True):
        assert answered.logprobs == pytest.approx(logprobs, abs=1e-5)
    assert found.accuracy == 0.5 and found.chance == 0.5
    assert found.error == pytest.approx(math.sqrt(0.25 / 3))
    assert found.read[0].logprob == pytest.approx(first + 7 * sure, abs=1e-5)
    assert found.bits_per_byte == pytest.approx(-(first + 7 * sure) / math.log(2) / 8, abs=1e-6)


def test_length_counts_where_it_is_asked_for():
    longer = Answered(Question("", ("ab", "ä"), 0), (-2.0, -1.5))
    assert not longer.is_right() and longer.is_right(len)
    found = TaskResult([longer], [])
    assert (found.accuracy, found.accuracy_by_characters, found.accuracy_by_bytes) == (0, 1, 0)
    assert math.isnan(found.error) and math.isnan(found.bits_per_byte) and "texts" not in found.to_dict()
    json.dumps(found.to_dict(), allow_nan=False)


def test_prompt_and_choice_are_one_text(run, chars):
    """Blanks at its end count as the choice's; what does not fit goes at the beginning."""
    end = chars.end_of_text
    long = TEXT[:30]
    asked = [("ab ", "c", "dd"), ("", "ab", "c"), (long, "a", "b")]
    found = answer_task(run, [Question(prompt, tuple(choices), 0) for prompt, *choices in asked])
    ids = [chars.encode(text).tolist() for text in ("ab c", "ab dd")]
    assert found.answered[0].logprobs == pytest.approx(
        [logprob(run, ids[0], 2), logprob(run, ids[1], 3)], abs=1e-4
    )
    empty = [[end, *chars.encode("ab").tolist()], [end, *chars.encode("c").tolist()]]
    assert found.answered[1].logprobs == pytest.approx(
        [logprob(run, empty[0], 2), logprob(run, empty[1], 1)], abs=1e-4
    )
    cut = chars.encode(long + "a").tolist()[-CONTEXT - 1 :]
    before = len(long.rstrip())
    n = len(long) + 1 - before
    assert found.answered[2].logprobs[0] == pytest.approx(logprob(run, cut, n), abs=1e-4)


def test_every_token_of_a_text_is_scored_once(run, chars):
    ids = [chars.end_of_text, *chars.encode(TEXT).tolist()]
    n = len(ids) - 1
    total, whole = 0.0, n // CONTEXT * CONTEXT
    for start in range(0, whole, CONTEXT):
        total += logprob(run, ids[start : start + CONTEXT + 1], CONTEXT)
    total += logprob(run, ids[-CONTEXT - 1 :], n - whole)  # the last looks back over a whole context
    assert n - whole not in (0, CONTEXT)
    assert answer_task(run, [TEXT]).read[0].logprob == pytest.approx(total, abs=1e-3)
    heard: list[Any] = []
    answer_task(run, [TEXT] * 20, lambda *how_far: heard.append(how_far))
    assert heard[-1] == (120, 120) and len(heard) == 4


def test_unknown_characters_are_counted(run):
    found = answer_task(run, ["abz", "a", Question("xa", ("b", "yb"), 0), Question("a", ("b", "c"), 0)])
    assert (found.n_unknown, found.n_unknown_asked) == (1, 2)
    told = found.to_dict()
    assert (told["texts"]["unknown"], told["questions"]["unknown"]) == (1, 2)


def test_prompts_that_do_not_fit_are_counted(run):
    whole, one_more = ("a" * n for n in (CONTEXT, CONTEXT + 1))  # the last token of all need not be read
    found = answer_task(run, [Question(prompt, ("b", "c"), 0) for prompt in (whole, one_more)] + ["a" * 50])
    assert [each.is_cut for each in found.answered] == [False, True]
    assert found.n_cut == found.to_dict()["questions"]["cut"] == 1


def test_what_has_no_tokens_or_too_many(run):
    with pytest.raises(InputError, match="question 2: a choice has 17 tokens, and the model sees 16"):
        answer_task(run, ["a", Question("a", ("b", "b" * 17), 0)])


# ---------------------------------------------------------------------- files


def task(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "task.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    return path


def test_a_file_of_questions_and_texts(tmp_path):
    path = task(
        tmp_path,
        {"prompt": "a", "choices": ["b", "c"], "answer": 1, "id": 7},
        "",
        {"prompt": "", "choices": ["b", "c"], "answer": "b"},
        {"text": "äöü\u2028"},
    )
    assert read_task(path) == [Question("a", ("b", "c"), 1), Question("", ("b", "c"), 0), "äöü\u2028"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "line 1 must be"),
        ({"text": 3}, "line 1 must be"),
        ({"text": ""}, "line 1 must be"),
        ({"prompt": "a", "choices": ["b", ""], "answer": 0}, "no choice may be empty"),
        ({"prompt": "a", "choices": ["b"], "answer": 0}, "has 1 choices: a question has 2 to 100"),
        ({"prompt": "a", "choices": ["b", "c"], "answer": 2}, "from 0 to 1, not 2"),
        ({"prompt": "a", "choices": ["b", "c"], "answer": True}, "from 0 to 1, not True"),
        ({"prompt": "a", "choices": ["b", "c"]}, "from 0 to 1, not None"),
        ({"prompt": "\ud800", "choices": ["b", "c"], "answer": 0}, "half of a character"),
        ("", "holds no task"),
    ],
    ids=str,
)
def test_lines_that_are_neither(tmp_path, line, says):
    with pytest.raises(InputError, match=says):
        read_task(task(tmp_path, line))


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_task(tmp_path / "no.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "\xe4"}')
    with pytest.raises(InputError, match="in UTF-8"):
        read_task(tmp_path / "latin.jsonl")
