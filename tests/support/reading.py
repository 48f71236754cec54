"""What tests of reading ask again and again."""

from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import InputError
from pellucid.text.documents import Corpus
from pellucid.text.sources import read


def refused(source: Any, *parts: str) -> None:
    """`read` says no in one sentence that holds all `parts`."""
    with pytest.raises(InputError) as caught:
        read(source)
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


def write(**files: str | bytes) -> None:
    """`a__b_txt` becomes `a/b.txt`."""
    for name, content in files.items():
        path = Path(name.replace("__", "/").replace("_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def names(corpus: Corpus) -> list[str]:
    return [document.name for document in corpus.documents]
