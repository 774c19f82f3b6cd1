"""Readings: for each layer one direction along which true and invented answers differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halluscope.detector.states import POOLINGS
from halluscope.folds import Fold
from halluscope.surfaces import Reading

SOURCES: dict[str, tuple[str, ...]] = {
    "reading": ("mean", "last"),
    "reading_mean": ("mean",),
    "reading_last": ("last",),
}
"""For each reading, the poolings whose states it is learned from, together."""

CHANNELS = tuple(SOURCES)
"""Names of the readings."""


def fit_reading(
    states: npt.NDArray[np.float32], hallucinated: npt.NDArray[np.bool_], ridge: float
) -> Reading:
    """Learn the directions of `CHANNELS` by ridge regression, layer by layer.

    In each layer the states x, standardised by training mean and deviation, are regressed on y = +1 (true) or
    -1 (hallucinated): ``w = (X'X + ridge n I)^-1 X'y`` (Hoerl and Kennard 1970). Folded back into the raw
    states, w is the direction; centre and scale are mean and standard deviation of its projections.

    Parameters
    ----------
    states : ndarray of shape (pairs, 2, layers, d)
        What `pool_states` gives.
    hallucinated : ndarray of shape (pairs,)
        Labels.
    ridge : float
        Penalty for each pair, in units of the variance of a standardised coordinate.

    Returns
    -------
    Reading
    """
    y = torch.from_numpy(np.where(hallucinated, -1.0, 1.0).astype(np.float32))
    by_layer = torch.from_numpy(states).permute(2, 1, 0, 3)  # layers, poolings, pairs, d
    directions, centres, scales = [], [], []
    for sources in SOURCES.values():
        x = torch.cat([by_layer[:, POOLINGS.index(source)] for source in sources], dim=1)
        direction, centre, scale = _ridge_by_layer(x, y.repeat(len(sources)), ridge)
        directions.append(direction)
        centres.append(centre)
        scales.append(scale)
    return Reading(CHANNELS, torch.stack(directions), torch.stack(centres), torch.stack(scales))


def _ridge_by_layer(x: Tensor, y: Tensor, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """Directions (layers, d), centres and scales (layers,) for states x of shape (layers, n, d)."""
    mean = x.mean(dim=1, keepdim=True)
    deviation = x.std(dim=1, keepdim=True).clamp_min(1e-6 * x.abs().mean().clamp_min(1e-12))
    z = (x - mean) / deviation
    target = y - y.mean()
    n, d = z.shape[1:]
    if n <= d:
        # the same solution through the n x n Gram matrix: w = Z'(ZZ' + ridge n I)^-1 y
        right = target.expand(len(z), n)[..., None]
        weights = z.transpose(1, 2) @ _solve_ridge(z @ z.transpose(1, 2), right, ridge * n)
    else:
        right = (z * target[:, None]).sum(dim=1)[..., None]
        weights = _solve_ridge(z.transpose(1, 2) @ z, right, ridge * n)
    direction = weights[..., 0] / deviation[:, 0]
    projection = (x @ direction[..., None])[..., 0]
    return direction, projection.mean(dim=1), projection.std(dim=1).clamp_min(1e-12)


def _solve_ridge(gram: Tensor, right: Tensor, penalty: float) -> Tensor:
    """(gram + penalty I)^-1 right, for a stack of symmetric matrices; factorised in double precision."""
    matrix = gram.double()
    matrix.diagonal(dim1=1, dim2=2).add_(penalty)
    return torch.cholesky_solve(right.double(), torch.linalg.cholesky(matrix)).float()


@dataclass(frozen=True)
class CrossFittedReadings:
    """Readings that never saw the question they are used on.

    Parameters
    ----------
    held_out : list of Reading
        One for each fold, learned on its training part.
    final : Reading
        Learned on all pairs: for answers outside of training.
    """

    held_out: list[Reading]
    final: Reading


def cross_fit_readings(
    states: npt.NDArray[np.float32],
    hallucinated: npt.NDArray[np.bool_],
    folds: Sequence[Fold],
    ridge: float,
) -> CrossFittedReadings:
    """Learn readings on each fold's training part, and once on everything.

    A classifier trained on surfaces whose readings saw their own labels learns an over-confident surface that
    no new answer has; cross-fitting gives it surfaces like those it will meet.
    """
    held_out = [fit_reading(states[train], hallucinated[train], ridge) for train, _ in folds]
    return CrossFittedReadings(held_out, fit_reading(states, hallucinated, ridge))


def stack_readings(readings: Sequence[Reading]) -> Reading:
    """Several readings as one measure, so that one pass through the model takes them all."""
    return Reading(
        tuple(
            f"{number}:{channel}" for number, reading in enumerate(readings) for channel in reading.channels
        ),
        torch.cat([reading.directions for reading in readings]),
        torch.cat([reading.centres for reading in readings]),
        torch.cat([reading.scales for reading in readings]),
    )
