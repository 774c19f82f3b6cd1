import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from halluscope.features.heights import EIGHTHS, THIRDS, measure_heights
from tests.features.noise import any_heights


@pytest.fixture
def hill():
    """Height 100 a layer and 1 a token: every height tells where it stands."""
    layer, token = np.mgrid[:24, :5]
    return 100.0 * layer + token


def test_thirds(hill):
    measured = measure_heights(hill)
    for band, middle in zip(THIRDS, (350, 1150, 1950), strict=True):
        assert_allclose(measured[f"{band}.all"], middle + 2)
        assert_allclose(measured[f"{band}.first"], middle)
        assert_allclose(measured[f"{band}.half2"], middle + 3)
        assert_allclose(measured[f"{band}.last"], middle + 4)
        assert_allclose(measured[f"{band}.spread"], 100 * np.std(np.arange(8)))
        assert_allclose(measured[f"{band}.highest"], middle + 350 + 2)


def test_the_whole_and_the_output(hill):
    measured = measure_heights(hill)
    for band, middle in (("whole", 1150), ("output", 2300)):
        assert_allclose(measured[f"{band}.all"], middle + 2)
        assert_allclose(measured[f"{band}.first"], middle)
        assert_allclose(measured[f"{band}.half2"], middle + 3)
        assert_allclose(measured[f"{band}.last"], middle + 4)


def test_eighths(hill):
    measured = measure_heights(hill)
    for i, band in enumerate(EIGHTHS):
        assert_allclose(measured[f"{band}.mean"], 100 * (3 * i + 1) + 2)
        assert_allclose(measured[f"{band}.last"], 100 * (3 * i + 1) + 4)


@pytest.mark.parametrize("layers", [8, 19, 31, 33])
def test_bands_cover_every_layer_once(layers):
    for layer in range(layers):
        z = np.zeros((layers, 2))
        z[layer] = 1.0
        measured = measure_heights(z)
        assert sum(measured[f"{band}.all"] > 0 for band in THIRDS) == 1
        assert sum(measured[f"{band}.mean"] > 0 for band in EIGHTHS) == 1


def test_one_token_is_first_half_and_last():
    measured = measure_heights(np.arange(31.0)[:, None])
    for band in THIRDS:
        assert len({float(measured[f"{band}.{region}"]) for region in ("all", "first", "half2", "last")}) == 1


@given(any_heights())
def test_regions_lie_within_the_surface(z):
    z = z.astype(np.float64)
    slack = 1e-12 * np.abs(z).max()
    for name, value in measure_heights(z).items():
        if name.endswith(".spread"):
            assert 0 <= value <= np.ptp(z)
        else:
            assert z.min() - slack <= value <= z.max() + slack
