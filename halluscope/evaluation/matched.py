"""How far true and invented answers to the same question lie apart, feature by feature.

Questions (or subjects: groups) differ from each other far more than their answers do, so a difference is
taken within each question that has answers of both kinds, and averaged over the questions, each of which
counts once. It is then divided by the standard deviation of the answers of one kind, the root of the mean
variance of both kinds: the d_av of Cumming (*Understanding the New Statistics*, 2012, chapter 11) and Lakens
(Frontiers in Psychology 4, 863, 2013). Divided by the deviation of the differences themselves (d_z), it would
grow with the number of answers to a question and with their likeness, and corpora with two and with ten
answers to a question could not stand side by side; here 0.2 is a fifth of the spread between answers
everywhere. Matching shows in the interval, which resamples whole questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from halluscope.errors import InputError
from halluscope.evaluation.bootstrap import Interval, group_resamples, interval
from halluscope.evaluation.comparison import two_sided_p

Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
"""So many that the smallest p-value survives Holm's correction for some two hundred comparisons."""

_ROUNDING = 1e-9  # a spread below this share of the values is no spread


@dataclass(frozen=True, eq=False)
class MatchedDifferences:
    """Standardised differences of one corpus, true less invented, with their resamples.

    Parameters
    ----------
    value : ndarray of shape (features,)
        In standard deviations of answers of one kind; positive where true answers have more of it.
    drawn : ndarray of shape (resamples, features)
        The same on every resample of the questions.
    n_groups, n_matched : int
        Questions in all, and those with answers of both kinds: only these tell anything here.
    n : int
        Answers to the matched questions.
    """

    value: Floats
    drawn: Floats
    n_groups: int
    n_matched: int
    n: int

    def intervals(self) -> list[Interval]:
        """Each difference with its 95% interval."""
        return [
            interval(float(value), drawn, least=-np.inf)
            for value, drawn in zip(self.value, self.drawn.T, strict=True)
        ]

    def combined(self, weights: Floats) -> MatchedDifferences:
        """Weighted sums of the differences: means of several features, or the same with its sign turned.

        Parameters
        ----------
        weights : ndarray of shape (features, combinations)
        """
        return replace(self, value=self.value @ weights, drawn=self.drawn @ weights)


def matched_differences(
    features: npt.ArrayLike,
    hallucinated: npt.ArrayLike,
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> MatchedDifferences:
    """Standardised mean difference of every feature within the questions that have answers of both kinds.

    ``d = mean_g(t_g - i_g) / sqrt((var_t + var_i) / 2)``, where t_g and i_g are the means of the true and of
    the invented answers to question g, and var_t and var_i the variances of all matched answers of a kind,
    each question with the same weight. 0 for a feature that is the same in all answers.

    Parameters
    ----------
    features : array-like of shape (pairs, features)
        Finite.
    hallucinated : array-like of bool, shape (pairs,)
    groups : sequence of str, length pairs
        Question of each pair.
    resamples : int, default 10000
        Bootstrap resamples of the matched questions.
    seed : int, default 0
        Of the bootstrap.

    Returns
    -------
    MatchedDifferences

    Raises
    ------
    InputError
        If lengths differ or fewer than two questions have answers of both kinds.
    """
    x, labels = np.asarray(features, dtype=np.float64), np.asarray(hallucinated, dtype=bool)
    if not x.ndim == 2 or not len(x) == len(labels) == len(groups):
        raise InputError(
            f"features of shape {x.shape}, {len(labels)} labels and {len(groups)} groups: "
            "give one row, one label and one group for each pair"
        )
    n_groups, rows = len(set(groups)), matched_rows(labels, groups)
    # numbered by name, not by first appearance: the resamples do not depend on the order of the pairs
    names, codes = np.unique(np.asarray(groups)[rows], return_inverse=True)
    n_matched = len(names)
    if n_matched < 2:
        raise InputError(f"{n_matched} of {n_groups} questions have answers of both kinds: at least 2 must")
    z, labels = _standardised(x[rows]), labels[rows]
    # of each kind: means and mean squares of every question, (questions, features)
    true, invented = (
        [_group_means(p, codes, kind, n_matched) for p in (z, z**2)] for kind in (~labels, labels)
    )
    both = np.tile([False, True], n_matched)
    _, drawn = group_resamples(both, np.repeat(np.arange(n_matched), 2).tolist(), resamples, seed)
    weights = np.vstack([np.ones(n_matched), drawn]) / n_matched
    moments = [[weights @ moment for moment in kind] for kind in (true, invented)]
    variance = sum(square - mean**2 for mean, square in moments) / 2
    # where both kinds are constant but differ, a resample would divide by nothing
    d = (moments[0][0] - moments[1][0]) / np.sqrt(np.maximum(variance, _ROUNDING))
    return MatchedDifferences(d[0], d[1:], n_groups, n_matched, len(labels))


def matched_rows(hallucinated: npt.ArrayLike, groups: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which pairs belong to a question that has answers of both kinds, shape (pairs,)."""
    labels = np.asarray(hallucinated, dtype=bool)
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    counts = [np.bincount(codes[kind], minlength=len(names)) for kind in (~labels, labels)]
    return np.asarray((np.stack(counts) > 0).all(axis=0))[codes]


def _standardised(x: Floats) -> Floats:
    """Centred and scaled, so that moments lose nothing to rounding; 0 where all values are alike."""
    centred = x - x.mean(axis=0)
    spread = centred.std(axis=0)
    varies = spread > _ROUNDING * np.abs(x).max(axis=0)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=varies)


def _group_means(x: Floats, codes: npt.NDArray[np.intp], kind: npt.NDArray[np.bool_], n: int) -> Floats:
    """Mean over the answers of one kind to each question."""
    sums = np.zeros((n, x.shape[1]))
    np.add.at(sums, codes[kind], x[kind])
    return sums / np.bincount(codes[kind], minlength=n)[:, None]


@dataclass(frozen=True)
class Agreement:
    """One difference over several corpora.

    Parameters
    ----------
    mean : dict
        ``value``, ``low`` and ``high`` of the mean over these corpora: its interval speaks of other questions
        to the same corpora, not of other corpora.
    p : float
        Two-sided bootstrap p-value of no mean difference.
    positive, negative : int
        Corpora in which the difference lies above or below zero.
    clearly_positive, clearly_negative : int
        Corpora in which its whole interval does.
    """

    mean: Interval
    p: float
    positive: int
    negative: int
    clearly_positive: int
    clearly_negative: int


def agreements(corpora: Sequence[MatchedDifferences]) -> list[Agreement]:
    """Every difference over several corpora, each of which counts once.

    Parameters
    ----------
    corpora : sequence of MatchedDifferences
        At least one; of the same features, with equally many resamples from seeds of their own.
    """
    values = np.stack([corpus.value for corpus in corpora])
    drawn = np.mean([corpus.drawn for corpus in corpora], axis=0)
    intervals = [corpus.intervals() for corpus in corpora]
    low, high = (np.array([[each[bound] for each in row] for row in intervals]) for bound in ("low", "high"))
    return [
        Agreement(
            mean=interval(float(values[:, f].mean()), drawn[:, f], least=-np.inf),
            p=two_sided_p(drawn[:, f]),
            positive=int(np.sum(values[:, f] > 0)),
            negative=int(np.sum(values[:, f] < 0)),
            clearly_positive=int(np.sum(low[:, f] > 0)),
            clearly_negative=int(np.sum(high[:, f] < 0)),
        )
        for f in range(values.shape[1])
    ]
