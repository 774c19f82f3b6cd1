import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from halluscope.features.persistence import measure_persistence


def merge_by_sweep(profile):
    """Persistences above zero by union-find: points join from the highest down, the lower summit dies."""
    summit = {}
    drops = []

    def find(i):
        while summit[i] != i:
            i = summit[i]
        return i

    for i in sorted(range(len(profile)), key=lambda i: (-profile[i], i)):
        summit[i] = i
        for j in (i - 1, i + 1):
            if j in summit and find(j) != find(i):
                low, high = sorted((find(i), find(j)), key=lambda k: (profile[k], -k))
                drops.append(profile[low] - profile[i])
                summit[low] = high
    drops.append(profile.max() - profile.min())
    return sorted(d for d in drops if d > 0)


def test_two_summits():
    profile = np.array([[0.0, 5.0, 2.0, 3.0, 1.0, 1.0]])
    assert_array_equal(measure_persistence(profile), [[0, 5, 0, 1, 0, 0]])


def test_ends_count_and_the_highest_falls_to_the_lowest():
    assert_array_equal(measure_persistence(np.array([[4.0, 1.0, 3.0, 0.0]])), [[4, 0, 2, 0]])
    assert_array_equal(measure_persistence(np.array([[0.0, 1.0, 2.0]])), [[0, 0, 2]])


def test_the_first_of_equals_is_the_summit():
    assert_array_equal(measure_persistence(np.array([[0.0, 2.0, 2.0, 1.0, 2.0]])), [[0, 2, 0, 0, 1]])
    assert_array_equal(measure_persistence(np.array([[1.0, 1.0, 2.0]])), [[0, 0, 1]])
    assert not measure_persistence(np.ones((2, 4))).any()


@given(
    arrays(
        np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9), elements=st.integers(-4, 4)
    )
)
def test_agrees_with_union_find(profiles):
    for drops, profile in zip(measure_persistence(profiles), profiles, strict=True):
        assert_allclose(sorted(drops[drops > 0]), merge_by_sweep(profile))
