"""From exports of chats to the replies a model learns: read, redacted, split, fitted, and known again on resuming."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import InputError
from pellucid.text.chats.examples import Examples
from pellucid.text.chats.examples import make_examples as make_conversations
from pellucid.text.chats.exports import read_chats
from pellucid.text.chats.formats import FORMATS
from pellucid.text.chats.people import ME, ROLES, choose, people
from pellucid.text.chats.privacy import protect
from pellucid.text.chats.recognition import holds_chat
from pellucid.text.chats.record import NO_CHAT
from pellucid.text.chats.sessions import GAP_MINUTES
from pellucid.text.documents import count_bytes
from pellucid.text.sources import read, slug
from pellucid.text.template import Template
from pellucid.text.tokenizers.tokenizer import load_tokenizer
from pellucid.text.wording import plural
from pellucid.training.data import TrainingData, own_sources, split_corpus, text_record, token_dtype
from pellucid.training.prepared import find_prepared, load_prepared
from pellucid.training.replies import ReplyData, make_examples
from pellucid.training.run_folder import UPLOADED, RunFolder

Tell = Callable[[str], None]
Sources = str | Path | Sequence[str | Path]
LONGEST_ROW, ROW_STEP = 512, 64  # tokens; attention costs more and more in longer rows
DEFAULT_MIX = 0.1


@dataclasses.dataclass(frozen=True)
class ChatOptions:
    """How chats are read and who in them the model becomes: the flags of the same names.

    Attributes:
        as_name: whom the model becomes, by the name in the chat (`--as`).
        format: which format the export is in, where its content does not say; "text" is no chat.
        date_order: "dmy", "mdy" or "ymd", where dates can be read in more ways than one.
        gap: minutes without a message after which a new session begins.
        keep: kinds of private things that are not redacted: url, email, iban, card, code, phone, number.
        names: give people other names, the same ones everywhere.
        anyway: learn although there are few replies to learn from.
    """

    as_name: str | None = None
    format: str | None = None
    date_order: str | None = None
    gap: float = GAP_MINUTES
    keep: tuple[str, ...] = ()
    names: bool = False
    anyway: bool = False

    def record(self) -> dict[str, Any]:
        """As a run keeps it."""
        return {**dataclasses.asdict(self), "keep": list(self.keep)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> ChatOptions:
        known = {field.name for field in dataclasses.fields(cls)}
        values = {name: value for name, value in record.items() if name in known}
        return cls(**{**values, "keep": tuple(values.get("keep", ()))})


def as_list(sources: Sources) -> list[str | Path]:
    return [sources] if isinstance(sources, str | Path) else list(sources)


def are_chats(sources: Sources, options: ChatOptions) -> bool:
    """Whether sources are to be read as chats: by their content, unless an option says it.

    Raises:
        InputError: some are chats and some are not.
    """
    if options.format is not None:
        return options.format != NO_CHAT
    if options.as_name is not None or options.names:
        return True
    listed = as_list(sources)
    chats = [holds_chat([source]) for source in listed]
    if any(chats) and not all(chats):
        odd = listed[chats.index(False)]
        raise InputError(
            f"{odd} is no chat, and others are: give chats alone, or text alone with --format text"
        )
    return all(chats)


def read_conversations(sources: Sources, options: ChatOptions, note: Tell) -> Examples:
    """Chats, with what is private taken out, as conversations of a user and an assistant in three parts.

    Raises:
        InputError: they cannot be read, it is not clear who the model becomes, or there are too few replies.
    """
    chats = read_chats(as_list(sources), options.format, options.date_order)
    for line in chats.notes:
        note(line)
    title = FORMATS[chats.format].title if chats.format in FORMATS else chats.format
    note(f"Chat: {title}, {plural(len(chats.messages), 'message')}.")
    if chats.unparsed:
        note(
            f"{plural(len(chats.unparsed), 'line')} could not be read, the first {chats.unparsed[0].text[:60]!r}: "
            "`pellucid preview` shows them."
        )
    person = choose(people(chats.messages), options.as_name)
    protected = protect(chats, options.keep, options.names)
    if counts := protected.found.counts:
        listed = ", ".join(f"{kind} {count:,}×" for kind, count in counts.most_common())
        note(f"Redacted, as far as it can be told: {listed}. --keep KIND leaves a kind in.")
    examples = make_conversations(
        protected.chats, protected.ids[person.id], gap_minutes=options.gap, anyway=options.anyway
    )
    for line in (*protected.notes, *examples.notes):
        note(f"{line[:1].upper()}{line[1:]}.")
    return dataclasses.replace(examples, assistant=person.id)  # as it is in the export, to be found again


def reply_data(
    template: Template,
    examples: Examples,
    sources: Sources,
    options: ChatOptions,
    window: int,
    context: int,
    note: Tell,
) -> ReplyData:
    """Conversations as examples of the model's tokens.

    Args:
        window: tokens of a row at most; 0 is what the longest conversation takes, up to LONGEST_ROW.
        context: tokens the model sees.

    Raises:
        InputError: none of them holds a reply to learn.
    """
    split = {"train": examples.train, "dev": examples.dev, "validation": examples.validation}
    parts = [[conversation.turns for conversation in part] for part in split.values()]
    length = min(window or _row_length(template, parts), context)
    fitted, notes = make_examples(template, parts, length)
    for line in notes:
        note(line)
    fitted_parts = [tuple(part.examples) for part in fitted]
    train, dev, validation = fitted_parts
    if not train:
        raise InputError(
            "there is no reply to learn from: choose another person with --as, or a longer --gap"
        )
    texts = [turn.text for part in parts for turns in part for turn in turns]
    record = text_record(
        name=slug(Path(str(as_list(sources)[0])).stem),
        fingerprint=fingerprint(parts),
        documents=sum(map(len, parts)),
        characters=sum(map(len, texts)),
        n_bytes=sum(map(count_bytes, texts)),
        tokens={name: sum(map(len, part)) for name, part in zip(split, fitted_parts, strict=True)},
        splits={"rule": "by time", **examples.counts},
        tokenizer=template.tokenizer,
    )
    record["chats"] = {**options.record(), "assistant": examples.assistant, "window": length}
    held_out = parts[1] or parts[2]
    return ReplyData(
        record, template, train, dev, validation, length, _opening(held_out[0]) if held_out else ()
    )


def _opening(turns: Sequence[Any]) -> tuple[Any, ...]:
    """The turns before the first reply that something was said before."""
    place = next(
        (p for p, turn in enumerate(turns) if turn.role == "assistant" and p and turns[p - 1].text), 0
    )
    return tuple(turns[:place])


def _row_length(template: Template, parts: Sequence[Sequence[Any]]) -> int:
    longest = max((template.n_tokens(turns) for part in parts for turns in part), default=1)
    return min(LONGEST_ROW, -(-longest // ROW_STEP) * ROW_STEP)


def fingerprint(parts: Sequence[Sequence[Any]]) -> str:
    """SHA-256, in hexadecimal, of all that is said in three parts of conversations."""
    digest = hashlib.sha256()
    for part in parts:
        said = [[[turn.role, turn.text] for turn in turns] for turns in part]
        digest.update(json.dumps(said).encode() + b"\n")
    return digest.hexdigest()


# ---------------------------------------------------------------------- what the model read before


def with_mix(
    data: ReplyData, base: RunFolder, stored: dict[str, Any], share: float | None, note: Tell
) -> ReplyData:
    """With windows of the text the base was trained on among the rows, so that it is not forgotten.

    Args:
        share: of the learned tokens, from 0 to 0.9; None is a tenth where that text is still there.

    Raises:
        InputError: the share is out of range, or asked for where the text is gone.
    """
    if share is not None and not 0 <= share <= 0.9:
        raise InputError(f"--mix is a share from 0 to 0.9, not {share:g}")
    if share == 0:
        return data
    try:
        text = _text_of(base, stored, note)
        if len(text) <= data.length:
            raise InputError("it is shorter than one row")
    except InputError as error:
        if share is not None:
            raise InputError(
                f"the text {base.name} was trained on cannot be mixed in ({error}): leave --mix out"
            ) from None
        note(
            f"No text of {base.name}'s own training is mixed in ({error}): it may forget some of what it knew."
        )
        return data
    share = DEFAULT_MIX if share is None else share
    note(
        f"{share:.0%} of what is learned is text that {base.name} was trained on, so that it is not forgotten."
    )
    record = {**data.record, "mix": share}
    return dataclasses.replace(data, record=record, text=text, share=share)


def _text_of(base: RunFolder, stored: dict[str, Any], note: Tell) -> np.ndarray:
    """(N,) tokens of the training split of a run. Raises: InputError when its text is not known or not there."""
    known = stored["data"]
    if not known.get("fingerprint") or "chats" in known:
        raise InputError("it is not known")
    sources = own_sources(known["sources"], base.path / UPLOADED)
    if prepared := find_prepared(sources):
        data: TrainingData = load_prepared(prepared)
        if data.record["fingerprint"] != known["fingerprint"]:
            raise InputError("it has changed")
        return data.train
    corpus = read(sources, progress=note)
    if corpus.fingerprint != known["fingerprint"]:
        raise InputError("it has changed")
    tokenizer = load_tokenizer(base.tokenizer_path)
    splits = split_corpus(corpus, known["splits"]["seed"], known["splits"]["dev_fraction"])
    tokens = tokenizer.encode_documents([document.text for document in splits.train])
    return tokens.astype(token_dtype(tokenizer))


def learned_as(stored: dict[str, Any]) -> str | None:
    """The name, in its config.json, of the person a run learned to answer as; None where that is a role or nobody."""
    chats = stored["data"].get("chats") or {}
    name = chats.get("as_name") or chats.get("assistant")
    return str(name) if name and name not in (*ROLES, ME) else None


# ---------------------------------------------------------------------- resuming


def known_conversations(run: RunFolder, known: dict[str, Any]) -> Examples:
    """The conversations that `known`, the record of a run's data, tells of, as they are there now.

    Raises:
        InputError: they are not there.
    """
    return read_conversations(*_asked_before(run, known), lambda _: None)


def _asked_before(
    run: RunFolder, known: dict[str, Any], sources: Sources | None = None
) -> tuple[Sources, ChatOptions]:
    options = ChatOptions.from_record(known["chats"])
    options = dataclasses.replace(options, as_name=known["chats"]["assistant"], anyway=True)
    return sources or own_sources(known["sources"], run.path / UPLOADED), options


def known_replies(
    run: RunFolder, stored: dict[str, Any], base: Callable[[], RunFolder], sources: Sources | None, note: Tell
) -> ReplyData:
    """The chats of a run that is resumed, read as they were.

    Args:
        base: finds the run it was fine-tuned from, where its text is mixed in.

    Raises:
        InputError: they are not there, or are not what the run learned from.
    """
    known = stored["data"]
    text, options = _asked_before(run, known, sources)
    examples = read_conversations(text, options, lambda _: None)
    template = Template(stored["template"], run.tokenizer())
    window = known["chats"]["window"]
    data = reply_data(template, examples, text, options, window, window, lambda _: None)
    if data.record["fingerprint"] != known["fingerprint"]:
        raise InputError(
            f"the chats are not what {run.path} learned from: a run can only be resumed on the same ones; "
            "restore them, or start a new run"
        )
    if known.get("mix"):
        folder = base()
        data = with_mix(data, folder, folder.config(), known["mix"], note)
    return dataclasses.replace(data, record={name: known[name] for name in known if name != "sources"})
