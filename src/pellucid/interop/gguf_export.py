"""GGUF as a format to export to: what writes it, and what compares it with the run."""

from pellucid.interop.gguf_check import compare
from pellucid.interop.gguf_writing import write

__all__ = ["compare", "write"]
