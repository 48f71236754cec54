"""What the tests of readers share: files of many members, built on the spot."""

import io
import zipfile
from collections.abc import Callable, Mapping

import pytest

from pellucid.errors import InputError
from pellucid.text.readers import extract


def make_zip(members: Mapping[str, str | bytes]) -> bytes:
    """A zip archive of `members`, compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture(scope="session")
def zipped() -> Callable[[Mapping[str, str | bytes]], bytes]:
    return make_zip


@pytest.fixture(scope="session")
def refused() -> Callable[..., None]:
    """Checks that a file is refused, in one sentence that names it and holds `parts`."""

    def check(data: bytes, name: str, *parts: str) -> None:
        with pytest.raises(InputError) as caught:
            extract(data, name)
        message = str(caught.value)
        assert all(part in message for part in (name, *parts)), message
        assert "\n" not in message

    return check
