"""Baselines that read the states along one direction, found without any optimisation."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from sklearn.preprocessing import StandardScaler

from halluscope.evaluation.choosing import Candidate, ChoosingClassifier
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.probes import POOLINGS
from halluscope.evaluation.recorded import RecordedPairs
from halluscope.folds import Fold

Floats = NDArray[Any]
Labels = NDArray[np.bool_]

PLAIN, TILTED = "plain", "tilted"
#: Share of the mean variance that a covariance keeps on its diagonal at least, so that it can be inverted.
LEAST_SHRINKAGE = 1e-3
#: Least deviation of a column, as a share of the columns' typical one: less is rounding.
LEAST_DEVIATION = 1e-4


class MassMean(ChoosingClassifier):
    """Mass-mean probe: how far an answer's state lies from the truthful towards the hallucinated ones.

    Marks and Tegmark (2310.06824) score a state x by theta . x, with theta = mean(true) - mean(false), or,
    for data distributed as the training part is, by theta . Sigma^-1 x, where Sigma is the covariance of the
    states around the mean of their own class. Here theta points the other way, towards *hallucinated*.

    The paper fixes the layer by patching experiments; here layer, pooling and version are chosen by grouped
    folds inside the training part. The covariance of fewer answers than dimensions is singular: the columns
    are brought to one variance and the covariance is shrunk as by Ledoit and Wolf (2004), where the paper's
    code has a pseudo-inverse. Instead of the paper's sigmoid of the bare product, a sigmoid fitted to the
    scores that the inner folds held out gives the probability.

    Parameters
    ----------
    poolings : tuple of str, default ("last", "mean")
        To choose from.
    versions : tuple of str, default ("plain", "tilted")
        To choose from; "tilted" has the covariance in it.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    choice_ : tuple of (str, int)
        The pooling and the layer that were chosen.
    setting_ : str
        The version that was chosen.
    """

    def __init__(
        self,
        poolings: tuple[str, ...] = POOLINGS,
        versions: tuple[str, ...] = (PLAIN, TILTED),
        inner_folds: int = 3,
        random_state: int = 0,
    ) -> None:
        super().__init__(inner_folds, random_state)
        self.poolings = poolings
        self.versions = versions

    def _scaling(self) -> StandardScaler:
        return StandardScaler(with_std=False)  # the plain version is that of the states as they are

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        return product(self.poolings, range(pairs.n_layers))

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.layer(*candidate)

    def _try(self, rows: Floats, labels: Labels, folds: list[Fold]) -> tuple[float, Any, Floats]:
        scores = np.zeros(len(self.versions))
        logits = np.zeros((len(self.versions), len(labels)))
        for train, test in folds:
            fitting, held_out = rows[train], rows[test]
            for number, version in enumerate(self.versions):
                logits[number, test] = held_out @ _direction(fitting, labels[train], version)
                scores[number] += auroc(labels[test], logits[number, test]) / len(folds)
        best = int(np.argmax(scores))
        return float(scores[best]), self.versions[best], logits[best]

    def _train(self, rows: Floats, labels: Labels) -> Floats:
        return _direction(rows, labels, self.setting_)

    def _logits(self, rows: Floats) -> Floats:
        return np.asarray(rows @ self._model)


def mass_mean(rows: Floats, labels: Labels) -> Floats:
    """From the mean of the truthful rows to that of the hallucinated ones, shape (d,)."""
    return np.asarray(rows[labels].mean(axis=0) - rows[~labels].mean(axis=0))


def tilted_mass_mean(rows: Floats, labels: Labels) -> Floats:
    """`mass_mean` times the inverse of the rows' covariance within their classes, shape (d,).

    The covariance is that of the columns brought to unit deviation, shrunk, and brought back.
    """
    within = rows - np.where(labels[:, None], rows[labels].mean(axis=0), rows[~labels].mean(axis=0))
    deviations = within.std(axis=0)
    typical = np.sqrt(np.mean(deviations**2))
    if typical == 0:  # one and the same token's embedding everywhere: there is no variance to weigh by
        return mass_mean(rows, labels)
    units = np.maximum(deviations, LEAST_DEVIATION * typical)
    return np.asarray(_solved(within / units, mass_mean(rows, labels) / units) / units)


def _direction(rows: Floats, labels: Labels, version: str) -> Floats:
    direction = tilted_mass_mean(rows, labels) if version == TILTED else mass_mean(rows, labels)
    # In units of the rows' own deviation along it: folds can then be calibrated together.
    deviation = np.std(rows @ direction)
    return direction / deviation if deviation > 0 else direction


def _solved(within: Floats, target: Floats) -> Floats:
    """The shrunk covariance of centred rows, inverted, times the target, through the smaller Gram matrix."""
    n, width = within.shape
    gram = (within.T @ within if width <= n else within @ within.T).astype(np.float64)
    variance = float(np.sum(within**2, dtype=np.float64)) / (n * width)
    shrinkage = _shrinkage(within, gram, variance)
    share = (1 - shrinkage) / n
    ridge = shrinkage * variance
    system = share * gram
    system.flat[:: len(gram) + 1] += ridge
    if width <= n:
        return np.asarray(solve(system, target, assume_a="pos"))
    # Woodbury: (ridge I + share X'X)^-1 t = (t - share X' (ridge I + share X X')^-1 X t) / ridge
    dual = solve(system, within @ target, assume_a="pos")
    return np.asarray((target - share * (within.T @ dual)) / ridge)


def _shrinkage(within: Floats, gram: Floats, variance: float) -> float:
    """Ledoit and Wolf's share of the scaled identity in the covariance; X'X and X X' have the same norm."""
    n, width = within.shape
    squares = float(np.sum(gram**2)) / n**2
    fourth = float(np.sum(np.sum(within**2, axis=1, dtype=np.float64) ** 2)) / n
    distance = squares - width * variance**2
    if distance <= 0:
        return 1.0
    return float(np.clip((fourth - squares) / n / distance, LEAST_SHRINKAGE, 1))
