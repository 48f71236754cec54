"""Seeing through a model: each view computed from a forward pass of named weights.

from pellucid.inspection import attention, bigram, sampling, shapes, subject, tokens

model = subject.Subject(pellucid.load("runs/book-1"))
attention.overview(model, "It was a dark night").arrays["weights"]  # (layers, heads, T, T)
sampling.next_token(model, "It was a dark")["candidates"][0]
"""
