"""Several processes train one model: who they are, and what they say to one another.

The only module that speaks to torch.distributed, and only where torchrun started more than one process.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import InputError
from pellucid.model.own import OwnModel
from pellucid.training.ranks import ALONE, Ranks, T

# process 1 may be told to pause, or read a text for hours before the others
PATIENCE = datetime.timedelta(days=1)
HEARD_SECONDS = 2.0  # that a process which fails waits for another to say the same
AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE"  # "True" where torchrun itself keeps the words
LETTING_GO_SECONDS = 0.05
PIECE = 1 << 28  # bytes of a tensor that are sent at once
NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
LOST = ("gloo", "connection", "socket", "nccl", "timed out")  # how torch says that a process is gone


class PeerLost(RuntimeError):
    """Another process of the training has ended."""


class Group(Ranks):
    """One of several processes, with a connection to the others.

    Args:
        store: the few words that are not sent to all: of failures.
    """

    def __init__(self, rank: int, world: int, store: Any) -> None:
        self.rank, self.world, self.store = rank, world, store
        self.local_rank = int(os.environ["LOCAL_RANK"])
        self.local_world = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        self.node = os.environ.get("GROUP_RANK", "0")
        self._wrapped: tuple[nn.Module, nn.Module] | None = None

    def __str__(self) -> str:
        return f"process {self.rank + 1} of {self.world}"

    # ------------------------------------------------------------------ agreeing

    def check(self, device: str) -> None:
        if device == "mps":
            raise InputError("several processes train on CPUs or on CUDA devices: add --device cpu")
        there = torch.cuda.device_count()
        if device != "cpu" and self.local_rank >= there:
            raise InputError(
                f"this machine has {there} GPU{'' if there == 1 else 's'}, and torchrun started "
                f"{self.local_world} processes: start as many as there are GPUs, or add --device cpu"
            )

    def sums(self, numbers: Sequence[float]) -> list[float]:
        return self.add_up(torch.tensor(numbers, dtype=torch.float64)).tolist()

    def add_up(self, tensor: Tensor) -> Tensor:
        import torch.distributed as dist

        dist.all_reduce(tensor)
        return tensor

    def agree(self, value: Any) -> Any:
        return json.loads(self._broadcast_bytes(json.dumps(value).encode() if self.is_first else b""))

    def gather(self, value: Any) -> list[Any]:
        import torch.distributed as dist

        own = _as_tensor(json.dumps(value).encode())
        lengths = torch.zeros(self.world, dtype=torch.int64)
        lengths[self.rank] = len(own)
        self.add_up(lengths)
        padded = torch.zeros(int(lengths.max()), dtype=torch.uint8)
        padded[: len(own)] = own
        every = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(every, padded)
        return [
            json.loads(part[:n].numpy().tobytes()) for part, n in zip(every, lengths.tolist(), strict=True)
        ]

    def share(self, tensors: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        own = {name: t.detach().cpu().contiguous() for name, t in (tensors or {}).items()}
        header = self.agree([[name, str(t.dtype).split(".")[1], list(t.shape)] for name, t in own.items()])
        if not self.is_first:
            own = {name: torch.empty(shape, dtype=getattr(torch, kind)) for name, kind, shape in header}
        for tensor in own.values():
            self._broadcast(tensor.reshape(-1).view(torch.uint8))
        return own

    def _broadcast_bytes(self, data: bytes) -> bytes:
        length = torch.tensor([len(data)])
        self._broadcast(length)
        tensor = _as_tensor(data) if self.is_first else torch.empty(int(length), dtype=torch.uint8)
        self._broadcast(tensor)
        return tensor.numpy().tobytes()

    def _broadcast(self, tensor: Tensor) -> None:
        import torch.distributed as dist

        for piece in tensor.split(PIECE):
            if piece.numel():
                dist.broadcast(piece, 0)

    @contextlib.contextmanager
    def in_turn(self) -> Iterator[None]:
        if self.local_rank:
            self.sums([0])
        yield
        if not self.local_rank:
            self.sums([0])

    def led(
        self, work: Callable[[Callable[[str], Callable[[], None]]], T], tasks: dict[str, Callable[[], None]]
    ) -> T:
        def together(name: str) -> Callable[[], None]:
            def do() -> None:
                self.agree([name])
                tasks[name]()

            return do

        if self.is_first:
            result = work(together)
            self.agree(["", result])
            return result
        while True:
            name, *result = self.agree([""])
            if not name:
                return result[0]  # pyright: ignore[reportReturnType]
            tasks[name]()

    def leave(self) -> None:
        """End the connection, as all the others do.

        Gloo's threads need the interpreter to let go of their last tensors, and whoever ends the connection holds it
        while waiting for them: without time in between each could wait for the other for ever.
        """
        import torch.distributed as dist

        dist.barrier()
        time.sleep(LETTING_GO_SECONDS)
        self._wrapped = None  # it holds the connection, too
        dist.destroy_process_group()

    # ------------------------------------------------------------------ the model

    def wrap(self, model: nn.Module) -> nn.Module:
        """DistributedDataParallel around `model`, the same one each time; a sharded model as it is."""
        if is_sharded(model):
            return model
        if self._wrapped is None or self._wrapped[0] is not model:
            from torch.nn.parallel import DistributedDataParallel

            with warnings.catch_warnings():  # of a newer name for what torch 2.9 knows by this one alone
                warnings.simplefilter("ignore", FutureWarning)
                # buffers count what each process read: the training loop adds them up
                wrapped = DistributedDataParallel(
                    model,
                    broadcast_buffers=False,
                    gradient_as_bucket_view=True,
                    find_unused_parameters=isinstance(model, OwnModel),  # it may have some
                )
            self._wrapped = (model, wrapped)
        return self._wrapped[1]

    def shard(self, model: nn.Module, device: str) -> None:
        """FSDP2 (Zhao et al. 2023, PyTorch FSDP): each block's weights are whole only while it computes."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(device, (self.world,))
        for block in getattr(model, "blocks", ()):
            fully_shard(block, mesh=mesh)
        # by default what is outside blocks would stay whole after a forward pass, and old when the weights are swapped
        fully_shard(model, mesh=mesh, reshard_after_forward=True)

    def synced(self, wrapped: nn.Module, last: bool) -> contextlib.AbstractContextManager[object]:
        """Sharded gradients are exchanged with every part: waiting for the last would keep them whole meanwhile."""
        return contextlib.nullcontext() if last or is_sharded(wrapped) else wrapped.no_sync()  # pyright: ignore

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = {}
        for name, tensor in tensors.items():
            together = full(tensor)
            if self.is_first:  # one after the other, so that a device never holds more than one of them
                found[name] = together.cpu() if together is not tensor else tensor
        return found

    @contextlib.contextmanager
    def lockstep(self, model: nn.Module) -> Iterator[bool]:
        """A sharded model needs all processes to compute anything; they write on from the same logits, bit for bit."""
        if not is_sharded(model):
            yield self.is_first
            return

        def same(module: nn.Module, given: object, logits: Tensor) -> Tensor:
            logits = logits.detach().clone()
            self._broadcast(logits.reshape(-1))
            return logits

        hook = model.register_forward_hook(same)
        try:
            yield True
        finally:
            hook.remove()

    # ------------------------------------------------------------------ failing

    def failed(self, error: BaseException) -> None:
        """Say of a failure here what the others should know.

        Raises:
            PeerLost: in place of `error`, where that only says that another process failed.
        """
        if _is_lost(error):
            raise PeerLost(self._why_lost()) from error
        if self.is_first:
            self._tell(str(error))
            # where torchrun does not keep the words they go with this process: let the others read them
            if os.environ.get(AGENT_STORE) != "True":
                self._wait(range(1, self.world))
            return
        heard = self._heard(0)  # first, so that it may end once this process has spoken
        self._tell(str(error))
        if heard == str(error):
            error.args = ("",)  # process 1 says it

    def _tell(self, message: str) -> None:
        with contextlib.suppress(RuntimeError):  # the store may be gone with the process that kept it
            self.store.set(f"failed/{self.rank}", json.dumps([self.node, message]))

    def _wait(self, ranks: Sequence[int]) -> None:
        """Until they have said why they failed, or too long."""
        with contextlib.suppress(RuntimeError):
            self.store.wait([f"failed/{rank}" for rank in ranks], datetime.timedelta(seconds=HEARD_SECONDS))

    def _heard(self, rank: int) -> str | None:
        """What a process says of its failure; None where it says nothing soon."""
        self._wait([rank])
        with contextlib.suppress(RuntimeError):
            if self.store.check([f"failed/{rank}"]):
                return json.loads(self.store.get(f"failed/{rank}"))[1]
        return None

    def _why_lost(self) -> str:
        """One sentence; none where the process that failed has said its own in the same terminal."""
        for rank in range(self.world):
            with contextlib.suppress(RuntimeError):
                if rank != self.rank and self.store.check([f"failed/{rank}"]):
                    node, message = json.loads(self.store.get(f"failed/{rank}"))
                    if node == self.node or self.local_rank:
                        return ""
                    return f"process {rank + 1} of {self.world} failed, and all end with it: {message}"
        return (
            "another process of this training ended, and all end with it: its own message, or its machine's log, "
            "says why; go on with --resume from the last checkpoint"
        )


