import numpy as np
import pytest
import surfalize
from hypothesis import given, settings
from numpy.testing import assert_allclose

from halluscope.features.roughness import measure_correlation, measure_gradients, measure_roughness
from tests.features.noise import any_heights, exact_heights, smooth_noise, white_noise


@pytest.mark.parametrize("shape", [(31, 2), (31, 10), (5, 7), (2, 2)])
@pytest.mark.parametrize("scale", [0.01, 1.0, 40.0])
def test_surface_measures_agree_with_surfalize(shape, scale):
    z = np.random.default_rng(3).gamma(2.0, scale, shape)
    ours, theirs = measure_roughness(z), surfalize.Surface(z, 1, 1)
    for name in ("Sa", "Sq", "Ssk", "Sdq"):
        assert_allclose(ours[name], getattr(theirs, name)(), rtol=1e-10, err_msg=name)
    assert_allclose(ours["Sdr"], theirs.Sdr() / 100, rtol=1e-9)


def test_profile_measures_of_one_token_agree_with_surfalize():
    z = np.random.default_rng(4).gamma(2.0, 1.0, (31, 1))
    ours, theirs = measure_roughness(z), surfalize.Surface(z, 1, 1).height_parameters()
    for name in ("Sa", "Sq", "Ssk", "Sku", "Sz"):
        assert_allclose(ours[name], theirs[name], rtol=1e-12, err_msg=name)


def test_kurtosis_and_height_are_combined_over_tokens():
    columns = np.random.default_rng(5).standard_normal((31, 5))
    whole = measure_roughness(columns)
    single = [measure_roughness(columns[:, [i]]) for i in range(5)]
    assert_allclose(whole["Sku"], np.median([s["Sku"] for s in single]))
    assert_allclose(whole["Sz"], np.mean([s["Sz"] for s in single]))


def test_tilted_plane():
    layer, token = np.mgrid[:9, :4]
    plane = measure_gradients(2.0 * layer - 3.0 * token)
    expected = {
        "Sdq": np.sqrt(13),
        "Sdr": np.sqrt(14) - 1,
        "Str": 4 / 5,
        "gradient.layers.rms": 2,
        "gradient.layers.mean": 2,
        "gradient.layers.slope": 2,
        "gradient.tokens.rms": 3,
        "gradient.tokens.mean": 3,
        "curvature.layers.rms": 0,
    }
    assert plane.keys() == expected.keys()
    for name, value in expected.items():
        assert_allclose(plane[name], value, atol=1e-12, err_msg=name)


def test_slope_keeps_its_sign_and_curvature_is_the_second_difference():
    layer = np.arange(7.0)[:, None]
    assert_allclose(measure_gradients(-0.5 * layer)["gradient.layers.slope"], -0.5)
    assert_allclose(measure_gradients(1.5 * layer**2)["curvature.layers.rms"], 3.0)


def test_texture_aspect_ratio_tells_the_axes_apart():
    rng = np.random.default_rng(6)
    stripes = np.repeat(rng.standard_normal((31, 1)), 8, axis=1)
    assert measure_gradients(stripes)["Str"] == 2
    assert measure_gradients(stripes.T)["Str"] == 0
    assert_allclose(measure_gradients(white_noise(rng, 400, 8))["Str"].mean(), 1, atol=0.01)


def test_one_token_is_measured_as_if_both_axes_behaved_alike():
    one = measure_gradients(np.array([[0.0], [1.0], [3.0]]))
    assert one["gradient.tokens.rms"] == one["gradient.layers.rms"] == np.sqrt(2.5)
    assert one["gradient.tokens.mean"] == one["gradient.layers.mean"] == 1.5
    assert one["Str"] == 1
    assert_allclose(one["Sdq"], np.sqrt(5))
    assert_allclose(one["Sdr"], np.sqrt(1 + 1 + 4) - 1)
    assert_allclose(measure_gradients(np.array([[0.0], [2.0]]))["Sdr"], np.sqrt(1 + 4 + 4) - 1)


def autocorrelation_length(z):
    """The definition, lag by lag."""
    profile = z - z.mean(axis=0)
    layers = len(z)
    at = [np.sum(profile[lag:] * profile[: layers - lag]) for lag in range(layers)]
    correlation = np.array(at) / at[0]
    below = next(lag for lag in range(layers) if correlation[lag] <= 0.2)
    rise = correlation[below - 1] - correlation[below]
    return below - 1 + (correlation[below - 1] - 0.2) / rise


@settings(max_examples=50, deadline=None)
@given(exact_heights())
def test_autocorrelation_length_follows_its_definition(z):
    expected = autocorrelation_length(z) if np.ptp(z, axis=0).any() else 0.0
    assert_allclose(measure_correlation(z)["Sal"], expected, rtol=1e-6)


def test_autocorrelation_length_of_smooth_noise():
    z = smooth_noise(np.random.default_rng(7), 1, 400)
    # A kernel of sigma 1 gives the autocorrelation exp(-t²/4), whatever the profile's own mean takes from it.
    assert 0.85 * 2 * np.sqrt(np.log(5)) < measure_correlation(z)["Sal"][0] < 2 * np.sqrt(np.log(5))


@given(any_heights())
def test_axes_combine(z):
    measured = measure_roughness(z.astype(np.float64))
    both = np.hypot(measured["gradient.layers.rms"], measured["gradient.tokens.rms"])
    assert_allclose(measured["Sdq"], both, rtol=1e-12)
    assert 0 <= measured["Str"] <= 2
    assert measured["Sa"] <= measured["Sq"] * (1 + 1e-12)
    assert measured["gradient.layers.mean"] <= measured["gradient.layers.rms"] * (1 + 1e-12)


def test_flat():
    flat = measure_roughness(np.full((2, 31, 3), 0.1, dtype=np.float32).astype(np.float64))
    assert {name: tuple(value) for name, value in flat.items() if name != "Str"} == dict.fromkeys(
        flat.keys() - {"Str"}, (0, 0)
    )
    assert tuple(flat["Str"]) == (1, 1)
