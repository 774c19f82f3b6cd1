import numpy as np
import pytest
import surfalize
from hypothesis import given, settings
from numpy.testing import assert_allclose
from scipy.signal import peak_prominences

from halluscope.features.peaks import measure_peaks
from halluscope.features.roughness import measure_amplitude
from tests.features.noise import any_heights, exact_heights


def test_single_peak():
    z = np.zeros((11, 4))
    z[7, 2] = 6.0
    measured = measure_peaks(z)
    expected = {
        "Sp": (6 - 6 / 11) / 4,
        "Sv": 6 / 11 / 4,
        "S10z": 6 / 4,  # a peak of 6, and pits of 0 on both sides of it
        "Spd": 1 / 44,
        "Spc": 12,
        "peaks.height": 0,  # three tokens of four have no peak
        "peaks.prominence": 0,
        "peaks.persistence": 6 / np.sqrt(11) / 4,
        "peaks.layer": 7.5 / 11,
        "peaks.token": 2.5 / 4,
    }
    assert measured.keys() == expected.keys()
    for name, value in expected.items():
        assert_allclose(measured[name], value, atol=1e-12, err_msg=name)


def test_ridge_over_all_tokens():
    z = np.tile(np.array([1.0, 0, 4, 2, 3, 0, 0])[:, None], (1, 3))
    measured = measure_peaks(z)
    assert measured["peaks.height"] == 4
    assert measured["peaks.prominence"] == 4
    assert_allclose(measured["Spd"], 3 / 7)
    assert_allclose(measured["Spc"], ((4 - 0) + (4 - 2) + (3 - 2) + (3 - 0)) / 2)
    assert_allclose(measured["S10z"], (1 + 4 + 3) / 3 - (0 + 2 + 0) / 3)
    assert_allclose(measured["peaks.persistence"], np.sqrt((16 + 1 + 1) / 7))


def test_ten_point_height_takes_five_of_each():
    profile = np.zeros(31)
    profile[1::4] = [1, 2, 3, 4, 5, 6, 7, 8]
    profile[3::4] = [-1, -2, -3, -4, -5, -6, -7]
    profile[-1] = -8
    assert_allclose(measure_peaks(profile[:, None])["S10z"], 6 - (-6))


def test_insignificant_peaks_do_not_count():
    profile = np.array([0.0, 100.0, 0.0, 4.9, 0.0, 5.1, 0.0])
    assert_allclose(measure_peaks(profile[:, None])["Spd"], 2 / 7)


def test_height_and_prominence_are_medians_over_tokens():
    rows = np.array([[0.0, 1, 0], [0, 2, 1], [0, 30, 0]])
    measured = measure_peaks(rows.T)
    assert measured["peaks.height"] == 2
    assert measured["peaks.prominence"] == 1


@settings(max_examples=50)
@given(exact_heights())
def test_prominence_is_scipys(z):
    profile = z[:, 0]
    highest = int(profile.argmax())
    expected = peak_prominences(profile, [highest])[0][0] if 0 < highest < len(profile) - 1 else 0
    assert_allclose(measure_peaks(z[:, :1])["peaks.prominence"], expected)


def test_one_token_agrees_with_surfalize():
    z = np.random.default_rng(8).gamma(2.0, 1.0, (31, 1))
    theirs = surfalize.Surface(z, 1, 1).height_parameters()
    ours = measure_peaks(z)
    for name in ("Sp", "Sv"):
        assert_allclose(ours[name], theirs[name], rtol=1e-12)


@given(any_heights())
def test_peak_and_pit_make_the_maximum_height(z):
    z = z.astype(np.float64)
    peaks, amplitude = measure_peaks(z), measure_amplitude(z)
    assert_allclose(peaks["Sp"] + peaks["Sv"], amplitude["Sz"], rtol=1e-9)
    assert 0 <= peaks["S10z"] <= amplitude["Sz"] * (1 + 1e-9)
    assert 0 <= peaks["peaks.prominence"] <= np.ptp(z)


@given(any_heights())
def test_place_is_that_of_the_highest_point(z):
    z = z.astype(np.float64)
    measured = measure_peaks(z)
    layer, token = measured["peaks.layer"] * z.shape[0], measured["peaks.token"] * z.shape[1]
    assert z[int(layer), int(token)] == z.max()
    assert 0 < measured["peaks.layer"] < 1
    assert 0 < measured["peaks.token"] < 1


@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_flat(tokens):
    flat = measure_peaks(np.full((31, tokens), 0.3, dtype=np.float32).astype(np.float64))
    level = {"peaks.height", "peaks.layer", "peaks.token"}
    assert {name for name, value in flat.items() if value != 0} == level