# ---------------------------------------------------------------------- joining


@contextlib.contextmanager
def processes() -> Iterator[Ranks]:
    """The processes that torchrun started, connected; alone where it started one, or none.

    Each takes the GPU of its number on its machine, if there is one, to be torch's device "cuda".

    Raises:
        InputError: the processes cannot find one another.
        PeerLost: another process failed.
    """
    if _world() == 1:
        yield ALONE
        return
    group = _join()
    try:
        yield group
    except BaseException as error:
        group.failed(error)
        raise
    group.leave()


def _world() -> int:
    try:
        return max(1, int(os.environ.get("WORLD_SIZE", "1")))
    except ValueError:
        return 1


_groups = 0  # that this process was in: each needs its own words in the store


def _join() -> Group:
    global _groups
    import torch.distributed as dist

    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise InputError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but {' and '.join(missing)} are not set: start several "
            "processes with torchrun (docs/scaling.md), or unset WORLD_SIZE"
        )
    backend = _take_device()
    _groups += 1
    try:
        store, rank, world = next(iter(dist.rendezvous("env://")))
        store = dist.PrefixStore(f"pellucid/{_groups}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the processes cannot find one another at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} "
            f'({str(error).splitlines()[0]}): see docs/scaling.md, "What each machine needs"'
        ) from error
    return Group(rank, world, store)


