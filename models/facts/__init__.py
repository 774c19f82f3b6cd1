"""Labelled (prompt, answer) pairs from fact tables, with which the default detectors are trained."""

from models.facts.pairs import build_pairs

# Kinds that differ in nature from what remains: training without them measures transfer to unseen topics.
HELD_OUT_KINDS = ("currency", "element_discoverer", "company_business")

__all__ = ["HELD_OUT_KINDS", "build_pairs"]
