import numpy as np
import pytest

from halluscope.evaluation.smoothness import ALL, CLAIMED, ORIENTATIONS, claim_weights
from halluscope.features import family_of, feature_names, measure_features
from tests.features.noise import LAYERS, as_surface, white_noise

FAMILIES = {"step": ("step",), "readings": ("reading", "evidence")}


def test_every_measure_of_roughness_and_peaks_is_decided():
    measures = [
        name.removeprefix("step.") for name in feature_names(["step"]) if family_of(name) != "heights"
    ]
    assert set(ORIENTATIONS) == set(measures)
    assert all(each.sign in (-1, 0, 1) and each.title and each.reason for each in ORIENTATIONS.values())


def test_more_noise_is_rougher_in_every_measure():
    """An even landscape with more and more noise; kurtosis, which noise draws to its own, aside."""
    rng = np.random.default_rng(0)
    even = np.sin(np.linspace(0, 3, LAYERS))[:, None]
    noise = white_noise(rng, 200, 9)
    little, much = (
        measure_features([as_surface(even + size * z) for z in noise])[1].mean(axis=0) for size in (0.05, 0.4)
    )
    change = dict(zip(feature_names(["a"]), much - little, strict=True))
    for measure in set(CLAIMED) - {"Sku"}:
        assert change[f"a.{measure}"] * ORIENTATIONS[measure].sign > 0, measure


def test_pronounced_peaks_raise_kurtosis():
    rng = np.random.default_rng(0)
    even = rng.uniform(-1, 1, size=(LAYERS, 9))
    peaked = even.copy()
    peaked[11] += 6
    names, (low, high) = measure_features([as_surface(even), as_surface(peaked)])
    column = names.index("a.Sku")
    assert (high[column] - low[column]) * ORIENTATIONS["Sku"].sign > 0


def test_weights_turn_and_average():
    names = feature_names(["step", "reading", "evidence"])
    combinations, weights = claim_weights(names, FAMILIES)
    assert weights.shape == (len(names), len(combinations))
    assert len(combinations) == 3 * (len(CLAIMED) + 1)
    values = np.random.default_rng(0).normal(size=len(names))
    value, claim = (
        dict(zip(names, values, strict=True)),
        dict(zip(combinations, values @ weights, strict=True)),
    )
    assert claim["step", "Sq"] == pytest.approx(value["step.Sq"])
    assert claim["step", "Sal"] == pytest.approx(-value["step.Sal"])
    assert claim["readings", "Sdq"] == pytest.approx((value["reading.Sdq"] + value["evidence.Sdq"]) / 2)
    for family in FAMILIES:
        assert claim[family, ALL] == pytest.approx(np.mean([claim[family, each] for each in CLAIMED]))
    assert claim[ALL, "Sp"] == pytest.approx((claim["step", "Sp"] + claim["readings", "Sp"]) / 2)
    assert claim[ALL, ALL] == pytest.approx((claim["step", ALL] + claim["readings", ALL]) / 2)


def test_what_has_no_direction_takes_no_part():
    names = feature_names(["step", "reading", "evidence"])
    _, weights = claim_weights(names, FAMILIES)
    for name, row in zip(names, weights, strict=True):
        measure = name.split(".", 1)[1]
        assert row.any() == (measure in CLAIMED), name
    assert {"Ssk", "peaks.layer", "gradient.layers.slope"}.isdisjoint(CLAIMED)
