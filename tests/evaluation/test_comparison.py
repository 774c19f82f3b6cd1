import numpy as np
import pytest

from halluscope.evaluation.bootstrap import evaluate_scores, paired_gains
from halluscope.evaluation.comparison import CorpusScores, holm, mean_auroc, mean_gain, two_sided_p


def corpus(seed, *, good=1.5, poor=0.5, n_seeds=1):
    """A hundred questions with two answers each, judged by a good method and by a poor one."""
    rng = np.random.default_rng(seed)
    labels = np.arange(200) % 2 == 0
    scores = {}
    for name, signal in (("good", good), ("poor", poor)):
        logits = signal * labels + rng.normal(size=(n_seeds, 200))
        scores[name] = 1 / (1 + np.exp(-logits))
    return CorpusScores(labels, [str(row // 2) for row in range(200)], scores, resamples=300)


def test_one_seed_is_what_the_bootstrap_gives():
    one = corpus(0)
    good, poor = one.scores["good"][0], one.scores["poor"][0]
    assert one.interval("good") == evaluate_scores(one.labels, good, one.groups, resamples=300)["auroc"]
    gain = paired_gains(one.labels, good, {"poor": poor}, one.groups, resamples=300)["poor"]
    assert mean_gain([one], "good", ["poor"]).mean == pytest.approx(gain)


def test_an_auroc_is_the_mean_over_seeds():
    three = corpus(1, n_seeds=3)
    single = [CorpusScores(three.labels, three.groups, {"good": s[None]}) for s in three.scores["good"]]
    assert three.auroc("good") == pytest.approx(np.mean([one.auroc("good") for one in single]))


def test_a_mean_auroc_has_the_interval_of_the_mean():
    corpora = [corpus(seed, n_seeds=2) for seed in range(4)]
    mean = mean_auroc(corpora, "good")
    assert mean["value"] == pytest.approx(np.mean([c.auroc("good") for c in corpora]))
    assert mean["low"] < mean["value"] < mean["high"]
    one = corpora[0].interval("good")
    assert mean["high"] - mean["low"] < 0.7 * (one["high"] - one["low"])
    assert mean_auroc(corpora[:1], "good") == pytest.approx(one)


def test_a_mean_over_corpora_is_narrower_than_its_parts():
    corpora = [corpus(seed) for seed in range(6)]
    gain = mean_gain(corpora, "good", ["poor"] * 6)
    assert gain.mean["value"] == pytest.approx(np.mean([c.auroc("good") - c.auroc("poor") for c in corpora]))
    single = mean_gain(corpora[:1], "good", ["poor"])
    assert gain.mean["high"] - gain.mean["low"] < 0.6 * (single.mean["high"] - single.mean["low"])
    assert gain.p == pytest.approx(2 / 301)
    assert (gain.wins + gain.ties, gain.losses) == (6, 0)
    other = mean_gain(corpora, "poor", ["good"] * 6)
    assert (other.losses, other.wins) == (gain.wins, 0)
    assert other.p == gain.p


def test_equal_methods_tie():
    corpora = [corpus(seed) for seed in range(3)]
    gain = mean_gain(corpora, "good", ["good"] * 3)
    assert (gain.mean["value"], gain.p, gain.ties) == (0, 1, 3)


def test_the_best_is_chosen_corpus_by_corpus():
    corpora = [corpus(0), corpus(1, good=0.2, poor=2.0)]
    assert [one.best_of(["good", "poor"]) for one in corpora] == ["good", "poor"]


def test_pair_accuracy_compares_within_a_question():
    labels = np.array([True, False, True, False, False])
    scores = {"method": np.array([[0.9, 0.8, 0.2, 0.1, 0.2]])}
    one = CorpusScores(labels, ["a", "a", "b", "b", "b"], scores)
    assert one.pair_accuracy("method") == pytest.approx((1 + 0.75) / 2)
    alone = CorpusScores(labels, list("abcde"), scores)
    assert alone.pair_accuracy("method") is None


def test_holm_by_hand():
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert holm({"only": 0.7}) == {"only": 0.7}
    assert max(holm(dict.fromkeys("abc", 0.9)).values()) == 1


def test_two_sided_p_by_hand():
    drawn = np.array([-1.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert two_sided_p(drawn) == two_sided_p(-drawn) == pytest.approx(2 * 2 / 10)
    assert two_sided_p(np.abs(drawn)) == pytest.approx(2 / 10)
    assert two_sided_p(np.zeros(9)) == 1
