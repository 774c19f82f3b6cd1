"""Readings: for each layer one direction along which true and invented answers differ."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halluscope.detector.states import POOLINGS
from halluscope.surfaces import Reading

SOURCES: dict[str, tuple[str, ...]] = {
    "reading": ("mean", "last"),
    "reading_mean": ("mean",),
    "reading_last": ("last",),
}
"""For each reading, the poolings whose states it is learned from, together."""

CHANNELS = tuple(SOURCES)
"""Names of the readings."""

_ROUNDING = 1e-5  # of a projection, relative to the lengths of state and direction


def fit_reading(
    states: npt.NDArray[np.float32],
    hallucinated: npt.NDArray[np.bool_],
    ridge: float,
    rows: npt.NDArray[np.intp] | None = None,
) -> Reading:
    """Learn the directions of `CHANNELS` by ridge regression, layer by layer.

    In each layer the states x, standardised by training mean and deviation, are regressed on y = +1 (true) or
    -1 (hallucinated): ``w = (X'X + ridge n I)^-1 X'y`` (Hoerl and Kennard 1970). Folded back into the raw
    states, w is the direction; centre and scale are mean and standard deviation of the projections of single
    tokens, one of each answer: pooled states vary less, most of all in the first layers, and would leave
    single tokens there at many times the height of others.

    Parameters
    ----------
    states : ndarray of shape (pairs, 3, layers, d)
        What `pool_states` gives.
    hallucinated : ndarray of shape (pairs,)
        Labels.
    ridge : float
        Penalty for each pair, in units of the variance of a standardised coordinate.
    rows : ndarray of int, optional
        The pairs to learn from; all if not given.

    Returns
    -------
    Reading
    """
    rows = np.arange(len(states)) if rows is None else rows
    y = torch.from_numpy(np.where(hallucinated[rows], -1.0, 1.0).astype(np.float32))
    n_layers, d = states.shape[2:]
    directions = torch.empty(len(SOURCES), n_layers, d)
    centres = torch.empty(len(SOURCES), n_layers)
    scales = torch.empty(len(SOURCES), n_layers)
    for layer in range(n_layers):  # one at a time: a copy of all layers can be gigabytes
        pooled = {name: torch.from_numpy(states[rows, i, layer]) for i, name in enumerate(POOLINGS)}
        for r, sources in enumerate(SOURCES.values()):
            x = torch.cat([pooled[source] for source in sources])
            direction = _ridge_direction(x, y.repeat(len(sources)), ridge)
            projection = pooled["token"] @ direction
            # where all tokens are one, their spread is rounding error, and no unit to measure others in
            rounding = _ROUNDING * direction.norm() * pooled["token"].norm(dim=1).mean()
            directions[r, layer] = direction
            centres[r, layer] = projection.mean()
            scales[r, layer] = projection.std().clamp_min(rounding.clamp_min(1e-12))
    return Reading(CHANNELS, directions, centres, scales)


def _ridge_direction(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Direction (d,) for states x of shape (n, d)."""
    mean = x.mean(dim=0)
    deviation = x.std(dim=0).clamp_min(1e-6 * x.abs().mean().clamp_min(1e-12))
    z = (x - mean) / deviation
    target = y - y.mean()
    n, d = z.shape
    if n <= d:
        # the same solution through the n x n Gram matrix: w = Z'(ZZ' + ridge n I)^-1 y
        weights = z.T @ _solve_ridge(z @ z.T, target, ridge * n)
    else:
        weights = _solve_ridge(z.T @ z, z.T @ target, ridge * n)
    return weights / deviation


def _solve_ridge(gram: Tensor, right: Tensor, penalty: float) -> Tensor:
    """(gram + penalty I)^-1 right, for a symmetric matrix; factorised in double precision."""
    matrix = gram.double()
    matrix.diagonal().add_(penalty)
    return torch.cholesky_solve(right.double()[:, None], torch.linalg.cholesky(matrix))[:, 0].float()
