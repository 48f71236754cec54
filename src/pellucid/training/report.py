"""What a run says of itself: the forecast before it, the loss curve and the model card after it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pellucid.model.accounting import n_active_params, n_params
from pellucid.model.config import ModelConfig
from pellucid.text.html import table
from pellucid.text.wording import duration, named_characters, plural, size
from pellucid.training.config import TrainConfig

if TYPE_CHECKING:  # `duration` and `size` are for commands too that need no torch
    from pellucid.figures import ShownFigure
    from pellucid.training.data import TrainingData
    from pellucid.training.evaluation import Score
    from pellucid.training.forecast import Forecast
    from pellucid.training.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A finished training. `validation` scores the run's weights on text they never saw; `bigram` is what
    counting pairs of tokens gives on the same text. Both are None when the text leaves nothing to validate on."""

    run: RunFolder
    steps: int
    tokens: int
    seconds: float
    best_step: int
    validation: Score | None
    bigram: Score | None

    def _repr_html_(self) -> str:
        rows = {"trained": f"{self.steps:,} steps, {self.tokens:,} tokens, {duration(self.seconds)}"}
        for name, score in (("validation", self.validation), ("counted bigram", self.bigram)):
            rows |= {name: score_text(score)} if score else {}
        return table(self.run.name, {**rows, "folder": str(self.run.path)})


def parameters_text(model: ModelConfig, reserved: int) -> str:
    """The number of parameters, the reserved tokens' share told apart."""
    if model.architecture != "transformer":
        return f"{n_params(model):,} parameters"
    own = reserved * model.d_model * (1 if model.tie_embeddings else 2)
    active = f", {n_active_params(model) - own:,} of them active" if model.feedforward == "experts" else ""
    return f"{n_params(model) - own:,} parameters{active} (and {own:,} for {reserved} reserved tokens)"


def step_text(forecast: Forecast) -> str:
    """How long a step takes, and whether that was measured."""
    seconds = forecast.seconds_per_step
    text = f"{1000 * seconds:.0f} ms" if seconds < 10 else duration(seconds)
    return f"{text} (by the probe's speed: too long to measure)" if forecast.estimated else text


def forecast_text(model: ModelConfig, data: TrainingData, forecast: Forecast) -> str:
    """One paragraph: what is about to happen and what can be hoped of it."""
    return (
        f"Forecast: {parameters_text(model, data.tokenizer.n_reserved)}; about {size(forecast.memory)} of memory; "
        f"{forecast.steps:,} steps of {step_text(forecast)}, about "
        f"{duration(forecast.seconds)}; {forecast.tokens:,} tokens, {forecast.epochs:.1f} times through the text. "
        f"A model that has read so much writes {forecast.ability}."
    )


def token_counts(data: TrainingData) -> str:
    """How much there is of each split."""
    return (
        f"{len(data.train):,} tokens to train on, {len(data.dev):,} dev, {len(data.validation):,} validation"
    )


def unknown_text(count: int, characters: str) -> str:
    """How many characters of a text, and which, the vocabulary lacks; nothing where it has them all."""
    if not count:
        return ""
    one = count == 1
    return (
        f"{plural(count, 'character')} {'is' if one else 'are'} unknown to the tokenizer "
        f"({named_characters(characters)}) and {'becomes' if one else 'become'} one unknown token"
    )


def score_text(score: Score) -> str:
    text = f"{score.loss:.4f} nats a token, {score.bits_per_byte:.3f} bits a byte"
    if score.n_unknown:
        text += f" (not quite comparable: {score.n_unknown:,} of {score.n_tokens:,} tokens are unknown characters)"
    return text


def write_plot(run: RunFolder, validation: Score | None, bigram: Score | None) -> None:
    """loss.png of the run."""
    loss_figure(run, validation and validation.loss, bigram and bigram.loss).savefig(run.plot_path, dpi=130)


def loss_figure(run: RunFolder, validation: float | None, bigram: float | None) -> ShownFigure:
    """Every recorded loss against the tokens read, with the final one and the counted bigram's, in nats a token."""
    from pellucid.figures import ShownFigure  # without pyplot, which takes as long again to load

    records = run.metrics()
    figure = ShownFigure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    steps = [record for record in records if "loss" in record]
    drops = run.config()["model"].get("dropout", 0.0) > 0
    label = "training batch, dropout on" if drops else "training batch"
    axes.plot(*_series(steps, "loss"), color="#b7c4d6", linewidth=0.8, label=label)
    for key, label, colour in (
        ("train_sample_loss", "training sample", "#2b6cb0"),
        ("dev_loss", "dev", "#c05621"),
    ):
        points = [record for record in records if record.get(key) is not None]
        if points:
            axes.plot(*_series(points, key), marker="o", markersize=3.5, color=colour, label=label)
    if bigram is not None:
        axes.axhline(bigram, color="#718096", linestyle=":", label=f"counted bigram {bigram:.3f}")
    if validation is not None:
        axes.axhline(validation, color="#2f855a", linestyle="--", label=f"validation {validation:.3f}")
    axes.set(xlabel="tokens read", ylabel="loss (nats a token)")
    axes.set_title(run.name, parse_math=False)
    millions = max((record["tokens"] for record in records), default=0) >= 1e6
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} M" if millions else f"{value:,.0f}")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _series(records: list[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    return [record["tokens"] for record in records], [record[key] for record in records]


