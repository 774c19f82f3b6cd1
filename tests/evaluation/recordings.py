"""Recorded pairs out of a random generator, with a difference planted in their states."""

import numpy as np

from halluscope.evaluation.activation_tensor import ACTIVATIONS, LAYER_BINS, TOKEN_BINS
from halluscope.evaluation.layer_numbers import LAYER_NUMBERS
from halluscope.evaluation.recorded import OPENING, RecordedPairs

LAYERS, WIDTH, PLANTED = 4, 12, 2
#: Bins of tokens and of layers in which the difference stands in the activation tensor.
PLANTED_BINS = (slice(1, 3), slice(4, 6))


def recorded(n, seed=0, shift=0.0):
    """Two answers to each question, whose states at one layer differ by ``shift`` along a direction."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    groups = np.arange(n) // 2
    words = np.array(["alpha", "beta", "gamma", "delta", "epsilon", "zeta"])
    tokens = rng.integers(3, 9, n)
    question = rng.normal(size=(n // 2, LAYERS, WIDTH)).repeat(2, axis=0)
    states = [(question + rng.normal(size=question.shape)).astype(np.float32) for _ in range(2)]
    direction = rng.normal(size=WIDTH)
    direction /= np.linalg.norm(direction)
    for state in states:
        state[:, PLANTED] += np.outer(shift * np.sqrt(2) * (y - 0.5), direction)
    image = np.random.default_rng(seed + 1000).normal(size=(n, TOKEN_BINS, LAYER_BINS, WIDTH))
    image[(slice(None), *PLANTED_BINS)] += shift * (y - 0.5)[:, None, None, None] * direction
    pairs = RecordedPairs(
        answers=[" ".join(rng.choice(words, size)) for size in tokens],
        prompts=[f"Question {group}?" for group in groups],
        logprobs=[-rng.exponential(size=size) for size in tokens],
        entropies=[rng.exponential(size=size) for size in tokens],
        states=np.stack([states[1], states[0], states[0]], axis=1),  # mean, last, token
        extras={name: rng.normal(size=(n, LAYERS)) for name in LAYER_NUMBERS}
        | {OPENING: question.astype(np.float32), ACTIVATIONS: image.astype(np.float16)},
    )
    return pairs, y, groups
