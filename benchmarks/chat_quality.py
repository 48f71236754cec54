"""What fine-tuning on chats gives, and how fast, with PEFT and transformers beside it.

    python benchmarks/chat_quality.py --data FOLDER [--parts topical,small] [--minutes 12]

- topical: SmolLM2-135M-Instruct with LoRA learns agent_2 of topical_chat_valid_freq.jsonl; bits per byte of that
  agent's replies in the last tenth, before and after, and after the same steps in PEFT (the same weights, the same
  adapters to start from, the same rates and conversations a step).
- speed: tokens a second of both, step by step in turn; medians. Tokens are those of conversations, padding not counted.
- personas: one small model from scratch, tuned on either of two made-up people (personas.py): bits per byte on both
  people's held-out replies, and how many replies end by themselves.
- form: the same small model, trained on a million characters of writing, tuned on short questions and answers, in
  conversations of three turns: how many replies keep the form.
- canaries: `pellucid audit` of one of the personas.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import personas
import torch

import pellucid
from pellucid.api import LoadedRun
from pellucid.generation.options import CHAT_DEFAULTS
from pellucid.text.packing import Example, Rows
from pellucid.text.template import Turn
from pellucid.training.base import open_base, put_adapters, stored_adapters
from pellucid.training.config import TrainConfig
from pellucid.training.conversations import ChatOptions, known_replies
from pellucid.training.evaluation import ReplyEvaluator
from pellucid.training.finetune import LoRA, finetune
from pellucid.training.gradients import fill_gradients
from pellucid.training.machine import Machine
from pellucid.training.observer import Observer
from pellucid.training.optimizers import build_optimizers
from pellucid.training.plan import build
from pellucid.training.replies import ReplyData
from pellucid.training.report import Outcome
from pellucid.training.weights import load_weights

NAMED = "smollm2-135m-instruct"
CHAT, WRITING, QUESTIONS = "topical_chat_valid_freq.jsonl", "tinyshakespeare.txt", "instruction-data.json"
SPEED_STEPS = 5
N_CONVERSATIONS, N_ASKED, N_TURNS = 600, 600, 3
# about four minutes on two free cores
SMALL = {
    "n_layers": 4,
    "d_model": 128,
    "n_heads": 4,
    "batch_size": 8,
    "lr": 3e-3,
    "dropout": 0.0,
    "steps": 2000,
}
CONTEXT = 256  # characters that hold a question, its answer and some of what was before
LONGEST_LINE = 80  # characters of a short question or answer


class Said(Observer):
    """Prints what a training says of itself."""

    def note(self, message: str) -> None:
        print(f"    {message}", flush=True)


def learned_from(outcome: Outcome) -> ReplyData:
    """The examples that a fine-tuning had."""
    stored = outcome.run.config()
    return known_replies(outcome.run, stored, lambda: open_base(stored["base"]["path"]).run, None, print)


def bits_per_byte(run: LoadedRun, data: ReplyData, examples: Sequence[Example]) -> float:
    return ReplyEvaluator(data.tokenizer, data.length).score(run.model, examples, run.device).bits_per_byte


# ---------------------------------------------------------------------- a published model, and PEFT beside it


def topical(folder: Path, data: Path, minutes: float) -> tuple[Outcome, float]:
    """SmolLM2 learns agent_2's voice: the fine-tuning, and its bits per byte of what was held out, in float32."""
    base = pellucid.import_model(NAMED, folder / NAMED)
    started = time.perf_counter()
    outcome = finetune(
        base.path,
        data / CHAT,
        chats=ChatOptions("agent_2"),
        lora=LoRA(),
        mix=0,
        out=folder / "topical",
        minutes=minutes,
        observer=Said(),
    )
    seconds = time.perf_counter() - started
    replies = learned_from(outcome)
    before = bits_per_byte(pellucid.load(base.path), replies, replies.validation)
    after = bits_per_byte(pellucid.load(outcome.run.path), replies, replies.validation)
    assert outcome.validation
    print(
        f"topical: {seconds / 60:.1f} minutes, {outcome.steps} steps, {outcome.tokens:,} tokens; bits per byte of "
        f"{outcome.validation.n_tokens:,} held-out tokens {before:.4f} -> {after:.4f} ({after / before - 1:+.1%})"
    )
    return outcome, after


