"""Contenders trained alike and told apart: what a part of a model is good for, measured."""
