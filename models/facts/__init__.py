"""Labelled (prompt, answer) pairs from fact tables, with which the default detectors are trained."""

from models.facts.pairs import build_pairs
from models.facts.split import HELD_OUT_KINDS, unknown_kinds

__all__ = ["HELD_OUT_KINDS", "build_pairs", "unknown_kinds"]
