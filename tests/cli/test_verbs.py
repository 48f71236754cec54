"""Every verb on a tiny run: results on stdout, prose on stderr, the next command named, the exit code right."""

from __future__ import annotations

import importlib
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pellucid

Cli = Callable[..., Any]
SMALL = (
    *("--steps", 6, "--n-layers", 1, "--n-heads", 2, "--d-model", 16, "--context-length", 16),
    *("--batch-size", 4, "--precision", "float32", "--device", "cpu"),
)

RUN = str(Path("runs/farm-1"))  # as this system writes it


def parse_next(result: Any) -> list[list[str]]:
    """The commands a result names, each parsed by the verb's own parser; there must be one."""
    import shlex

    lines = result.err.strip().splitlines()
    named = [line.split(":  ", 1)[1] for line in lines if re.match(r"(Next|  or):  ", line)]
    assert named, f"no next command in:\n{result.err}"
    assert lines[-1].startswith(("Next:  ", "  or:  ")), "the next command comes last"
    commands = [shlex.split(command) for command in named]
    for program, verb, *arguments in commands:
        assert program == "pellucid"
        importlib.import_module(f"pellucid.cli.{verb}").parser().parse_args(arguments)
    return commands


def parse_json(result: Any) -> dict[str, Any]:
    return json.loads(result.out.splitlines()[-1], parse_constant=pytest.fail)


def test_train(cli: Cli, farm: Path):
    result = cli("train", "farm.txt", *SMALL, "--json")
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 1
    told = parse_json(result)
    assert told["run"] == RUN
    assert (told["steps"], told["best_step"]) == (6, 6)
    assert told["validation"]["loss"] > 0
    assert told["bigram"]["bits_per_byte"] > 0
    for words in (
        "Forecast: ",
        "of memory",
        "times through the text",
        "step 0  dev ",
        "Validation",
        "Bigram",
    ):
        assert words in result.err
    parse_next(result)


def test_train_without_json_leaves_stdout_empty(cli: Cli, farm: Path):
    assert cli("train", "farm.txt", *SMALL).out == ""


def test_runs_are_numbered(cli: Cli, farm: Path, here: Path):
    for number in (1, 2):
        assert parse_json(cli("train", "farm.txt", *SMALL, "--json"))["run"].endswith(f"farm-{number}")


def test_train_with_wordpiece_and_resume(cli: Cli, farm: Path):
    result = cli("train", "farm.txt", *SMALL, "--tokenizer", "wordpiece", "--vocab-size", 560, "--json")
    assert result.code == 0, result.err
    assert "byte-level WordPiece, 554 symbols and 6 reserved tokens: as asked" in result.err
    again = cli("train", "--resume", "--steps", 8, "--tokenizer", "wordpiece")
    assert again.code == 0, again.err
    refused = cli("train", "--resume", "--steps", 9, "--tokenizer", "bpe")
    assert refused.code == 2
    assert "'wordpiece', not 'bpe'" in refused.err
    assert cli("sample", "--prompt", "The ", "--max-tokens", 5).out.startswith("The ")


def test_overwrite_replaces_a_run(cli: Cli, farm: Path, finished_run: Path):
    before = (finished_run / "model.safetensors").read_bytes()
    assert cli("train", "farm.txt", *SMALL, "--out", finished_run, "--overwrite").code == 0
    assert (finished_run / "model.safetensors").read_bytes() != before
    assert not (finished_run / "checkpoints" / "step-00000024").exists()


def test_a_failing_overwrite_leaves_the_run(cli: Cli, finished_run: Path, here: Path):
    (here / "short.txt").write_text("Too short.")
    result = cli("train", "short.txt", *SMALL, "--out", finished_run, "--overwrite")
    assert result.code == 2
    assert pellucid.load(finished_run).generate("The", max_tokens=2, ignore_eos=True)


