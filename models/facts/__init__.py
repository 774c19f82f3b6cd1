"""Labelled (prompt, answer) pairs from fact tables, with which the default detectors are trained."""

from models.facts.pairs import build_pairs
from models.facts.split import HELD_OUT_KINDS, UNKNOWN_KINDS

__all__ = ["HELD_OUT_KINDS", "UNKNOWN_KINDS", "build_pairs"]
