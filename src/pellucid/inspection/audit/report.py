"""An audit on one page: figures, what they mean, and what can be done."""

from __future__ import annotations

import dataclasses
from typing import Any

from pellucid.inspection.audit.canaries import Canaries, Exposure
from pellucid.inspection.audit.extraction import Extraction, Reproduced
from pellucid.inspection.audit.gap import Gap
from pellucid.inspection.audit.verbatim import Copied, Verbatim
from pellucid.text.wording import duration, plural
from pellucid.training.files import write_atomically, write_json
from pellucid.training.run_folder import RunFolder

QUOTED = 160  # characters of a passage that are shown
FOUND_BITS, KNOWN_BITS, TRACE_BITS = 1.0, 4.0, 2.0  # below the ceiling; above nothing
MUCH, SOME = 0.10, 0.02  # of prefixes or n-grams, above held-out text
WIDE_GAP = 0.15  # of the held-out bits per byte
LESSONS = (
    "take out what is repeated in the text, and what nobody may read",
    "train for fewer epochs (--epochs), or on more text",
    "take a smaller model, or --lora with a low rank",
)
NAMES = {
    "gap": "Gap",
    "extraction": "Extraction",
    "verbatim": "Verbatim",
    "canaries": "Canaries",
}


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was found; a part that was not asked for, or was refused for the reason in `refused`, is None.

    Attributes:
        step: of the weights that were audited.
        text: the name of the text they were compared with, which is the run's own where `own_text`.
        seconds: that it took.
    """

    run: RunFolder
    pellucid: str
    step: int | None
    text: str
    own_text: bool
    seconds: float
    refused: dict[str, str]
    canaries: Canaries | None = None
    extraction: Extraction | None = None
    verbatim: Verbatim | None = None
    gap: Gap | None = None


def record(audit: Audit) -> dict[str, Any]:
    """It as JSON, with the numbers that follow from others."""
    made: dict[str, Any] = {
        "run": str(audit.run.path),
        "pellucid": audit.pellucid,
        "step": audit.step,
        "text": audit.text,
        "own_text": audit.own_text,
        "seconds": round(audit.seconds, 1),
        "refused": audit.refused,
    }
    for part in NAMES:
        value = getattr(audit, part)
        made[part] = dataclasses.asdict(value) if value else None
    if audit.canaries:
        for row, each in zip(made["canaries"]["planted"], audit.canaries.planted, strict=True):
            row["median"] = each.median
        made["canaries"]["unseen"]["median"] = audit.canaries.unseen.median
    if audit.extraction:
        for name in ("train", "held_out"):
            if each := getattr(audit.extraction, name):
                made["extraction"][name]["share"] = each.share
    if audit.verbatim:
        for name in ("written", "held_out"):
            if each := getattr(audit.verbatim, name):
                made["verbatim"][name]["share"] = each.share
        made["verbatim"]["excess"] = audit.verbatim.excess
    if audit.gap:
        made["gap"]["bits"] = audit.gap.bits
    return made


def rows(audit: Audit) -> list[tuple[str, list[str]]]:
    """The page: a label, and lines beside it; the last line of each part says what the figures mean."""
    of = {"gap": _gap, "extraction": _extraction, "verbatim": _verbatim, "canaries": _canaries}
    own = "the text it learned from" if audit.own_text else "a text you named, which it may have read"
    step = f", weights of step {audit.step:,}" if audit.step is not None else ""
    page = [("Audit", [f"{audit.run.name}{step}, beside {audit.text} ({own}); {duration(audit.seconds)}"])]
    for part, label in NAMES.items():
        if value := getattr(audit, part):
            page.append((label, of[part](value)))
        elif part in audit.refused:
            page.append((label, [f"not done: {audit.refused[part]}"]))
    return [*page, ("In all", verdict(audit))]


def remembers(audit: Audit) -> list[str]:
    """What was found to be remembered, by its part."""
    found = []
    if audit.gap and audit.gap.bits > WIDE_GAP * audit.gap.held_out:
        found.append("it knows its training text much better than text like it")
    if audit.extraction and _more(audit.extraction) >= SOME:
        found.append("it goes on with passages of it by heart")
    if audit.verbatim and audit.verbatim.excess >= SOME:
        found.append("it copies when it writes freely")
    if (canaries := audit.canaries) and (known := [e for e in canaries.planted if e.median >= KNOWN_BITS]):
        found.append(f"what stands in it {_times(known[0].times)} can be got out of it")
    return found


def verdict(audit: Audit) -> list[str]:
    """In one or two sentences: what it comes to, and what can be done."""
    parts = [part for part in NAMES if getattr(audit, part)]
    if found := remembers(audit):
        said = f"{'; '.join(found)}."
        return [
            said[:1].upper() + said[1:],
            f"Share it only with those who may read its text. To have it remember less: {'; '.join(LESSONS)}.",
        ]
    measured = "it" if len(parts) == len(NAMES) else f"{', '.join(parts)} (not all was measured)"
    return [
        f"No sign of passages learned by heart in {measured}. That is no proof: what was not looked for was not found."
    ]


# ---------------------------------------------------------------------- the parts


def _gap(gap: Gap) -> list[str]:
    share = gap.bits / gap.held_out
    if share > WIDE_GAP:
        meaning = "a wide gap: it has learned its text by heart rather than what such texts have in common"
    elif share > WIDE_GAP / 3:
        meaning = "some gap: it knows its own text better, as most models do"
    else:
        meaning = "hardly a gap: it predicts text it never saw as well as its own"
    return [
        f"{gap.train:.3f} bits a byte on training text, {gap.held_out:.3f} on text held out: "
        f"{gap.bits:+.3f} ({share:+.0%})",
        meaning,
    ]


def _extraction(found: Extraction) -> list[str]:
    lines = [_reproduced("training", found.train)]
    if found.held_out is None:
        return [*lines, "there is no held-out text to tell what is merely easy to guess"]
    lines.append(_reproduced("held-out", found.held_out))
    more = _more(found)
    if more >= MUCH:
        meaning = "much of its text can be had from it: who knows how a passage begins can read on"
    elif more >= SOME:
        meaning = "some passages can be had from it by who knows how they begin"
    else:
        meaning = "it goes on with its own text no better than with text it never saw"
    return [*lines, meaning]


def _reproduced(of: str, each: Reproduced) -> str:
    return (
        f"{each.exact:,} of {each.n:,} {of} prefixes continued word for word ({each.share:.1%}); right for "
        f"{each.tokens_right:.1f} of {each.tokens_asked:.0f} tokens on average"
    )


def _more(found: Extraction) -> float:
    """The share of training prefixes that is reproduced, above that of held-out ones."""
    return found.train.share - (found.held_out.share if found.held_out else 0.0)


def _verbatim(found: Verbatim) -> list[str]:
    lines = [_copied(f"{plural(found.n_texts, 'text')} it wrote", found.written, found.n)]
    if found.held_out:
        lines.append(_copied("as much held-out text", found.held_out, found.n))
    if found.written.longest:
        lines.append(f"the longest: “{_quoted(found.written.longest)}”")
    if found.held_out is None:
        return [*lines, "there is no held-out text to tell what such texts share anyway"]
    if found.excess >= MUCH:
        meaning = "it copies: much more of what it writes stands in its text than of what others write"
    elif found.excess >= SOME:
        meaning = "it copies a little more than chance would have it"
    else:
        meaning = "it shares no more with its text than new text does"
    return [*lines, f"{found.excess:+.1%}: {meaning}"]


def _copied(what: str, each: Copied, n: int) -> str:
    if not each.n_grams:
        return f"{what}: too short for {n} words in a row; longest match {len(each.longest):,} characters"
    return (
        f"{what}: {each.share:.1%} of {each.n_grams:,} runs of {n} words stand in training text; longest match "
        f"{len(each.longest):,} characters"
    )


def _canaries(found: Canaries) -> list[str]:
    budget = found.budget
    part = "all of its text" if budget.share == 1 else f"{budget.share:.1%} of its text, as time allowed"
    return [
        f"in a copy trained on {part} ({plural(budget.steps, 'step')}, {budget.epochs:.1f} times through) with codes "
        f"as “{found.wording}”",
        *(_exposed(each, found) for each in reversed(found.planted)),
        f"never planted ({len(found.unseen.bits)} codes): median {found.unseen.median:.1f} bits, where chance gives 1",
        f"bits are log₂ of how many of {found.candidates:,} codes a guesser is spared; {found.ceiling:g} is the most",
    ]


def _exposed(each: Exposure, found: Canaries) -> str:
    guesses = round(2 ** (found.ceiling - each.median))
    if each.median >= found.ceiling - FOUND_BITS:
        meaning = "found at once"
    elif each.median >= KNOWN_BITS:
        meaning = f"among the first {plural(guesses, 'guess', 'guesses')} of {found.candidates:,}"
    elif each.median >= TRACE_BITS:
        meaning = "a trace"
    else:
        meaning = "as if never seen"
    all_bits = ", ".join(f"{bits:.1f}" for bits in each.bits)
    return f"planted {_times(each.times)}: {all_bits} bits of {found.ceiling:g}: {meaning}"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _quoted(text: str) -> str:
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown if len(shown) <= QUOTED else shown[: QUOTED - 1] + "…"


# ---------------------------------------------------------------------- files


def write_report(audit: Audit, values: dict[str, Any]) -> None:
    """audit.json and AUDIT.md in the run's folder, each whole or as it was."""
    write_json(audit.run.audit_path, values)
    text = markdown(audit)
    write_atomically(audit.run.audit_page_path, lambda path: path.write_text(text, encoding="utf-8"))


def markdown(audit: Audit) -> str:
    """The page as a file; it may quote the training text."""
    lines = [f"# What {audit.run.name} has memorised", "", "It may quote the training text.", ""]
    for label, said in rows(audit):
        lines += [f"## {label}", "", *(f"- {_escaped(line)}" for line in said), ""]
    return "\n".join(lines)


def _escaped(line: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in line)
