"""What this machine can do: device, precision, speed and memory, by asking it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from pellucid.errors import InputError
from pellucid.training.allocator import keeping_memory

PROBE_SECONDS = 0.1  # for each of the two precisions
PROBE_SHAPE = (2048, 256, 1024)  # a small model's feed-forward product
THREAD_PROBE_SECONDS = 0.05  # for each number of threads
THREAD_PROBE_SHAPE = (1024, 128, 512)  # small, so that waiting for one another counts as it does in training
SECOND_LOOKS, SECOND_LOOK_AFTER = 2, 0.4  # times, seconds
MORE_THREADS_MUST_WIN_BY = 1.15
# tokens of context up to which explicit attention was measured faster on a CPU
LONGEST_EXPLICIT = {"float32": 255, "bfloat16": 1024}
LONGEST_EXPLICIT_WITH_DROPOUT = 1024  # there the fused kernel falls back to a slower path
BF16_MUST_WIN_BY = 1.5  # autocast adds casts around every product, so a small lead in the product is no gain


@dataclasses.dataclass(frozen=True)
class Machine:
    """The device to train on and what was measured there.

    Speeds are in FLOP/s of a `PROBE_SHAPE` matrix product, memory in bytes; both of one of its `processes`.
    """

    device: str
    precision: str
    float32_flops: float
    bfloat16_flops: float
    threads: int
    memory: int
    processes: int = 1

    @property
    def flops(self) -> float:
        """Of the precision chosen, of all processes together."""
        each = self.bfloat16_flops if self.precision == "bfloat16" else self.float32_flops
        return self.processes * each

    def describe(self) -> str:
        where = (
            f"{self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "cpu" else self.device
        )
        if self.processes > 1:
            where = f"{self.processes} processes of {where}"
        return (
            f"{where}, {self.precision}: the probe gave float32 {self.float32_flops / 1e9:,.0f} "
            f"and bfloat16 {self.bfloat16_flops / 1e9:,.0f} GFLOP/s"
        )


def probe(device: str = "auto", precision: str = "auto", threads: int = 0) -> Machine:
    """Choose device, precision and, unless given, the number of CPU threads, measuring for 0.2 to 0.4 seconds.

    Raises:
        InputError: the device is not there, or cannot do the precision.
    """
    device = check_names(device, precision)
    if device == "cpu":
        torch.set_num_threads(threads or best_threads())
    float32 = matmul_flops(device, torch.float32)
    bfloat16 = 0.0 if device == "mps" else matmul_flops(device, torch.bfloat16)
    if precision == "auto":
        precision = "bfloat16" if bfloat16 > BF16_MUST_WIN_BY * float32 else "float32"
    elif precision == "bfloat16" and not bfloat16:
        raise InputError(f"bfloat16 is not supported on {device} here: use --precision float32")
    return Machine(device, precision, float32, bfloat16, torch.get_num_threads(), available_memory(device))


def best_threads() -> int:
    """As many threads as pay now: where other programs are busy, threads that wait for one another lose.

    On two cores, one of them taken by another program, a training step took 331 ms with two threads and 148 ms
    with one; with both cores free, 103 and 170 ms (docs/LOG.md). OMP_NUM_THREADS, where set, is obeyed.
    """
    most = torch.get_num_threads()
    if "OMP_NUM_THREADS" in os.environ:
        return most
    chosen = _threads_that_pay(most)
    for _ in range(SECOND_LOOKS):
        if chosen == most:
            break
        time.sleep(SECOND_LOOK_AFTER)  # a file that was written just before takes a core for a moment
        chosen = max(chosen, _threads_that_pay(most))
    return chosen


def _threads_that_pay(most: int) -> int:
    chosen, speed = 1, 0.0
    for threads in sorted({1, max(1, most // 2), most}):
        torch.set_num_threads(threads)
        now = _typical_matmul_flops()
        if now > MORE_THREADS_MUST_WIN_BY * speed:
            chosen, speed = threads, now
    torch.set_num_threads(most)
    return chosen


def _typical_matmul_flops() -> float:
    rows, inner, columns = THREAD_PROBE_SHAPE
    a, b = torch.ones(rows, inner), torch.ones(inner, columns)
    _ = a @ b
    laps = []
    ends = time.perf_counter() + THREAD_PROBE_SECONDS
    while not laps or time.perf_counter() < ends:
        lap = time.perf_counter()
        _ = a @ b
        laps.append(time.perf_counter() - lap)
    return 2 * rows * inner * columns / statistics.median(laps)


def check_names(device: str, precision: str) -> str:
    """The device that is meant; measures nothing.

    Raises:
        InputError: the device is not there, or there is no such precision.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise InputError(f"precision {precision!r} is unknown: choose auto, float32 or bfloat16")
    return choose_device(device)