def beside(outcome: Outcome, ours: float) -> None:
    """PEFT after the same steps, scored in float32 as `ours` was."""
    theirs = peft_steps(outcome, learned_from(outcome))
    print(f"topical, PEFT after the same steps: {theirs:.4f} (ours {ours / theirs - 1:+.2%})", flush=True)


def peft_steps(outcome: Outcome, replies: ReplyData) -> float:
    """Bits per byte after the best of our steps, taken in PEFT."""
    from peft_twin import Twin

    stored = outcome.run.config()
    config, adapters = TrainConfig(**stored["training"]), stored_adapters(stored)
    assert adapters
    model = pellucid.load(stored["base"]["path"]).model
    put_adapters(model, adapters, config.seed)
    machine = Machine(**stored["machine"])
    torch.set_num_threads(machine.threads)
    twin = Twin(model, config, machine.precision)
    rows = replies.batches(replies.length, config.seed)
    assert isinstance(rows, Rows)
    rates = [entry["rate"] for entry in outcome.run.metrics() if "rate" in entry]
    for step, rate in enumerate(rates[: outcome.best_step]):
        twin.step(rows, step * config.batch_size, config.batch_size, rate)
    evaluator = ReplyEvaluator(replies.tokenizer, replies.length)
    counted = evaluator.bytes_of > 0
    nats = twin.nats(replies.validation, counted)
    scored = np.concatenate(
        [each.ids[1:][each.learned[1:] & counted[each.ids[1:]]] for each in replies.validation]
    )
    return nats / np.log(2) / evaluator.bytes_of[scored].sum()


def speed(outcome: Outcome) -> None:
    """Steps of both on the same conversations, in turn."""
    from peft_twin import Twin

    stored, replies = outcome.run.config(), learned_from(outcome)
    config, adapters, machine = (
        TrainConfig(**stored["training"]), stored_adapters(stored), Machine(**stored["machine"])
    )  # fmt: skip
    assert adapters
    base = pellucid.load(stored["base"]["path"])
    torch.set_num_threads(machine.threads)
    model = build(base.model.config, config, machine)
    load_weights(model, base.folder.model_path)
    put_adapters(model, adapters, config.seed)
    twin = Twin(model, config, machine.precision)
    model.train()
    optimizers = build_optimizers(
        model, config.optimizer, config.lr, (config.beta1, config.beta2), config.weight_decay
    )
    rows = replies.batches(replies.length, config.seed)
    assert isinstance(rows, Rows)
    trained = [p for p in model.parameters() if p.requires_grad]

    def ours(first: int) -> int:
        batch = fill_gradients(model, rows, first, config, machine)
        torch.nn.utils.clip_grad_norm_(trained, config.clip)
        optimizers.step()
        return batch.n_tokens

    def theirs(first: int) -> int:
        return twin.step(rows, first, config.batch_size, config.lr)

    measured: dict[str, list[float]] = {"ours": [], "PEFT": []}
    sides: dict[str, Callable[[int], int]] = {"ours": ours, "PEFT": theirs}
    for step in range(SPEED_STEPS + 1):  # the first one warms up
        for name, take in sides.items():
            started = time.perf_counter()
            n_tokens = take(step * config.batch_size)
            if step:
                measured[name].append(n_tokens / (time.perf_counter() - started))
    medians = {name: statistics.median(values) for name, values in measured.items()}
    listed = "; ".join(f"{name} {value:.0f}" for name, value in medians.items())
    print(f"speed: tokens a second {listed}; ratio {medians['ours'] / medians['PEFT']:.2f}", flush=True)


# ---------------------------------------------------------------------- small models from scratch


def small_base(folder: Path, data: Path) -> LoadedRun:
    """A character model of a million characters of writing."""
    out = folder / "writing"
    outcome = pellucid.train(
        data / WRITING, tokenizer="char", context_length=CONTEXT, out=out, observer=Said(), **SMALL
    )
    assert outcome.validation
    print(f"    {outcome.validation.bits_per_byte:.3f} bits per byte of held-out writing")
    return pellucid.load(out)


def write_lines(path: Path, conversations: Sequence[dict[str, list[dict[str, str]]]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in conversations), encoding="utf-8")
    return path


def asked_of(data: ReplyData) -> list[str]:
    """Questions of the held-out conversations."""
    decoded = (data.tokenizer.decode(each.ids, keep_special=True) for each in data.validation)
    questions = [part.split("<|end|>")[0] for text in decoded for part in text.split("<|user|>")[1:]]
    return list(dict.fromkeys(questions))


