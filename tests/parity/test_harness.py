"""One task, asked three ways: lm-eval on the published folder, lm-eval through our server, and `pellucid eval --task`.

The model is made to know the alphabet: after a letter the next one, by odds of e⁶, with attention that stirs this
a little. So it is known beforehand which choice it takes; how likely it finds it, the three must agree on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from published import SIZES, byte_level, randomise
from serving import address_of
from threads import one_thread  # noqa: F401 (a fixture)

from pellucid import import_model
from pellucid.cli.main import main
from pellucid.server.house import House, RunsRoot
from pellucid.server.jobs import Jobs
from pellucid.server.models import Models
from pellucid.server.scheduler import Scheduler

transformers = pytest.importorskip("transformers")
lm_eval = pytest.importorskip("lm_eval", reason="the harness is not installed: pip install -e '.[harness]'")

CONTEXT = SIZES["max_position_embeddings"]
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# a prompt, choices, the answer, and whether the model takes it: as it is, and by length
QUESTIONS = [
    ("Qa", ["b", "d"], 0, True, True),
    ("Qa", ["d", "b"], 1, True, True),
    ("Qb", ["x", "q", "c"], 2, True, True),
    ("", ["fgh", "fzq"], 0, True, True),
    ("Q f", ["g", "f"], 1, False, False),  # what it is said to know, it does not
    ("Qm", ["q", "noz"], 0, True, False),  # one odd step against two sure ones and an odd one
    ("Qm ", ["nop", "nzq"], 0, True, True),  # the blank counts as the choice's
    ("Q" + ALPHABET * 4 + "a", ["b", "z"], 0, True, True),  # longer than the context
]
RIGHT, RIGHT_BY_LENGTH = (sum(taken) / len(QUESTIONS) for taken in list(zip(*QUESTIONS, strict=True))[3:])
EXPECTED = (RIGHT, RIGHT_BY_LENGTH, RIGHT_BY_LENGTH)  # ASCII: characters are bytes
# greedily, until an "h" or an "n"; where the model does know
WRITTEN = [("Q f", "g"), ("Q i", "jklm"), ("Q j", "klm"), ("Q k", "lm")]
TEXTS = ["abc xyz! ", "It was a bright cold day in April. " * 12, "naïve 漢字 🙂"]
MULTIPLE = """
task: known
dataset_path: json
dataset_kwargs:
  data_files: {{test: {path}.jsonl}}
  cache_dir: {path}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_target: answer
doc_to_choice: choices
target_delimiter: ""
metric_list:
  - metric: acc
  - metric: acc_norm
  - metric: acc_bytes
"""
ROLLING = """
task: whole
dataset_path: json
dataset_kwargs:
  data_files: {{test: {path}.jsonl}}
  cache_dir: {path}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list:
  - metric: bits_per_byte
"""
WRITING = """
task: written
dataset_path: json
dataset_kwargs:
  data_files: {{test: {path}.jsonl}}
  cache_dir: {path}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: ["h", "n"]
  max_gen_toks: 12
metric_list:
  - metric: exact_match
