"""Who wrote a line: the name before ": ", though names may hold colons and notices may hold both."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pellucid.text.chats.whatsapp.marks import plain_spaces

MOST_NAME = 120  # characters
ENDS = re.compile(r":(?= |$)")
TILDE = re.compile(r"^[~∼～] *(?=\S)")  # stands before the names of people who are not among one's contacts
QUOTES = re.compile('["“”„«»「」『』]')
EXTENSION = re.compile(r"[^:]{1,40}$")
FEWEST_ALIKE = 2  # messages that all begin with the same words and a colon: these belong to the name
# What WhatsApp writes without an author, by words that few names hold.
NOTICE = re.compile(
    r"\b(?:changed|created|added|removed|security code|joined|pinned|turned o(?:n|ff)|hinzugefügt|geändert|erstellt"
    r"|cambió|creó|añadió|código de seguridad|a modifié|a créé|a ajouté|mudou|criou|adicionou|alterou"
    r"|ha cambiato|ha creato|ha aggiunto|heeft|wijzigde|изменил|создал|добавил|değiştirdi|oluşturdu|ekledi)\b",
    re.IGNORECASE,
)
FEW_WORDS = 3


def candidates(text: str) -> list[str]:
    """The names that may stand before a message, shortest first: `Dr: Strange: hello` has two."""
    beginning = plain_spaces(text[: MOST_NAME + 2])
    return [beginning[: match.start()] for match in ENDS.finditer(beginning) if match.start() <= MOST_NAME]


class Names:
    """The people of a chat, known from all its lines.

    Args:
        texts: what follows the frame of each line, without marks.
        conversation: the name of the chat, which is that of a person where there are two.
    """

    def __init__(self, texts: Iterable[str], conversation: str = "") -> None:
        found = [names for names in map(candidates, texts) if names]
        first = Counter(names[0] for names in found)
        self._known = {name for name, count in first.items() if count > 1 and not _is_quoted(name)}
        self._count = first
        self._longer = _longer_names(found, first, conversation)
        self._known |= set(self._longer.values())

    def split(self, text: str) -> tuple[str | None, int]:
        """The author and the index in `text` at which the message begins; (None, 0) of a line without an author."""
        names = candidates(text)
        if not names:
            return self._without_space(text)
        name = names[0]
        while name in self._longer and self._longer[name] in names:
            name = self._longer[name]
        if name not in self._known and self._is_notice(name):
            return None, 0
        return shown_name(name), min(len(name) + 2, len(text))

    def _is_notice(self, name: str) -> bool:
        if _is_quoted(name):
            return True
        words = name.split()
        begins_with_name = any(" ".join(words[:size]) in self._known for size in range(1, len(words)))
        return NOTICE.search(name) is not None and (begins_with_name or len(words) > FEW_WORDS)

    def _without_space(self, text: str) -> tuple[str | None, int]:
        """`Alice:hi`, which an editor may have left of `Alice: hi`: only for a person who is known."""
        name, colon, _ = plain_spaces(text[:MOST_NAME]).partition(":")
        return (shown_name(name), len(name) + 1) if colon and name in self._known else (None, 0)


def shown_name(name: str) -> str:
    """The name without the tilde of people who are not among one's contacts."""
    return TILDE.sub("", name.strip())


def _is_quoted(name: str) -> bool:
    """Whether a quotation begins in `name` and ends behind it: changed the subject to "Plan: dinner"."""
    return len(QUOTES.findall(name)) % 2 == 1


def _longer_names(found: Sequence[list[str]], first: Counter[str], conversation: str) -> dict[str, str]:
    """Names with a colon, by what stands before it: all the lines that begin with `Dr: ` go on with `Strange: `."""
    longer, second = dict[str, str](), Counter[tuple[str, str]]()
    for names in found:
        second.update((short, long) for short, long in itertools.pairwise(names))
    for (short, long), count in second.items():
        before = first[short] or sum(number for (_, name), number in second.items() if name == short)
        is_name = EXTENSION.match(long[len(short) + 2 :]) is not None and not long[len(short) + 2 :].islower()
        if (
            is_name
            and short != conversation
            and (long == conversation or (count >= FEWEST_ALIKE and count == before))
        ):
            longer[short] = long
    return longer