def choose_device(device: str) -> str:
    """The best device there is, or the named one if it is there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if device not in there:
        raise InputError(f"device {device!r} is unknown: choose auto, cpu, cuda or mps")
    if not there[device]:
        raise InputError(
            f"torch finds no {device} device here: use --device cpu, or a torch build with {device}"
        )
    return device


def matmul_flops(device: str, dtype: torch.dtype, seconds: float = PROBE_SECONDS) -> float:
    """Matrix-product speed in FLOP/s: the best of the repeats that fit into `seconds`."""
    rows, inner, columns = PROBE_SHAPE
    a = torch.ones(rows, inner, device=device, dtype=dtype)
    b = torch.ones(inner, columns, device=device, dtype=dtype)
    few = rows // 64
    _ = a[:few] @ b  # loads the kernel
    lap = _seconds(a[:few], b, device)
    if lap * rows / few > seconds:  # a whole product would take too long: this is a slow type here
        return 2 * few * inner * columns / lap
    laps = [_seconds(a, b, device)]
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        laps.append(_seconds(a, b, device))
    return 2 * rows * inner * columns / min(laps)


def _seconds(a: torch.Tensor, b: torch.Tensor, device: str) -> float:
    synchronize(device)
    started = time.perf_counter()
    _ = a @ b
    synchronize(device)
    return time.perf_counter() - started


def synchronize(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def autocast(device: str, precision: str) -> contextlib.AbstractContextManager[object]:
    """The context in which forward passes run."""
    if precision == "bfloat16":
        return torch.autocast(device.split(":")[0], dtype=torch.bfloat16)
    return contextlib.nullcontext()


def attention_core(
    device: str, context_length: int, dropout: float = 0.0, precision: str = "float32", plain: bool = False
) -> str:
    """Which form of attention trains faster; both give the same values (docs/LOG.md, "Attention on a CPU")."""
    longest = LONGEST_EXPLICIT_WITH_DROPOUT if dropout else LONGEST_EXPLICIT[precision]
    return "explicit" if device == "cpu" and context_length <= longest and not plain else "fused"


@contextlib.contextmanager
def deterministic(device: str) -> Iterator[None]:
    """On a CPU, only operations that give the same bits each time; elsewhere nothing changes."""
    switches: Any = sys.modules["torch.utils.deterministic"]
    before = torch.get_deterministic_debug_mode(), switches.fill_uninitialized_memory
    if device == "cpu":
        torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would load the compiler
        switches.fill_uninitialized_memory = False  # a debugging aid that costs time
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        switches.fill_uninitialized_memory = before[1]


@contextlib.contextmanager
def for_training(device: str) -> Iterator[None]:
    """The process as a training has it: the same bits each time, and memory kept from step to step."""
    with deterministic(device), keeping_memory(device):
        yield


def available_memory(device: str = "cpu") -> int:
    """Bytes that can still be taken on `device`; on a CPU, without pushing other programs out."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info()[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        free = int(fields["MemAvailable"].split()[0]) * 1024
        return min([free, *_cgroup_room()])
    if platform.system() == "Windows":
        return _windows_memory()
    if hasattr(os, "sysconf"):  # macOS: half of what there is, since what is free is not told simply
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 4 << 30


def _cgroup_room() -> list[int]:
    """What a container's limit leaves, in bytes; nothing where there is no limit."""
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    try:
        return [int(limit.read_text()) - int(used.read_text())]
    except (OSError, ValueError):  # no such file, or the word "max"
        return []


def _windows_memory() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("available", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        )

    status = Status()
    status.length = ctypes.sizeof(Status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # pyright: ignore[reportAttributeAccessIssue]
    return int(status.available)
