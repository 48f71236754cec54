"""A folder as `save_pretrained` writes it: config.json, tokenizer.json and safetensors, whole or in shards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.assembling import plan_for
from pellucid.interop.card import licence_in
from pellucid.interop.chat_templates import template_kind
from pellucid.interop.families import describe
from pellucid.interop.fillers import KEY, without_fillers
from pellucid.interop.hub_cache import model_name
from pellucid.interop.names import GPT2_NAMES
from pellucid.interop.opening import opened, read_whole
from pellucid.interop.safetensors_files import safetensors_entries
from pellucid.interop.source import Source
from pellucid.interop.tensors import Entry, TensorFiles, shown
from pellucid.text.template import NEEDED
from pellucid.text.tokenizers.byte_level import SPECIAL
from pellucid.text.tokenizers.imported import as_imported, frame
from pellucid.text.tokenizers.tokenizer import MOST_FILE_BYTES, parse_tokenizer

MOST_CONFIG = 1 << 24  # bytes
MOST_SHARDS = 1024
MOST_HEAD = 1 << 16  # bytes of a model card that are looked at
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
UNUSED = re.compile(r"(.*\.)?rotary_emb\.inv_freq|transformer\.h\.\d+\.attn\.(bias|masked_bias)")
# What ends a document in pretraining, by the names that published models give it; else the model's own end.
DOCUMENT_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>")


def read_folder(folder: Path) -> Source:
    """A model in a folder, all of it checked and none of its numbers read.

    Raises:
        InputError: it is not whole, not of a family that is imported, damaged, or cannot be expressed.
    """
    values = read_json(folder / "config.json")
    if "format" in values and "model" in values:
        raise InputError(f"{folder} is a run already: use it as it is, as in `pellucid sample {folder}`")
    files = _tensors(folder)
    family, described = describe(values, str(folder / "config.json"))
    config, layout = described.config, described.layout
    if layout.names is GPT2_NAMES:
        files = _with_prefix(files)
    tied_head = f"{layout.names.head}.weight" if config.tie_embeddings else None
    made = plan_for(
        config, layout, files, folder, lambda name: name == tied_head or UNUSED.fullmatch(name) is not None
    )
    _check_tied(files, f"{layout.names.embedding}.weight", tied_head, folder)
    config, made = without_fillers(values.get(KEY), config, made, files)
    tokenizer, template = _tokenizer(folder, values, config.vocab_size)
    name, licence = model_name(folder), _licence(folder)
    return Source(name, "huggingface", family, config, made, files, tokenizer, template, licence)


def _licence(folder: Path) -> str | None:
    """What the model card says, if there is one."""
    path = folder / "README.md"
    if not path.is_file():
        return None
    file, _ = opened(path)
    with file:
        return licence_in(file.read(MOST_HEAD).decode("utf-8", "replace"))


def _check_tied(files: TensorFiles, embedding: str, head: str | None, folder: Path) -> None:
    """A head that is said to be the embedding, and is stored all the same, must be it."""
    if head in files.entries and not files.read(head).equal(files.read(embedding)):
        raise InputError(
            f"{folder} says tie_word_embeddings, but its {head} is not its embedding: "
            "set tie_word_embeddings to false in a copy of config.json if the head is to be used"
        )


# ---------------------------------------------------------------------- weights


def _tensors(folder: Path) -> TensorFiles:
    """All tensors of the folder's safetensors files."""
    if (folder / WEIGHTS).is_file():
        return TensorFiles(safetensors_entries(folder / WEIGHTS))
    if (folder / INDEX).is_file():
        return TensorFiles(_sharded(folder))
    pickles = sorted(path for path in folder.iterdir() if has_pickle_name(path))
    if pickles:
        raise pickle_refused(pickles[0])
    raise InputError(f"{folder} has no {WEIGHTS}: give the folder of a model that was saved with safetensors")


def has_pickle_name(path: Path) -> bool:
    """Whether its name says that a file is one; it is not opened."""
    return path.suffix.lower() in PICKLES


def pickle_refused(path: Path) -> InputError:
    return InputError(
        f"{path} is a pickle, which can run any program when it is read: take the model's safetensors files, or "
        "convert it where you trust it, with transformers' `save_pretrained(FOLDER, safe_serialization=True)`"
    )


def _sharded(folder: Path) -> list[Entry]:
    """The tensors of all shards, each where the index says it is."""
    index = read_json(folder / INDEX).get("weight_map")
    if not isinstance(index, dict) or not all(type(file) is str for file in index.values()):
        raise InputError(
            f"{folder / INDEX} is damaged (it has no weight_map): take a whole copy of the model"
        )
    names = sorted(set(index.values()))
    if len(names) > MOST_SHARDS:
        raise InputError(f"{folder / INDEX} names {len(names):,} files: it is no index of a model")
    entries = list[Entry]()
    for name in names:
        path = folder / name
        if not name.endswith(".safetensors") or re.search(r"[/\\:\0]", name) or not path.is_file():
            raise InputError(
                f"{folder / INDEX} names the file {shown(name)}, which is no safetensors file of that folder: "
                "take a whole copy of the model"
            )
        entries += safetensors_entries(path)
    there = {entry.name: entry.path.name for entry in entries}
    for name, file in index.items():
        if there.get(name) != file:
            raise InputError(f"{folder / file} has no tensor {shown(name)}: take a whole copy of the model")
    return entries


