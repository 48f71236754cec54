"""Exports that are none, broken or hostile, and wrong names: one sentence, exit code 2, nothing half-written.

Each is given to `preview` and to `finetune`, which must say the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from complaints import check, snapshot
from small_chats import messages, whatsapp

Cli = Callable[..., Any]
NOTICE = "23/01/2023, 08:00 - Messages and calls are end-to-end encrypted. No one outside of this chat can read them.\n"
MIB = 1 << 20


@pytest.fixture(autouse=True)
def exports(here: Path, finished_run: Path) -> None:
    """`chat.txt` of Anna and Bob, and what can be wrong with one."""
    whatsapp(here / "chat.txt")
    text = (here / "chat.txt").read_text()
    (here / "notices.txt").write_text(3 * NOTICE)
    (here / "alone.txt").write_text(text.replace("Anna:", "Bob:"))
    (here / "empty.txt").write_bytes(b"")
    (here / "empty.json").write_bytes(b"")
    (here / "nothing").mkdir()
    (here / "noise.txt").write_bytes(bytes(range(256)) * 40)
    messages(here / "few.jsonl", 20)
    rows = (here / "few.jsonl").read_text().splitlines()
    (here / "cut.json").write_text(f"[{', '.join(rows)}]"[:700])
    (here / "telegram.json").write_text(
        '{"name": "Anna", "type": "personal_chat", "id": 1, "messages": [{"id": 1, "ty'
    )
    with zipfile.ZipFile(here / "outside.zip", "w") as archive:
        archive.writestr("../../_chat.txt", text)
    with zipfile.ZipFile(here / "ratio.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", b"a" * (40 * MIB))
    (here / "cut.zip").write_bytes((here / "outside.zip").read_bytes()[:-40])


WRONG: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "no messages": (("notices.txt",), ["no messages that someone wrote"]),
    "one person": (("alone.txt",), ["only one person wrote (Bob)", "--format text"]),
    "nobody of that name": (
        ("chat.txt", "--as", "Cara"),
        ["nobody here is called 'Cara'", "Anna (240 messages)", "Bob (240 messages)"],
    ),
    "nearly a name": (("chat.txt", "--as", "Ana"), ["nobody here is called 'Ana'", "did you mean 'Anna'?"]),
    "another format": (
        ("chat.txt", "--format", "telegram"),
        ["chat.txt is not a Telegram export", "looks like a WhatsApp export", "--format whatsapp"],
    ),
    "no format": (("chat.txt", "--format", "whatsap"), ["there is no format 'whatsap'", "whatsapp"]),
    "no kind to keep": (("chat.txt", "--as", "Bob", "--keep", "mail"), ["--keep takes url, email"]),
    "no gap": (("chat.txt", "--as", "Bob", "--gap", "-5"), ["--gap is a number of minutes above 0"]),
    "JSON cut short": (("cut.json",), ["cut.json is JSON that is cut short", "export it again"]),
    "Telegram cut short": (("telegram.json",), ["telegram.json is JSON that is cut short"]),
    "JSON cut short, with a name": (("cut.json", "--as", "Bob"), ["cut.json is JSON that is cut short"]),
    "empty": (("empty.txt",), ["empty.txt is empty"]),
    "empty JSON": (("empty.json",), ["empty.json"]),
    "empty, with a name": (("empty.txt", "--as", "Bob"), ["empty.txt"]),
    "an empty folder": (("nothing",), ["nothing"]),
    "an empty folder, with a name": (("nothing", "--as", "Bob"), ["nothing holds no"]),
    "no text": (("noise.txt", "--as", "Bob"), ["noise.txt"]),
    "a path out of the archive": (("outside.zip",), ["leads out of the archive", "'../../_chat.txt'"]),
    "a zip bomb by its ratio": (("ratio.zip",), ["ratio.zip"]),
    "an archive cut short": (("cut.zip",), ["cut.zip"]),
    "missing": (("caht.txt", "--as", "Bob"), ["caht.txt does not exist"]),
}


def test_a_zip_bomb_by_its_size(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch):
    """Of files that are nothing odd each, and too much together; the bound is lowered, so that they fit into a test."""
    monkeypatch.setattr("pellucid.text.chats.entries.MOST_BYTES", MIB)
    lines = (f"{n % 12 + 1}/1{n % 2 + 3}/2020, 10:00 - Anna: {n:x}\n" for n in range(1 << 15))
    text = "".join(lines)
    with zipfile.ZipFile(here / "size.zip", "w") as archive:
        for name in ("WhatsApp Chat with Anna.txt", "WhatsApp Chat with Bob.txt"):
            archive.writestr(name, text)
    before = snapshot(here)
    check(cli("preview", "size.zip", "--as", "Anna"), "size.zip")
    assert snapshot(here) == before


@pytest.mark.parametrize("verb", ["preview", "finetune"])
@pytest.mark.parametrize(("arguments", "remedy"), WRONG.values(), ids=WRONG)
def test_refused(
    cli: Cli, here: Path, finished_run: Path, verb: str, arguments: tuple[str, ...], remedy: list[str]
):
    before = snapshot(here)
    given = [finished_run, *arguments] if verb == "finetune" else arguments
    check(cli(verb, *given), *remedy)
    assert snapshot(here) == before, "nothing is left behind"


def test_under_200_replies_are_refused_with_the_reason_and_learned_anyway(
    cli: Cli, here: Path, finished_run: Path
):
    before = snapshot(here)
    result = cli("finetune", finished_run, "few.jsonl")
    check(result, "20 replies", "are too few", "below 200 a model only learns to recite", "--anyway")
    assert snapshot(here) == before
    assert (
        cli("finetune", finished_run, "few.jsonl", "--anyway", "--steps", 2, "--precision", "float32").code
        == 0
    )


def test_the_command_that_preview_names_works(cli: Cli, here: Path, finished_run: Path):
    """As it is printed, for few replies and with other names, too."""
    import shlex

    shutil.move(here / "chat.txt", here / "chat with Anna.txt")
    for source, flags in (
        ("few.jsonl", ()),
        ("chat with Anna.txt", ("--as", "Bob", "--names", "--keep", "url")),
    ):
        said = cli("preview", source, *flags).err
        command = shlex.split(said.rpartition("Next:")[2])
        assert command[:2] == ["pellucid", "finetune"]
        result = cli(*command[1:], "--steps", 2, "--precision", "float32", "--out", f"runs/of-{len(flags)}")
        assert result.code == 0, result.err


def test_where_there_is_no_run_preview_names_how_to_get_one(cli: Cli, here: Path):
    shutil.rmtree(here / "runs")
    said = cli("preview", "few.jsonl").err.splitlines()
    assert said[-2:] == [
        "Next:  pellucid import smollm2-135m-instruct",
        "then:  pellucid finetune few.jsonl --anyway --lora",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("name", ["line.txt", "line.json"])
def test_a_line_of_200_mb_is_refused_in_bounded_memory(here: Path, name: str):
    begin = {
        "line.txt": b"14/05/2023, 09:00 - Anna: ",
        "line.json": b'{"messages": [{"role": "user", "content": "',
    }
    with (here / name).open("wb") as file:
        file.write(begin[name])
        for _ in range(200):
            file.write(b"a" * MIB)
    before = sorted(path.name for path in here.iterdir())
    errors = here.parent / f"{name}-errors"
    program = "import sys; from pellucid.cli.main import main; sys.exit(main(sys.argv[1:]))"
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "preview", name, "--as", "Anna"], stderr=file
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    said = errors.read_text()
    assert process.returncode == 2, said
    assert said.count("\n") == 1, said
    assert said.startswith(f"pellucid: {name}")
    assert used.ru_maxrss << 10 < 900 * MIB, "the file, and little more of it than its text"
    assert sorted(path.name for path in here.iterdir()) == before
