import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halluscope.errors import InputError
from halluscope.evaluation.bootstrap import group_resamples
from halluscope.evaluation.matched import agreements, matched_differences, matched_rows

FEW = 200  # resamples


def sample(seed, n=40, shift=0.0, sizes=(1, 1), question=2.0):
    """Questions with so many true and invented answers each; the first feature of true ones lies higher."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat([False, True], sizes), n)
    groups = [f"q{number:03}" for number in np.repeat(np.arange(n), sum(sizes))]
    between = question * rng.normal(size=(n, 3)).repeat(sum(sizes), axis=0)
    x = between + rng.normal(size=between.shape)
    x[:, 0] += shift * ~labels
    return x, labels, groups


def test_value_by_hand():
    # questions: true 3 against invented 1, true mean 4 against invented 5; the third has no invented answer
    x = [[3.0], [1.0], [2.0], [6.0], [5.0], [100.0]]
    y = [False, True, False, False, True, False]
    found = matched_differences(x, y, list("aabbbc"), resamples=FEW)
    # each question has the same weight: variance of 3, 3 and 2, 6; of 1 and 5
    true = (2 * 9 + 4 + 36) / 4 - 3.5**2
    invented = (1 + 25) / 2 - 3**2
    assert found.value == pytest.approx([0.5 / np.sqrt((true + invented) / 2)])
    assert (found.n, found.n_groups, found.n_matched) == (5, 3, 2)


def test_resamples_are_what_the_drawn_questions_give():
    x, y, groups = sample(1, n=6, sizes=(2, 1))
    found = matched_differences(x, y, groups, resamples=30, seed=4)
    _, counts = group_resamples(np.tile([True, False], 6), np.repeat(np.arange(6), 2).tolist(), 30, 4)
    for drawn, count in zip(found.drawn, counts, strict=True):
        rows = [3 * g + i for g in range(6) for _ in range(count[g]) for i in range(3)]
        copies = np.repeat(np.arange(count.sum()), 3).astype(str).tolist()
        again = matched_differences(x[rows], y[rows], copies, resamples=1)
        np.testing.assert_allclose(drawn, again.value)


def test_a_planted_difference_is_found_with_its_sign():
    first, *others = matched_differences(*sample(0, n=150, shift=1.0), resamples=FEW).intervals()
    assert first["low"] > 0
    assert first["value"] == pytest.approx(1 / np.sqrt(5), abs=0.15)
    assert all(low <= 0 <= high for low, high in ((o["low"], o["high"]) for o in others))
    reverse = matched_differences(*sample(0, n=150, shift=-1.0), resamples=FEW).intervals()[0]
    assert reverse["high"] < 0


def test_matching_narrows_the_interval_and_not_the_value():
    alike, unlike = (
        matched_differences(*sample(2, n=100, shift=1.0, question=q), resamples=FEW).intervals()[0]
        for q in (3.0, 0.0)
    )
    spread, width = np.sqrt(10), alike["high"] - alike["low"]
    assert alike["value"] == pytest.approx(1 / spread, abs=0.1)
    assert width < 0.6 * (unlike["high"] - unlike["low"])


def test_more_answers_to_a_question_leave_the_size_of_the_difference():
    two = matched_differences(*sample(3, n=400, shift=1.0), resamples=1).value[0]
    ten = matched_differences(*sample(3, n=400, shift=1.0, sizes=(5, 5)), resamples=1).value[0]
    assert ten == pytest.approx(two, abs=0.1)


def test_without_a_difference_the_interval_holds_zero_about_95_times_in_100():
    held = []
    for seed in range(100):
        found = matched_differences(*sample(seed, n=40, sizes=(2, 1)), resamples=FEW, seed=seed)
        held += [each["low"] <= 0 <= each["high"] for each in found.intervals()]
    assert 0.90 <= np.mean(held) <= 0.99


seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=30, deadline=None)
@given(seeds, shapes)
def test_the_sign_turns_with_the_labels(seed, sizes):
    x, y, groups = sample(seed, n=8, sizes=sizes)
    found = matched_differences(x, y, groups, resamples=FEW)
    turned = matched_differences(x, ~y, groups, resamples=FEW)
    np.testing.assert_allclose(turned.value, -found.value, atol=1e-9)
    np.testing.assert_allclose(turned.drawn, -found.drawn, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_unit_and_origin_of_a_feature_do_not_matter(seed, unit, origin):
    x, y, groups = sample(seed, n=8, sizes=(1, 2))
    found = matched_differences(x, y, groups, resamples=FEW)
    other = matched_differences(unit * (x + origin), y, groups, resamples=FEW)
    np.testing.assert_allclose(other.value, found.value, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(other.drawn, found.drawn, rtol=1e-6, atol=1e-8)
    mirrored = matched_differences(-x, y, groups, resamples=FEW)
    np.testing.assert_allclose(mirrored.value, -found.value, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seeds, st.randoms())
def test_the_order_of_the_pairs_does_not_matter(seed, random):
    x, y, groups = sample(seed, n=8, sizes=(2, 1))
    order = random.sample(range(len(y)), len(y))
    found = matched_differences(x, y, groups, resamples=FEW).intervals()
    other = matched_differences(x[order], y[order], [groups[i] for i in order], resamples=FEW).intervals()
    for one, two in zip(found, other, strict=True):
        assert two == pytest.approx(one, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_unmatched_questions_tell_nothing(seed):
    x, y, groups = sample(seed, n=8)
    alone = ~np.isin(groups, ["q002", "q005"]) | y
    found = matched_differences(x[alone], y[alone], [g for g, k in zip(groups, alone, strict=True) if k])
    both = ~np.isin(groups, ["q002", "q005"])
    other = matched_differences(x[both], y[both], [g for g, k in zip(groups, both, strict=True) if k])
    assert (found.n_groups, found.n_matched, other.n_groups) == (8, 6, 6)
    np.testing.assert_allclose(found.drawn, other.drawn)


def test_what_does_not_vary_does_not_differ():
    x, y, groups = sample(0)
    x[:, 1] = 0.1 * 3
    x[:, 2] = (~y).astype(float)  # constant in each kind: no spread to measure by
    found = matched_differences(x, y, groups, resamples=FEW)
    assert (found.value[1], np.ptp(found.drawn[:, 1])) == (0, 0)
    assert found.value[2] > 1e3
    assert np.isfinite(found.drawn).all()


def test_matched_rows():
    rows = matched_rows([True, False, True, False, True], ["b", "b", "a", "c", "a"])
    assert rows.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("y", "groups", "problem"),
    [
        ([True, False, True, False], list("aabc"), "1 of 3 questions"),
        ([True, False, True, False], list("abcd"), "0 of 4 questions"),
        ([True, False, True], list("aabb"), "3 labels and 4 groups"),
        ([True, False, True, False], list("aab"), "4 labels and 3 groups"),
    ],
)
def test_what_cannot_be_matched_is_refused(y, groups, problem):
    with pytest.raises(InputError, match=problem):
        matched_differences(np.ones((4, 2)), y, groups)


def test_combinations_are_sums_on_every_resample():
    found = matched_differences(*sample(5, shift=1.0), resamples=FEW)
    weights = np.array([[0.5, -1.0], [0.5, 0.0], [0.0, 0.0]])
    combined = found.combined(weights)
    np.testing.assert_allclose(combined.value, [found.value[:2].mean(), -found.value[0]])
    mean, turned = combined.intervals()
    first = found.intervals()[0]
    assert (turned["low"], turned["high"]) == pytest.approx((-first["high"], -first["low"]))
    assert mean["low"] < mean["value"] < mean["high"]
    assert combined.n_matched == found.n_matched


def test_corpora_are_counted_by_sign_and_by_clear_sign():
    shifts = (1.5, 1.5, 0.0, -1.5)
    corpora = [
        matched_differences(*sample(seed, n=60, shift=shift), resamples=FEW, seed=seed)
        for seed, shift in enumerate(shifts)
    ]
    first, other, _ = agreements(corpora)
    assert first.mean["value"] == pytest.approx(np.mean([corpus.value[0] for corpus in corpora]))
    assert (first.clearly_positive, first.clearly_negative) == (2, 1)
    assert first.positive + first.negative == 4
    assert other.positive + other.negative == 4
    assert first.p == pytest.approx(2 / (FEW + 1))
    assert other.p > 0.02
    assert first.mean["low"] < first.mean["value"] < first.mean["high"]


def test_a_mean_over_corpora_is_narrower_than_its_parts():
    corpora = [matched_differences(*sample(seed), resamples=500, seed=seed) for seed in range(9)]
    mean, single = agreements(corpora)[0].mean, corpora[0].intervals()[0]
    assert mean["high"] - mean["low"] < 0.5 * (single["high"] - single["low"])
