"""Memory kept between steps: freed blocks are not faulted in again, and all of it is given back at the end."""

from __future__ import annotations

import platform
import resource
import statistics
from pathlib import Path

import pytest
import torch

from pellucid.training.allocator import keeping_memory

BLOCK = 1 << 26  # bytes, more than glibc would keep by itself
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")


def pages_taken_again() -> int:
    """Page faults of taking, filling and freeing a block anew, the median of some times."""
    faults = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(BLOCK, dtype=torch.uint8)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return statistics.median_low(faults)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@glibc
def test_a_freed_block_stays_until_the_end() -> None:
    usual = pages_taken_again()
    with keeping_memory("cpu"):
        kept = pages_taken_again()
        at_work = resident()
    assert kept < usual / 10
    assert resident() < at_work - BLOCK // 2
    assert pages_taken_again() > 10 * kept


def test_other_devices_are_left_alone() -> None:
    with keeping_memory("cuda:0"):
        after = pages_taken_again()
    assert after == pytest.approx(pages_taken_again(), rel=0.5, abs=100)
