"""Tokens become weights: one loop, its optimizers, schedules, precision, checkpoints and exact resume."""
