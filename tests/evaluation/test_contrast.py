import numpy as np
import pytest

from halluscope.evaluation.contrast import Ccs, consistent_direction
from tests.evaluation.test_prompted import PLANTED, planted


def sides(n=300, d=8, seed=0):
    """Standardised states of both sides that contradict each other along the first column only."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([-1.0, 1.0], n)
    yes, no = (rng.normal(size=(n, d)) for _ in range(2))
    yes[:, 0] = 3 * truth + 0.3 * yes[:, 0]
    no[:, 0] = -3 * truth + 0.3 * no[:, 0]
    return [(side - side.mean(0)) / side.std(0) for side in (yes, no)], truth


def slow_loss(direction, yes, no):
    total = 0.0
    for a, b in zip(yes, no, strict=True):
        p, q = (1 / (1 + np.exp(-(side @ direction.weights + direction.bias))) for side in (a, b))
        total += (p - (1 - q)) ** 2 + min(p, q) ** 2
    return total / len(yes)


def test_the_direction_of_contradiction_is_found_without_labels():
    (yes, no), truth = sides()
    direction = consistent_direction(yes, no, restarts=10, steps=200, seed=0)
    assert direction.loss == pytest.approx(slow_loss(direction, yes, no), abs=1e-5)
    assert np.argmax(np.abs(direction.weights)) == 0
    agreement = np.sign(direction.logits(yes, no)) == truth
    assert max(agreement.mean(), 1 - agreement.mean()) > 0.98


def test_the_least_loss_of_all_beginnings_wins():
    (yes, no), _ = sides()
    one, many = (consistent_direction(yes, no, restarts, 30, seed=1).loss for restarts in (1, 10))
    assert many <= one


def test_the_chosen_layer_is_the_planted_one():
    pairs, y, groups = planted(240, shift=3.0)
    assert Ccs().fit(pairs, y, groups).place_ == PLANTED