def write_card(outcome: Outcome) -> None:
    """README.md of the run: what the model is, what it was trained on, how good it is, how to use it."""
    run = outcome.run
    config = run.config()
    model, data, training = ModelConfig.from_dict(config["model"]), config["data"], config["training"]
    lines = [
        f"# {run.name}",
        "",
        f"{_kind(model)} language model grown with Pellucid {config['pellucid']} from *{data['name']}*.",
        *origin_lines(config),
        "",
        "| | |",
        "|---|---|",
        f"| text | {data['documents']:,} documents, {data['characters']:,} characters |",
        f"| tokens | {data['tokenizer']['kind']}, {data['tokenizer']['symbols']:,} symbols "
        f"and {data['tokenizer']['reserved']} reserved |",
        f"| model | {parameters_text(model, data['tokenizer']['reserved'])} |",
        *shape_row(model),
        f"| training | {outcome.steps:,} steps of {training['batch_size']} × "
        f"{TrainConfig.from_dict(training).window_of(model.context_length)} tokens, "
        f"{training['optimizer']}, {duration(outcome.seconds)} |",
    ]
    if outcome.validation:
        of = "replies held out" if "chats" in data else "validation"
        lines += [f"| {of} | {score_text(outcome.validation)} (weights of step {outcome.best_step:,}) |"]
    if outcome.bigram:
        lines += [f"| counted bigram | {score_text(outcome.bigram)} |"]
    lines += [
        "",
        "![loss](loss.png)",
        "",
        *use_lines(run),
        "",
        "## Privacy",
        "",
        *private_lines(config),
        "Everything here was made from the training text: `samples.txt` may quote it, `tokenizer.json` holds its",
        "symbols or frequent words, `bigram.safetensors` how often each of them follows each other, `config.json` the",
        "paths it was read from, and the weights can remember passages. `chats/` holds what was said on the page,",
        "and `uploaded/` the text itself if it came through the page.",
        "`pellucid audit` measures what the weights remember; its page, `AUDIT.md`, may quote the text, too.",
        f"`pellucid runs --delete {run.name}` removes the whole folder.",
        "",
    ]
    run.card_path.write_text("\n".join(lines), encoding="utf-8")


def _kind(model: ModelConfig) -> str:
    return f"{model.own.name}, a" if model.own else f"A {model.architecture}"


def origin_lines(config: dict[str, Any]) -> list[str]:
    """What a fine-tuned run was before."""
    if "base" not in config:
        return []
    base, adapter = config["base"], config.get("adapter")
    how = (
        f"adapters of rank {adapter['rank']} for {', '.join(adapter['targets'])} (adapter_model.safetensors; "
        "model.safetensors has them merged)"
        if adapter
        else "all of its weights"
    )
    imported = base.get("imported") or {}
    licence = f", licence {imported['licence']}" if imported.get("licence") else ""
    return [
        "",
        f"It was fine-tuned from the run *{base['run']}*, grown from *{base['text']}*{licence}: {how} were trained.",
    ]


def private_lines(config: dict[str, Any]) -> list[str]:
    """A warning, if it learned from what people wrote to one another."""
    if not config.get("trained_on_private"):
        return []
    return [
        "**Trained on private conversations.** It can say what was said in them, word for word, to whoever asks.",
        "What was redacted is what could be told by its shape; nobody promises that this is all. Share the model,",
        "and any export of it, only with those who may read the chats.",
        "",
    ]


def shape_row(model: ModelConfig) -> list[str]:
    if model.own:
        settings = "".join(f", {name} {value}" for name, value in model.own.settings.items())
        return [
            f"| code | {model.own.name} of {model.own.file}, kept as `model.py`{settings}; context "
            f"{model.context_length} |"
        ]
    if model.architecture == "bigram":
        return []
    return [
        f"| shape | {model.n_layers} layers, {model.n_heads} heads ({model.n_kv_heads} key/value) of "
        f"{model.head_dim}, d_model {model.d_model}, d_ff {model.d_ff}, context {model.context_length}, "
        f"{model.positions} positions, {model.norm}, {model.activation} |"
    ]


def use_lines(run: RunFolder) -> list[str]:
    """The part of a card that says how to use the run."""
    path = run.path.as_posix()
    return ["## Use", "", "```", f"pellucid sample {path}", f"pellucid chat {path}", "```"]
