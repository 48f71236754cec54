"""How fast words are written, beside transformers' generate: a 12-million-parameter Llama shape, on two CPU threads.

    python benchmarks/generation.py --text tinyshakespeare.txt [--repeats 5] [--threads 2]

- one stream, and 8 and 32 streams: tokens a second of three times as many requests. Ours come one after another, two
  steps apart at the least and as soon as one ends, as requests to a server do; transformers' come in whole batches,
  which begin and end together: its best case, for all texts have one length.
- first token: seconds until the first token after a prompt of 200 tokens.
- sample: seconds from the start of `pellucid sample` to its first piece of text.

Both sides have the same shape and random weights, draw from the whole distribution, and do not end early. They take
turns; figures are medians, with the worst.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from peers import in_turn, llama, machine, median_ratio

import pellucid
from pellucid.generation.engine import Engine
from pellucid.generation.options import SamplingOptions
from pellucid.model.config import ModelConfig
from pellucid.model.transformer import build_model
from pellucid.text.tokenizers.tokenizer import build_tokenizer

PROMPT, WRITTEN, LONG_PROMPT = 16, 96, 200  # tokens
REQUESTS = 3  # for each stream
APART = 2  # steps between two arrivals: 32 streams are all busy after 64 steps, and stay so
STREAMS = (1, 8, 32)


CONFIG = ModelConfig(
    4096, 512, n_layers=6, n_heads=6, d_model=384, d_ff=1024, positions="rotary", norm="rmsnorm", activation="swiglu",
    tie_embeddings=True,
)  # fmt: skip


def ours(engine: Engine, prompts: list[list[int]], written: int, streams: int) -> None:
    """Writes after each prompt, `streams` at once; they arrive `APART` steps from one another, or later."""
    options = SamplingOptions(temperature=1.0, max_tokens=written, ignore_eos=True, seed=0)
    waiting = [engine.draft(prompt, options) for prompt in prompts]
    decoding = engine.decoding()
    step = 0
    while waiting or decoding.drafts:
        if waiting and step % APART == 0 and len(decoding.drafts) < streams:
            decoding.join([waiting.pop(0)])
        decoding.step()
        step += 1


@torch.inference_mode()
def theirs(model: Any, prompts: list[list[int]], written: int, streams: int) -> None:
    for batch in torch.tensor(prompts).split(streams):
        model.generate(
            batch, attention_mask=torch.ones_like(batch), do_sample=True, top_k=0, temperature=1.0,
            min_new_tokens=written, max_new_tokens=written, pad_token_id=0,
        )  # fmt: skip


def show(what: str, seconds: dict[str, list[float]], tokens: int, to_reach: str) -> None:
    if tokens:
        own, peer = (tokens / statistics.median(seconds[name]) for name in ("ours", "theirs"))
        figures = f"{own:.0f} | {peer:.0f} tokens/s"
    else:
        own, peer = (1000 * statistics.median(seconds[name]) for name in ("ours", "theirs"))
        figures = f"{own:.0f} | {peer:.0f} ms"
    ratio = median_ratio(seconds["theirs"], seconds["ours"])
    print(f"| {what} | {figures} | {ratio} | {to_reach} |", flush=True)


def first_piece(run: Path, prompt: str) -> float:
    """Seconds from the start of the process to its first character on standard output."""
    command = [sys.executable, "-m", "pellucid", "sample", run, "--prompt", prompt, "--max-tokens", "20"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        process.stdout.read(len(prompt.encode()) + 1)
        seconds = time.perf_counter() - started
        process.communicate()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--text", type=Path, required=True, help="a text to learn 4,096 tokens from")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    import transformers

    text = args.text.read_text(encoding="utf-8")
    tokenizer, _ = build_tokenizer("bpe", [text], CONFIG.vocab_size)
    torch.manual_seed(0)
    engine, model = Engine(build_model(CONFIG).eval(), tokenizer), llama(CONFIG).eval()
    print(f"{machine()}, transformers {transformers.__version__}, {args.repeats} pairs, medians (worst)\n")
    print("| | ours | transformers | ratio | to reach |\n|---|---|---|---|---|")
    ids = tokenizer.encode(text[:20_000]).tolist()
    for count in STREAMS:
        prompts = [ids[n * PROMPT : (n + 1) * PROMPT] for n in range(REQUESTS * count)]
        seconds = in_turn(
            {
                "ours": lambda prompts=prompts, count=count: ours(engine, prompts, WRITTEN, count),
                "theirs": lambda prompts=prompts, count=count: theirs(model, prompts, WRITTEN, count),
            },
            args.repeats,
        )
        name = "one stream" if count == 1 else f"{count} streams"
        show(name, seconds, len(prompts) * WRITTEN, "2.5" if count == 1 else "2")
    prompt = [ids[:LONG_PROMPT]]
    seconds = in_turn(
        {"ours": lambda: ours(engine, prompt, 1, 1), "theirs": lambda: theirs(model, prompt, 1, 1)},
        args.repeats,
    )
    show(f"first token of {LONG_PROMPT}", seconds, 0, "3")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        pellucid.train(args.text, out=run, steps=2, sample_tokens=0)
        waits, imports = [], []
        for _ in range(args.repeats):
            waits.append(first_piece(run, "ROMEO:"))
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import torch"], check=True)
            imports.append(time.perf_counter() - started)
    print(
        f"\n`pellucid sample`: first text after {statistics.median(waits):.2f} s (worst {max(waits):.2f}; to reach 2); "
        f"`import torch` alone takes {statistics.median(imports):.2f} s"
    )


if __name__ == "__main__":
    main()
