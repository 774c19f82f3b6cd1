"""Contrast-consistent search: what the model holds true, from replies that contradict each other."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.preprocessing import StandardScaler

from halluscope.evaluation.folds import inner_folds
from halluscope.evaluation.linear import platt
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs

Floats = NDArray[Any]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]

CONTRAST = "contrast"


class Direction(NamedTuple):
    """A linear read-out of the reply: p = sigmoid(weights . state + bias)."""

    weights: Floats
    bias: float
    loss: float

    def logits(self, yes: Floats, no: Floats) -> Floats:
        """Log-odds of the statement, from p("Yes") and 1 - p("No") averaged as in the paper, shape (n,)."""
        agreed, denied = (expit(side @ self.weights + self.bias) for side in (yes, no))
        return np.asarray(logit(np.clip((agreed + 1 - denied) / 2, 1e-9, 1 - 1e-9)))


def consistent_direction(yes: Floats, no: Floats, restarts: int, steps: int, seed: int) -> Direction:
    """The read-out whose two probabilities contradict each other and are sure of it; no label is used.

    Minimises the mean of ``(p(yes) - (1 - p(no)))^2 + min(p(yes), p(no))^2``.

    Parameters
    ----------
    yes, no : ndarray, shape (n, d)
        Standardised states of both sides.
    restarts : int
        Random beginnings, of which the one with the least loss wins.
    steps : int
        Steps of AdamW at a rate of 0.01.
    seed : int
        Seed of the beginnings.
    """
    sides = [torch.as_tensor(np.ascontiguousarray(side), dtype=torch.float32) for side in (yes, no)]
    generator = torch.Generator().manual_seed(seed)
    # a column for each beginning: the losses are summed, so that none sees another's gradient
    weights = torch.randn((sides[0].shape[1], restarts), generator=generator)
    weights = (weights / weights.norm(dim=0)).requires_grad_()
    bias = torch.zeros(restarts, requires_grad=True)
    optimizer = torch.optim.AdamW([weights, bias], lr=1e-2, weight_decay=1e-2)

    def losses() -> torch.Tensor:
        agreed, denied = (torch.sigmoid(side @ weights + bias) for side in sides)
        inconsistent = (agreed - (1 - denied)).square()
        return (inconsistent + torch.minimum(agreed, denied).square()).mean(dim=0)

    for _ in range(steps):
        optimizer.zero_grad()
        losses().sum().backward()
        optimizer.step()
    with torch.no_grad():
        final = losses()
        best = int(final.argmin())
        return Direction(weights[:, best].double().numpy(), float(bias[best]), float(final[best]))


class Ccs(PairClassifier):
    """CCS: an unsupervised direction along which "Yes" and "No" to a statement contradict each other.

    As in Burns et al. (2212.03827): each side standardised by itself, so that the word said cannot be read
    off, 10 restarts, least loss. The layer, and the sign, which the loss leaves open, are chosen by labels of
    the training part, where the paper knows the layer beforehand and takes the better sign; scores that inner
    folds held out calibrate. So the search alone is unsupervised.

    Parameters
    ----------
    restarts : int, default 10
        Random beginnings.
    steps : int, default 200
        Steps of each; the released code takes 1000 at a tenth of the rate.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds and of the beginnings.

    Attributes
    ----------
    place_ : int
        Which of the recorded layers was chosen.
    sign_ : int
        1 where the direction points at hallucinated answers, -1 where it points at true ones.
    """

    needs: ClassVar[tuple[str, ...]] = (CONTRAST,)

    def __init__(
        self, restarts: int = 10, steps: int = 200, inner_folds: int = 3, random_state: int = 0
    ) -> None:
        self.restarts = restarts
        self.steps = steps
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        contrast = pairs.recorded(CONTRAST)
        best = -1.0
        for place in range(contrast.shape[2]):
            scalers = _scalers(contrast, place)
            sides = _sides(contrast, place, scalers)
            held_out, area = np.zeros(len(labels)), 0.0
            for train, test in folds:
                direction, sign = self._search([side[train] for side in sides], labels[train])
                held_out[test] = sign * direction.logits(*(side[test] for side in sides))
                area += auroc(labels[test], held_out[test]) / len(folds)
            if area > best:
                best, logits, self.place_, self._scalers = area, held_out, place, scalers
        self._platt = platt(logits, labels)
        chosen = _sides(contrast, self.place_, self._scalers)
        self._direction, self.sign_ = self._search(chosen, labels)

    def _search(self, sides: list[Floats], labels: Labels) -> tuple[Direction, int]:
        yes, no = sides
        direction = consistent_direction(yes, no, self.restarts, self.steps, self.random_state)
        return direction, 1 if auroc(labels, direction.logits(yes, no)) >= 0.5 else -1

    def _probability(self, pairs: RecordedPairs) -> Floats:
        slope, intercept = self._platt
        sides = _sides(pairs.recorded(CONTRAST), self.place_, self._scalers)
        return np.asarray(expit(slope * self.sign_ * self._direction.logits(*sides) + intercept))


def _scalers(contrast: Floats, place: int) -> list[StandardScaler]:
    return [StandardScaler().fit(contrast[:, side, place]) for side in range(2)]


def _sides(contrast: Floats, place: int, scalers: list[StandardScaler]) -> list[Floats]:
    return [scaler.transform(contrast[:, side, place]) for side, scaler in enumerate(scalers)]
