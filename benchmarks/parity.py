"""Every row of the tables of twins: how far our numbers are from those of the program they are for, or come from.

python benchmarks/parity.py        writes benchmarks/PARITY.md; `make parity` does, too
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from adapted import BESIDE, with_adapters  # noqa: E402 - it is in tests/support
from exported import CASES, make_run  # noqa: E402
from gguf_runs import MODELS, characters, pieces, write_run  # noqa: E402
from published import furthest_logit  # noqa: E402
from published_models import CASES as PUBLISHED  # noqa: E402
from published_models import build, save  # noqa: E402

from pellucid import import_model, load  # noqa: E402
from pellucid.interop.comparison import Comparison, Unequal  # noqa: E402
from pellucid.interop.exportable import open_run  # noqa: E402
from pellucid.interop.exporting import Exported, export  # noqa: E402
from pellucid.interop.huggingface_check import compare  # noqa: E402
from pellucid.text.tokenizers.tokenizer import Tokenizer  # noqa: E402

VARIANTS: dict[str, dict[str, bool]] = {
    "untied": {},
    "tied": {"tie_embeddings": True},
    "untied, biased": {"bias": True},
    "tied, biased": {"tie_embeddings": True, "bias": True},
}


OUTPUT = re.compile(r"\.0\..*(o_proj|out_proj|attn\.c_proj)\.weight$")  # of the first block's attention
MOVED = 0.05  # what one number of it is moved by


Row = tuple[str, ...]  # the cells of a table


@dataclasses.dataclass(frozen=True)
class Table:
    """A part of the page.

    Args:
        title: its heading.
        about: what its numbers are.
        columns: their names.
        rows: found one after another.
    """

    title: str
    about: str
    columns: Row
    rows: Callable[[], Iterator[Row]]


def to_transformers() -> Iterator[Row]:
    """Models of random weights, on fairy tales and on tokens from all over the vocabulary."""
    for name, case in CASES.items():
        for variant, changes in VARIANTS.items():
            if changes.get("bias") and not case.biased:
                continue  # its family has none
            with tempfile.TemporaryDirectory() as folder:
                torch.manual_seed(0)
                run = make_run(Path(folder) / "run", case, **changes)
                made = export(run.path, "hf", Path(folder) / "out", check=True)
                check_that_it_sees(run.path, made.path)
            yield made.family, f"{name}; {variant}", f"{compared(made).difference:.1e}"


def check_that_it_sees(run: Path, folder: Path) -> None:
    """The comparison fails when one number of the export is another one; or what it says means nothing."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if OUTPUT.search(name))
    weights[name].view(-1)[7] += MOVED
    save_file(weights, path, {"format": "pt"})
    try:
        found = compare(open_run(run), folder)
    except Unequal:
        return
    raise SystemExit(f"{name} was changed, and the difference is {found.difference:.1e}")


def to_llama_cpp() -> Iterator[Row]:
    """Models of random weights, as characters and as byte-level BPE."""
    for name, (_, settings) in MODELS.items():
        found = list[str]()
        for tokenizer in (characters(), pieces()):
            made = to_gguf(tokenizer, settings, "f32")
            found.append(f"{compared(made).difference:.1e}")
        yield made.family, name, *found


def to_smaller_types() -> Iterator[Row]:
    """The same with characters, in every type of numbers but float32."""
    for name, (_, settings) in MODELS.items():
        found = list[str]()
        for type in ("f16", "bf16", "q8_0", "q4_0"):
            made = to_gguf(characters(), settings, type)
            if bits := compared(made).bits_per_byte:
                found.append(f"{bits[0]:.4f} → {bits[1]:.4f}")
            else:
                found.append(f"{compared(made).rounded:.1e}")
        yield made.family, name, *found


def to_gguf(tokenizer: Tokenizer, settings: dict[str, Any], type: str) -> Exported:
    with tempfile.TemporaryDirectory() as folder:
        run, _ = write_run(Path(folder) / "run", tokenizer, settings)
        return export(run.path, "gguf", Path(folder) / "out.gguf", type=type, check=True)


def compared(made: Exported) -> Comparison:
    assert made.comparison is not None
    return made.comparison


def from_transformers() -> Iterator[Row]:
    """Models of random weights as `transformers` saves them."""
    for name, case in PUBLISHED.items():
        torch.manual_seed(0)
        theirs = build(*case)
        with tempfile.TemporaryDirectory() as folder:
            run = import_model(save(theirs, Path(folder) / "model"), Path(folder) / "run")
            ours = load(run.path, "cpu").model
        yield case[0], name, f"{furthest_logit(ours, theirs, theirs.config.vocab_size):.1e}"


def adapters() -> Iterator[Row]:
    """Adapters of random numbers on every matrix that can have them."""
    for family, name in BESIDE.items():
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            base = make_run(Path(folder) / "base", CASES[name])
            ours, theirs = with_adapters(base, Path(folder))
            there = furthest_logit(ours, theirs, ours.config.vocab_size)
            theirs.save_pretrained(Path(folder) / "theirs")
            back = import_model(Path(folder) / "theirs", Path(folder) / "back", base=base.path)
            here = furthest_logit(load(back.path, "cpu").model, theirs, ours.config.vocab_size)
        yield family, f"{there:.1e}", f"{here:.1e}"


def tables() -> list[Table]:
    transformers, peft, llama_cpp = map(version, ("transformers", "peft", "xllamacpp"))
    of_logits = "Of float32 logits; more than 1e-4 would be an error."
    return [
        Table(
            f"Exported, in transformers {transformers}",
            f"{of_logits} Every row is compared again with one number of one matrix moved by {MOVED}, and is written "
            "down only if that comparison fails.",
            ("family", "model", "largest difference"),
            to_transformers,
        ),
        Table(
            f"Exported, in llama.cpp (xllamacpp {llama_cpp})",
            "Of log-probabilities in float32, the whole vocabulary at nine places; more than 1e-2 would be an error. "
            "GELU is a table in float16 there.",
            ("family", "model", "characters", "byte-level BPE"),
            to_llama_cpp,
        ),
        Table(
            "Exported in smaller types, in llama.cpp",
            "The same exports, characters. What flows through a matrix is rounded to its type there: with 16 bits the "
            "largest difference of a log-probability, from ours of the same weights; quantised, bits per byte of a "
            "text before and after (of random weights, which know nothing of it).",
            ("family", "model", "float16", "bfloat16", "Q8_0", "Q4_0"),
            to_smaller_types,
        ),
        Table(
            f"Imported from transformers {transformers}",
            of_logits,
            ("family", "model", "largest difference"),
            from_transformers,
        ),
        Table(
            f"Adapters, in PEFT {peft} beside the exported base, and imported from there",
            of_logits,
            ("family", "ours there", "theirs here"),
            adapters,
        ),
    ]


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        "# Parity",
        "",
        *wrapped(
            "Every family that a model is exported as or imported from: random weights, large enough that attention is "
            "far from uniform, computed here and by the program they are for or from, on real text and on tokens from "
            "all over the vocabulary. A difference of logits is relative to the logit where that is larger than 1. A "
            "0.0e+00 is genuine: that family does the same operations in the same order, so that no bit differs. "
            "Repeat with `make parity`, or with `python benchmarks/parity.py` alone."
        ),
    ]
    for table in tables():
        print(table.title, flush=True)
        lines += ["", f"## {table.title}", "", *wrapped(table.about), "", row_of(table.columns)]
        lines.append(row_of(["---"] * len(table.columns)))
        for row in table.rows():
            lines.append(row_of(row))
            print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "PARITY.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


def row_of(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
