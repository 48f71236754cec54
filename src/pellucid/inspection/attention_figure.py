"""One head's attention as a picture: each row is a token that looks, each column one that is looked at."""

from __future__ import annotations

import textwrap

from pellucid.figures import ShownFigure
from pellucid.inspection.attention import head as look
from pellucid.inspection.subject import Subject

MOST_LABELS = 48
SHOWN = str.maketrans({" ": "·", "\n": "↵", "\t": "→"})
DOLLAR = "\\$"  # a bare one would begin a formula
INCHES_A_LETTER = 0.09


def attention_figure(subject: Subject, text: str, layer: int = 0, head: int = 0) -> ShownFigure:
    """The weights (T, T) of one head over a text, from a forward pass.

    Raises:
        InputError: there is no such layer or head, or the model has no attention.
    """
    frame = look(subject, text, layer, head)
    tokens = [str(token["text"]).translate(SHOWN).replace("$", DOLLAR) for token in frame.header["tokens"]]
    side = min(9.0, 2.5 + 0.18 * len(tokens))
    figure = ShownFigure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(frame.arrays["weights"], cmap="viridis", vmin=0.0)
    places = range(0, len(tokens), -(-len(tokens) // MOST_LABELS))
    labels = [tokens[place] for place in places]
    axes.set_xticks(list(places), labels, rotation=90, family="monospace", fontsize=8)
    axes.set_yticks(list(places), labels, family="monospace", fontsize=8)
    axes.set(xlabel="looked at", ylabel="looks")
    title = f"{subject.loaded.folder.name}: layer {layer}, head {head}"
    notes = (textwrap.fill(note, int(side / INCHES_A_LETTER)) for note in frame.header["notes"])
    axes.set_title("\n".join([title, *notes]), fontsize=9, parse_math=False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="weight")
    return figure
