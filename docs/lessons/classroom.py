"""What the lessons share beside Pellucid: their text, one trained model, one look of pictures, and a shortened form.

With `PELLUCID_QUICK=1` in the environment trainings are cut to a few steps and the text to a few pages: so the tests
execute every lesson in seconds. The numbers are then worth nothing, and nothing in a lesson hangs on them.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import pellucid
from pellucid.api import LoadedRun
from pellucid.text.documents import Corpus, Document

QUICK = bool(os.environ.get("PELLUCID_QUICK"))
PLAYS = ("A Midsummer Night's Dream", "Hamlet", "Macbeth", "Romeo and Juliet")
QUICK_CHARACTERS = 6_000  # of a document, in the shortened form
QUICK_STEPS = 6

# a model that learns something in a few seconds; evaluations and samples in between would cost more than they tell
SMALL = {
    "tokenizer": "char",
    "n_layers": 2,
    "n_heads": 4,
    "d_model": 64,
    "context_length": 64,
    "batch_size": 16,
    "eval_every": 1_000_000,
    "eval_tokens": 500 if QUICK else 4_000,
    "sample_tokens": 1,
    "compile": "no",
    "overwrite": True,
}
BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#c05621", "#2f855a", "#718096"


def begin() -> None:
    """The same random numbers and the same look in every lesson."""
    torch.manual_seed(0)
    warnings.filterwarnings("ignore", category=FutureWarning)
    plt.rcParams.update(
        {
            "figure.figsize": (9, 3.8),
            "figure.dpi": 80,
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "legend.frameon": False,
        }
    )


def steps(full: int) -> int:
    """So many steps of a training, or a few in the shortened form."""
    return QUICK_STEPS if QUICK else full


def few(full: int, shortened: int) -> int:
    """A number that only costs time: all of it, or less in the shortened form."""
    return shortened if QUICK else full


def shortened(corpus: Corpus) -> Corpus:
    """The corpus itself; in the shortened form the beginnings of a few of its documents."""
    if not QUICK:
        return corpus
    pages = [Document(each.text[:QUICK_CHARACTERS], each.name) for each in corpus.documents[:40]]
    return dataclasses.replace(corpus, documents=tuple(pages))


def plays() -> Corpus:
    """Four plays of the corpus `shakespeare`, which is fetched once; or what there is in place of them."""
    corpus = pellucid.read("shakespeare")
    chosen = tuple(each for each in corpus.documents if each.name in PLAYS) or corpus.documents
    return shortened(dataclasses.replace(corpus, documents=chosen))


def trained() -> LoadedRun:
    """The model that lesson 9 trains; trained now, in the same way, where that was not done yet."""
    if not Path("runs/shakespeare/model.safetensors").exists():
        print("The model of lesson 9 is trained first: about a minute.")
        pellucid.train("shakespeare", corpus=plays(), out="runs/shakespeare", **recipe())
    return pellucid.load("runs/shakespeare")


def recipe() -> dict[str, object]:
    """The settings of that model."""
    return {
        **SMALL,
        "n_layers": 4,
        "d_model": 128,
        "context_length": 128,
        "norm": "rmsnorm",
        "qk_norm": False,
        "activation": "swiglu",
        "positions": "rotary",
        "dropout": 0.0,
        "batch_size": 16,
        "lr": 3e-3,
        "steps": steps(500),
        "eval_every": max(3, steps(500) // 10),
    }


def chart(columns: int = 1, **settings: object) -> tuple[plt.Figure, list[plt.Axes]]:
    """A figure with one row of charts."""
    figure, axes = plt.subplots(1, columns, squeeze=False, **settings)
    return figure, list(axes[0])
