import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from halluscope.errors import InputError
from halluscope.features import feature_names, measure_features, table
from tests.features.noise import any_heights, as_surface, exact_heights

NO_UNIT = {"Ssk", "Sku", "Sal", "Str", "Spd", "peaks.layer", "peaks.token"}
LEVELS = ("all", "first", "half2", "last", "mean", "highest", "height")


def measure(z):
    """Features of one sheet of heights, by name."""
    names, values = measure_features([as_surface(z)])
    return {name.removeprefix("a."): value for name, value in zip(names, values[0], strict=True)}


def is_level(name):
    return not name.startswith("gradient.") and name.split(".")[-1] in LEVELS


def test_names():
    names = feature_names(["reading", "lens"])
    assert len(set(names)) == len(names)
    assert {"reading.Sdq", "lens.peaks.prominence", "lens.late.last", "reading.depth8.mean"} <= set(names)
    assert [n.removeprefix("reading.") for n in names if n.startswith("reading.")] == [
        n.removeprefix("lens.") for n in names if n.startswith("lens.")
    ]


def test_columns_belong_to_their_channel():
    rng = np.random.default_rng(9)
    z = rng.standard_normal((2, 31, 5))
    names, values = measure_features([as_surface(z, ("a", "b")), as_surface(z[::-1], ("a", "b"))])
    assert names == feature_names(["a", "b"])
    assert values.shape == (2, len(names))
    half = len(names) // 2
    assert_allclose(values[0, :half], values[1, half:], rtol=1e-12)
    assert_allclose(values[0, :half], list(measure(z[0]).values()), rtol=1e-12)


@settings(deadline=None)
@given(any_heights())
def test_finite_without_a_warning(z):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(list(measure(z).values())).all()


@pytest.mark.parametrize("tokens", [1, 2, 7])
@pytest.mark.parametrize("scale", [1e-45, 1e-30, 1.0, 1e30, 1e37])
def test_finite_at_any_scale(tokens, scale):
    z = (np.random.default_rng(10).standard_normal((31, tokens)) * scale).astype(np.float32)
    assert np.isfinite(list(measure(z).values())).all()


@settings(max_examples=40, deadline=None)
@given(exact_heights(), st.integers(-1000, 1000))
def test_shift_moves_levels_and_nothing_else(z, shift):
    before, after = measure(z), measure(z + shift)
    for name, value in before.items():
        assert_allclose(after[name], value + shift * is_level(name), rtol=1e-7, atol=1e-9, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(exact_heights(), st.integers(1, 1000))
def test_scale_multiplies_what_is_in_units_of_height(z, scale):
    before, after = measure(z), measure(z * scale)
    for name in before.keys() - {"Sdr"}:
        factor = 1 if name in NO_UNIT else scale
        assert_allclose(after[name], before[name] * factor, rtol=1e-7, atol=1e-9 * factor, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=2, max_size=8), st.integers(0, 2**32 - 1))
def test_a_row_depends_on_its_surface_alone(lengths, seed):
    rng = np.random.default_rng(seed)
    surfaces = [as_surface(rng.standard_normal((2, 9, tokens)), ("a", "b")) for tokens in lengths]
    _, together = measure_features(surfaces)
    for row, surface in zip(together, surfaces, strict=True):
        assert_allclose(measure_features([surface])[1][0], row, rtol=1e-12, atol=1e-13)


def test_batches_do_not_show(monkeypatch):
    rng = np.random.default_rng(11)
    surfaces = [as_surface(rng.standard_normal((12, tokens))) for tokens in (3, 1, 3, 3, 2, 3)]
    _, at_once = measure_features(surfaces)
    monkeypatch.setattr(table, "BATCH_VALUES", 80)
    assert_allclose(measure_features(surfaces)[1], at_once, rtol=1e-12, atol=1e-13)


def test_a_family_is_added_in_one_place(monkeypatch):
    monkeypatch.setattr(table, "FAMILIES", (*table.FAMILIES, lambda z: {"new.top": z.max(axis=(-2, -1))}))
    names, values = measure_features([as_surface([[1.0, 2.0], [3.0, 0.0]])])
    assert names[-1] == "a.new.top"
    assert values[0, -1] == 3.0


def test_surfaces_stay_as_they_are():
    z = np.random.default_rng(12).standard_normal((9, 3)).astype(np.float32)
    surface = as_surface(z)
    measure_features([surface])
    assert_array_equal(surface["a"], z)


@pytest.mark.parametrize(
    ("surfaces", "named"),
    [
        ([], "no surfaces"),
        ([as_surface(np.ones((4, 2))), as_surface(np.ones((4, 2)), ("b",))], "surface 1 .*channels b.*has a"),
        ([as_surface(np.ones((4, 2))), as_surface(np.ones((5, 2)))], "surface 1 has 5 layers.*has 4"),
        ([as_surface(np.ones((4, 2))), as_surface(np.ones((4, 0)))], "surface 1 has 4 layers and 0 tokens"),
        ([as_surface(np.ones((1, 2)))], "surface 0 has 1 layers"),
        ([as_surface(np.ones((2, 2))), as_surface([[1.0, np.nan], [0.0, 1.0]])], "surface 1 .*not finite"),
        ([as_surface([[1.0, np.inf], [0.0, 1.0]])], "surface 0 .*not finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(surfaces, named):
    with pytest.raises(InputError, match=named):
        measure_features(surfaces)
