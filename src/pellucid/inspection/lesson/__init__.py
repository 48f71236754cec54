"""A model to write oneself, piece by piece, and what says whether it is right.

skeleton/     what `pellucid lesson new` copies: model.py with its bodies left out, its tests, a README
checking.py   runs those tests, piece by piece, without pytest
judging.py    what they judge with: Pellucid's own parts with the same weights
"""

from pellucid.inspection.lesson.checking import PieceResult, check_pieces, copy_skeleton

__all__ = ["PieceResult", "check_pieces", "copy_skeleton"]
