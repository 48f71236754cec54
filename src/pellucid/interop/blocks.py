"""Number types of model files, and the quantised ones as float32.

A quantised row is a run of blocks of 32 values, each with a scale of its own. Source of the layouts: ggml,
`ggml-common.h` (block_q4_0, block_q4_1, block_q8_0); checked against the gguf package in the tests. Other kinds, the
K-quants among them, are read by that package.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

BLOCK = 32  # values

PLAIN = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Block:
    """What a block of 32 values looks like in a file: its fields and their bytes."""

    layout: np.dtype

    @property
    def n_bytes(self) -> int:
        return self.layout.itemsize


BLOCKS = {
    "Q8_0": Block(np.dtype([("scale", "<f2"), ("values", "i1", (BLOCK,))])),
    "Q4_0": Block(np.dtype([("scale", "<f2"), ("values", "u1", (BLOCK // 2,))])),
    "Q4_1": Block(np.dtype([("scale", "<f2"), ("least", "<f2"), ("values", "u1", (BLOCK // 2,))])),
}

# Read by the gguf package: values a block, bytes a block.
PACKED = {
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
    "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
}
QUANTISED = (*BLOCKS, *PACKED)


def dequantised(data: np.ndarray, kind: str) -> np.ndarray:
    """(n,) float32: the values of whole blocks.

    Args:
        data: (bytes,) uint8.
        kind: one of QUANTISED.
    """
    if kind in PACKED:
        import gguf

        packed = data.reshape(-1, PACKED[kind][1])
        return gguf.quants.dequantize(packed, gguf.GGMLQuantizationType[kind]).reshape(-1)
    blocks = data.view(BLOCKS[kind].layout)  # (n / 32,)
    scale = blocks["scale"].astype(np.float32)[:, None]
    if kind == "Q8_0":
        return (blocks["values"] * scale).reshape(-1)
    # the low halves of 16 bytes are the first 16 values, the high halves the others
    packed = blocks["values"]
    values = np.concatenate([packed & 15, packed >> 4], axis=1)
    if kind == "Q4_0":
        return ((values.astype(np.int8) - 8) * scale).reshape(-1)
    return (values * scale + blocks["least"].astype(np.float32)[:, None]).reshape(-1)
