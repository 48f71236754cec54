"""Weights become words: sampling, the engine that decodes, text that streams, and conversations."""
