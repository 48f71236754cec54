"""llama.cpp asked what it makes of a GGUF file, where the package `xllamacpp`, which brings it, is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import InputError

Message = dict[str, str]  # role and content


def check_installed() -> None:
    """Raises: InputError where llama.cpp is not there."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise InputError(
            "--check runs llama.cpp, which is not installed: `pip install xllamacpp`, or export without --check"
        )


class LlamaCpp:
    """A model in llama.cpp, in a process that ends with `close`."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self._process, self._errors = process, errors
        self._receive()  # that it is ready

    def tokens(self, text: str, special: bool = False) -> list[int]:
        """The ids of a text; with `special`, names of reserved tokens are those tokens."""
        return self._ask(tokens=text, special=special)

    def prompt(self, messages: Sequence[Message]) -> str:
        """A conversation as its chat template writes it, up to where the assistant answers."""
        return self._ask(prompt=list(messages))

    def chat(self, messages: Sequence[Message], **options: Any) -> str:
        """What it answers; `options` are those of OpenAI's chat completions."""
        return self._ask(chat=list(messages), options=options)

    def distribution(self, ids: Sequence[int], vocab_size: int, end: int) -> np.ndarray:
        """(V,) float64: natural logarithms of the probabilities of the token after `ids`.

        Args:
            end: the token that ends a text.
        """
        found = self._ask(distribution=list(ids), of=vocab_size, end=end)
        values = np.full(vocab_size, np.nan)
        for id, value in found:
            values[id] = value
        return values

    def scores(self, ids: Sequence[int], vocab_size: int, end: int) -> np.ndarray:
        """(T - 1,) float64: the natural logarithm of each token's probability after those before it."""
        return np.array(self._ask(scores=list(ids), of=vocab_size, end=end))

    def close(self) -> None:
        self._process.kill()  # it keeps nothing
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # then it is gone, and what it said last is told below
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        return self._receive()

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            said = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise InputError(
                f"llama.cpp ended without an answer ({' '.join(said[-2:]) or 'it said nothing'})"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise InputError(f"llama.cpp cannot use the file: {answer['error']}")
        return answer["answer"]


@contextlib.contextmanager
def llama_cpp(path: Path, context: int, threads: int | None = None) -> Iterator[LlamaCpp]:
    """llama.cpp with the model of a GGUF file, for as long as the context lasts.

    Args:
        context: tokens it must have room for.
        threads: None for those of torch.

    Raises:
        InputError: it is not installed, or cannot read the file.
    """
    import torch

    check_installed()
    arguments = [str(path.resolve()), str(context), str(threads or torch.get_num_threads())]
    command = [sys.executable, "-m", "pellucid.interop.llama_cpp_process", *arguments]
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        said = Path(folder) / "said.txt"
        with said.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            model = None
            try:
                model = LlamaCpp(process, said)
                yield model
            finally:
                process.kill()
                process.wait()
                if model is not None:
                    model.close()
