"""llama.cpp with one model, in a process of its own: questions by lines of JSON on stdin, answers on stdout.

    python -m pellucid.interop.llama_cpp_process MODEL.gguf CONTEXT THREADS

Started by `llama_cpp.LlamaCpp`. The first line says that the model is there. Keys and values are kept in float32 and
attention is not fused, so that what is left of a difference is the arithmetic of the weights' type.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, TextIO

import httpx

PATIENCE = 600.0  # seconds for one answer
SURE = 1e5  # added to a logit, that token is picked; its own probability is told all the same


class Model:
    """A model that llama.cpp has read."""

    def __init__(self, path: str, context: int, threads: int) -> None:
        xllamacpp: Any = importlib.import_module("xllamacpp")  # not among what is always installed
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx, params.n_parallel = context, 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.warmup, params.verbosity, params.n_gpu_layers = False, -1, 0
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        self.server = xllamacpp.Server(params)
        self.http = httpx.Client(base_url=self.server.listening_address, trust_env=False, timeout=PATIENCE)

    def answer(self, question: dict[str, Any]) -> Any:
        match question:
            case {"tokens": text, "special": special}:
                asked = {"content": text, "add_special": False, "parse_special": special}
                return self._post("/tokenize", asked)["tokens"]
            case {"prompt": messages}:
                return self._post("/apply-template", {"messages": messages})["prompt"]
            case {"chat": messages, "options": options}:
                said = self._post("/v1/chat/completions", {"messages": messages, **options})
                return said["choices"][0]["message"]["content"]
            case {"distribution": ids, "of": n_tokens, "end": end}:
                return list(self._distribution(ids, n_tokens, end).items())
            case {"scores": ids, "of": n_tokens, "end": end}:
                return [self._score(ids[:at], ids[at], n_tokens, end) for at in range(1, len(ids))]
        raise ValueError(f"unknown question {sorted(question)}")

    def _score(self, before: list[int], token: int, n_tokens: int, end: int) -> float:
        """The natural logarithm of a token's probability."""
        picked = self._pick(before, token, 1)
        if picked is None:  # of a token that is a part of a character nothing is told
            return self._distribution(before, n_tokens, end)[token]
        return picked["logprob"]

    def _distribution(self, before: list[int], n_tokens: int, end: int) -> dict[int, float]:
        """The natural logarithm of each token's probability, told beside `end`, which is no part of a character."""
        picked = self._pick(before, end, n_tokens)
        if picked is None:
            raise ValueError("llama.cpp tells no probabilities")
        return {each["id"]: each["logprob"] for each in picked["top_logprobs"]}

    def _pick(self, before: list[int], token: int, n_told: int) -> dict[str, Any] | None:
        """What is told of the token after some, if `token` is made the one, and of the `n_told` likeliest ones."""
        asked = {"prompt": before, "n_predict": 1, "temperature": 0.0, "cache_prompt": True}
        answer = self.server.handle_completions({**asked, "n_probs": n_told, "logit_bias": [[token, SURE]]})
        if "choices" not in answer:
            raise ValueError(str(answer)[:500])
        told = answer["choices"][0]["logprobs"]
        if told is None:
            return None
        (picked,) = told["content"]
        if picked["id"] != token:
            raise ValueError(f"llama.cpp picked {picked['id']} where {token} was wanted")
        return picked

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(path, json=body)
        if answer.status_code != 200:
            raise ValueError(answer.text[:500])
        return answer.json()


def main() -> None:
    answers = own_stdout()
    try:
        model = Model(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except Exception as error:  # it raises what it likes, and the reader is told
        tell(answers, {"error": f"{type(error).__name__}: {error}"})
        return
    tell(answers, {"answer": "ready"})
    for line in sys.stdin:
        try:
            tell(answers, {"answer": model.answer(json.loads(line))})
        except (ValueError, KeyError, httpx.HTTPError) as error:
            tell(answers, {"error": f"{type(error).__name__}: {error}"})
    os._exit(0)  # its threads end with the process


def own_stdout() -> TextIO:
    """Where answers go; what llama.cpp prints by itself goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def tell(answers: TextIO, value: dict[str, Any]) -> None:
    print(json.dumps(value), file=answers, flush=True)


if __name__ == "__main__":
    main()
