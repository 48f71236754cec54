"""Finders of what a model should not learn: one module a family. Each takes linear time, whatever the text."""
