"""Readings: for each layer one direction along which true and invented answers differ.

There are two kinds. A reading of its own layer shows how well the answer can be told apart there. The
evidence is learned over all layers at once: what each layer adds to a single linear verdict.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import LinearOperator, lsmr
from torch import Tensor

from halluscope.detector.states import POOLINGS
from halluscope.surfaces import Reading

SOURCES: dict[str, tuple[str, ...]] = {
    "reading": ("mean", "last"),
    "reading_mean": ("mean",),
    "reading_last": ("last",),
}
"""For each reading of single layers, the poolings whose states it is learned from, together."""

EVIDENCE = "evidence"
"""The reading over all layers at once."""

CHANNELS = (*SOURCES, EVIDENCE)
"""Names of the readings."""

_DEPTH, _WIDTH = 0.55, 0.15  # of the layers: where truth is read best, and how far around

_FACTORISED = 2048  # pairs or coordinates; beyond these, steps cost less than a Gram matrix and its factors

_ROUNDING = 1e-5  # of a projection, relative to the lengths of state and direction


def fit_reading(
    states: npt.NDArray[np.float32],
    hallucinated: npt.NDArray[np.bool_],
    ridge: float,
    rows: npt.NDArray[np.intp] | None = None,
) -> Reading:
    """Learn the directions of `CHANNELS` by ridge regression.

    The states x, standardised by training mean and deviation, are regressed on y = +1 (true) or -1
    (hallucinated): ``w = (X'X + penalty I)^-1 X'y`` (Hoerl and Kennard 1970). Folded back into the raw
    states, w is the direction. Readings of single layers are learned layer by layer, with the penalty
    ``ridge n``. The evidence is one regression on all layers of the mean of the poolings "mean" and "last";
    its share of each layer is that layer's direction. Its coordinates are weighted by their layer's depth,
    with a bell around the middle, which stands for the expectation that the first and last layers, busy with
    words, tell less (as in arXiv 2310.06824); its penalty is their mean squared length.

    Centre and scale are mean and standard deviation of the projections of single tokens, one of each answer:
    pooled states vary less, most of all in the first layers, and would leave single tokens there at many
    times the height of others. The layers of the evidence share one scale, the root of their mean variance:
    they add up to the verdict as they are.

    Parameters
    ----------
    states : ndarray of shape (pairs, 3, layers, d)
        What `pool_states` gives.
    hallucinated : ndarray of shape (pairs,)
        Labels.
    ridge : float
        Penalty of a single layer for each pair, in units of the variance of a standardised coordinate.
    rows : ndarray of int, optional
        The pairs to learn from; all if not given.

    Returns
    -------
    Reading
    """
    rows = np.arange(len(states)) if rows is None else rows
    y = torch.from_numpy(np.where(hallucinated[rows], -1.0, 1.0).astype(np.float32))
    n_layers, d = states.shape[2:]
    directions = torch.empty(len(CHANNELS), n_layers, d)
    directions[-1] = _evidence_directions(states, rows, y)
    centres = torch.empty(len(CHANNELS), n_layers)
    scales = torch.empty(len(CHANNELS), n_layers)
    for layer in range(n_layers):  # one at a time: a copy of all layers can be gigabytes
        pooled = {name: torch.from_numpy(states[rows, i, layer]) for i, name in enumerate(POOLINGS)}
        for r, sources in enumerate(SOURCES.values()):
            x = torch.cat([pooled[source] for source in sources])
            directions[r, layer] = _ridge_direction(x, y.repeat(len(sources)), ridge * len(x))
        projections = pooled["token"] @ directions[:, layer].T
        # where all tokens are one, their spread is rounding error, and no unit to measure others in
        rounding = _ROUNDING * directions[:, layer].norm(dim=1) * pooled["token"].norm(dim=1).mean()
        centres[:, layer] = projections.mean(dim=0)
        scales[:, layer] = torch.maximum(projections.std(dim=0), rounding.clamp_min(1e-12))
    scales[-1] = scales[-1].square().mean().sqrt()
    return Reading(CHANNELS, directions, centres, scales)


def _evidence_directions(states: npt.NDArray[np.float32], rows: npt.NDArray[np.intp], y: Tensor) -> Tensor:
    """Directions (layers, d) of one regression on all layers."""
    n_layers, d = states.shape[2:]
    pooled = states[rows, POOLINGS.index("mean")]
    pooled += states[rows, POOLINGS.index("last")]
    depth = torch.linspace(0, 1, n_layers)
    variance = torch.exp(-0.5 * ((depth - _DEPTH) / _WIDTH) ** 2)
    weight = variance.sqrt().repeat_interleave(d)
    x = torch.from_numpy(pooled.reshape(len(rows), -1))
    return _ridge_direction(x, y, float(variance.sum()) * d, weight).reshape(n_layers, d)


def _ridge_direction(x: Tensor, y: Tensor, penalty: float, weight: Tensor | None = None) -> Tensor:
    """Direction (d,) for states x of shape (n, d), whose standardised coordinates may be weighted."""
    mean = x.mean(dim=0)
    unit = x.std(dim=0).clamp_min(1e-6 * x.abs().mean().clamp_min(1e-12))
    if weight is not None:
        unit = unit / weight
    z = (x - mean) / unit
    target = y - y.mean()
    n, d = z.shape
    if min(n, d) > _FACTORISED:
        weights = _iterate_ridge(z, target, penalty)
    elif n <= d:
        # the same solution through the n x n Gram matrix: w = Z'(ZZ' + penalty I)^-1 y
        weights = z.T @ _solve_ridge(z @ z.T, target, penalty)
    else:
        weights = _solve_ridge(z.T @ z, z.T @ target, penalty)
    return weights / unit


def _iterate_ridge(z: Tensor, target: Tensor, penalty: float) -> Tensor:
    """The same solution by LSMR (Fong and Saunders 2011), in time n d for each of some hundred steps."""

    def times(matrix: Tensor) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
        return lambda vector: (matrix @ torch.from_numpy(vector.ravel()).float()).double().numpy()

    operator = LinearOperator(tuple(z.shape), matvec=times(z), rmatvec=times(z.T), dtype=np.float64)
    found = lsmr(operator, target.double().numpy(), damp=penalty**0.5, atol=1e-6, btol=1e-6, maxiter=1000)
    return torch.from_numpy(found[0]).float()


def _solve_ridge(gram: Tensor, right: Tensor, penalty: float) -> Tensor:
    """(gram + penalty I)^-1 right, for a symmetric matrix; factorised in double precision."""
    matrix = gram.double()
    matrix.diagonal().add_(penalty)
    return torch.cholesky_solve(right.double()[:, None], torch.linalg.cholesky(matrix))[:, 0].float()