def kept_form(run: LoadedRun, questions: Sequence[str], n_turns: int) -> tuple[int, int]:
    """How many replies end by themselves and are not empty, of how many, in conversations of `n_turns` questions.

    Tokens are picked as `pellucid chat` picks them, 180 at most.
    """
    template = run.template
    assert template
    asked = [questions[n % len(questions)] for n in range(N_ASKED)]
    talks: list[list[Turn]] = [[] for _ in asked[::n_turns]]
    kept = total = 0
    for turn in range(n_turns):
        for place, talk in enumerate(talks):
            talk.append(Turn("user", asked[(place * n_turns + turn) % len(asked)]))
        prompts = [template.prompt(talk).tolist() for talk in talks]
        options = [dataclasses.replace(CHAT_DEFAULTS, seed=n) for n in range(len(talks))]
        for talk, reply in zip(
            talks, run.engine().generate(prompts, options, ends=template.ends), strict=True
        ):
            total += 1
            kept += reply.finish_reason == "stop" and bool(reply.text.strip())
            talk.append(Turn("assistant", reply.text))
    return kept, total


def two_people(folder: Path, base: LoadedRun) -> dict[str, Outcome]:
    """A model for each of two people: which replies it knows better, and whether it ends its own."""
    options = ChatOptions("assistant")
    outcomes = {
        name: finetune(
            base.folder.path,
            write_lines(folder / f"{name}.jsonl", personas.conversations(name, N_CONVERSATIONS, seed=0)),
            chats=options,
            out=folder / name,
            observer=Said(),
        )
        for name in personas.VOICES
    }
    held_out = {name: learned_from(outcome) for name, outcome in outcomes.items()}
    for name, outcome in outcomes.items():
        run = pellucid.load(outcome.run.path)
        scores = {other: bits_per_byte(run, data, data.validation) for other, data in held_out.items()}
        kept, total = kept_form(run, asked_of(held_out[name]), 1)
        listed = ", ".join(f"{other}'s replies {score:.3f}" for other, score in scores.items())
        print(
            f"personas: tuned on {name}: {listed} bits per byte; {kept} of {total} replies end by themselves"
        )
    return outcomes


def form(folder: Path, base: LoadedRun, data: Path) -> None:
    """Short questions and answers, in conversations of three."""
    pairs = [
        (" ".join([entry["instruction"], entry["input"]]).strip(), entry["output"])
        for entry in json.loads((data / QUESTIONS).read_text(encoding="utf-8"))
    ]
    short = [pair for pair in pairs if max(map(len, pair)) <= LONGEST_LINE]
    turns = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in short
    ]
    starts = range(0, len(turns), N_TURNS)
    talks = [[turn for pair in turns[start : start + N_TURNS] for turn in pair] for start in starts]
    lines = write_lines(folder / "questions.jsonl", [{"messages": talk} for talk in talks])
    outcome = finetune(
        base.folder.path, lines, chats=ChatOptions("assistant"), out=folder / "form", observer=Said()
    )
    run, replies = pellucid.load(outcome.run.path), learned_from(outcome)
    kept, total = kept_form(run, asked_of(replies), N_TURNS)
    print(
        f"form: {len(short)} short questions; {kept} of {total} replies keep it ({kept / total:.1%})",
        flush=True,
    )


def canaries(outcome: Outcome) -> None:
    """How well codes planted in a copy of the chat are known."""
    found = pellucid.audit(outcome.run.path, only=["canaries"]).canaries
    assert found
    listed = ", ".join(f"x{each.times} {statistics.median(each.bits):.2f}" for each in found.planted)
    unseen = statistics.median(found.unseen.bits)
    print(
        f"canaries: exposure in bits {listed}; {len(found.unseen.bits)} unseen ones {unseen:.2f}; "
        f"the ceiling is {found.ceiling:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help=f"a folder with {CHAT}, {WRITING}, {QUESTIONS}"
    )
    parser.add_argument("--out", type=Path, help="keep the runs here")
    parser.add_argument("--parts", default="topical,small", help="topical, small")
    parser.add_argument("--minutes", type=float, default=12.0, help="of the topical fine-tuning")
    args = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if "topical" in args.parts:
            outcome, after = topical(folder, args.data, args.minutes)
            speed(outcome)
            beside(outcome, after)
        if "small" in args.parts:
            base = small_base(folder, args.data)
            form(folder, base, args.data)
            canaries(two_people(folder, base)["mara"])


if __name__ == "__main__":
    main()
