"""`pellucid preview EXPORT`: who wrote, what is redacted, what would be learned; told from a text by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chat_exports import ambiguous

Cli = Callable[..., Any]
SMALL = (
    *("--steps", 6, "--n-layers", 1, "--n-heads", 2, "--d-model", 16, "--context-length", 16),
    *("--batch-size", 4, "--precision", "float32", "--device", "cpu"),
)


@pytest.fixture(autouse=True)
def cache(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own."""
    monkeypatch.setenv("PELLUCID_CACHE", str(here / "cache"))
    monkeypatch.setenv("PELLUCID_NO_CACHE", "")
    return here / "cache"


def whatsapp(n_sessions: int = 30) -> str:
    lines = ["a line of no message"]
    for session in range(n_sessions):
        start = datetime(2023, 5, 14, 9, 0) + timedelta(hours=5 * session)
        for minute, (who, text) in enumerate(
            [
                ("Anna", f"did you see {session}?"),
                ("Bob", f"call me: +49 170 12345{session:02}"),
                ("Bob", f"or bob{session}@example.org\nwhen you can"),
            ]
        ):
            lines.append(f"{start + timedelta(minutes=minute):%d/%m/%Y, %H:%M} - {who}: {text}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def export(here: Path) -> Path:
    path = here / "WhatsApp Chat with Anna.txt"
    path.write_text(whatsapp(), encoding="utf-8")
    return path


def told(result: Any) -> dict[str, Any]:
    return json.loads(result.out.splitlines()[-1], parse_constant=pytest.fail)


def test_what_is_shown(cli: Cli, export: Path):
    result = cli("preview", export, "--as", "bob")
    assert result.code == 0, result.err
    for words in (
        r"Found +90 messages in 1 conversation \(whatsapp\)",
        r"People +Bob +60 messages +[\d,]+ characters\n +Anna +30 messages",
        "2023-05-14 09:00 to 2023-05-20 10:02",
        "30, a new one after a pause of more than 60 min",
        r"3 to 12 h +29 ",
        r"2 to 3 a session +30 ",
        r"1 line not understood.*\n +WhatsApp Chat with Anna.txt:1: a line of no message",
        r"\[phone\] +30× +\+49 170 1234500",
        r"\[email\] +30× +bob0@example.org",
        "answer as Bob: 30 replies",
        "train 26 replies in 26 conversations, dev 1 reply in 1 conversation, validation 3 replies in 3",
        r"  user      │ did you see 0\?\n  assistant ▌ call me: \[phone\]\n",
        r"\n {12}▌ or \[email\]\n {12}▌ when you can\n",
        "30 replies to learn from, fewer than 200",
    ):
        assert re.search(words, result.out), words
    assert result.out.count("user      │ did you see") == 3
    assert f"pellucid finetune '{export}' --as bob" in result.err


def test_without_a_person_the_one_who_wrote_most_is_shown_and_how_to_choose(cli: Cli, export: Path):
    result = cli("preview", export)
    assert result.code == 0
    assert "answer as Bob (who wrote most, to have an example: choose with --as NAME)" in result.out
    assert "--as Bob" in result.err
    assert "finetune" not in result.err.split("Next:")[1]


def test_json(cli: Cli, export: Path):
    result = told(cli("preview", export, "--as", "Anna", "--json"))
    assert result["format"] == "whatsapp"
    assert [(each["name"], each["messages"]) for each in result["people"]] == [("Bob", 60), ("Anna", 30)]
    assert result["redacted"]["counts"] == {"phone": 30, "email": 30}
    assert result["unparsed"]["count"] == 1
    assert result["pauses"]["1 to 5 min"] == 60
    assert result["counts"]["sessions"] == 30
    assert result["as"] == {"id": "Anna", "name": "Anna", "chosen": True}
    learned = [span["text"] for spans in result["examples"] for span in spans if span["learned"]]
    assert all(text.startswith("did you see") for text in learned)
    assert len(result["examples"]) == len(learned) == 3


def test_the_neutral_form_is_redacted_and_read_back(cli: Cli, export: Path, here: Path):
    assert cli("preview", export, "--jsonl", "out.jsonl", "--keep", "email", "--names").code == 0
    text = (here / "out.jsonl").read_text(encoding="utf-8")
    assert "bob0@example.org" in text
    assert "+49" not in text
    assert not re.search(r"Anna|Bob", text)
    again = told(cli("preview", "out.jsonl", "--json"))
    assert [each["messages"] for each in again["people"]] == [60, 30]
    assert (again["format"], again["sessions"]) == ("jsonl", 30)


def test_keep_takes_several_kinds(cli: Cli, export: Path):
    for kept in (("--keep", "email,phone"), ("--keep", "email", "--keep", "phone")):
        assert told(cli("preview", export, *kept, "--json"))["redacted"]["counts"] == {}


def test_the_notice_is_said_once_on_a_machine(cli: Cli, export: Path, cache: Path):
    first, second = cli("preview", export), cli("preview", export)
    assert "did not agree" in first.err
    assert "did not agree" not in second.err
    assert cache.is_dir()


def test_the_notice_is_said_again_where_nothing_is_kept(
    cli: Cli, export: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PELLUCID_NO_CACHE", "1")
    assert all("did not agree" in cli("preview", export).err for _ in range(2))


def test_a_chat_can_be_looked_at_as_text(cli: Cli, export: Path):
    result = cli("preview", export, "--format", "text", *SMALL)
    assert result.code == 0, result.err
    assert "Alphabet" in result.out
    assert "did not agree" not in result.err


def test_a_text_is_no_chat(cli: Cli, farm: Path):
    result = cli("preview", farm, *SMALL)
    assert result.code == 0, result.err
    assert "Alphabet" in result.out


def test_a_chat_cannot_command_the_terminal(cli: Cli, export: Path):
    evil = "\x1b[2J\x1b]0;gone\x07[bold]"
    export.write_text(
        whatsapp().replace("Anna:", f"Anna{evil}:").replace("see", f"see {evil}"), encoding="utf-8"
    )
    result = cli("preview", export)
    assert result.code == 0, result.err
    assert "\x1b" not in result.out + result.err
    assert r"\x1b[2J" in result.out
    assert "[bold]" in result.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--as", "Cara"), r"nobody here is called 'Cara'.*Bob \(60 messages\), Anna \(30 messages\)"),
        (("--gap", 0), "--gap is a number of minutes above 0"),
        (("--keep", "mail"), "--keep takes url, email"),
        (("--format", "nope"), "there is no format 'nope'"),
        (("--format", "telegram"), "Telegram"),
        (("--date-order", "ymm"), "--date-order takes dmy"),
        (("--format", "text", "--as", "Anna"), "--as is for exports of chats"),
        (("--jsonl", "missing/out.jsonl"), "cannot be written"),
    ],
)
def test_bad_input(cli: Cli, export: Path, here: Path, arguments: tuple[Any, ...], complaint: str):
    result = cli("preview", export, *arguments)
    assert result.code == 2
    assert re.search(complaint, result.err)
    assert "Traceback" not in result.err
    assert sorted(path.name for path in here.iterdir() if path.name != "cache") == [export.name]


