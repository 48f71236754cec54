"""Memory kept between steps: little of it is faulted in again, it does not grow, and all is given back at the end."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pellucid.training import allocator
from pellucid.training.allocator import keeping_memory

resource = pytest.importorskip("resource", reason="Windows does not count page faults so")

LOGITS = 256 * 50_000 * 4  # bytes, more than glibc would keep by itself
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")


def pages_taken(steps: int) -> int:
    """Page faults of steps with large logits, after some that are not counted."""
    x, weight = (torch.randn(rows, 16, requires_grad=True) for rows in (256, 50_000))
    targets = torch.randint(50_000, (256,))
    before = 0
    for step in range(-4, steps):
        if step == 0:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        F.cross_entropy(x @ weight.T, targets).backward()
        x.grad = weight.grad = None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def measure() -> dict[str, int]:
    """Page faults of ten steps as usual and with memory kept; bytes then, a hundred steps later, and at the end."""
    usual = pages_taken(10)
    with keeping_memory("cpu"):
        kept = pages_taken(10)
        at_work = resident()
        pages_taken(100)
        later = resident()
    return {"usual": usual, "kept": kept, "at_work": at_work, "later": later, "after": resident()}


@glibc
def test_what_steps_free_stays_until_the_end() -> None:
    """In a process of its own, whose memory no other test has cut up."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["kept"] < found["usual"] / 2
    assert found["later"] < found["at_work"] + 30 * LOGITS  # where it grows by a block a step: 100 of them
    assert found["after"] < found["at_work"] - LOGITS


def test_other_devices_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_glibc", lambda: pytest.fail("glibc was asked"))
    with keeping_memory("cuda:0"):
        pass


if __name__ == "__main__":
    print(json.dumps(measure()))