def _take_device() -> str:
    """Make this process's GPU the current one, if there is one; returns what carries the messages.

    Those of tensors on the CPU never wait for a GPU.
    """
    local = int(os.environ["LOCAL_RANK"])
    if local >= torch.cuda.device_count():
        return "gloo"
    torch.cuda.set_device(local)
    return "cpu:gloo,cuda:nccl"


def _is_lost(error: BaseException) -> bool:
    """Whether an error of torch means that another process is gone."""
    from torch.distributed import DistError

    if isinstance(error, DistError):
        return True
    words = str(error).lower()
    return type(error) is RuntimeError and any(word in words for word in LOST)


def _as_tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


# ---------------------------------------------------------------------- tensors in parts


def is_sharded(model: nn.Module) -> bool:
    """Whether each process keeps a part of its weights alone."""
    return any(is_part(parameter) for parameter in model.parameters())


def is_part(tensor: Tensor) -> bool:
    """Whether other processes have the rest of it (a DTensor)."""
    return hasattr(tensor, "full_tensor")


def full(tensor: Tensor) -> Tensor:
    """A tensor put together from its parts, on every process; all must ask. A whole one as it is."""
    return tensor.full_tensor() if is_part(tensor) else tensor  # pyright: ignore


def part(whole: Tensor, like: Tensor) -> Tensor:
    """What this process keeps of `whole` where `like` is a part of the same shape; else a copy beside `like`."""
    if not is_part(like):
        return whole.to(like.device, copy=True)
    from torch.distributed.tensor import distribute_tensor

    placed: Any = like
    # each has the whole: nothing needs to be sent
    return distribute_tensor(whole.to(like.device), placed.device_mesh, placed.placements, src_data_rank=None)