def test_one_person(cli: Cli, export: Path):
    export.write_text(whatsapp().replace("Anna:", "Bob:"), encoding="utf-8")
    result = cli("preview", export)
    assert result.code == 2
    assert "only one person wrote (Bob)" in result.err


def test_what_fine_tuning_would_take(cli: Cli, export: Path, finished_run: Path):
    more = ("--base", finished_run, "--lora", "--keep", "email", "--keep", "phone")
    result = cli("preview", export, "--as", "Bob", *more, "--steps", 3, "--device", "cpu", "--json")
    assert result.code == 0, result.err
    outlook = told(result)["outlook"]
    assert (outlook["base"], outlook["steps"]) == (finished_run.name, 3)
    assert 0 < outlook["trained"] < outlook["parameters"]
    assert re.search(rf"Takes +from {finished_run.name}, [\d,]+ of [\d,]+ parameters trained", result.out)
    flags = f"pellucid finetune {finished_run} '{export}' --as Bob --keep email,phone --lora"
    assert flags in result.err, "as finetune takes them"
    from pellucid.cli.finetune import chat_options, parser

    asked = parser().parse_args([str(export), "--as", "Bob", "--keep", "email,phone"])
    assert chat_options(asked).keep == ("email", "phone")
    assert cli("preview", export, "--lora").code == 2


def test_dates_that_can_be_read_in_two_ways_are_told_as_data(cli: Cli, here: Path):
    (here / "chat.txt").write_text(ambiguous(), encoding="utf-8")
    result = cli("preview", "chat.txt", "--json")
    assert result.code == 2
    assert "--date-order dmy" in result.err
    orders = [each["order"] for each in told(result)["question"]["date_order"]]
    assert sorted(orders) == ["dmy", "mdy"]
