"""Training sets of given sizes out of one corpus, and the answers that are held out from all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.cache import path_of
from benchmarks.corpus import Corpus, subset
from halluscope import Detector
from halluscope.detector.cross_fitting import TrainingPart
from halluscope.detector.labelled import LabelledPairs
from halluscope.errors import InputError
from halluscope.folds import Fold, group_codes, grouped_folds

HELD_OUT = 3
"""One fold of so many is held out."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Pairs to learn from.

    Parameters
    ----------
    size : int
        How many.
    draw : int
        Number of the draw.
    part : TrainingPart
        Their rows, and the folds that the detector makes of them.
    """

    size: int
    draw: int
    part: TrainingPart


@dataclass(frozen=True, eq=False)
class Curve:
    """What is learned from and tested on in one corpus.

    Parameters
    ----------
    corpus : Corpus
    sizes : tuple of int
        Training pairs.
    draws : int
        How often they are drawn. One draw's smaller sets lie in its larger ones.
    """

    corpus: Corpus
    sizes: tuple[int, ...]
    draws: int

    @cached_property
    def split(self) -> Fold:
        """Rows of the groups that may be learned from, and of those held out."""
        labelled = self.corpus.labelled
        return grouped_folds(labelled.hallucinated, labelled.groups, HELD_OUT)[0]

    @cached_property
    def drawn(self) -> list[Drawn]:
        """All sets of pairs to learn from, of the sizes that the corpus is large enough for."""
        labelled, detector = self.corpus.labelled, Detector(self.corpus.lm, prior=False)
        found = []
        for draw in range(self.draws):
            pairs = draw_pairs(labelled, self.split[0], seed=draw)
            for size in self.sizes:
                rows = np.sort(pairs[:size].ravel())
                if len(pairs) < size:
                    continue
                y, groups = labelled.hallucinated[rows], labelled.groups[rows]
                try:
                    folds = grouped_folds(y, groups, detector.folds, detector.seed)
                except InputError:  # many answers of few groups
                    continue
                found.append(Drawn(size, draw, TrainingPart(rows, folds)))
        return found

    def reached(self, size: int) -> bool:
        """Whether the corpus has enough pairs in enough groups for a size, in every draw."""
        return sum(drawn.size == size for drawn in self.drawn) == self.draws

    def path(self, method: str, drawn: Drawn) -> Path:
        """Where the probabilities of the held-out answers are kept."""
        corpus = self.corpus
        labelled = [subset(corpus.labelled, rows) for rows in (drawn.part.rows, self.split[1])]
        return path_of(corpus.cache, method, f"{drawn.size}-pairs-{drawn.draw}", [corpus.lm], labelled)


def draw_pairs(labelled: LabelledPairs, rows: Rows, seed: int) -> npt.NDArray[np.intp]:
    """True and invented answers in pairs, group after group in a random order.

    Answers of one group are paired with each other; those left over, with those left over from other groups.

    Parameters
    ----------
    labelled : LabelledPairs
    rows : ndarray of int
        To be drawn from.
    seed : int
        Of the order.

    Returns
    -------
    ndarray of int, shape (pairs, 2)
        Row of the true answer and of the invented one.
    """
    codes = group_codes(labelled.groups[rows])
    pairs: list[tuple[int, int]] = []
    left: tuple[list[int], list[int]] = ([], [])
    for code in np.random.default_rng(seed).permutation(codes.max() + 1):
        group = rows[codes == code]
        true, false = (group[labelled.hallucinated[group] == kind].tolist() for kind in (False, True))
        both = min(len(true), len(false))
        pairs += zip(true[:both], false[:both], strict=True)
        for kind, rest in zip(left, (true[both:], false[both:]), strict=True):
            kind += rest
        while all(left):
            pairs.append((left[0].pop(0), left[1].pop(0)))
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)
