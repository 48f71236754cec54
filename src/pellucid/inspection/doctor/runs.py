"""What more there is to check of a run: its tokenizer, its learning rate, its log, its template, what it writes."""

from __future__ import annotations

import collections
import dataclasses
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from pellucid.api import LoadedRun, load
from pellucid.errors import InputError
from pellucid.generation.options import SamplingOptions
from pellucid.inspection.doctor.diagnosis import findings
from pellucid.inspection.doctor.finding import NOT_APPLICABLE, Diagnosis, Finding, passed, unsuited, wrong
from pellucid.inspection.doctor.patient import Patient, make_patient
from pellucid.inspection.doctor.tying import TIED
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text.template import Template, Turn
from pellucid.training.settings import request

TOKENIZER, OWN_TEXT, RATE, LOG = (
    "tokenizer",
    "loss on its own text",
    "learning rate",
    "the log of the training",
)
TEMPLATE, WRITES = "template", "what it writes"
# Above these a rate is no choice but a slip: AdamW's presets take 3e-4 to 3e-3, Muon's 1e-3 to 5e-3. Wide models take
# less: AdamW's limit is for 64 channels.
LIMITS, LEAST_LIMIT, CHANNELS = {"adamw": 0.02, "muon": 0.05}, 0.006, 64
RISE = 0.5  # nats that a smoothed loss may rise above its lowest
SMOOTHED = 5  # steps
FEWEST_STEPS = 50  # before a loss that has not moved is called flat
READ_CHARACTERS = 8_000
WRITTEN = 64


def diagnose_run(name: str | Path | None) -> Diagnosis:
    """All checks of a run: the model as trained, the same untrained, and the run's own.

    Raises:
        InputError: there is no such run, or it is damaged.
    """
    run = load(name, "cpu")
    config = run.model.config
    trained = make_patient(run.folder.name, run.model)
    trained = dataclasses.replace(trained, vocab_size=config.vocab_size)
    found = findings(trained, untrained(config, run.folder.name), config.positions == "none")
    found += [check_stored_tie(run), *check_tokenizer(run), check_rate(run), check_log(run)]
    found += [check_template(run), check_writing(run)]
    return Diagnosis.of(run.folder.name, [each for each in found if each is not None])


def untrained(config: ModelConfig, name: str) -> Patient:
    """The model of a configuration as it starts, from a seed of its own."""
    before = torch.get_rng_state()
    torch.manual_seed(0)
    model = build_model(config)
    torch.set_rng_state(before)
    return make_patient(name, model, lambda: build_model(config))


def diagnose_preset(preset: str) -> Diagnosis:
    """A preset's model with all its parts, made small: two layers, narrow, a vocabulary of 65.

    Raises:
        InputError: there is no such preset.
    """
    asked = request(preset).model
    sizes = ("n_layers", "d_model", "d_ff", "head_dim", "context_length")
    kept = {name: value for name, value in asked.items() if name not in sizes}
    heads = {"n_heads": 4}
    if kept.get("n_kv_heads", 0):
        heads["n_kv_heads"] = 2 if kept["n_kv_heads"] < kept.get("n_heads", 4) else 4
    if preset == "auto":
        kept |= {"qk_norm": True, "activation": "swiglu"}
    config = ModelConfig(
        **{**kept, **heads, "vocab_size": 65, "n_layers": 2, "d_model": 32, "context_length": 32}
    )
    patient = untrained(config, f"preset {preset}")
    return Diagnosis.of(patient.name, findings(patient, patient, config.positions == "none"))


def check_stored_tie(run: LoadedRun) -> Finding | None:
    """Whether a file of a tied model holds a head that is not its embedding."""
    if not run.model.config.tie_embeddings:
        return None
    with safe_open(run.folder.model_path, "pt") as file:
        names = set(file.keys())
        if {"head.weight", "embedding.weight"} <= names:
            head, table = file.get_tensor("head.weight"), file.get_tensor("embedding.weight")
            if not torch.equal(head, table):
                return wrong(
                    TIED,
                    "accidental untying",
                    "model.safetensors holds a head of its own",
                    "the embedding alone: config.json says tie_embeddings",
                    "Save the tied tensor once, or set tie_embeddings to false.",
                )
    return None


