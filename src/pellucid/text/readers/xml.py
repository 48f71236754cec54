"""XML becomes elements with local names, within bounds: no entities of its own, no endless depth."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from pellucid.errors import InputError

DEEPEST = 200  # elements inside one another; documents of Word seldom pass 60


def parse_xml(data: bytes, name: str) -> Element:
    """The root of `data`; elements and attributes are called by their names without namespaces.

    Raises:
        InputError: not well-formed, nested too deep, or it declares entities (which can make a page of text
            from a line, and gigabytes from a page).
    """
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise InputError(f"{name} is nested more than {DEEPEST} elements deep, so it is not read")
        builder.start(_local(tag), {_local(key): value for key, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_local(tag))

    def refuse(*_: Any) -> None:
        raise InputError(f"{name} declares XML entities, which no book or document needs, so it is not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except InputError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise InputError(f"{name} is damaged: it is not well-formed XML ({error})") from None
    return builder.close()


def _local(name: str) -> str:
    return name.rpartition("}")[2]
