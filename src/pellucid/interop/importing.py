"""`import_model`: a published model becomes a run folder like any other."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pellucid
from pellucid.errors import InputError
from pellucid.interop.assembling import n_bytes
from pellucid.interop.gguf_models import read_gguf_model
from pellucid.interop.hub_cache import snapshot
from pellucid.interop.huggingface import has_pickle_name, pickle_refused, read_folder
from pellucid.interop.named import MODELS, list_of_models, named_file
from pellucid.interop.peft import Adapted, is_adapter, read_adapters
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
from pellucid.training.run_folder import RunFolder, create_run, is_run

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
        tokenizer = parse_tokenizer(_in_bytes(model.tokenizer, source), "its tokenizer")
        needed = sum(n_bytes(place, model.files) for place in model.plan.values())
        with _new_run(out, model.name, needed) as run:
            _write(run, model, tokenizer, str(source), heard)
    return run


def _in_bytes(tokenizer: str, source: str | Path) -> bytes:
    try:
        return tokenizer.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
        raise InputError(
            f"{source} has a tokenizer that is damaged (it is no text): take a whole copy"
        ) from None


def _import_adapters(
    folder: Path, base: str | Path | None, out: str | Path | None, advanced: Advanced
) -> RunFolder:
    """A run of its own: the base with adapters merged, and what the base says of itself."""
    if not folder.exists():
        raise InputError(f"{folder} is not there: give the folder of adapters that PEFT saved")
    if not is_adapter(folder):
        raise InputError(f"{folder} holds no adapters of PEFT: leave out --base to import a whole model")
    if base is None:
        raise InputError(
            f"{folder} holds adapters: give --base RUN, the run whose export they were trained beside"
        )
    adapted = read_adapters(folder, base)
    needed = sum(tensor.n_bytes for tensor in adapted.weights.tensors.values())
    with _new_run(out, folder.resolve().name, needed) as run:
        _write_adapted(run, adapted, folder, advanced)
    return run


def _write_adapted(run: RunFolder, adapted: Adapted, folder: Path, advanced: Advanced) -> None:
    weights, origin = adapted.weights, adapted.base
    origin.tokenizer.save(run.tokenizer_path)
    pieces = [Piece(name, tensor.shape, tensor.dtype) for name, tensor in weights.tensors.items()]
    total = sum(piece.n_bytes for piece in pieces)
    read = (tensor.read() for tensor in weights.tensors.values())
    tensors = told(read, total, lambda done, total: advanced("writing the weights", done, total))
    write_atomically(run.model_path, lambda path: write_safetensors(path, pieces, tensors))
    kept = {name: origin.stored[name] for name in ("template", "trained_on_private") if name in origin.stored}
    earlier = origin.stored.get("imported") or {}
    stored = {
        **kept,
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
    about = f"*{origin.run.name}* with adapters of PEFT merged."
    lines = [f"# {run.name}", "", about, "", *use_lines(run), "", *private_lines(stored)]
    run.card_path.write_text("\n".join(lines), encoding="utf-8")
    run.write_config(stored)  # last: with it the folder is a run


@contextlib.contextmanager
def _new_run(out: str | Path | None, name: str, needed: int) -> Iterator[RunFolder]:
    """A run folder to be filled with `needed` bytes of weights, which is gone again if it does not become a run.

    Raises:
        InputError: something is in the way, or the disk is full.
    """
    if out is not None and is_run(expand_home(Path(out))):
        raise InputError(f"{out} holds a run already: give another --out")
    run = create_run(out, _run_name(name))
    try:
        free = shutil.disk_usage(run.path).free
        if needed > free:
            raise InputError(f"{name} takes {size(needed)}, and {size(free)} are free in {run.path}: {ROOM}")
        yield run
    except OSError as error:
        raise InputError(f"{run.path} cannot be written ({error.strerror or error}): {ROOM}") from None
    finally:
        run.discard_if_not_begun()
        run.unlock()


def _read(path: Path) -> Source:
    """The model at a path."""
    if path.is_dir():
        return read_folder(snapshot(path))
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


def _run_name(name: str) -> str:
    """A folder's name made of a model's."""
    plain = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")
    return plain[:60].rstrip("-._") or "imported"


def _write(run: RunFolder, model: Source, tokenizer: Tokenizer, source: str, advanced: Advanced) -> None:
    tokenizer.save(run.tokenizer_path)
    heard = lambda done, total: advanced("writing the weights", done, total)  # noqa: E731
    write_atomically(run.model_path, lambda path: write_model(path, model.plan, model.files, heard))
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
