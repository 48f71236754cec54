"""The ready-made sets."""

from __future__ import annotations

from pellucid.inspection.compare.contender import Comparison

SETS: tuple[Comparison, ...] = ()