def test_resume_takes_the_latest_run(cli: Cli, finished_run: Path):
    result = cli("train", "--resume", "--steps", 26, "--json")
    assert result.code == 0, result.err
    told = parse_json(result)
    assert (told["run"], told["steps"]) == (RUN, 26)
    assert "Resuming at step 24" in result.err


def test_sample(cli: Cli, finished_run: Path):
    result = cli("sample", "--prompt", "The ", "--max-tokens", 20, "--seed", 3, "--ignore-eos", "--json")
    assert result.code == 0, result.err
    told = parse_json(result)
    assert len(told["text"]) == 20
    assert result.out.startswith("The " + told["text"])
    parse_next(result)
    again = cli("sample", "farm-1", "--prompt", "The ", "--max-tokens", 20, "--seed", 3, "--ignore-eos")
    assert again.out == "The " + told["text"] + "\n"


def test_sampling_from_a_prompt_with_unknown_characters_says_so(cli: Cli, finished_run: Path):
    result = cli("sample", "--prompt", "Ünd 猫 ", "--max-tokens", 5)
    assert result.code == 0, result.err
    assert result.out.startswith("Ünd 猫 ")
    assert "2 of the prompt's characters never occurred in training ('Ü', '猫')" in result.err


def test_chat_from_piped_stdin(cli: Cli, finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Good day.\nAnd you?\n"))
    result = cli("chat", "--max-tokens", 8, "--name", "OWL", "--seed", 1, "--json")
    assert result.code == 0, result.err
    assert result.out.count("OWL: ") == 2
    told = parse_json(result)
    assert told["turns"] == 2
    assert [turn["text"] for turn in told["history"] if turn["speaker"] == "YOU"] == ["Good day.", "And you?"]
    parse_next(result)


def test_eval(cli: Cli, finished_run: Path, farm: Path, here: Path, grammar: Callable[..., str]):
    (here / "other.txt").write_text(grammar(30, seed=99).replace("The", "Lo, the"))
    result = cli("eval", "other.txt", "--json")
    assert result.code == 0, result.err
    told = parse_json(result)
    assert told["loss"] == pytest.approx(pellucid.load().loss((here / "other.txt").read_text()))
    assert f"{told['loss']:.4f} nats a token" in result.out
    assert told["unknown"] == 59  # L and the comma, thirty times, but for the first token, which is only read
    assert "are unknown characters ('L', ','): bits per byte is not comparable" in result.err
    parse_next(result)


def test_eval_answers_a_task(cli: Cli, finished_run: Path, here: Path):
    lines = [{"prompt": "The cat", "choices": [" sees", "qqqq"], "answer": 0}, {"text": "The bee hums.\n"}]
    (here / "task.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    result = cli("eval", finished_run, "--task", "task.jsonl", "--json")
    told = parse_json(result)
    assert told["questions"]["accuracy"] == 1.0 and told["questions"]["chance"] == 0.5
    assert "accuracy       1.0000" in result.out and "bits per byte" in result.out
    assert told["texts"]["bits_per_byte"] == pytest.approx(
        -told["texts"]["logprobs"][0] / math.log(2) / len("The bee hums.\n")
    )
    assert parse_json(cli("eval", "--task", "task.jsonl", "--json"))["questions"] == told["questions"]


def test_eval_tells_what_of_a_task_it_did_not_read(cli: Cli, finished_run: Path, here: Path):
    asked = {"prompt": "The cat Ω " * 10, "choices": ["sees", "hums"], "answer": 0}
    (here / "task.jsonl").write_text(json.dumps(asked), encoding="utf-8")
    result = cli("eval", "farm-1", "--task", "task.jsonl")
    assert result.code == 0 and "nan" not in result.out
    assert "in 1 of 1 questions: of these only the end is read" in result.err
    assert "10 characters of the questions are unknown" in result.err


def test_eval_warns_of_overlap_with_the_training_text(
    cli: Cli, finished_run: Path, text_file: Path, here: Path
):
    text = text_file.read_text()
    (here / "seen.txt").write_text(text[:3000])
    result = cli("eval", "farm-1", "seen.txt", "--json")
    assert "of this text stands in the training text" in result.err
    assert parse_json(result)["overlap"] > 0.9
    unseen = cli("eval", finished_run, text_file, "--json")
    assert 0.5 < parse_json(unseen)["overlap"] < 0.95, "validation was not trained on"


def test_eval_of_an_unrelated_text_does_not_warn(cli: Cli, finished_run: Path, here: Path):
    (here / "other.txt").write_text("quite another thing altogether, with nothing in common " * 20)
    result = cli("eval", "other.txt", "--json")
    assert parse_json(result)["overlap"] == 0
    assert "training text" not in result.err


def test_eval_says_when_overlap_cannot_be_checked(cli: Cli, finished_run: Path, farm: Path):
    config = json.loads((finished_run / "config.json").read_text())
    config["data"]["sources"] = ["/nowhere/any/more.txt"]
    (finished_run / "config.json").write_text(json.dumps(config))
    result = cli("eval", "farm.txt", "--json")
    assert result.code == 0
    assert "overlap with this text was not checked" in result.err
    assert parse_json(result)["overlap"] is None


def test_eval_of_a_model_tuned_on_a_chat_knows_what_it_learned(
    cli: Cli, finished_run: Path, here: Path, grammar: Callable[..., str]
):
    said = [grammar(6, seed=n) for n in range(10)]
    messages = [[{"role": "user", "content": "The"}, {"role": "assistant", "content": each}] for each in said]
    (here / "talk.jsonl").write_text("".join(json.dumps({"messages": each}) + "\n" for each in messages))
    flags = ("--anyway", "--steps", 2, "--out", "runs/talk", "--precision", "float32")
    tuned = cli("finetune", finished_run, "talk.jsonl", *flags)
    assert tuned.code == 0, tuned.err
    (here / "seen.txt").write_text(said[0])
    assert parse_json(cli("eval", "talk", "seen.txt", "--json"))["overlap"] > 0.5
    (here / "other.txt").write_text("quite another thing altogether, with nothing in common " * 20)
    assert parse_json(cli("eval", "talk", "other.txt", "--json"))["overlap"] == 0


def test_runs_lists_what_there_is(cli: Cli, finished_run: Path):
    result = cli("runs", "--json")
    assert result.code == 0, result.err
    row = parse_json(result)["runs"][0]
    assert (row["name"], row["step"], row["state"]) == ("farm-1", 24, "finished")
    assert row["bytes"] > 10_000
    assert result.out.startswith("farm-1")
    parse_next(result)


def test_runs_says_when_there_are_none(cli: Cli):
    result = cli("runs", "--json")
    assert (result.code, parse_json(result)) == (0, {"runs": []})
    parse_next(result)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["no\n", "\n", "y\n", ""])
def test_runs_asks_before_it_deletes(
    cli: Cli, finished_run: Path, monkeypatch: pytest.MonkeyPatch, answer: str
):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    result = cli("runs", "--delete", "farm-1")
    assert result.code == 2
    assert "for good. Type yes" in result.err
    assert (finished_run / "model.safetensors").exists()


def test_runs_deletes_on_a_yes(cli: Cli, finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    result = cli("runs", "--delete", "farm-1", "--json")
    assert result.code == 0
    assert not finished_run.exists()
    assert parse_json(result)["deleted"] == [RUN]
    parse_next(result)


def test_runs_does_not_delete_unasked_without_a_terminal(cli: Cli, finished_run: Path):
    assert cli("runs", "--delete", "farm-1").code == 2
    assert finished_run.exists()
    assert cli("runs", "--delete", "farm-1", "no-such-run", "--yes").code == 2
    assert finished_run.exists(), "all are found before any is removed"
    assert cli("runs", "--delete", "farm-1", "--yes").code == 0
    assert not finished_run.exists()


def test_runs_empties_the_cache_of_tokenizers(
    cli: Cli, farm: Path, here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PELLUCID_CACHE", str(here / "cache"))
    monkeypatch.delenv("PELLUCID_NO_CACHE")
    assert cli("train", "farm.txt", *SMALL, "--tokenizer", "bpe", "--vocab-size", 300).code == 0
    (kept,) = (here / "cache" / "tokenizers").iterdir()
    n_bytes = kept.stat().st_size
    result = cli("runs", "--clear-cache", "--json")
    assert result.code == 0, result.err
    assert parse_json(result) == {"removed": 1, "bytes": n_bytes}
    assert "Removed 1 learned tokenizer" in result.err
    assert not kept.exists()
    assert (here / RUN).exists()
    parse_next(result)
    assert parse_json(cli("runs", "--clear-cache", "--json")) == {"removed": 0, "bytes": 0}
    assert cli("runs", "--clear-cache", "--delete", "farm-1").code == 2


def test_doctor(cli: Cli):
    result = cli("doctor", "--json")
    assert result.code == 0, result.err
    told = parse_json(result)
    assert told["torch"] in result.out
    assert "device chosen" in told
    parse_next(result)


def test_bench(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    from pellucid.training import bench

    monkeypatch.setattr(bench, "LADDER", bench.LADDER[:1])
    result = cli("bench", "--repeats", 1, "--precision", "float32", "--json")
    assert result.code == 0, result.err
    row = parse_json(result)["rows"][0]
    assert row["tokens_per_second"] > 0
    assert 0 < row["share_of_peak"] < 10
    parse_next(result)


def test_demo(cli: Cli, farm: Path, monkeypatch: pytest.MonkeyPatch):
    from pellucid.text.corpora import named
    from pellucid.text.sources import read

    monkeypatch.setattr(named, "demo_corpus", lambda **_: read("farm.txt"))
    monkeypatch.setattr("pellucid.cli.demo.SCENE_TOKENS", 12)
    monkeypatch.setattr(
        "pellucid.training.auto.LADDER", importlib.import_module("pellucid.training.auto").LADDER[:1]
    )
    result = cli("demo", "--minutes", 0.02, "--json", "--device", "cpu")
    assert result.code == 0, result.err
    told = parse_json(result)
    assert told["run"] == RUN
    assert len(result.out.splitlines()[:-1]) >= 1, "the scene is a result"
    assert (Path(told["run"]) / "loss.png").exists()
    parse_next(result)


def test_the_program_as_it_is_installed(finished_run: Path):
    """One real process from start to end, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", "sample", "--max-tokens", "5", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["run"] == RUN
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------- Python


def test_python_trains_loads_writes_and_scores(farm: Path, here: Path):
    outcome = pellucid.train(
        "farm.txt", steps=4, d_model=16, n_layers=1, n_heads=2, context_length=16, precision="float32"
    )
    assert outcome.run.path == Path("runs/farm-1")
    run = pellucid.load()
    options = {"max_tokens": 12, "seed": 2, "ignore_eos": True}
    text = run.generate("The ", **options)
    assert "".join(run.stream("The ", **options)) == text
    assert len(text) == 12
    assert run.generate("") is not None
    assert run.loss("The cat in the barn") == pytest.approx(run.score("The cat in the barn").loss)
    with pytest.raises(pellucid.InputError, match="at least two tokens"):
        run.loss("T")


def test_python_reads(farm: Path):
    corpus = pellucid.read("farm.txt")
    assert (corpus.name, len(corpus.documents)) == ("farm", 1)
    assert corpus.n_characters == len(farm.read_text())


def test_python_tells_of_an_unknown_name():
    with pytest.raises(AttributeError, match="trian"):
        pellucid.trian  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