def check_tokenizer(run: LoadedRun) -> list[Finding]:
    """Whether the tokenizer is the one of the record, fits the model, and reads its text as in training."""
    stored, tokenizer = run.folder.config(), run.tokenizer
    recorded = stored["data"].get("tokenizer", {})
    recorded = recorded if isinstance(recorded, dict) else {}
    size, rows = tokenizer.vocab_size, run.model.config.vocab_size
    expected = f"the tokenizer of the training, of at most {rows:,} tokens"
    remedy = "Put back the tokenizer.json that the run was trained with."
    known = recorded.get("fingerprint")
    if size > rows:
        said = f"{size:,} tokens for a model of {rows:,}"
        return [wrong(TOKENIZER, "wrong tokenizer", said, expected, remedy)]
    if known and known != tokenizer.fingerprint:
        said = f"its fingerprint is {tokenizer.fingerprint[:8]}…, the run's record says {known[:8]}…"
        return [wrong(TOKENIZER, "wrong tokenizer", said, expected, remedy)]
    first = passed(TOKENIZER, f"{size:,} tokens" + (", as recorded" if known else ""), expected)
    return [first, _own_text(run, stored, remedy)]


def _own_text(run: LoadedRun, stored: dict[str, Any], remedy: str) -> Finding:
    """The loss on the beginning of the training text against what the log says of it."""
    losses = [record["dev_loss"] for record in run.folder.metrics() if record.get("dev_loss") is not None]
    text = _beginning(stored["data"].get("sources", []))
    if not losses or not text or run.template is not None:
        return unsuited(OWN_TEXT, "its text is not here, or no loss was recorded")
    measured, recorded = run.score(text).loss, min(losses)
    limit = 1.3 * recorded + 0.7
    expected = f"about {recorded:.2f} nats a token, as its log says"
    if measured > limit:
        return wrong(OWN_TEXT, "wrong tokenizer", f"{measured:.2f} nats a token", expected, remedy)
    return passed(OWN_TEXT, f"{measured:.2f} nats a token", expected)


def _beginning(sources: Any) -> str:
    """The beginning of the first source that is a plain text file here."""
    for source in sources if isinstance(sources, list) else []:
        path = Path(str(source))
        if path.suffix in (".txt", ".md") and path.is_file():
            try:
                with path.open(encoding="utf-8") as file:
                    return file.read(READ_CHARACTERS)
            except (OSError, UnicodeDecodeError):
                continue
    return ""


def _losses(run: LoadedRun) -> list[float]:
    """Of each step, not finite ones as NaN."""
    records = (record.get("loss", math.nan) for record in run.folder.metrics() if "rate" in record)
    return [loss if isinstance(loss, int | float) else math.nan for loss in records]


def rise(losses: list[float]) -> float:
    """How far the smoothed loss rose above the lowest it had before; NaN once it is not finite."""
    lowest, largest = math.inf, 0.0
    for end in range(1, len(losses) + 1):
        window = losses[max(0, end - SMOOTHED) : end]
        mean = sum(window) / len(window)
        if not math.isfinite(mean):
            return math.nan
        lowest = min(lowest, mean)
        largest = max(largest, mean - lowest)
    return largest


def check_rate(run: LoadedRun) -> Finding:
    """The learning rate, with what it did to the loss: a rate ten times over the limit needs no further witness."""
    training = run.folder.config()["training"]
    rate, optimizer = training.get("lr"), training.get("optimizer", "adamw")
    if run.folder.imported or not isinstance(rate, int | float):
        return unsuited(RATE, "the run was not trained here")
    if run.model.config.architecture == "bigram":
        return unsuited(RATE, f"{rate:g}; a table takes any")
    limit, losses = LIMITS.get(optimizer, LIMITS["adamw"]), _losses(run)
    if optimizer == "adamw":
        limit = max(LEAST_LIMIT, limit * min(1.0, CHANNELS / run.model.config.d_model))
    rose = rise(losses)
    chance = math.log(run.model.config.vocab_size)
    stuck = bool(losses) and min(losses) > 0.75 * chance
    expected = f"at most about {limit:g} with {optimizer}, and a loss that falls"
    said = f"{rate:g}; the loss rose by {rose:.2f} nats at most"
    if rate > limit and (not rose <= RISE or stuck or rate > 2 * limit):
        remedy = (
            f"Train again with a rate {rate / (limit / 10):,.0f} times smaller, about --lr {limit / 10:g}."
        )
        return wrong(RATE, "learning rate too high", said, expected, remedy)
    return passed(RATE, said, expected)


