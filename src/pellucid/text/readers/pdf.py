"""PDF: the text of its pages, joined into paragraphs; needs the extra `pdf`."""

from __future__ import annotations

import io
import logging

from pellucid.errors import InputError
from pellucid.shell import install_extra
from pellucid.text.decoding import without_surrogates
from pellucid.text.readers.extract import Extract, one_document
from pellucid.text.readers.reflow import reflow
from pellucid.text.wording import plural

# Fonts have glyphs for joined letters, which are two or three letters to everyone but the printer.
LETTERS = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\0": ""}
)


def read_pdf(data: bytes, name: str) -> Extract:
    """The pages' text without page numbers and running heads, where those are certain.

    Raises:
        InputError: pypdf is not installed; or not a PDF, damaged, encrypted, or of pictures only.
    """
    pages = _pages(data, name)
    blank = sum(not page.strip() for page in pages)
    if blank == len(pages):
        raise InputError(
            f"{name} holds pictures of {plural(len(pages), 'page')} and no text: make it searchable with a "
            "program for text recognition (OCR), and give what that gives"
        )
    note = f"{plural(blank, 'page')} without text (blank, or pictures)" if blank else None
    return one_document(reflow(pages), name, "its lines are joined into paragraphs, by their lengths", note)


def _pages(data: bytes, name: str) -> list[str]:
    try:
        import pypdf
        from pypdf.errors import DependencyError, FileNotDecryptedError
    except ImportError:
        raise InputError(f"{name} is a PDF, and reading those needs pypdf: {install_extra('pdf')}") from None
    if b"%PDF-" not in data[:1024]:
        raise InputError(f"{name} is not a PDF document: give it the suffix of what it is")
    logger = logging.getLogger("pypdf")  # it tells each oddity of a file on stderr
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise FileNotDecryptedError
        return [without_surrogates(page.extract_text().translate(LETTERS)) for page in reader.pages]
    except (FileNotDecryptedError, DependencyError):
        raise InputError(f"{name} is encrypted: save it without a password, and give that file") from None
    except Exception as error:  # whatever a broken file makes pypdf do: its own errors are only some of them
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{name} is damaged, so that it cannot be read as a PDF ({reason}): get it again"
        ) from None
    finally:
        logger.setLevel(level)
