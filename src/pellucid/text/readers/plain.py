"""Plain text: one document, or one for each story where lines of `<|endoftext|>` stand between them."""

from __future__ import annotations

import gzip
import io
import zlib

from pellucid.errors import InputError
from pellucid.text.decoding import decode
from pellucid.text.documents import split_documents
from pellucid.text.readers.extract import Extract, one_document


def read_text(data: bytes, name: str) -> Extract:
    """Raises InputError if `data` is not text."""
    text, note = decode(data, name)
    return split_stories(one_document(text, name, note))


def split_stories(found: Extract) -> Extract:
    """`found`, its one document split where lines of `<|endoftext|>` stand."""
    document = found.documents[0]
    found.documents = split_documents(document.text, document.name)
    return found


def unpack_gzip(data: bytes, name: str, most_bytes: int) -> bytes:
    """What the gzip file `data` holds.

    Raises:
        InputError: it is not gzip, damaged, or unpacks to more than `most_bytes`.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(most_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{name} cannot be unpacked, since it is not gzip or damaged ({error}): get it again, "
            "or unpack it and give the file inside"
        ) from None
    if len(unpacked) > most_bytes:
        raise InputError(
            f"{name} unpacks to more than {most_bytes >> 20:,} MiB: unpack it and give a part of it"
        )
    return unpacked
