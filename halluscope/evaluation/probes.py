"""Baselines that read the hidden states through one linear model."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from halluscope.evaluation.choosing import Candidate, ChoosingClassifier
from halluscope.evaluation.folds import inner_folds
from halluscope.evaluation.linear import choose_strength, logistic, platt, span
from halluscope.evaluation.recorded import OPENING, PairClassifier, RecordedPairs
from halluscope.folds import Fold

Floats = NDArray[Any]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]

#: How a layer's states over the answer's tokens become one vector.
POOLINGS = ("last", "mean")


class LinearProbe(ChoosingClassifier):
    """Logistic regression on the standardised columns of one candidate; its penalty is chosen with it."""

    @property
    def strength_(self) -> float:
        """The inverse penalty that was chosen."""
        return float(self.setting_)

    def _try(self, rows: Floats, labels: Labels, folds: list[Fold]) -> tuple[float, Any, Floats]:
        return choose_strength(rows / _root(rows), labels, folds)

    def _train(self, rows: Floats, labels: Labels) -> LogisticRegression:
        return logistic(self.strength_).fit(rows / _root(rows), labels)

    def _logits(self, rows: Floats) -> Floats:
        return np.asarray(self._model.decision_function(rows / _root(rows)))


class BestLayerProbe(LinearProbe):
    """Logistic regression on the one layer and pooling that do best inside the training part.

    Parameters
    ----------
    poolings : tuple of str, default ("last", "mean")
        To choose from.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    pooling_, layer_, strength_ : str, int, float
        What was chosen.
    """

    def __init__(
        self, poolings: tuple[str, ...] = POOLINGS, inner_folds: int = 3, random_state: int = 0
    ) -> None:
        super().__init__(inner_folds, random_state)
        self.poolings = poolings

    @property
    def pooling_(self) -> str:
        """The pooling that was chosen."""
        return str(self.choice_[0])

    @property
    def layer_(self) -> int:
        """The layer that was chosen."""
        return int(self.choice_[1])

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        return product(self.poolings, range(pairs.n_layers))

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.layer(*candidate)


class QuestionProbe(BestLayerProbe):
    """The best-layer probe at the token before the answer, which has seen the question only.

    What it finds is how hard a question is, not what is wrong with an answer (2509.10625, which takes a
    difference of means instead of a regression).

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    layer_, strength_ : int, float
        What was chosen.
    """

    needs: ClassVar[tuple[str, ...]] = (OPENING,)

    def __init__(self, inner_folds: int = 3, random_state: int = 0) -> None:
        super().__init__((OPENING,), inner_folds, random_state)


class AllLayerProbe(PairClassifier):
    """Logistic regression on the states of all layers side by side.

    The pooling (last token, mean, or both) and the penalty are chosen inside the training part.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    poolings_, strength_ : tuple of str, float
        What was chosen.
    coef_ : dict of str to ndarray, shape (layers * d,)
        Weights of the standardised states of each chosen pooling.
    held_out_ : ndarray of float, shape (n,)
        Probability of each training pair from the inner fold that held it out, with what was chosen.
    """

    def __init__(self, inner_folds: int = 3, random_state: int = 0) -> None:
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        self._scalers = {name: StandardScaler().fit(_flat(pairs, name)) for name in POOLINGS}
        rows = {name: self._rows(pairs, name) for name in POOLINGS}
        grams: dict[tuple[str, ...], Floats] = {(name,): rows[name] @ rows[name].T for name in POOLINGS}
        grams[POOLINGS] = np.mean(list(grams.values()), axis=0)
        best = -1.0
        for poolings, gram in grams.items():
            basis = span(gram)
            choice = choose_strength(basis.coordinates, labels, folds)
            if choice.auroc > best:
                best, chosen, held_out = choice.auroc, basis, choice.logits
                self.poolings_, self.strength_ = poolings, choice.strength
        self._platt = platt(held_out, labels)
        self.held_out_ = self._calibrated(held_out)
        model = logistic(self.strength_).fit(chosen.coordinates, labels)
        self._intercept = float(model.intercept_[0])
        dual = chosen.dual @ model.coef_[0] / len(self.poolings_)
        self.coef_ = {name: rows[name].T @ dual.astype(np.float32) for name in self.poolings_}

    def _rows(self, pairs: RecordedPairs, pooling: str) -> Floats:
        flat = _flat(pairs, pooling)
        return np.asarray(self._scalers[pooling].transform(flat) / np.float32(np.sqrt(flat.shape[1])))

    def _probability(self, pairs: RecordedPairs) -> Floats:
        logits = sum(self._rows(pairs, name) @ self.coef_[name] for name in self.poolings_) + self._intercept
        return self._calibrated(np.asarray(logits))

    def _calibrated(self, logits: Floats) -> Floats:
        slope, intercept = self._platt
        return np.asarray(expit(slope * logits + intercept))


def _flat(pairs: RecordedPairs, pooling: str) -> Floats:
    return pairs.all_layers(pooling).reshape(len(pairs), -1)


def _root(states: Floats) -> np.float32:
    return np.float32(np.sqrt(states.shape[1]))
