"""Confidence intervals from a bootstrap that resamples whole groups.

Answers to one question are not independent, so the unit that is drawn with replacement is the group (the
cluster bootstrap of Davison and Hinkley 1997, section 3.8). A resample is then an integer weight for each
group: the scores are sorted once, and the weighted curves of all resamples are sums along that order.

A resample in which one class is missing has no ROC curve; it is drawn again, so that the intervals describe
resamples that contain both classes.

Intervals run from the 2.5th to the 97.5th percentile of the resamples, but for the calibration error. That
is biased upwards and a resample is biased twice over, so its percentiles lie above the truth: with 300
answers and a true error of 0.135 they held it in 66% of simulated samples, with perfect calibration in
none. They are reflected at the value instead (the basic bootstrap, section 5.2.1 there), which held it in
91% and 50%.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from halluscope.errors import InputError
from halluscope.evaluation.metrics import (
    ECE_BINS,
    FALSE_POSITIVE_RATE,
    METRICS,
    auroc,
    calibration_bins,
    checked,
)
from halluscope.folds import group_codes

Floats = NDArray[np.float64]
Interval = dict[str, float]

#: Weights held in memory at once; blocks of this size stay in the processor's cache.
BLOCK = 200_000
#: Percentiles that bound a 95% interval.
BOUNDS = (2.5, 97.5)


def evaluate_scores(
    y: ArrayLike,
    scores: ArrayLike,
    groups: Iterable[Hashable],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """All metrics of one vector of probabilities, each with its 95% percentile interval.

    Parameters
    ----------
    y : array-like of bool, shape (n,)
        Whether each answer is hallucinated.
    scores : array-like of float, shape (n,)
        Probability of *hallucinated*.
    groups : iterable of hashable, length n
        Question or entity of each answer.
    resamples : int, default 1000
        Number of bootstrap resamples.
    seed : int, default 0
        Seed of the resampling; the same seed gives the same resamples for other scores of the same answers.

    Returns
    -------
    dict of str to dict
        Metric name to ``{"value", "low", "high"}``.
    """
    labels, probability = checked(y, scores, probabilities=True)
    codes, counts = group_resamples(labels, groups, resamples, seed)
    drawn = resampled_metrics(labels, probability, codes, counts)
    values = {name: metric(labels, probability) for name, metric in METRICS.items()}
    drawn["ece"] = 2 * values["ece"] - drawn["ece"]
    return {name: interval(value, drawn[name], least=0.0) for name, value in values.items()}


def paired_gains(
    y: ArrayLike,
    scores: ArrayLike,
    others: Mapping[str, ArrayLike],
    groups: Iterable[Hashable],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """AUROC of the scores minus that of each other score vector, on the same resamples.

    What the two vectors share (easy and hard questions) cancels in the difference, so its interval is the one
    to judge a gain by, not the overlap of two single intervals.

    Parameters
    ----------
    y, scores, groups, resamples, seed
        As in `evaluate_scores`; scores need not be probabilities.
    others : mapping of str to array-like of float, shape (n,)
        Scores to compare with.

    Returns
    -------
    dict of str to dict
        Name to ``{"value", "low", "high"}``; positive where ``scores`` rank better.
    """
    labels, own = checked(y, scores)
    codes, counts = group_resamples(labels, groups, resamples, seed)
    own_drawn = resampled_auroc(labels, own, codes, counts)
    gains = {}
    for name, other in others.items():
        _, compared = checked(labels, other)
        drawn = own_drawn - resampled_auroc(labels, compared, codes, counts)
        gains[name] = interval(auroc(labels, own) - auroc(labels, compared), drawn)
    return gains


def interval(value: float, drawn: Floats, least: float = -1.0) -> Interval:
    """The value with the percentile interval of its resamples, which always holds the value."""
    low, high = np.percentile(drawn, BOUNDS)
    return {"value": value, "low": float(max(least, min(low, value))), "high": float(max(high, value))}


def group_resamples(
    labels: NDArray[np.bool_], groups: Iterable[Hashable], resamples: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.int16]]:
    """How often each group occurs in each resample.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
        Labels, of both classes.
    groups : iterable of hashable, length n
        Group of each row.
    resamples : int
        Number of resamples.
    seed : int
        Seed.

    Returns
    -------
    codes : ndarray of int, shape (n,)
        Group number of each row.
    counts : ndarray of int16, shape (resamples, number of groups)
        Multinomial counts; every resample holds both classes.
    """
    codes = group_codes(groups)
    if codes.shape != labels.shape:
        raise InputError(f"{labels.size} labels but {codes.size} groups: give one group for each label")
    n_groups = int(codes.max()) + 1
    if n_groups < 2:
        raise InputError("all answers are in one group: a confidence interval needs at least two groups")
    holds = np.stack([np.bincount(codes, weights=kind, minlength=n_groups) > 0 for kind in (labels, ~labels)])
    rng = np.random.default_rng(seed)
    counts = np.empty((0, n_groups), dtype=np.int16)
    # Both classes are in the sample, so at least half of all draws hold both and the loop ends soon.
    while len(counts) < resamples:
        draws = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=resamples).astype(np.int16)
        both = ((draws @ holds.T.astype(np.float32)) > 0).all(axis=1)  # sums of int16 would wrap around
        counts = np.concatenate([counts, draws[both]])
    return codes, counts[:resamples]


def resampled_metrics(
    labels: NDArray[np.bool_], probability: Floats, codes: NDArray[np.intp], counts: NDArray[np.int16]
) -> dict[str, Floats]:
    """Every metric of `METRICS` on every resample; each array has shape (resamples,)."""
    squared = (probability - labels) ** 2
    gaps = np.zeros((len(labels), ECE_BINS))
    gaps[np.arange(len(labels)), calibration_bins(probability)] = labels - probability
    parts: list[tuple[Floats, ...]] = []
    for tp, fp, weights, order in weighted_curves(labels, probability, codes, counts):
        total = weights.sum(axis=1)
        calibration = np.abs(weights @ gaps[order]).sum(axis=1) / total
        parts.append(
            (
                area(tp, fp),
                precision(tp, fp),
                weights @ squared[order] / total,
                calibration,
                recall(tp, fp),
                mean_risk(tp, fp),
            )
        )
    return dict(zip(METRICS, map(np.concatenate, zip(*parts, strict=True)), strict=True))


def resampled_auroc(
    labels: NDArray[np.bool_], scores: Floats, codes: NDArray[np.intp], counts: NDArray[np.int16]
) -> Floats:
    """The AUROC on every resample, shape (resamples,)."""
    return np.concatenate([area(tp, fp) for tp, fp, _, _ in weighted_curves(labels, scores, codes, counts)])


def weighted_curves(
    labels: NDArray[np.bool_], scores: Floats, codes: NDArray[np.intp], counts: NDArray[np.int16]
) -> Iterator[tuple[Floats, Floats, Floats, NDArray[np.intp]]]:
    """Weighted true and false positives above each distinct threshold, a block of resamples at a time.

    Yields
    ------
    tp, fp : ndarray, shape (block, thresholds + 1)
        Cumulative weights, from the point (0, 0) to the totals.
    weights : ndarray, shape (block, n)
        Weight of each row, in the order of falling scores.
    order : ndarray of int, shape (n,)
        Rows in that order.
    """
    order = np.argsort(-scores, kind="stable")
    # Equal scores cross a threshold together: the curve has a point after the last row of each run of ties.
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    positive = labels[order].astype(np.float64)
    rows = max(1, BLOCK // len(labels))
    for start in range(0, len(counts), rows):
        weights = counts[start : start + rows, codes[order]].astype(np.float64)
        tp = np.zeros((len(weights), len(ends) + 1))
        fp = np.zeros_like(tp)
        tp[:, 1:] = np.cumsum(weights * positive, axis=1)[:, ends]
        fp[:, 1:] = np.cumsum(weights, axis=1)[:, ends] - tp[:, 1:]
        yield tp, fp, weights, order


def area(tp: Floats, fp: Floats) -> Floats:
    """Area under weighted ROC curves by trapezoids, which give ties their half."""
    doubled = np.einsum("rk,rk->r", np.diff(fp, axis=1), tp[:, 1:] + tp[:, :-1])
    return np.asarray(doubled / (2 * tp[:, -1] * fp[:, -1]))


def precision(tp: Floats, fp: Floats) -> Floats:
    """Average precision of weighted curves."""
    selected = np.maximum(tp[:, 1:] + fp[:, 1:], 1)  # a threshold that selects nothing adds no recall either
    return np.asarray(np.einsum("rk,rk->r", np.diff(tp, axis=1), tp[:, 1:] / selected) / tp[:, -1])


def recall(tp: Floats, fp: Floats) -> Floats:
    """Largest true positive rate of weighted curves at the permitted false positive rate."""
    permitted = fp / fp[:, -1:] <= FALSE_POSITIVE_RATE
    return np.asarray((tp * permitted).max(axis=1) / tp[:, -1])


def mean_risk(tp: Floats, fp: Floats) -> Floats:
    """Area under weighted risk-coverage curves: whatever is not above a threshold is trusted."""
    trusted = (tp + fp)[:, -1:] - (tp + fp)
    risk = (tp[:, -1:] - tp) / np.maximum(trusted, 1)  # where nothing is trusted, nothing is added either
    return np.asarray(np.einsum("rk,rk->r", risk[:, :-1], -np.diff(trusted, axis=1)) / trusted[:, 0])
