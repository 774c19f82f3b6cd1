import numpy as np
import pytest
import torch

from halluscope.detector.cross_fitting import TrainingPart, cross_fit, measure_with
from halluscope.detector.labelled import check_labelled
from halluscope.detector.readings import fit_readings
from halluscope.detector.states import pool_states
from halluscope.features import measure_features
from halluscope.folds import grouped_folds
from halluscope.records import as_pairs
from halluscope.surfaces import DEFAULT_MEASURES, record_surfaces

RIDGE = 0.3


class Setting:
    """Labelled pairs on a tiny model, with two training parts: half of the pairs, and all."""

    def __init__(self, lm, records):
        labelled = check_labelled(as_pairs(records), None, None)
        self.lm, self.y = lm, labelled.hallucinated
        self.tokenized = lm.tokenize_pairs(labelled.pairs)
        self.states = pool_states(lm, self.tokenized)
        halves = grouped_folds(self.y, labelled.groups, 2)
        self.parts = [
            TrainingPart(rows, grouped_folds(self.y[rows], labelled.groups[rows], 3))
            for rows in (halves[0][0], np.arange(len(self.y)))
        ]

    def fit(self, y=None, **options):
        y = self.y if y is None else y
        return cross_fit(
            self.lm, self.tokenized, self.states, y, self.parts, DEFAULT_MEASURES, RIDGE, **options
        )

    def features(self, rows, learned_from):
        """Features of some pairs under the reading learned from others, one by one."""
        reading = fit_readings(self.states, self.y, RIDGE, [learned_from])[0]
        pairs = [self.tokenized[row] for row in rows]
        return measure_features(record_surfaces(self.lm, pairs, [reading, *DEFAULT_MEASURES]))


def assert_alike(found, expected):
    """Equal but for rounding, which moves a count of peaks or crossings here and there."""
    assert found.shape == expected.shape
    assert np.isclose(found, expected, rtol=1e-3, atol=1e-3).mean() > 0.999


@pytest.fixture(scope="module")
def setting(lm, records):
    return Setting(lm, records)


@pytest.fixture(scope="module")
def crossed(setting):
    return setting.fit()


def test_features_of_a_pair_come_from_the_reading_that_never_saw_it(setting, crossed):
    names, fitted = crossed
    for part, found in zip(setting.parts, fitted, strict=True):
        assert found.part is part
        for train, test in part.folds:
            expected_names, expected = setting.features(part.rows[test], part.rows[train])
            assert names == expected_names
            assert_alike(found.features[part.rows[test]], expected)


def test_pairs_outside_of_the_part_are_read_as_new_answers_are(setting, crossed):
    part, half = setting.parts[0], crossed[1][0]
    outside = np.setdiff1d(np.arange(len(setting.y)), part.rows)
    assert_alike(half.features[outside], setting.features(outside, part.rows)[1])
    final = fit_readings(setting.states, setting.y, RIDGE, [part.rows])[0]
    assert torch.equal(half.reading.directions, final.directions)


def test_a_label_touches_no_reading_that_its_pair_is_measured_with(setting, crossed):
    part, before = setting.parts[1], crossed[1][1]
    _, test = part.folds[0]
    flipped = setting.y.copy()
    flipped[test] = ~flipped[test]
    after = setting.fit(flipped)[1][1]
    np.testing.assert_array_equal(after.features[test], before.features[test])
    others = np.setdiff1d(np.arange(len(setting.y)), test)
    assert not np.array_equal(after.features[others], before.features[others])
    assert not torch.equal(after.reading.directions, before.reading.directions)


def test_many_pairs_are_measured_in_pieces(setting, crossed, monkeypatch):
    monkeypatch.setattr("halluscope.detector.cross_fitting._VALUES", 5000)  # a few pairs
    seen = []
    names, fitted = setting.fit(progress=seen.append)
    assert names == crossed[0]
    assert sum(seen) == len(setting.y)
    for found, whole in zip(fitted, crossed[1], strict=True):
        assert_alike(found.features, whole.features)


def test_equal_readings_give_equal_features(setting, crossed):
    reading = crossed[1][0].reading
    pairs = setting.tokenized[:6]
    reading_of = np.array([[0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]])
    _, features = measure_with(setting.lm, pairs, DEFAULT_MEASURES, [reading, reading], reading_of)
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(features[0], features[1])
