"""The numbers that an evaluation reports; the positive class is *hallucinated* in all of them.

None of them looks at the labels to improve itself: an AUROC below one half stays below one half, and the
operating point of `tpr_at_5fpr` is read off the curve without interpolation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, brier_score_loss, roc_curve

from halluscope.errors import InputError

#: Bins of the calibration error, the number that Guo et al. (2017) use.
ECE_BINS = 15
#: Largest false positive rate at which `tpr_at_5fpr` may read the curve.
FALSE_POSITIVE_RATE = 0.05


def auroc(y_true: ArrayLike, probability: ArrayLike) -> float:
    r"""Area under the ROC curve, never flipped.

    .. math:: P(s_+ > s_-) + \tfrac12 P(s_+ = s_-)

    for the scores of a random hallucinated and a random truthful answer, from the ranks (Hanley and McNeil
    1982). Choosing a layer takes hundreds of these, and scikit-learn's function, whose value is the same,
    spends as long on checking its input as a fit takes.

    Parameters
    ----------
    y_true : array-like of bool, shape (n,)
        Whether each answer is hallucinated; both classes must occur.
    probability : array-like of float, shape (n,)
        Predicted probability of *hallucinated*; any score that grows with it will do.

    Returns
    -------
    float
        Between 0 and 1; one half is chance.
    """
    y, score = checked(y_true, probability)
    positives = int(y.sum())
    above = rankdata(score)[y].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(y) - positives)))


def auprc(y_true: ArrayLike, probability: ArrayLike) -> float:
    r"""Area under the precision-recall curve, as average precision (no interpolation).

    .. math:: \sum_k (R_k - R_{k-1}) P_k

    over the distinct thresholds; chance is the share of hallucinated answers.

    Parameters
    ----------
    y_true, probability : array-like, shape (n,)
        As in `auroc`.

    Returns
    -------
    float
        Between 0 and 1.
    """
    y, score = checked(y_true, probability)
    return float(average_precision_score(y, score))


def brier(y_true: ArrayLike, probability: ArrayLike) -> float:
    r"""Mean squared error of the probability, :math:`\frac1n \sum_i (p_i - y_i)^2` (Brier 1950).

    Parameters
    ----------
    y_true, probability : array-like, shape (n,)
        As in `auroc`; the probabilities must lie in [0, 1].

    Returns
    -------
    float
        Between 0 and 1; 0 is perfect.
    """
    y, p = checked(y_true, probability, probabilities=True)
    return float(brier_score_loss(y, p))


def ece(y_true: ArrayLike, probability: ArrayLike) -> float:
    r"""Expected calibration error of the probability of *hallucinated*.

    .. math:: \sum_{b=1}^{15} \frac{1}{n} \Bigl| \sum_{i \in b} (y_i - p_i) \Bigr|

    over 15 bins of equal width, that is the gap between the share of hallucinated answers and the mean
    probability in each bin, weighted by the bin's share of the answers (Naeini et al. 2015; Guo et al. 2017).
    Equal widths make a bin depend on the probability alone, so neither ties nor the order of the rows matter
    and a bootstrap resample is measured with the same bins as the sample. The estimate is biased upwards when
    there are few answers: noise in a bin counts as miscalibration.

    Parameters
    ----------
    y_true, probability : array-like, shape (n,)
        As in `brier`.

    Returns
    -------
    float
        Between 0 and 1; 0 is perfect.
    """
    y, p = checked(y_true, probability, probabilities=True)
    gaps = np.bincount(calibration_bins(p), weights=y - p, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(y))


def tpr_at_5fpr(y_true: ArrayLike, probability: ArrayLike) -> float:
    """Largest true positive rate on the ROC curve with a false positive rate of at most 0.05.

    Only thresholds that the scores offer are used; points between them would need a coin toss. It is 0 where
    already the first threshold exceeds the rate.

    Parameters
    ----------
    y_true, probability : array-like, shape (n,)
        As in `auroc`.

    Returns
    -------
    float
        Between 0 and 1.
    """
    y, score = checked(y_true, probability)
    fpr, tpr, _ = roc_curve(y, score, drop_intermediate=False)
    return float(tpr[fpr <= FALSE_POSITIVE_RATE].max())


def aurc(y_true: ArrayLike, probability: ArrayLike) -> float:
    r"""Area under the risk-coverage curve (Geifman and El-Yaniv 2017): what it costs to trust some answers.

    .. math:: \frac1n \sum_{k=1}^{n} r_k

    where :math:`r_k` is the share of hallucinated answers among the k with the lowest probability. Answers
    of equal probability are trusted together, so their order does not matter.

    Parameters
    ----------
    y_true, probability : array-like, shape (n,)
        As in `auroc`.

    Returns
    -------
    float
        Between 0 and 1; small is good, and the share of hallucinated answers is chance.
    """
    y, score = checked(y_true, probability)
    order = np.argsort(score, kind="stable")
    trusted = np.flatnonzero(np.append(np.diff(score[order]) != 0, True)) + 1
    risk = np.cumsum(y[order])[trusted - 1] / trusted
    return float(np.sum(risk * np.diff(trusted, prepend=0)) / len(y))


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "auroc": auroc,
    "auprc": auprc,
    "brier": brier,
    "ece": ece,
    "tpr_at_5fpr": tpr_at_5fpr,
    "aurc": aurc,
}


def calibration_bins(probability: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of each probability's bin of equal width; 1.0 belongs to the last bin."""
    return np.minimum((probability * ECE_BINS).astype(np.intp), ECE_BINS - 1)


def checked(
    y_true: ArrayLike, scores: ArrayLike, *, probabilities: bool = False
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Labels and scores as arrays that a metric can be computed from.

    Parameters
    ----------
    y_true : array-like of bool, shape (n,)
        Labels.
    scores : array-like of float, shape (n,)
        Scores.
    probabilities : bool, default False
        Whether the scores must lie in [0, 1].

    Returns
    -------
    tuple of ndarray
        Labels as bool, scores as float64.

    Raises
    ------
    InputError
        Where lengths differ, a score is not finite or no probability, or only one class occurs.
    """
    y = np.asarray(y_true).astype(bool)
    s = np.asarray(scores, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape:
        raise InputError(
            f"labels of shape {y.shape} and scores of shape {s.shape}: give one score for each label"
        )
    if not np.isfinite(s).all():
        raise InputError(f"score {int(np.argmin(np.isfinite(s)))} is not a finite number")
    if probabilities and ((s < 0) | (s > 1)).any():
        raise InputError("scores outside [0, 1] are no probabilities: fit a classifier on them first")
    if y.all() or not y.any():
        present = "hallucinated" if y.any() else "not hallucinated"
        raise InputError(f"all {len(y)} answers are {present}: the metrics need answers of both kinds")
    return y, s
