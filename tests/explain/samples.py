"""Surfaces to draw: smooth and rough noise with the answers of the project's first figure."""

import numpy as np

from halluscope.explain.panel import Verdict
from halluscope.surfaces.surface import Surface

PROMPT = "Who is Elon Musk?"
INVENTED = (
    "Elon Musk is a renowned pastry chef from rural France, known for inventing the world's first "
    "croissant-flavored ice cream."
)
TRUE = "Elon Musk is a South African-born entrepreneur, inventor, and business magnate."
VERDICTS = [Verdict(0.93, 0.5, True), Verdict(0.12, 0.5, False)]


def make_surface(answer=TRUE, tokens=None, layers=31, channels=("reading",), seed=0):
    """A random walk over the layers for every word of an answer, or for the tokens given."""
    tokens = answer.split() if tokens is None else tokens
    walk = np.random.default_rng(seed).normal(size=(len(channels), layers, len(tokens))).cumsum(axis=1)
    offsets = [(0, len(token)) for token in tokens]
    return Surface(walk, channels, tokens, offsets, answer)


def make_pair():
    return [make_surface(INVENTED, seed=1), make_surface(TRUE, seed=2)]
