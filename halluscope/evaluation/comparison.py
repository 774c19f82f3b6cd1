"""Methods compared over several corpora: mean gains with intervals, wins and losses, and Holm's correction.

Every method has a probability for every answer from each of several seeds, which fold the groups differently.
An AUROC is the mean over the seeds. Intervals come from the bootstrap of `halluscope.evaluation.bootstrap`:
one resample draws the groups of every corpus anew, the same for all methods and seeds, so that comparisons
are paired, and a mean over corpora is resampled as one number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from halluscope.evaluation.bootstrap import Interval, group_resamples, interval, resampled_auroc
from halluscope.evaluation.metrics import auroc
from halluscope.folds import group_codes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CorpusScores:
    """What several methods say about the answers of one corpus.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
        Whether each answer is hallucinated.
    groups : sequence of str, length n
        Question or entity of each answer.
    scores : mapping of str to ndarray of shape (seeds, n)
        Out-of-fold probability of *hallucinated* by method.
    resamples, seed : int
        Of the bootstrap. Corpora that are averaged need seeds of their own: those of one size would be
        resampled alike.
    """

    labels: NDArray[np.bool_]
    groups: Sequence[str]
    scores: Mapping[str, Floats]
    resamples: int = 1000
    seed: int = 0

    def auroc(self, method: str) -> float:
        """Mean over the seeds."""
        return float(np.mean([auroc(self.labels, scores) for scores in self.scores[method]]))

    def interval(self, method: str) -> Interval:
        """AUROC with its 95% interval."""
        return interval(self.auroc(method), self.drawn[method], least=0.0)

    @cached_property
    def drawn(self) -> dict[str, Floats]:
        """AUROC of every method on every resample, mean over the seeds, each (resamples,)."""
        codes, counts = group_resamples(self.labels, self.groups, self.resamples, self.seed)
        return {
            method: np.mean([resampled_auroc(self.labels, s, codes, counts) for s in scores], axis=0)
            for method, scores in self.scores.items()
        }

    def best_of(self, methods: Sequence[str]) -> str:
        """The method with the highest AUROC here: chosen on the very answers it is measured on."""
        return max(methods, key=self.auroc)

    def pair_accuracy(self, method: str) -> float | None:
        """How often a false answer to a question scores above a true one, ties half; mean over questions.

        None where no group has answers of both kinds.
        """
        shares = []
        for false, true in self.matched:
            scores = self.scores[method]
            apart = scores[:, false, None] - scores[:, None, true]
            shares.append(np.mean((np.sign(apart) + 1) / 2))
        return float(np.mean(shares)) if shares else None

    @cached_property
    def matched(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Rows of the false and of the true answers to each question that has both."""
        codes = group_codes(self.groups)
        rows = [np.flatnonzero(codes == code) for code in np.unique(codes)]
        parted = [(row[self.labels[row]], row[~self.labels[row]]) for row in rows]
        return [(false, true) for false, true in parted if len(false) and len(true)]


@dataclass(frozen=True)
class Gain:
    """One method against another over several corpora.

    Parameters
    ----------
    mean : dict
        ``value``, ``low`` and ``high`` of the mean difference of AUROC.
    p : float
        Two-sided bootstrap p-value of no difference, see `two_sided_p`.
    wins, ties, losses : int
        Corpora where the interval of the difference lies above zero, around it, below it.
    """

    mean: Interval
    p: float
    wins: int
    ties: int
    losses: int


def mean_gain(corpora: Sequence[CorpusScores], method: str, others: Sequence[str]) -> Gain:
    """Mean gain of a method over another, one for each corpus.

    Parameters
    ----------
    corpora : sequence of CorpusScores
        With equally many resamples.
    method : str
    others : sequence of str
        What it is compared with on each corpus: the same method everywhere, or the best of several.
    """
    gains = [
        corpus.auroc(method) - corpus.auroc(other) for corpus, other in zip(corpora, others, strict=True)
    ]
    drawn = np.array(
        [corpus.drawn[method] - corpus.drawn[other] for corpus, other in zip(corpora, others, strict=True)]
    )
    low, high = np.percentile(drawn, (2.5, 97.5), axis=1)
    means = drawn.mean(axis=0)
    return Gain(
        mean=interval(float(np.mean(gains)), means),
        p=two_sided_p(means),
        wins=int(np.sum(low > 0)),
        ties=int(np.sum((low <= 0) & (high >= 0))),
        losses=int(np.sum(high < 0)),
    )


def two_sided_p(drawn: Floats) -> float:
    """Bootstrap p-value of a quantity being zero, from its resamples; never below 2 / (resamples + 1)."""
    tail = min(np.sum(drawn <= 0), np.sum(drawn >= 0))
    return float(min(1.0, 2 * (tail + 1) / (len(drawn) + 1)))


def mean_auroc(corpora: Sequence[CorpusScores], method: str) -> Interval:
    """Mean AUROC of a method over corpora with equally many resamples, with its 95% interval."""
    drawn = np.mean([corpus.drawn[method] for corpus in corpora], axis=0)
    return interval(float(np.mean([corpus.auroc(method) for corpus in corpora])), drawn, least=0.0)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values corrected for their number, step by step (Holm 1979).

    Parameters
    ----------
    p_values : mapping of str to float
        Of all comparisons that are made.

    Returns
    -------
    dict of str to float
        Under 0.05 where the comparison holds at a family-wise error of 5%.
    """
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, p_values[name] * (len(p_values) - rank)))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}
