"""Memory kept between steps: little of it is faulted in again, it does not grow, and all is given back at the end."""

from __future__ import annotations

import platform
import resource
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pellucid.training.allocator import keeping_memory

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


@glibc
def test_what_steps_free_stays_until_the_end() -> None:
    usual = pages_taken(10)
    with keeping_memory("cpu"):
        kept = pages_taken(10)
        at_work = resident()
        pages_taken(30)
        later = resident()
    assert kept < usual / 2
    assert later < at_work + 2 * LOGITS
    assert resident() < at_work - LOGITS
    assert pages_taken(10) > usual / 2


def test_other_devices_are_left_alone() -> None:
    usual = pages_taken(5)
    with keeping_memory("cuda:0"):
        assert pages_taken(5) > usual / 2
