import time

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from halluscope.errors import InputError
from halluscope.evaluation.bootstrap import evaluate_scores, group_resamples, paired_gains, resampled_metrics
from halluscope.evaluation.metrics import METRICS


def sample(n, seed, ties=False):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    p = norm.cdf(rng.normal(size=n) + y - 0.5)
    return y, np.round(p, 1) if ties else p


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_metrics_equal_scikit_learns_on_every_resample(ties):
    y, p = sample(60, seed=3, ties=ties)
    codes, counts = group_resamples(y, np.arange(60) // 3, 40, seed=0)
    drawn = resampled_metrics(y, p, codes, counts)
    for number, count in enumerate(counts):
        weights = count[codes]
        rows = np.repeat(np.arange(60), weights)
        fpr, tpr, _ = roc_curve(y, p, sample_weight=weights, drop_intermediate=False)
        expected = {
            "auroc": roc_auc_score(y, p, sample_weight=weights),
            "auprc": average_precision_score(y, p, sample_weight=weights),
            "brier": brier_score_loss(y, p, sample_weight=weights),
            "tpr_at_5fpr": tpr[fpr <= 0.05].max(),
            "ece": METRICS["ece"](y[rows], p[rows]),
            "aurc": METRICS["aurc"](y[rows], p[rows]),
        }
        for name, value in expected.items():
            assert drawn[name][number] == pytest.approx(value), name
            assert METRICS[name](y[rows], p[rows]) == pytest.approx(value), name


def test_resampling_in_blocks_changes_nothing(monkeypatch):
    y, p = sample(50, seed=1)
    whole = evaluate_scores(y, p, range(50), resamples=200)
    monkeypatch.setattr("halluscope.evaluation.bootstrap.BLOCK", 170)
    for name, found in evaluate_scores(y, p, range(50), resamples=200).items():
        assert found == pytest.approx(whole[name])


def test_the_interval_covers_the_true_auroc_about_95_times_in_100():
    truth = norm.cdf(1 / np.sqrt(2))
    held = []
    for seed in range(200):
        y, p = sample(120, seed)
        found = paired_gains(y, p, {"constant": np.full(120, 0.5)}, range(120), resamples=300, seed=seed)
        held.append(found["constant"]["low"] <= truth - 0.5 <= found["constant"]["high"])
    assert 0.90 <= np.mean(held) <= 0.99


def test_copies_of_an_answer_in_one_group_add_no_certainty():
    y, p = sample(80, seed=5)
    alone = evaluate_scores(y, p, range(80))
    copied = np.repeat(np.arange(80), 4)
    clustered = evaluate_scores(y[copied], p[copied], copied)
    naive = evaluate_scores(y[copied], p[copied], range(320))
    assert clustered["auroc"] == pytest.approx(alone["auroc"])

    def width(result):
        return result["auroc"]["high"] - result["auroc"]["low"]

    assert width(clustered) > 1.7 * width(naive)


def test_every_interval_holds_its_value():
    for seed in range(10):
        y, p = sample(60, seed)
        for name, found in evaluate_scores(y, p, np.arange(60) // 2, resamples=200).items():
            assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1, name


def test_same_seed_same_intervals():
    y, p = sample(60, seed=0)
    assert evaluate_scores(y, p, range(60), seed=4) == evaluate_scores(y, p, range(60), seed=4)
    assert evaluate_scores(y, p, range(60), seed=4) != evaluate_scores(y, p, range(60), seed=5)


def test_gains_are_paired_and_signed():
    y, p = sample(200, seed=2)
    gains = paired_gains(y, p, {"itself": p, "inverted": 1 - p, "length": -40 * p + 7}, range(200))
    assert gains["itself"] == {"value": 0, "low": 0, "high": 0}
    assert gains["inverted"]["low"] > 0
    assert gains["inverted"] == pytest.approx(gains["length"])
    noisy = norm.cdf(norm.ppf(p) + np.random.default_rng(0).normal(scale=0.1, size=200))
    near = paired_gains(y, p, {"near": noisy}, range(200))["near"]
    single = evaluate_scores(y, p, range(200))["auroc"]
    assert near["high"] - near["low"] < 0.3 * (single["high"] - single["low"])


def test_resamples_of_one_class_are_drawn_again():
    y = np.array([True, False, False, False])
    codes, counts = group_resamples(y, [0, 1, 2, 3], 500, seed=0)
    assert counts.shape == (500, 4)
    assert (counts[:, codes[y]].sum(axis=1) > 0).all()
    assert (counts[:, codes[~y]].sum(axis=1) > 0).all()


def test_more_groups_than_a_short_integer_counts():
    y = np.arange(80_000) % 2 == 0
    _, counts = group_resamples(y, np.arange(80_000) // 2, 3, seed=0)
    assert (counts.sum(axis=1, dtype=int) == 40_000).all()


def test_one_group_has_no_interval():
    with pytest.raises(InputError, match="at least two groups"):
        evaluate_scores([True, False], [0.3, 0.4], ["a", "a"])


def test_groups_must_match():
    with pytest.raises(InputError, match="2 labels but 3 groups"):
        evaluate_scores([True, False], [0.3, 0.4], ["a", "b", "c"])


def test_ten_score_vectors_take_seconds_at_most():
    y, p = sample(2000, seed=0)
    start = time.process_time()
    for _ in range(10):
        evaluate_scores(y, p, np.arange(2000) // 2)
    assert time.process_time() - start < 10
