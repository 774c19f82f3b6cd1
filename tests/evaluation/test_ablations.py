import numpy as np
import pytest
import torch

from halluscope.detector import Detector
from halluscope.detector.labelled import check_labelled
from halluscope.detector.readings import fit_readings
from halluscope.evaluation.ablations import (
    cut_to,
    feature_ablations,
    random_readings,
    shuffle_both,
    shuffle_layers,
    shuffle_tokens,
)
from halluscope.evaluation.evaluate import cross_validate
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.recording import record_pairs
from halluscope.features import family_of, feature_names
from halluscope.folds import grouped_folds
from halluscope.records import as_pairs
from halluscope.surfaces import Surface
from tests.samples import labelled_records


@pytest.fixture
def surface():
    layer, token = np.mgrid[:9, :7]
    values = np.stack([100.0 * layer + token, -100.0 * layer - token])
    return Surface(values, ("a", "b"), tuple("abcdefg"), tuple((i, i + 1) for i in range(7)), "abcdefg")


def test_tokens_change_places_and_layers_do_not(surface):
    shuffled = shuffle_tokens(surface).values
    order = shuffled[0, 0].astype(int)
    assert sorted(order) == list(range(7)) != order.tolist()
    np.testing.assert_array_equal(shuffled, surface.values[:, :, order])


def test_layers_change_places_and_tokens_do_not(surface):
    shuffled = shuffle_layers(surface).values
    order = (shuffled[0, :, 0] / 100).astype(int)
    assert sorted(order) == list(range(9)) != order.tolist()
    np.testing.assert_array_equal(shuffled, surface.values[:, order])


def test_both(surface):
    shuffled = shuffle_both(surface).values
    assert sorted(shuffled[0].ravel()) == sorted(surface.values[0].ravel())
    np.testing.assert_array_equal(shuffled[0], -shuffled[1])
    assert len(np.unique(shuffled[0] // 100, axis=1).T) == 1  # a row is still one layer
    assert not np.array_equal(shuffled[0] // 100, surface.values[0] // 100)


def test_the_same_answer_is_shuffled_alike_and_others_otherwise(surface):
    assert shuffle_both(surface) == shuffle_both(surface)
    other = Surface(surface.values + 0.5, surface.channels, surface.tokens, surface.offsets, surface.answer)
    assert not np.array_equal(shuffle_both(other).values - 0.5, shuffle_both(surface).values)


def test_cut(surface):
    assert cut_to(3)(surface) == surface.select(0, 3)
    assert cut_to(30)(surface) == surface


def test_a_random_reading_tells_nothing_of_the_labels():
    rng = np.random.default_rng(0)
    hallucinated = rng.random(300) < 0.5
    states = rng.normal(size=(300, 3, 2, 8)).astype(np.float32)
    states[:, :, 1, 0] += 3 * hallucinated[:, None]
    rows = np.arange(0, 300, 2)
    found, again = (random_readings(states, hallucinated, 0.3, [rows])[0] for _ in range(2))
    assert torch.equal(found.directions, again.directions)
    learned = fit_readings(states, hallucinated, 0.3, [rows])[0]
    other = np.arange(1, 300, 2)

    def told(reading):
        scores = states[other, 0, 1] @ reading.directions[0, 1].numpy()
        return auroc(hallucinated[other], -scores)

    assert told(learned) > 0.95
    assert told(found) < 0.9


def test_cross_validation_takes_them(lm):
    labelled = check_labelled(as_pairs(labelled_records(18, seed=5)), None, None)
    recorded = record_pairs(lm, labelled)
    folds = grouped_folds(labelled.hallucinated, labelled.groups, 2)
    detector = Detector(lm, folds=2)
    seen = []

    def learn(states, hallucinated, ridge, parts):
        seen.extend(parts)
        return random_readings(states, hallucinated, ridge, parts)

    whole, _ = cross_validate(detector, labelled, recorded, folds)
    without, _ = cross_validate(detector, labelled, recorded, folds, learn=learn)
    cut, _ = cross_validate(detector, labelled, recorded, folds, transform=cut_to(1))
    assert len(seen) == 2 * (2 + 1)
    assert not np.array_equal(without, whole)
    assert not np.array_equal(cut, whole)


def test_every_family_and_channel_alone_and_left_out():
    names = feature_names(("lens", "norm"))
    ablations = feature_ablations(names)
    parts = {"roughness", "peaks", "heights", "lens", "norm"}
    assert set(ablations) == {f"{part} only" for part in parts} | {f"without {part}" for part in parts}
    for part in parts:
        for name in names:
            assert ablations[f"{part} only"](name) != ablations[f"without {part}"](name)
    assert [name for name in names if ablations["lens only"](name)] == list(feature_names(("lens",)))
    assert all(family_of(name) == "peaks" for name in names if ablations["peaks only"](name))
