"""Every row of the table of twins: what is exported, loaded by the program it is for, and how far the logits are apart.

python benchmarks/parity.py        writes benchmarks/PARITY.md; `make parity` does, too
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from exported import CASES, make_run  # noqa: E402 - it is in tests/support
from gguf_runs import MODELS, characters, pieces, write_run  # noqa: E402

from pellucid.interop.comparison import Unequal  # noqa: E402
from pellucid.interop.exportable import open_run  # noqa: E402
from pellucid.interop.exporting import export  # noqa: E402
from pellucid.interop.huggingface_check import compare  # noqa: E402

VARIANTS: dict[str, dict[str, bool]] = {
    "untied": {},
    "tied": {"tie_embeddings": True},
    "untied, biased": {"bias": True},
    "tied, biased": {"tie_embeddings": True, "bias": True},
}


OUTPUT = re.compile(r"\.0\..*(o_proj|out_proj|attn\.c_proj)\.weight$")  # of the first block's attention
MOVED = 0.05  # what one number of it is moved by


@dataclasses.dataclass(frozen=True)
class Row:
    """One export that was loaded and compared.

    Args:
        checker: the program and its version.
        family: the architecture, as the format calls it.
        what: the model of ours.
        difference: the largest of a logit, as that program's check measures it.
        tolerance: above it the check fails.
    """

    checker: str
    family: str
    what: str
    difference: float
    tolerance: float


def hugging_face() -> Iterator[Row]:
    """Models of random weights, on fairy tales and on tokens from all over the vocabulary, in transformers."""
    for name, case in CASES.items():
        for variant, changes in VARIANTS.items():
            if changes.get("bias") and not case.biased:
                continue  # its family has none
            with tempfile.TemporaryDirectory() as folder:
                torch.manual_seed(0)
                run = make_run(Path(folder) / "run", case, **changes)
                made = export(run.path, "hf", Path(folder) / "out")
                found = made.comparison
                assert found is not None, "transformers is not installed"
                check_that_it_sees(run.path, made.path)
            what = f"{name}; {variant}"
            yield Row(found.with_, made.family, what, found.difference, found.tolerance)


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


def llama_cpp() -> Iterator[Row]:
    """Models of random weights in llama.cpp, as characters and as byte-level BPE."""
    tokenizers = {"characters": characters(), "byte-level BPE": pieces()}
    for name, (_, settings) in MODELS.items():
        for kind, tokenizer in tokenizers.items():
            with tempfile.TemporaryDirectory() as folder:
                run, _ = write_run(Path(folder) / "run", tokenizer, settings)
                made = export(run.path, "gguf", Path(folder) / "out.gguf", type="f32")
            assert made.comparison is not None, "xllamacpp is not installed"
            found = made.comparison
            yield Row(found.with_, made.family, f"{name}; {kind}", found.difference, found.tolerance)


PRODUCERS: list[Callable[[], Iterator[Row]]] = [hugging_face, llama_cpp]


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        "# Parity",
        "",
        "Every family that a model can be exported as: random weights, large enough that attention is far from",
        "uniform, loaded by the program they are exported for, and the float32 logits compared with ours on real text.",
        "A difference is relative to the logit where that is larger than 1; in llama.cpp of log-probabilities:",
        "those of the whole vocabulary are compared, at six places of the text. A 0.0e+00 is genuine: that family does",
        "the same operations in the same order, so that no bit differs. Every row of transformers is compared again",
        f"with one number of one matrix moved by {MOVED}, and written down only if that comparison fails. Repeat with",
        "`make parity`, or with `python benchmarks/parity.py` alone.",
    ]
    checker = ""
    for producer in PRODUCERS:
        for row in producer():
            if row.checker != checker:
                checker = row.checker
                lines += [
                    "",
                    f"## {checker}",
                    "",
                    "| family | model | largest difference | allowed |",
                    "|---|---|---|---|",
                ]
            lines.append(f"| {row.family} | {row.what} | {row.difference:.1e} | {row.tolerance:.0e} |")
            print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "PARITY.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
