"""`pellucid import`: a published model becomes a run."""

from __future__ import annotations

import argparse

from pellucid.cli import console
from pellucid.cli.flags import make_parser
from pellucid.shell import quoted


def parser() -> argparse.ArgumentParser:
    from pellucid.interop.named import list_of_models

    made = make_parser(
        "import",
        "Take over a published model as a run, exactly: its float32 logits and its tokens are the original's. "
        "Read are a folder as Hugging Face's save_pretrained writes it (llama, qwen2, qwen3, mistral, arcee, "
        "starcoder2, stablelm, gpt2, gpt_bigcode, opt, mixtral, granitemoeshared, qwen2_moe, qwen3_moe; safetensors, "
        "whole or in shards, with tokenizer.json), a GGUF file (llama, qwen2, qwen3, qwen3moe, granitemoe, arcee, "
        "jais2, nemotron, starcoder2, stablelm, gpt2; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5 and K-quants), a model by "
        "its name, and, with --base, adapters of PEFT, which are merged. What Pellucid's model cannot express, as "
        "scaled rotary positions or a sliding window, is refused by name; pickles are never read.",
        "pellucid import smollm2-135m-instruct",
    )
    made.add_argument(
        "source", metavar="SOURCE", help=f"a folder, a .gguf file, or a name: {list_of_models()}"
    )
    made.add_argument("--out", metavar="RUN", help="the run folder; left out: the next free runs/NAME-1")
    made.add_argument(
        "--base",
        metavar="RUN",
        help="of a folder of PEFT adapters: the run whose export they were trained beside",
    )
    return made


def main(args: argparse.Namespace) -> None:
    console.say("Loading…")
    from pellucid.cli.bar import TimedBar
    from pellucid.interop.importing import import_model
    from pellucid.model.accounting import n_params
    from pellucid.model.config import ModelConfig

    with TimedBar() as bar:
        run = import_model(args.source, args.out, base=args.base, progress=bar.note, advanced=bar.advanced)
    config = run.config()
    model, imported = ModelConfig.from_dict(config["model"]), config["imported"]
    console.say(
        f"Imported {config['data']['name']} ({imported['family']}) as {run.path}: {n_params(model):,} parameters, "
        f"{model.vocab_size:,} tokens, context {model.context_length:,}."
    )
    console.next_step(f"pellucid chat {quoted(run.path)}", f"pellucid sample {quoted(run.path)}")
    shown = {"run": str(run.path), "parameters": n_params(model), "template": config.get("template")}
    console.result({**shown, **imported}, args.json)
