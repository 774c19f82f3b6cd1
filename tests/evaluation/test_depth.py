import cmath
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from halluscope.errors import InputError
from halluscope.evaluation.depth import (
    ChainOfEmbedding,
    LensEntropies,
    ScatterProbe,
    SpectralProbe,
    TransitionProbe,
    chain_of_embedding,
    strongest_frequency,
)
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.layer_numbers import LAYER_NUMBERS
from halluscope.evaluation.metrics import auroc, ece
from halluscope.folds import grouped_folds
from tests.evaluation.recordings import LAYERS, PLANTED, recorded

NEEDY = {"scatter": ScatterProbe, "lens entropy": LensEntropies}


def shifted():
    """States of hallucinated answers lie elsewhere at one layer."""
    return recorded(240, shift=3.0)


def detour():
    """States of hallucinated answers lie further out at one layer, in no particular direction."""
    pairs, y, groups = recorded(240)
    states = pairs.states.copy()
    states[y, :, PLANTED] *= 2
    return replace(pairs, states=states), y, groups


def numbered():
    """What is recorded beside the states is larger for hallucinated answers at one layer."""
    pairs, y, groups = recorded(240)
    extras = {name: values.copy() for name, values in pairs.extras.items()}
    for values in extras.values():
        values[y, PLANTED] += 2.0
    return replace(pairs, extras=extras), y, groups


CASES = [
    (TransitionProbe, shifted),
    (ChainOfEmbedding, detour),
    (SpectralProbe, detour),
    (ScatterProbe, numbered),
    (LensEntropies, numbered),
]


@pytest.mark.parametrize(("baseline", "case"), CASES)
def test_a_planted_difference_is_found(baseline, case):
    pairs, y, groups = case()
    folds = grouped_folds(y, groups, 3)
    probability = out_of_fold(baseline(), pairs, y, groups, folds)
    assert auroc(y, probability) > 0.85
    assert ece(y, probability) < 0.12
    train, test = folds[0]
    fitted = baseline().fit(pairs.take(train), y[train], groups[train])
    assert auroc(~y[test], fitted.predict_proba(pairs.take(test))[:, 1]) < 0.25  # nothing is turned around


@pytest.mark.parametrize(("baseline", "case"), CASES)
def test_the_sign_is_that_of_the_training_part(baseline, case):
    pairs, y, groups = case()
    probability = out_of_fold(baseline(), pairs, ~y, groups, grouped_folds(~y, groups, 3))
    assert auroc(~y, probability) > 0.85


def test_the_planted_layer_is_named():
    pairs, y, groups = shifted()
    drift = TransitionProbe().fit(pairs, y, groups)
    assert drift.choice_[1] in (PLANTED - 1, PLANTED)  # the steps to it and from it
    pairs, y, groups = numbered()
    assert ScatterProbe().fit(pairs, y, groups).choice_ == (PLANTED,)


def test_transitions_do_not_see_what_all_layers_share():
    pairs, y, groups = recorded(240)
    states = pairs.states + 5 * y[:, None, None, None].astype(np.float32)
    probability = out_of_fold(
        TransitionProbe(), replace(pairs, states=states), y, groups, grouped_folds(y, groups, 3)
    )
    assert auroc(y, probability) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("name", LAYER_NUMBERS)
def test_what_is_needed_must_have_been_recorded(name):
    pairs, y, groups = recorded(20)
    assert NEEDY[name].needs == (name,)
    others = {other: values for other, values in pairs.extras.items() if other != name}
    with pytest.raises(InputError, match=f"'{name}' was not recorded"):
        NEEDY[name]().fit(replace(pairs, extras=others), y, groups)


def test_chain_of_embedding_number_by_number():
    states = np.random.default_rng(0).normal(size=(3, 6, 5))

    def angle(one, other):
        cosine = sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))
        return math.acos(cosine)

    for path, found in zip(states, chain_of_embedding(states.astype(np.float32)), strict=True):
        steps = list(pairwise(path))
        m = [math.dist(one, other) / math.dist(path[0], path[-1]) for one, other in steps]
        a = [angle(one, other) / angle(path[0], path[-1]) for one, other in steps]
        mag, ang = sum(m) / 5, sum(a) / 5
        together = abs(sum(length * cmath.exp(1j * turn) for length, turn in zip(m, a, strict=True)) / 5)
        assert found == pytest.approx([mag, ang, mag - ang, together], rel=1e-4)


@pytest.mark.parametrize("layers", [LAYERS, 7])
def test_strongest_frequency_number_by_number(layers):
    states = np.random.default_rng(0).normal(size=(3, layers, 2)) + 4.0
    found = strongest_frequency(states)
    for row, column in np.ndindex(3, 2):
        signal = states[row, :, column]
        magnitudes = [
            abs(sum(x * cmath.exp(-2j * math.pi * k * t / layers) for t, x in enumerate(signal)))
            for k in range(1, layers)
        ]
        assert found[row, column] == pytest.approx(max(magnitudes))


def test_a_signal_that_does_not_change_with_depth_has_no_frequency():
    assert strongest_frequency(np.full((2, LAYERS, 3), 7.0)) == pytest.approx(np.zeros((2, 3)), abs=1e-9)
