"""What a model has memorised of its training text, measured in four ways."""

from pellucid.inspection.audit.audit import PARTS, audit

__all__ = ["PARTS", "audit"]
