from dataclasses import replace

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from halluscope.evaluation.directions import PLAIN, TILTED, MassMean, mass_mean, tilted_mass_mean
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.metrics import auroc, ece
from halluscope.folds import grouped_folds
from tests.evaluation.recordings import PLANTED, recorded


@pytest.fixture(scope="module")
def planted():
    return recorded(240, shift=2.0)


@pytest.fixture(scope="module")
def drowned():
    """A difference along one direction, and along a second a little of it in a great deal of noise."""
    pairs, y, groups = recorded(240)
    rng = np.random.default_rng(5)
    states = pairs.states.copy()
    states[:, :, PLANTED, 0] += (3 * y)[:, None]
    states[:, :, PLANTED, 1] += (rng.normal(scale=40, size=len(y)) + 3 * y)[:, None]
    return replace(pairs, states=states), y, groups


@pytest.mark.parametrize("version", [PLAIN, TILTED])
def test_a_planted_direction_is_found(version, planted):
    pairs, y, groups = planted
    folds = grouped_folds(y, groups, 3)
    probability = out_of_fold(MassMean(versions=(version,)), pairs, y, groups, folds)
    assert auroc(y, probability) > 0.84
    assert ece(y, probability) < 0.12
    assert auroc(~y, out_of_fold(MassMean(versions=(version,)), pairs, ~y, groups, folds)) > 0.84
    train, test = folds[0]
    fitted = MassMean(versions=(version,)).fit(pairs.take(train), y[train], groups[train])
    assert fitted.choice_[1] == PLANTED
    assert auroc(~y[test], fitted.predict_proba(pairs.take(test))[:, 1]) < 0.3


def test_noise_along_the_difference_calls_for_the_covariance(drowned):
    pairs, y, groups = drowned
    folds = grouped_folds(y, groups, 3)
    found = {
        version: auroc(y, out_of_fold(MassMean(versions=(version,)), pairs, y, groups, folds))
        for version in (PLAIN, TILTED)
    }
    assert found[PLAIN] < 0.7 < 0.85 < found[TILTED]
    fitted = MassMean().fit(pairs, y, groups)
    assert (fitted.choice_[1], fitted.setting_) == (PLANTED, TILTED)


def test_the_difference_of_means_number_by_number():
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(30, 4)), rng.random(30) < 0.4
    expected = np.zeros(4)
    for row, label in zip(rows, labels, strict=True):
        expected += row / labels.sum() if label else -row / (~labels).sum()
    assert mass_mean(rows, labels) == pytest.approx(expected)


@pytest.mark.parametrize("width", [8, 39, 40, 41, 150])
def test_the_tilt_is_that_of_ledoit_and_wolfs_covariance(width):
    rng = np.random.default_rng(width)
    labels = rng.random(40) < 0.4
    scales = rng.uniform(0.1, 30, width)
    rows = (rng.normal(size=(40, 3)) @ rng.normal(size=(3, width)) + rng.normal(size=(40, width))) * scales
    within = rows.copy()
    for kind in (labels, ~labels):
        within[kind] -= rows[kind].mean(axis=0)
    units = within.std(axis=0)
    covariance = LedoitWolf(assume_centered=True).fit(within / units).covariance_
    expected = np.linalg.solve(covariance, mass_mean(rows, labels) / units) / units
    assert tilted_mass_mean(rows, labels) == pytest.approx(expected, rel=1e-6)
    single = tilted_mass_mean(rows.astype(np.float32), labels)
    assert np.corrcoef(single * scales, expected * scales)[0, 1] > 0.9999


def test_columns_that_are_constant_up_to_rounding_do_not_decide():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2 == 0
    rows = rng.normal(size=(60, 5))
    rows[:, 0] += 2 * labels
    rows[:, 4] = 1e-9 * labels
    direction = tilted_mass_mean(rows, labels)
    assert abs(direction[4]) * 1e-9 < 1e-3 * abs(direction[0])


def test_a_layer_without_variance_gives_no_direction():
    labels = np.arange(60) % 2 == 0
    assert not tilted_mass_mean(np.full((60, 5), 3.0), labels).any()
