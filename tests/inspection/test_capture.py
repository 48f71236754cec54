"""The one mechanism: shared weights, one pass a prompt, bounded memory, many threads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from pellucid.generation.options import SamplingOptions
from pellucid.inspection import attention, capture, sampling, shapes
from pellucid.inspection.frame import Frame
from pellucid.inspection.subject import Subject

MakeSubject = Callable[..., Subject]


@pytest.fixture(autouse=True)
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, ...]]]:
    """The prompts of forward passes, with a cache of this test's own."""
    made: list[tuple[int, ...]] = []
    real = capture.run

    def counted(model: Any, ids: tuple[int, ...], *others: Any) -> capture.Captured:
        made.append(ids)
        return real(model, ids, *others)

    monkeypatch.setattr(capture, "run", counted)
    monkeypatch.setattr(capture, "CAPTURES", capture.Cache())
    yield made


def test_the_instance_that_is_looked_into_shares_its_weights(make_subject: MakeSubject):
    subject = make_subject(tie_embeddings=True)
    theirs, ours = subject.loaded.model, subject.twin
    assert ours is not theirs
    for mine, other in (
        (ours.named_parameters(), theirs.named_parameters()),
        (ours.named_buffers(), theirs.named_buffers()),
    ):
        assert all(a is b and name == same for (name, a), (same, b) in zip(mine, other, strict=True))
    assert not {id(module) for module in ours.modules()} & {id(module) for module in theirs.modules()}


def test_a_prompt_is_read_once_for_all_views(make_subject: MakeSubject, passes: list):
    subject = make_subject()
    attention.overview(subject, "To be")
    for head in range(4):
        attention.head(subject, "To be", 1, head)
    sampling.next_token(subject, "To be", temperature=1)
    sampling.draw(subject, "To be")
    assert len(passes) == 1
    attention.overview(subject, "To be", mask="none")
    attention.overview(subject, "To be", scale="sqrt", mask="causal")  # which is how it was trained
    assert len(passes) == 2
    attention.overview(subject, "To be or")
    assert len(passes) == 3
    attention.overview(make_subject(seed=1), "To be")  # other weights of the same name
    assert len(passes) == 4


def test_the_cache_is_bounded_in_bytes(make_subject: MakeSubject, passes: list):
    subject = make_subject()
    attention.overview(subject, "To be")
    one = capture.CAPTURES.nbytes
    capture.CAPTURES.limit = 2 * one
    for text in ("to bf", "to bg"):
        attention.overview(subject, text)
    assert capture.CAPTURES.nbytes == 2 * one
    attention.overview(subject, "to bg")
    attention.overview(subject, "to bf")
    assert len(passes) == 3
    attention.overview(subject, "To be")  # gone, as the one used longest ago
    attention.overview(subject, "to bf")  # still there
    assert len(passes) == 4
    capture.CAPTURES.limit = one - 1
    attention.overview(subject, "to bh")  # too large to keep; seen all the same
    assert capture.CAPTURES.nbytes <= 2 * one


def test_weights_are_not_kept_so_that_long_contexts_fit(make_subject: MakeSubject):
    """Of 1,024 tokens, weights and scores of 8 heads would take 67 MB; what is kept takes a half of one."""
    subject = make_subject(context_length=1024, d_model=32, n_heads=4)
    frame = attention.overview(subject, "word " * 205, tiles=64)
    assert frame.header["pooled"] == 16
    assert capture.CAPTURES.nbytes < 1 << 20
    assert attention.head(subject, "word " * 205, 1, 3).arrays["weights"].shape == (1024, 1024)


def test_what_is_shown_is_what_the_pass_itself_used(make_subject: MakeSubject):
    """Bit for bit: the model's own values, mixed by the weights shown, are what its next layer got."""
    subject = make_subject(n_layers=1)
    ids = subject.read("To be or not").ids
    mixed, values = {}, {}

    def tell(name: str, tensor: torch.Tensor) -> None:
        {"mixed": mixed, "v": values}.get(name.rpartition(".")[2], {})[name] = tensor

    captured = capture.run(subject.twin, ids, capture.Way.of(subject.config), "cpu", tell)
    weights = torch.cat([part for _, part in captured.heads(0)])
    torch.testing.assert_close(
        torch.bmm(weights, next(iter(values.values()))[0]), next(iter(mixed.values()))[0], rtol=0, atol=0
    )


def test_threads_look_and_write_at_once_without_disturbing_one_another(make_subject: MakeSubject):
    subject = make_subject()
    options = SamplingOptions(max_tokens=10, seed=3)
    texts = [f"{letter} rose is" for letter in "abcdefgh"]

    def look(text: str) -> Any:
        return (
            attention.overview(subject, text).arrays["weights"],
            attention.overview(subject, text, scale="none", mask="none").arrays["weights"],
            sampling.next_token(subject, text)["entropy_bits"],
            len(shapes.budget(subject, text)["rows"]),
            subject.loaded.engine().generate(text, options)[0].ids,
        )

    alone = [look(text) for text in texts]
    capture.CAPTURES = capture.Cache()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(look, texts * 3))
    for one, other in zip(alone * 3, together, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_view_is_ready_in_time_at_ten_million_parameters(make_subject: MakeSubject):
    """All 36 heads of a context of 256, from a prompt not seen before to bytes to send, on one core.

    Counted in that core's time, so that other work on the machine does not matter.
    """
    sizes = {"n_layers": 6, "n_heads": 6, "d_model": 384, "context_length": 256}
    subject, text, laps = make_subject(**sizes), "It was a dark and stormy night, and " * 8, []
    for letter in "abcdefgh":
        started = time.thread_time()
        data = attention.overview(subject, text + letter, tiles=256).encode()
        laps.append(time.thread_time() - started)
        assert len(data) > 36 * 256 * 256 * 4
    assert min(laps) < 0.3


# ---------------------------------------------------------------------- frames


def test_a_frame_comes_back_whole(make_subject: MakeSubject):
    frame = attention.head(make_subject(), "To é", 1, 0)
    data = frame.encode()
    again = Frame.decode(data)
    assert again.header == frame.header
    assert list(again.arrays) == ["weights", "scores", "visible", "q", "k"]
    for name, array in frame.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(again.arrays[name], array)


def test_a_frame_is_laid_out_as_said():
    """By hand, from the bytes: what a page without this package reads."""
    arrays = {
        "a": np.array([[1, 2, 3]], np.uint8),
        "b": np.array([0.5, -1.5], np.float32),
        "c": np.zeros((0, 2), np.float32),
    }
    data = Frame({"word": "né"}, arrays).encode()
    size = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + size].decode("utf-8"))
    assert header["word"] == "né"
    begin = (4 + size + 7) // 8 * 8
    a, b, c = header["arrays"]
    assert (a["dtype"], a["shape"], a["offset"] % 8) == ("uint8", [1, 3], 0)
    assert data[begin + a["offset"] :][:3] == bytes([1, 2, 3])
    assert (b["dtype"], b["offset"] % 8) == ("float32", 0)
    assert data[begin + b["offset"] :][:8] == np.array([0.5, -1.5], "<f4").tobytes()
    assert c["shape"] == [0, 2] and len(data) % 8 == 0


def test_a_cut_off_frame_is_an_error():
    data = Frame({}, {"a": np.ones(100, np.float32)}).encode()
    for part in (data[:2], data[:20], data[:-8]):
        with pytest.raises(Exception, match=r"."):
            Frame.decode(part)
