"""What all baselines share that choose how they read the states: the choice is made inside the training part.

The columns are standardised with the statistics of that whole part, which involve no label and no test row.
The logits that the inner folds held out calibrate the probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.preprocessing import StandardScaler

from halluscope.evaluation.folds import inner_folds
from halluscope.evaluation.linear import platt
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs
from halluscope.folds import Fold

Floats = NDArray[Any]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]
Candidate = tuple[Any, ...]


class ChoosingClassifier(PairClassifier):
    """A model of the columns that one of several candidates, such as layers, makes of the pairs.

    Subclasses name the candidates, make their columns, and say how a model of given columns is tried on the
    inner folds, trained and read. The first of equally good candidates is taken.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    choice_ : tuple
        The candidate that was chosen.
    setting_ : object
        What was chosen about the model of its columns, such as its penalty.
    held_out_ : ndarray of float, shape (n,)
        Probability of each training pair from the inner fold that held it out, with what was chosen.
    """

    def __init__(self, inner_folds: int = 3, random_state: int = 0) -> None:
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        best = -1.0
        for candidate in self._candidates(pairs):
            rows = self._scaling().fit_transform(self._columns(pairs, candidate))
            auroc, setting, logits = self._try(rows, labels, folds)
            if auroc > best:
                best, held_out = auroc, logits
                self.choice_, self.setting_ = candidate, setting
        self._platt = platt(held_out, labels)
        self.held_out_ = self._calibrated(held_out)
        columns = self._columns(pairs, self.choice_)
        self._scaler = self._scaling().fit(columns)
        self._model = self._train(self._scaler.transform(columns), labels)

    def _probability(self, pairs: RecordedPairs) -> Floats:
        return self._calibrated(self._logits(self._scaler.transform(self._columns(pairs, self.choice_))))

    def _calibrated(self, logits: Floats) -> Floats:
        slope, intercept = self._platt
        return np.asarray(expit(slope * logits + intercept))

    def _scaling(self) -> StandardScaler:
        return StandardScaler()

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        """What there is to choose from; nothing but one way of reading unless a subclass says otherwise."""
        return [()]

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        """What a candidate reads of each pair, shape (n, columns)."""
        raise NotImplementedError

    def _try(self, rows: Floats, labels: Labels, folds: list[Fold]) -> tuple[float, Any, Floats]:
        """Mean AUROC over the inner folds, the setting it was reached with, and the held-out logits, (n,)."""
        raise NotImplementedError

    def _train(self, rows: Floats, labels: Labels) -> Any:
        """A model with the chosen setting."""
        raise NotImplementedError

    def _logits(self, rows: Floats) -> Floats:
        """What the trained model says, shape (n,)."""
        raise NotImplementedError
