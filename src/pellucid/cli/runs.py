"""`pellucid runs`: list, size and delete runs; empty the cache of learned tokenizers."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from pellucid.cli import console
from pellucid.cli.flags import make_parser
from pellucid.errors import InputError

if TYPE_CHECKING:
    from pellucid.training.run_folder import RunFolder


def parser() -> argparse.ArgumentParser:
    made = make_parser(
        "runs",
        "List the runs under runs/, with their size; delete some; allow the code that one brings with it.",
        "pellucid runs --delete book-1",
    )
    made.add_argument("--delete", nargs="+", metavar="RUN", help="remove whole run folders")
    made.add_argument(
        "--clear-cache",
        action="store_true",
        help="remove the tokenizers kept for texts learned from before (they hold frequent words)",
    )
    made.add_argument(
        "--trust-code",
        metavar="RUN",
        help="let the model of its own code that a run brings with it (its model.py) be executed here from now on",
    )
    made.add_argument("--yes", action="store_true", help="do not ask before deleting")
    return made


def main(args: argparse.Namespace) -> None:
    if sum(map(bool, (args.delete, args.clear_cache, args.trust_code))) > 1:
        raise InputError("--delete, --clear-cache and --trust-code are three things: give one of them")
    if args.trust_code:
        _trust(args.trust_code, args.json)
    elif args.clear_cache:
        _clear_cache(args.json)
    elif args.delete:
        _delete(args.delete, args.yes, args.json)
    else:
        _list(args.json)


def _list(as_json: bool) -> None:
    from pellucid.text.wording import size
    from pellucid.training.run_folder import all_runs

    rows = [_row(run) for run in all_runs()]
    if not rows:
        console.say("No runs here yet.")
        console.next_step("pellucid demo", "pellucid train YOUR.txt")
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        loss = f"{row['validation_loss']:.4f}" if row["validation_loss"] is not None else "–"
        print(
            f"{row['name']:<{width}}  {row['started']}  step {row['step']:>7,}  validation {loss:>7}  "
            f"{size(row['bytes']):>9}  {row['state']}"
        )
    console.result({"runs": rows}, as_json)
    if rows:
        console.next_step(f"pellucid sample {rows[-1]['name']}")


def _row(run: RunFolder) -> dict[str, Any]:
    from pellucid.training.files import bytes_below

    finished = run.finished
    records = run.metrics()
    return {
        "name": run.name,
        "started": time.strftime("%Y-%m-%d %H:%M", time.localtime(run.config_path.stat().st_mtime)),
        "step": records[-1]["step"] if records else 0,
        "validation_loss": finished.get("validation_loss") if finished else None,
        "bytes": bytes_below(run.path),
        "state": _state(run),
    }


def _state(run: RunFolder) -> str:
    if run.in_use:
        return "training"
    if run.finished:
        return "finished"
    try:
        imported = run.imported
    except InputError:  # damaged
        imported = False
    return "imported" if imported else "stopped: --resume goes on"


def _delete(names: list[str], sure: bool, as_json: bool) -> None:
    from pellucid.training.run_folder import find_run

    runs = [find_run(name) for name in names]  # all are found before any is removed
    for run in runs:
        if run.in_use:
            raise InputError(f"{run.path} is being trained: stop that first")
    if not sure:
        if not sys.stdin.isatty():
            raise InputError("deleting needs a yes: add --yes")
        console.say(
            "This removes " + ", ".join(str(run.path) for run in runs) + " for good. Type yes to go on:"
        )
        if sys.stdin.readline().strip().lower() != "yes":
            raise InputError("nothing was deleted")
    for run in runs:
        shutil.rmtree(run.path)
        console.say(f"Deleted {run.path}.")
    console.result({"deleted": [str(run.path) for run in runs]}, as_json)
    console.next_step("pellucid runs")


def _trust(name: str, as_json: bool) -> None:
    from pellucid.model.config import ModelConfig
    from pellucid.shell import quoted
    from pellucid.training.own_code import allow, is_allowed
    from pellucid.training.run_folder import find_run

    run = find_run(name)
    own = ModelConfig.from_dict(run.config()["model"]).own
    if own is None:
        raise InputError(f"{run.path} brings no code with it: there is nothing to allow")
    allow(own)
    if not is_allowed(own):
        raise InputError("that cannot be remembered: set PELLUCID_CACHE to a folder that can be written")
    console.say(f"{own.name} of {run.own_code_path} may be executed from now on; changed, it may not.")
    console.result({"run": str(run.path), "code": str(run.own_code_path), "sha256": own.sha256}, as_json)
    console.next_step(f"pellucid sample {quoted(run.path)}")


def _clear_cache(as_json: bool) -> None:
    from pellucid.text.tokenizers import cache as tokenizer_cache
    from pellucid.text.wording import size

    n_files, n_bytes = tokenizer_cache.clear()
    kept = "1 learned tokenizer" if n_files == 1 else f"{n_files:,} learned tokenizers"
    console.say(f"Removed {kept} ({size(n_bytes)}) from {tokenizer_cache.folder()}.")
    console.result({"removed": n_files, "bytes": n_bytes}, as_json)
    console.next_step("pellucid runs")