"""
TASKS = ("known", "whole", "written")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published model that knows the alphabet."""
    folder = tmp_path_factory.mktemp("harness") / "published"
    engine = byte_level()
    torch.manual_seed(0)
    sizes = {**SIZES, "hidden_size": SIZES["vocab_size"], "num_hidden_layers": 1, "eos_token_id": 0}
    model = randomise(transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes)))
    letters = [engine.token_to_id(letter) for letter in ALPHABET]
    with torch.no_grad():
        width = sizes["hidden_size"]
        model.model.norm.weight.fill_(1)
        model.model.embed_tokens.weight.copy_(torch.eye(width))
        layer = model.model.layers[0]
        layer.self_attn.o_proj.weight.mul_(0.1)
        layer.mlp.down_proj.weight.mul_(0.1)
        head = 0.3 * torch.randn(width, width)
        for one, other in pairwise(letters):
            head[other, one] += 6
        model.lm_head.weight.copy_(head / width**0.5)
    model.save_pretrained(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=engine, eos_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Path:
    import_model(folder, folder.parent / "runs" / "alphabet")
    return folder.parent / "runs"


@pytest.fixture(scope="module")
def tasks(folder: Path) -> Path:
    """The task as the harness reads it, and as we do."""
    path = folder.parent / "tasks"
    path.mkdir()
    asked = [{"prompt": q[0], "choices": q[1], "answer": q[2]} for q in QUESTIONS]
    begun = [{"prompt": prompt, "answer": answer} for prompt, answer in WRITTEN]
    files = {
        "known": (MULTIPLE, asked),
        "whole": (ROLLING, [{"text": text} for text in TEXTS]),
        "written": (WRITING, begun),
    }
    for name, (recipe, lines) in files.items():
        data = path / f"{name}.jsonl"
        data.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        (path / f"{name}.yaml").write_text(recipe.format(path=(path / name).as_posix()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def url(runs: Path) -> Iterator[str]:
    root = RunsRoot(runs)
    house = House(root, Models(root, "cpu"), Scheduler(), Jobs(root, lambda _: None))
    with address_of(house) as address:
        yield address


def harness(tasks: Path, kind: str, **model_args: Any) -> dict[str, Any]:
    """What lm-eval finds: its metrics, and the log-probabilities of every line."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    found = lm_eval.simple_evaluate(
        model=kind, model_args=model_args, tasks=list(TASKS), task_manager=manager, bootstrap_iters=0
    )
    known, whole, written = (found["results"][name] for name in TASKS)
    samples = found["samples"]
    return {
        "accuracy": (known["acc,none"], known["acc_norm,none"], known["acc_bytes,none"]),
        "bits_per_byte": whole["bits_per_byte,none"],
        "written": written["exact_match,none"],
        "questions": [
            [logprob for logprob, _ in each["filtered_resps"]]
            for each in sorted(samples["known"], key=lambda each: each["doc_id"])
        ],
        "texts": [
            each["filtered_resps"][0] for each in sorted(samples["whole"], key=lambda each: each["doc_id"])
        ],
    }


def ours(runs: Path, tasks: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    for name in ("known", "whole"):
        assert main(["eval", str(runs / "alphabet"), "--task", str(tasks / f"{name}.jsonl"), "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    known, whole = told[0]["questions"], told[1]["texts"]
    names = ("accuracy", "accuracy_by_characters", "accuracy_by_bytes")
    return {
        "accuracy": tuple(known[name] for name in names),
        "bits_per_byte": whole["bits_per_byte"],
        "questions": known["logprobs"],
        "texts": whole["logprobs"],
    }


def test_three_ways_agree(folder, runs, tasks, url, capsys):
    direct = harness(tasks, "hf", pretrained=str(folder), dtype="float32", device="cpu")
    served = harness(
        tasks,
        "local-completions",
        model="alphabet",
        base_url=f"{url}/v1/completions",
        tokenizer_backend="huggingface",
        tokenizer=str(folder),
        max_length=CONTEXT + 2,  # the harness holds two back
        batch_size=4,
    )
    own = ours(runs, tasks, capsys)
    assert direct["accuracy"] == served["accuracy"] == own["accuracy"] == EXPECTED
    assert direct["written"] == served["written"] == 1
    assert_same(served, direct)
    assert_same(own, direct)


def test_an_export_answers_as_its_run(runs, tasks, tmp_path, capsys):
    exporting = pytest.importorskip(
        "pellucid.interop.exporting", reason="there is no `pellucid export` here yet"
    )
    made = exporting.export(runs / "alphabet", "hf", tmp_path / "exported", check=False)
    direct = harness(tasks, "hf", pretrained=str(made.path), dtype="float32", device="cpu")
    own = ours(runs, tasks, capsys)
    assert direct["accuracy"] == own["accuracy"] == EXPECTED
    assert_same(own, direct)


def assert_same(told: dict[str, Any], direct: dict[str, Any]) -> None:
    """The same log-probabilities of every choice and of every text."""
    assert told["bits_per_byte"] == pytest.approx(direct["bits_per_byte"], abs=1e-4)
    assert told["texts"] == pytest.approx(direct["texts"], abs=1e-3)
    for one, other in zip(told["questions"], direct["questions"], strict=True):
        assert one == pytest.approx(other, abs=1e-3)
