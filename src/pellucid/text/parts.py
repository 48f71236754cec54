"""The parts (train, dev, validation) of documents that stream by, with the fingerprints that tell them again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from pellucid.errors import InputError
from pellucid.text.documents import Fingerprint, count_bytes
from pellucid.text.splits import PARTS, SplitPlan
from pellucid.text.streaming import Inventory
from pellucid.text.tokenizers.byte_level import cut_stream

TRAIN = PARTS.index("train")

Part = tuple[int, str, bool]  # index into PARTS, some text, and whether the part of this document ends there


class Reading:
    """One pass through the documents of an inventory, cut as planned.

    Afterwards `corpus` and `parts` are the fingerprints of all documents and of each part, as `Corpus` and `split`
    make them; while it goes on, of what was read so far.
    """

    def __init__(self, inventory: Inventory, plan: SplitPlan) -> None:
        self.inventory, self.plan = inventory, plan
        self.corpus = Fingerprint()
        self.parts = tuple(Fingerprint() for _ in PARTS)
        self._part_bytes = long_part_bytes(inventory, plan)

    def __iter__(self) -> Iterator[Part]:
        """Raises: InputError when the documents are not those of the inventory."""
        number = -1
        for number, start, text, ends in _numbered(self.inventory):
            pieces = _cut(self.plan, number, start, text)
            if start == 0:
                self._begin(number, text, pieces, ends)
            for part, piece, ends_part in pieces:
                data = piece.encode("utf-8", "replace")
                self.corpus.add(data)
                self.parts[part].add(data)
                yield part, piece, ends_part
        if number + 1 != len(self.inventory.lengths):
            raise changed(self.inventory)

    def _begin(self, number: int, text: str, pieces: list[Part], is_whole: bool) -> None:
        """The lengths of a document and of its parts come before their text."""
        if is_whole:
            self.corpus.begin(count_bytes(text))
            for part, piece, _ in pieces:
                self.parts[part].begin(count_bytes(piece))
            return
        self.corpus.begin(self.inventory.long_bytes[number])
        for fingerprint, n_bytes in zip(self.parts, self._part_bytes[number], strict=True):
            if n_bytes:
                fingerprint.begin(n_bytes)


class TrainingPieces:
    """The training part of all documents, in pieces that vocabularies are learned from; iterated as often as need be.

    Learning from these is learning from the whole documents: see `byte_level.cut_stream`.
    """

    def __init__(self, inventory: Inventory, plan: SplitPlan) -> None:
        self.inventory, self.plan = inventory, plan

    def __iter__(self) -> Iterator[str]:
        for _, chunks in runs(self._parts()):
            yield from cut_stream(chunks)

    def _parts(self) -> Iterator[Part]:
        for number, start, text, _ in _numbered(self.inventory):
            yield from (piece for piece in _cut(self.plan, number, start, text) if piece[0] == TRAIN)


def runs(parts: Iterable[Part]) -> Iterator[tuple[int, Iterator[str]]]:
    """The text of one document's part after another: which part, and its chunks, to be used up before the next."""
    parts = iter(parts)

    def chunks(text: str, ends: bool) -> Iterator[str]:
        yield text
        while not ends:
            _, text, ends = next(parts)
            yield text

    for part, text, ends in parts:
        yield part, chunks(text, ends)


def long_part_bytes(inventory: Inventory, plan: SplitPlan) -> dict[int, list[int]]:
    """UTF-8 bytes of each part of the documents that come in several chunks; goes through the text if it must."""
    known: dict[int, list[int]] = {}
    for number, n_bytes in inventory.long_bytes.items():
        edges = plan.bounds(number)
        lengths = [upper - lower for lower, upper in itertools.pairwise(edges)]
        if n_bytes == edges[-1] or max(lengths) == edges[-1]:  # ASCII alone, or not cut at all
            known[number] = [n_bytes if length == edges[-1] else length for length in lengths]
    unknown = inventory.long_bytes.keys() - known.keys()
    if unknown:
        known |= {number: [0] * len(PARTS) for number in unknown}
        for number, start, text, _ in _numbered(inventory):
            if number in unknown:
                for part, piece, _ in _cut(plan, number, start, text):
                    known[number][part] += count_bytes(piece)
    return known


def changed(inventory: Inventory) -> InputError:
    """What to say when the text is not what it was."""
    return InputError(
        f"the text of {inventory.name} changed while it was read: leave it alone, and start again with --overwrite"
    )


def _numbered(inventory: Inventory) -> Iterator[tuple[int, int, str, bool]]:
    """Chunks with the number of their document and where in it they start; raises InputError as documents change."""
    number = start = 0
    for text, ends in inventory.chunks():
        end = start + len(text)
        if number >= len(inventory.lengths) or (end != inventory.lengths[number]) == ends:
            raise changed(inventory)
        yield number, start, text, ends
        number, start = (number + 1, 0) if ends else (number, end)


def _cut(plan: SplitPlan, number: int, start: int, text: str) -> list[Part]:
    edges = plan.bounds(number)
    pieces = list[Part]()
    for part, (lower, upper) in enumerate(itertools.pairwise(edges)):
        first, last = max(lower - start, 0), min(upper - start, len(text))
        if first < last:
            pieces.append((part, text[first:last], upper - start == last))
    return pieces
