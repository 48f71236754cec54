"""Run format 1 from its first day on: a config.json without later settings is read, resumed, and means the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid.errors import InputError
from pellucid.training.run_folder import FORMAT, RunFolder
from pellucid.training.train import resume

# The keys that config.json had when format 1 was new. What came later has defaults that mean what was done then.
FIRST = {
    "": "format pellucid torch model training data machine",
    "model": "vocab_size context_length n_layers n_heads n_kv_heads head_dim d_model d_ff positions rope_base norm "
    "norm_eps activation qk_norm bias tie_embeddings dropout architecture",
    "training": "minutes steps epochs train_tokens batch_size accumulate optimizer lr min_lr schedule warmup_steps "
    "weight_decay clip eval_every eval_tokens checkpoint_every patience dev_fraction seed device precision plain "
    "sample_prompt sample_tokens sample_temperature",
    "data": "sources name fingerprint documents characters bytes tokens splits tokenizer",
    "machine": "device precision float32_flops bfloat16_flops threads memory",
}


def as_at_first(stored: dict[str, Any]) -> dict[str, Any]:
    """A config.json as the first version of the format had it."""
    old = {key: stored[key] for key in FIRST[""].split()}
    for part, keys in FIRST.items():
        if part:
            old[part] = {key: stored[part][key] for key in keys.split()}
    return old


def rewrite(run: Path, change: Any) -> None:
    path = RunFolder(run).config_path
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")


def test_a_run_of_the_first_shape_loads_and_resumes_to_the_same_weights(finished_run: Path, tmp_path: Path):
    old = Path(shutil.copytree(finished_run, tmp_path / "runs" / "old-1"))
    rewrite(old, as_at_first)
    assert RunFolder(old).config() != RunFolder(finished_run).config()
    text = "The cat in the barn"
    assert pellucid.load(old).loss(text) == pellucid.load(finished_run).loss(text)
    for run in (old, finished_run):
        assert resume(run, steps=30).steps == 30
    assert RunFolder(old).model_path.read_bytes() == RunFolder(finished_run).model_path.read_bytes()
    assert RunFolder(old).config()["format"] == FORMAT


@pytest.mark.parametrize("version", [FORMAT + 1, "1", None])
def test_a_later_format_is_refused_with_what_helps(version: Any, finished_run: Path):
    rewrite(finished_run, lambda stored: {**stored, "format": version})
    for use in (pellucid.load, resume):
        with pytest.raises(InputError, match=r"run format .*: update pellucid"):
            use(finished_run)
