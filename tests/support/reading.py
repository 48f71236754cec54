"""What tests of reading ask again and again."""

from typing import Any

import pytest

from pellucid.errors import InputError
from pellucid.text.sources import read


def refused(source: Any, *parts: str) -> None:
    """`read` says no in one sentence that holds all `parts`."""
    with pytest.raises(InputError) as caught:
        read(source)
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message
