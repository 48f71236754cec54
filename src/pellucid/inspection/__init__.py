"""Seeing through a model: every view is computed from one forward pass of a named checkpoint."""