def _with_prefix(files: TensorFiles) -> TensorFiles:
    """The first GPT-2 files leave out `transformer.`"""
    if any(name.startswith("transformer.") for name in files.entries):
        return files
    renamed = [
        Entry(old.path, f"transformer.{old.name}", old.kind, old.shape, old.start, old.n_bytes)
        for old in files.entries.values()
    ]
    return TensorFiles(renamed)


# ---------------------------------------------------------------------- tokenizer


def _tokenizer(folder: Path, config: dict[str, Any], n_rows: int) -> tuple[str, str | None]:
    """The tokenizer.json of the run, and the kind of the chat template."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InputError(
            f"{folder} has no tokenizer.json: write one with transformers' "
            f"`AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)`"
        )
    content = read_json(path, MOST_FILE_BYTES)
    said = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    if is_own(content):
        return _own_tokenizer(folder, content, said, n_rows)
    tokens = _names(content, path)
    ends = _end_ids(folder, config)
    by_id = {id: name for name, id in tokens.items()}
    own = [_name(said.get("eos_token")), *(by_id.get(id) for id in ends)]
    special = [name for name in own if name]
    special += [name for name in (_name(said.get(key)) for key in ("bos_token", "pad_token")) if name]
    template = template_kind(_chat_template(folder, said), tokens)
    end = next((name for name in DOCUMENT_ENDS if name in tokens), special[0] if any(own) else None)
    if end is None:
        raise InputError(
            f"{folder} does not say which token ends a text (eos_token_id): it cannot be used without"
        )
    marks = NEEDED[template] if template else ()
    made = as_imported(content, n_rows, end, _begin(content, said), [*special, *marks], str(path))
    return json.dumps(made, ensure_ascii=False), template


def _own_tokenizer(
    folder: Path, content: dict[str, Any], said: dict[str, Any], n_rows: int
) -> tuple[str, str | None]:
    """One that was learned here and exported: as it is."""
    path = folder / "tokenizer.json"
    text = read_whole(path, MOST_FILE_BYTES)
    tokenizer = parse_tokenizer(text, str(path))
    if tokenizer.vocab_size > n_rows:
        raise InputError(
            f"{path} has {tokenizer.vocab_size:,} tokens and the model {n_rows:,} rows for them: "
            "they are not of one model"
        )
    names = {token["content"] for token in content["added_tokens"]}
    return text.decode("utf-8"), template_kind(_chat_template(folder, said), names)


def is_own(content: dict[str, Any]) -> bool:
    """Whether a tokenizer.json is of a kind that is learned here, with its reserved tokens."""
    try:
        kind, names = (
            content["model"].get("type", "BPE"),
            {token["content"] for token in content["added_tokens"]},
        )
    except (KeyError, TypeError, AttributeError):
        return False
    return kind in ("WordLevel", "WordPiece", "BPE") and names >= set(SPECIAL) and frame(content) is None


def _names(content: dict[str, Any], path: Path) -> dict[str, int]:
    try:
        names = {
            **content["model"]["vocab"],
            **{token["content"]: token["id"] for token in content["added_tokens"]},
        }
        sound = all(type(id) is int for id in names.values())
    except (KeyError, TypeError, ValueError):
        names, sound = {}, False
    if not sound:
        raise InputError(
            f"{path} is damaged, or no byte-pair encoding (BPE), which alone is taken over: its model cannot be used"
        )
    return names


def _end_ids(folder: Path, config: dict[str, Any]) -> list[int]:
    """The ids that end what the model writes: one or several, here or there."""
    path = folder / "generation_config.json"
    said = read_json(path) if path.is_file() else {}
    for values in (config, said):
        ids = values.get("eos_token_id")
        listed = ids if isinstance(ids, list) else [ids]
        if numbers := [id for id in listed if type(id) is int]:
            return numbers
    return []


def _begin(content: dict[str, Any], said: dict[str, Any]) -> str | None:
    """The token that stands before every text the model was trained on, if there is one."""
    processor = content.get("post_processor")
    parts = processor.get("processors", [processor]) if isinstance(processor, dict) else []
    for part in parts:
        single = (
            part.get("single")
            if isinstance(part, dict) and part.get("type") == "TemplateProcessing"
            else None
        )
        if isinstance(single, list) and single and isinstance(single[0], dict):
            mark = single[0].get("SpecialToken")
            if isinstance(mark, dict) and isinstance(mark.get("id"), str):
                return mark["id"]
    return _name(said.get("bos_token")) if said.get("add_bos_token") is True else None


def _name(token: Any) -> str | None:
    """The spelling of a token in tokenizer_config.json: a text, or an object that has it."""
    token = token.get("content") if isinstance(token, dict) else token
    return token if isinstance(token, str) and token else None


def _chat_template(folder: Path, said: dict[str, Any]) -> Any:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return read_whole(path, MOST_CONFIG).decode("utf-8", "replace")
    template = said.get("chat_template")
    if isinstance(template, list):  # several, by name
        named = [one for one in template if isinstance(one, dict) and one.get("name") == "default"]
        return named[0].get("template") if named else None
    return template


def read_json(path: Path, limit: int = MOST_CONFIG) -> dict[str, Any]:
    """Raises: InputError when the file is missing, no file, too large, or not a JSON object."""
    data = read_whole(path, limit)
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InputError(
            f"{path} is damaged (it is not valid JSON): take a whole copy of the model"
        ) from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged (it is no JSON object): take a whole copy of the model")
    return value
