"""The formats a run is exported to. Imports nothing, so that help answers at once."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Format:
    """A format.

    Args:
        about: half a sentence for a person.
        name: of what is written, with {run} for the run's name and {type} for the type; under exports/ where no other
            place is given.
        writer: the module with `write(model, path, advanced)`, which writes a file or a folder that is not there yet,
            making its parents, and returns a `Written`; and `compare(model, path)`, which returns a `Comparison`.
        checker: the package that `compare` needs.
        next_step: a command to type next, of {path}.
        types: of numbers that can be asked for, that of left-out ones first; `write` has then a `type`. None: they stay
            as they are.
    """

    about: str
    name: str
    writer: str
    checker: str
    next_step: str
    types: tuple[str, ...] = ()


FORMATS = {
    "hf": Format(
        "a folder that transformers loads, in safetensors",
        "{run}-hf",
        "pellucid.interop.huggingface_export",
        "transformers",
        "pellucid import {path}",
    ),
    "gguf": Format(
        "a file that llama.cpp reads, and Ollama and LM Studio with it",
        "{run}-{type}.gguf",
        "pellucid.interop.gguf_export",
        "xllamacpp",
        "pellucid import {path}",
        ("f16", "f32", "bf16", "q8_0", "q4_0"),
    ),
}
