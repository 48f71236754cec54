"""Adapters that we train, beside the base model in PEFT: the logits of our merged weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from adapted import BESIDE, with_adapters
from exported import CASES, make_run
from published import GPT2_SIZES, SIZES, assert_same_logits, randomise
from small_chats import messages

from pellucid import export, import_model, load
from pellucid.errors import InputError
from pellucid.training.finetune import LoRA, finetune

transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

FAMILIES: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "llama, all": ("Llama", SIZES, None),
    "qwen2, q and v": ("Qwen2", SIZES, "q_proj,v_proj"),
    "gpt2, one matrix of queries, keys and values": (
        "GPT2",
        GPT2_SIZES,
        "all",
    ),
}


@pytest.mark.parametrize(("family", "sizes", "targets"), FAMILIES.values(), ids=FAMILIES)
def test_logits(
    family: str,
    sizes: dict[str, Any],
    targets: str | None,
    save: Callable[..., Path],
    tmp_path: Path,
    quick_probe: object,
):
    head = "GPT2LMHeadModel" if family == "GPT2" else f"{family}ForCausalLM"
    config = getattr(transformers, f"{family}Config")(**sizes)
    theirs = randomise(getattr(transformers, head)(config))
    import_model(save(theirs), "imported")
    run = finetune(
        "imported",
        messages(tmp_path / "talk.jsonl"),
        lora=LoRA(3, 12.0, targets),
        out="tuned",
        steps=4,
        lr=0.02,
        batch_size=2,
        window=64,
        device="cpu",
        precision="float32",
        sample_tokens=2,
    ).run

    before = theirs(torch.arange(40)[None]).logits.detach()
    said = json.loads((run.path / "adapter_config.json").read_text(encoding="utf-8"))
    assert peft.LoraConfig(**said).r == 3
    adapted = peft.PeftModel.from_pretrained(theirs, str(run.path)).eval()
    assert (adapted(torch.arange(40)[None]).logits - before).abs().max() > 0.05, "the adapters do something"
    ours = load(run.path, "cpu").model
    assert_same_logits(ours, adapted, 320)
    assert_same_logits(ours, adapted.merge_and_unload(), 320)


# ---------------------------------------------------------------------- beside an exported run


@pytest.mark.parametrize("name", BESIDE)
def test_our_adapters_load_beside_the_exported_base(name: str, tmp_path: Path):
    """And what PEFT saves of them comes back as a run of the same logits."""
    base = make_run(tmp_path / "base", CASES[BESIDE[name]])
    ours, adapted = with_adapters(base, tmp_path)
    assert_same_logits(ours, adapted, 40)

    adapted.save_pretrained("theirs")
    back = import_model("theirs", "back", base=base.path)
    assert back.config()["imported"]["format"] == "peft"
    assert_same_logits(load(back.path, "cpu").model, adapted, 40)


def test_adapters_that_do_not_fit_are_refused(tmp_path: Path):
    base = make_run(tmp_path / "base", CASES["RMSNorm, rotary, SwiGLU"])
    other = make_run(tmp_path / "other", CASES["RMSNorm, rotary, SwiGLU"], d_ff=96)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(export(base.path, check=False).path)
    peft.get_peft_model(theirs, peft.LoraConfig(r=2, target_modules=["up_proj"])).save_pretrained("theirs")
    with pytest.raises(InputError, match="give --base RUN"):
        import_model("theirs")
    with pytest.raises(InputError, match=r"for 'model\.layers\.0\.mlp\.up_proj', of 96 by 48"):
        import_model("theirs", base=other.path)
    with pytest.raises(InputError, match="holds no adapters"):
        import_model("exports/base-hf", base=base.path)
    path = Path("theirs/adapter_config.json")
    said = json.loads(path.read_text(encoding="utf-8"))
    for change, message in (
        ({"use_dora": True}, "use_dora = True"),
        ({"bias": "all"}, "bias = 'all'"),
        ({"peft_type": "IA3"}, "peft_type = 'IA3'"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"alpha_pattern": {"up.*": 3}}, "only names are"),
    ):
        path.write_text(json.dumps({**said, **change}), encoding="utf-8")
        with pytest.raises(InputError, match=message):
            import_model("theirs", base=base.path)
    path.write_text(json.dumps(said), encoding="utf-8")
    assert import_model("theirs", base=base.path).path == Path("runs/theirs-1")
