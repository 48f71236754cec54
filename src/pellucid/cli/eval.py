"""`pellucid eval`: how well a model predicts a text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pellucid.cli import console
from pellucid.cli.flags import add_device, make_parser
from pellucid.errors import InputError
from pellucid.shell import quoted

if TYPE_CHECKING:
    from pellucid.api import LoadedRun
    from pellucid.inspection.tasks import TaskResult
    from pellucid.text.documents import Corpus


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "eval",
        "Score a model on a text: loss in nats a token, perplexity, bits per byte. Reserved tokens are not counted; "
        "windows of the model's context do not overlap. A run trained on the corpus `tales` is also held against the "
        "best there can be, and needs no text for that. With --task: which of several choices the model "
        "finds likeliest, as evaluation harnesses ask.",
        "pellucid eval runs/book-1 other-book.txt",
    )
    made.add_argument(
        "arguments",
        nargs="*",
        metavar="[RUN] [TEXT…]",
        help="a run (left out: the latest), then files, folders or addresses",
    )
    made.add_argument(
        "--task",
        metavar="FILE.jsonl",
        help='questions, a line {"prompt": …, "choices": […], "answer": …} each, or texts, {"text": …}',
    )
    add_device(made)
    return made


def main(args: argparse.Namespace) -> None:
    if not args.arguments and not args.task:
        raise InputError("nothing to score: name a text, or a task with --task; see `pellucid eval --help`")
    run_name, texts = _sort_out(args.arguments)
    console.say("Loading…")
    from pellucid.api import load
    from pellucid.cli.floor import tell_floor
    from pellucid.inspection.floor import is_trained_on_tales
    from pellucid.training.run_folder import find_run

    if args.task:
        _answer(run_name, texts, args)
        return
    if not texts and not is_trained_on_tales(find_run(run_name)):
        raise InputError("no text to score: name one after the run")
    run = load(run_name, args.device or "auto")
    told: dict[str, Any] = {"run": str(run.folder.path)}
    if texts:
        told |= _score(run, texts)
    if floor := tell_floor(run.folder, print, run.device):
        told["floor"] = floor
    console.result(told, args.json)
    console.next_step(f"pellucid sample {quoted(run.folder.path)}")


def _answer(run_name: str | None, texts: list[str], args: argparse.Namespace) -> None:
    """Ask the questions of a task, and say how many are answered right."""
    from pathlib import Path

    from pellucid.api import load
    from pellucid.cli.bar import TimedBar
    from pellucid.inspection.tasks import answer_task, read_task
    from pellucid.text.files import expand_home

    if texts:
        raise InputError(
            f"--task takes a run and no text, and {texts[0]} is no run here: see `pellucid runs`"
        )
    lines = read_task(expand_home(Path(args.task)))
    run = load(run_name, args.device or "auto")
    with TimedBar() as bar:
        found = answer_task(run, lines, lambda done, total: bar.advanced("reading", done, total))
    console.say(f"{run.folder.path} on {args.task}:")
    for line in _task_lines(found):
        print(line)
    if found.n_cut:
        console.say(
            f"Not all of the prompt fits into the model's context in {found.n_cut:,} of {len(found.answered):,} "
            "questions: of these only the end is read."
        )
    if found.n_unknown_asked:
        console.say(
            f"{found.n_unknown_asked:,} characters of the questions are unknown: choices that differ in these alone "
            "look the same."
        )
    if found.n_unknown:
        console.say(
            f"{found.n_unknown:,} tokens of the texts are unknown characters: bits per byte is not comparable."
        )
    console.result({"run": str(run.folder.path), "task": args.task, **found.to_dict()}, args.json)
    console.next_step(f"pellucid sample {quoted(run.folder.path)}")


def _task_lines(found: TaskResult) -> list[str]:
    lines = list[str]()
    if found.answered:
        lines += [
            f"questions      {len(found.answered):,}, of which guessing answers {found.chance:.4f}",
            f"accuracy       {found.accuracy:.4f}"
            + (f" ± {found.error:.4f}" if len(found.answered) > 1 else ""),
            f"  a character  {found.accuracy_by_characters:.4f}, by log-probability a character",
            f"  a byte       {found.accuracy_by_bytes:.4f}, by log-probability a byte",
        ]
    if found.read:
        lines += [
            f"texts          {len(found.read):,}, log-probability {sum(each.logprob for each in found.read):.2f} nats",
            f"bits per byte  {found.bits_per_byte:.4f}",
        ]
    return lines


def _score(run: LoadedRun, texts: list[str]) -> dict[str, Any]:
    """Score the texts, say what there is to say, and return it as JSON."""
    from pellucid.text.sources import read
    from pellucid.training.evaluation import Evaluator

    corpus = read(texts)
    tokens = run.tokenizer.encode_documents([document.text for document in corpus.documents])
    score = Evaluator(run.tokenizer, run.model.config.context_length).score(run.model, tokens, run.device)
    if not score.n_tokens:
        raise InputError("the text is too short to score: it needs at least two tokens")
    overlap = _overlap(run, corpus)
    console.say(f"{run.folder.path} on {corpus.name}: {score.n_tokens:,} tokens, {score.n_bytes:,} bytes")
    print(f"loss           {score.loss:.4f} nats a token")
    print(f"perplexity     {score.perplexity:.3f}")
    print(f"bits per byte  {score.bits_per_byte:.4f}")
    if score.n_unknown:
        unknown = f"{score.n_unknown:,} of {score.n_tokens:,} tokens are unknown characters"
        from pellucid.text.wording import named_characters

        which = run.tokenizer.unknown_characters("".join(document.text for document in corpus.documents))
        console.say(f"{unknown} ({named_characters(which)}): bits per byte is not comparable.")
    if overlap is None:
        imported = run.folder.imported
        reason = "is not known" if imported else "is prepared or cannot be read any more"
        console.say(f"Its training text {reason}: overlap with this text was not checked.")
    elif overlap:
        console.say(
            f"About {overlap:.0%} of this text stands in the training text: the score flatters the model."
        )
    return {
        "loss": score.loss,
        "perplexity": score.perplexity,
        "bits_per_byte": score.bits_per_byte,
        "tokens": score.n_tokens,
        "bytes": score.n_bytes,
        "unknown": score.n_unknown,
        "overlap": overlap,
    }


def _sort_out(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The first argument is a run if it names one and a text follows."""
    from pathlib import Path

    from pellucid.text.files import expand_home

    if not arguments:
        return None, []
    first = expand_home(Path(arguments[0]))
    is_run = any((folder / "config.json").is_file() for folder in (first, Path("runs") / arguments[0]))
    return (arguments[0], arguments[1:]) if is_run else (None, arguments)


def _overlap(run: LoadedRun, corpus: Corpus) -> float | None:
    """Share of the text that stands in the run's training split; None if that can no longer be read."""
    from pellucid.text.overlap import overlap

    try:
        kept = _training_texts(run)
    except InputError:
        return None
    return None if kept is None else overlap((document.text for document in corpus.documents), kept)


def _training_texts(run: LoadedRun) -> list[str] | None:
    """Raises: InputError where they cannot be read any more."""
    from pellucid.text.sources import read
    from pellucid.text.splits import split
    from pellucid.training.conversations import known_conversations
    from pellucid.training.prepared import prepared_folder

    config = run.folder.config()
    if "imported" in config:
        return None
    data = config["data"]
    if "chats" in data:
        learned = known_conversations(run.folder, data).train
        return [turn.text for conversation in learned for turn in conversation.turns]
    if any(map(prepared_folder, data["sources"])):
        return None  # tokens are there, but going through all of a large text would take too long
    known, splits = read(data["sources"]), data["splits"]
    train = split(known.documents, seed=splits["seed"], dev_fraction=splits["dev_fraction"]).train
    return [document.text for document in train]
