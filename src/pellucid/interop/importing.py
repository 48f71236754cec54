"""`import_model`: a published model becomes a run folder like any other."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pellucid
from pellucid.errors import InputError
from pellucid.interop.assembling import n_bytes
from pellucid.interop.gguf_models import read_gguf_model
from pellucid.interop.huggingface import has_pickle_name, pickle_refused, read_folder
from pellucid.interop.named import MODELS, list_of_models, named_file
from pellucid.interop.peft import is_adapter, read_adapters
from pellucid.interop.source import Source
from pellucid.interop.writing import Piece, told, write_model, write_safetensors
from pellucid.model.accounting import n_params
from pellucid.text.documents import Progress
from pellucid.text.files import expand_home
from pellucid.text.tokenizers.tokenizer import Tokenizer, parse_tokenizer
from pellucid.text.wording import size
from pellucid.training.data import text_record
from pellucid.training.files import write_atomically
from pellucid.training.report import private_lines, use_lines
from pellucid.training.run_folder import RunFolder, create_run

ROOM = "make room there, or give --out on another disk"
Advanced = Callable[[str, int, int], object]


def import_model(
    source: str | Path,
    out: str | Path | None = None,
    *,
    base: str | Path | None = None,
    progress: Progress | None = None,
    advanced: Advanced | None = None,
) -> RunFolder:
    """A published model as a run folder, which samples, chats and is looked into as a trained one is.

    Args:
        source: a folder as `save_pretrained` writes it, a GGUF file, or the name of a model (`MODELS`).
        out: the run folder; by default the next free `runs/NAME-n`.
        base: of adapters, a folder as PEFT writes it: the run whose export they were trained beside. They are merged.
        progress: hears what is being done.
        advanced: hears what is written, and how many bytes of how many.

    Raises:
        InputError: it is damaged, not of a kind that is imported, or cannot be expressed exactly; nothing is written.
    """
    heard = advanced or (lambda what, done, total: None)
    if base is not None or (str(source) not in MODELS and is_adapter(expand_home(Path(source)))):
        return _import_adapters(expand_home(Path(source)), base, out, heard)
    with contextlib.ExitStack() as opened:
        if str(source) in MODELS:
            path = opened.enter_context(named_file(str(source), progress))
            model = read_gguf_model(path, str(source))
        else:
            model = _read(expand_home(Path(source)))
        tokenizer = parse_tokenizer(model.tokenizer.encode(), "its tokenizer")
        run = create_run(out, _run_name(model.name))
        try:
            _check_room(run, model)
            _write(run, model, tokenizer, str(source), heard)
        except OSError as error:
            raise InputError(f"{run.path} cannot be written ({error.strerror or error}): {ROOM}") from None
        finally:
            run.discard_if_not_begun()
            run.unlock()
    return run


def _import_adapters(
    folder: Path, base: str | Path | None, out: str | Path | None, advanced: Advanced
) -> RunFolder:
    """A run of its own: the base with adapters merged, and what the base says of itself."""
    if not is_adapter(folder):
        raise InputError(f"{folder} holds no adapters of PEFT: leave out --base to import a whole model")
    if base is None:
        raise InputError(
            f"{folder} holds adapters: give --base RUN, the run whose export they were trained beside"
        )
    adapted = read_adapters(folder, base)
    weights, origin = adapted.weights, adapted.base
    run = create_run(out, _run_name(folder.resolve().name))
    try:
        origin.tokenizer.save(run.tokenizer_path)
        pieces = [Piece(name, tensor.shape, tensor.dtype) for name, tensor in weights.tensors.items()]
        total = sum(piece.n_bytes for piece in pieces)
        tensors = told(
            (tensor.read() for tensor in weights.tensors.values()),
            total,
            lambda done, total: advanced("writing the weights", done, total),
        )
        write_atomically(run.model_path, lambda path: write_safetensors(path, pieces, tensors))
        earlier = origin.stored.get("imported") or {}
        stored = {
            **{
                name: origin.stored[name]
                for name in ("template", "trained_on_private")
                if name in origin.stored
            },
            "pellucid": pellucid.__version__,
            "model": weights.config.to_dict(),
            "training": {},
            "data": {**origin.stored["data"], "sources": []},
            "machine": {},
            "imported": {
                "from": str(folder),
                "format": "peft",
                "family": adapted.family,
                "licence": earlier.get("licence"),
                "base": origin.run.name,
            },
        }
        lines = [
            f"# {run.name}",
            "",
            f"*{origin.run.name}* with adapters of PEFT merged.",
            "",
            *use_lines(run),
            "",
        ]
        lines += [*private_lines(stored)]
        run.card_path.write_text("\n".join(lines), encoding="utf-8")
        run.write_config(stored)
    except OSError as error:
        raise InputError(f"{run.path} cannot be written ({error.strerror or error}): {ROOM}") from None
    finally:
        run.discard_if_not_begun()
        run.unlock()
    return run


def _read(path: Path) -> Source:
    """The model at a path."""
    if path.is_dir():
        return read_folder(path)
    if not path.exists():
        raise InputError(
            f"{path} is not there: give the folder of a Hugging Face model, a .gguf file, or a name: {list_of_models()}"
        )
    if has_pickle_name(path):
        raise pickle_refused(path)
    if path.name.endswith((".safetensors", ".json")):
        raise InputError(
            f"{path} is one file of a model: give the folder that holds it, with its config.json"
        )
    return read_gguf_model(path)


def _check_room(run: RunFolder, model: Source) -> None:
    """Raises: InputError where the disk has no room for the weights."""
    needed = sum(n_bytes(place, model.files) for place in model.plan.values())
    free = shutil.disk_usage(run.path).free
    if needed > free:
        raise InputError(
            f"{model.name} takes {size(needed)}, and {size(free)} are free in {run.path}: {ROOM}"
        )


def _run_name(name: str) -> str:
    """A folder's name made of a model's."""
    plain = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")
    return plain[:60].rstrip("-._") or "imported"


def _write(run: RunFolder, model: Source, tokenizer: Tokenizer, source: str, advanced: Advanced) -> None:
    tokenizer.save(run.tokenizer_path)

    def told(done: int, total: int) -> None:
        advanced("writing the weights", done, total)

    write_atomically(run.model_path, lambda path: write_model(path, model.plan, model.files, told))
    run.card_path.write_text(_card(run, model), encoding="utf-8")
    run.write_config(_config(model, tokenizer, source))  # last: with it the folder is a run


def _one_line(text: str) -> str:
    """What a file says of itself, for a line of Markdown: short and harmless."""
    return " ".join(re.sub(r"[^\w.,:+()/-]", " ", text).split())[:100]


def _config(model: Source, tokenizer: Tokenizer, source: str) -> dict[str, Any]:
    """config.json; its text is not known, and no training has begun."""
    record = text_record(
        name=model.name,
        fingerprint="",
        documents=0,
        characters=0,
        n_bytes=0,
        tokens={},
        splits={},
        tokenizer=tokenizer,
    )
    imported = {"from": source, "format": model.format, "family": model.family, "licence": model.licence}
    template = {"template": model.template} if model.template else {}
    return {
        "pellucid": pellucid.__version__,
        "model": model.config.to_dict(),
        "training": {},
        "data": {**record, "sources": []},
        "machine": {},
        "imported": imported,
        **template,
    }


def _card(run: RunFolder, model: Source) -> str:
    """README.md of the run."""
    config = model.config
    shape = (
        f"{config.n_layers} layers, {config.n_heads} heads ({config.n_kv_heads} key/value) of {config.head_dim}, "
        f"d_model {config.d_model}, d_ff {config.d_ff}, context {config.context_length}"
    )
    return "\n".join(
        [
            f"# {run.name}",
            "",
            f"*{_one_line(model.name)}*, imported by Pellucid {pellucid.__version__}: "
            "the same weights, the same tokens.",
            "",
            "| | |",
            "|---|---|",
            f"| family | {model.family}, from {model.format} |",
            f"| model | {n_params(config):,} parameters, {config.vocab_size:,} tokens |",
            f"| shape | {shape} |",
            f"| licence | {_one_line(model.licence or 'not said: look where it came from')} |",
            "",
            *use_lines(run),
            "",
        ]
    )