def check_log(run: LoadedRun) -> Finding:
    """The symptoms that a log shows: not finite, risen, or flat near chance."""
    losses, chance = _losses(run), math.log(run.model.config.vocab_size)
    expected = f"a loss that falls from ln V = {chance:.2f} and stays finite"
    if not losses:
        return unsuited(LOG, "it holds no steps", expected)
    rose, last = rise(losses), losses[-SMOOTHED:]
    said = f"from {losses[0]:.2f} to {sum(last) / len(last):.2f} nats in {len(losses):,} steps"
    if math.isnan(rose):
        remedy = "Lower the learning rate, warm up longer, clip gradients, or compute in float32."
        return wrong(LOG, "loss rose", f"{said}: falls, then is not a number", expected, remedy)
    if rose > max(1.0, 0.4 * chance):
        remedy = "Lower the learning rate, or warm up longer."
        return wrong(LOG, "loss rose", f"{said}, with a rise of {rose:.2f} in between", expected, remedy)
    if len(losses) >= FEWEST_STEPS and sum(last) / len(last) > chance - 0.05:
        remedy = "See the checks of gradients and learning; else raise the learning rate."
        return wrong(LOG, "cannot learn", f"{said}: flat near ln V", expected, remedy)
    return passed(LOG, said, expected)


def check_template(run: LoadedRun) -> Finding:
    """Whether a prompt is the beginning of what training saw, and what is learned ends with the token that ends it."""
    expected = "a prompt is what training saw up to the reply"
    if run.template is None:
        return unsuited(TEMPLATE, "the run was not trained on conversations", expected)
    turns = [Turn("user", "How are you?"), Turn("assistant", "Well, thank you.")]
    fresh = Template(run.template.kind, run.tokenizer)
    ids, learned = run.template.encode(turns)
    again = fresh.encode(turns)[0]
    prompt = run.template.prompt(turns[:1])
    stored = run.folder.config().get("template")
    same = ids.tolist() == again.tolist() and ids[: len(prompt)].tolist() == prompt.tolist()
    ends = bool(learned.any()) and int(ids[learned][-1]) in run.template.ends
    if same and ends and stored == run.template.kind:
        return passed(TEMPLATE, f"{stored}: {len(prompt)} tokens in common, then the reply", expected)
    remedy = "Write conversations with one function in training and answering, Template.encode."
    return wrong(TEMPLATE, "template differs", "they differ", expected, remedy)


def check_writing(run: LoadedRun) -> Finding:
    """Symptoms of a text that the model writes; told and not judged, for a young model shows them all."""
    try:
        options = SamplingOptions(max_tokens=WRITTEN, seed=0, temperature=0.8, ignore_eos=True)
        text = run.engine().generate("", options)[0].text
    except InputError as error:
        return unsuited(WRITES, f"it cannot write: {error}")
    return Finding(WRITES, NOT_APPLICABLE, symptom(text), "told, not judged")


def symptom(text: str) -> str:
    """What a sample looks like, and where that usually comes from."""
    if not text.strip():
        return "nothing: it ends at once, as where the end of a text is all it learned"
    most = collections.Counter(text).most_common(1)[0][1] / len(text)
    if most > 0.8:
        return f"always the same token {text.strip()[:1]!r}: a rate too high, or hardly trained"
    pieces = [text[place : place + 8] for place in range(len(text) - 7)]
    if pieces and len(set(pieces)) < 0.5 * len(pieces):
        return "it repeats itself: trained too little, or on one text too often"
    return f"text: {' '.join(text.split())[:40]!r}"
