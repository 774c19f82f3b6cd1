"""Readings: for each layer one direction along which true and invented answers differ.

There are two kinds. A reading of its own layer shows how well the answer can be told apart there. The
evidence is learned over all layers at once: what each layer adds to a single linear verdict.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import LinearOperator, lsmr
from torch import Tensor

from halluscope.detector.moments import Nested, Rows
from halluscope.detector.states import POOLINGS, release
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

_DEPTH, _WIDTH = 0.6, 0.12  # of the layers: where truth is read best, and how far around

_FACTORISED = 2048  # pairs or coordinates; beyond these, steps cost less than a Gram matrix and its factors

_CONSTANT = 1e-6  # deviation of a coordinate that is the same in all states but for rounding, of a mean state

_ROUNDING = 1e-5  # of a projection, relative to the lengths of state and direction


def fit_readings(
    states: npt.NDArray[np.float32],
    hallucinated: npt.NDArray[np.bool_],
    ridge: float,
    parts: Sequence[Rows],
) -> list[Reading]:
    """Learn the directions of `CHANNELS` by ridge regression, anew on each of some parts of the pairs.

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
    parts : sequence of ndarray of int
        The pairs to learn from, for each reading.

    Returns
    -------
    list of Reading
        One for each part; no other pair has a say in it.
    """
    y = torch.from_numpy(np.where(hallucinated, -1.0, 1.0).astype(np.float32))
    n_layers, d = states.shape[2:]
    directions = torch.empty(len(parts), len(CHANNELS), n_layers, d)
    centres = torch.empty(len(parts), len(CHANNELS), n_layers)
    scales = torch.empty(len(parts), len(CHANNELS), n_layers)
    for number, rows in enumerate(parts):
        directions[number, -1] = _evidence_directions(states, rows, y[rows])
    # moments cost a factorisation of d x d; far fewer pairs than coordinates are solved by their products
    summed = Nested(parts) if d <= min(_FACTORISED, 2 * min(map(len, parts))) else None
    for layer in range(n_layers):  # one at a time: a copy of all layers can be gigabytes
        if summed:
            _learn_from_moments(states[:, :, layer], y, ridge, summed, directions[:, :, layer])
        for number, rows in enumerate(parts):
            own = directions[number, :, layer]
            if not summed:
                _learn_from_pairs(states[rows, :, layer], y[rows], ridge, own)
            tokens = torch.from_numpy(states[rows, POOLINGS.index("token"), layer])
            projections = tokens @ own.T
            # where all tokens are one, their spread is rounding error, and no unit to measure others in
            rounding = _ROUNDING * own.norm(dim=1) * tokens.norm(dim=1).mean()
            centres[number, :, layer] = projections.mean(dim=0)
            scales[number, :, layer] = torch.maximum(projections.std(dim=0), rounding.clamp_min(1e-12))
        release(states)
    scales[:, -1] = scales[:, -1].square().mean(dim=-1, keepdim=True).sqrt()
    return [Reading(CHANNELS, *learned) for learned in zip(directions, centres, scales, strict=True)]


def _learn_from_pairs(states: npt.NDArray[np.float32], y: Tensor, ridge: float, directions: Tensor) -> None:
    """Fill in the directions (channels, d) of one layer from states (pairs, 3, d)."""
    pooled = {name: torch.from_numpy(states[:, i]) for i, name in enumerate(POOLINGS)}
    for direction, sources in zip(directions, SOURCES.values(), strict=False):
        x = torch.cat([pooled[source] for source in sources])
        direction[:] = _ridge_direction(x, y.repeat(len(sources)), ridge * len(x))


def _learn_from_moments(
    states: npt.NDArray[np.float32], y: Tensor, ridge: float, parts: Nested, directions: Tensor
) -> None:
    """Fill in the directions (parts, channels, d) of one layer from states (all pairs, 3, d)."""
    names = sorted({source for sources in SOURCES.values() for source in sources})
    pooled = [torch.from_numpy(states[parts.rows, POOLINGS.index(name)]).double() for name in names]
    least = _CONSTANT * float(torch.stack([x.abs().mean() for x in pooled]).mean())
    origin = pooled[0].mean(dim=0)  # sums of squares around it keep the digits that a variance is left with
    pooled = [x - origin for x in pooled]
    # zero where a pair is not in the part: its label is then in no sum, nor in the rounding of one
    inside = torch.from_numpy(parts.inside.T).double()
    own = y[parts.rows].double()[:, None]
    targets = inside * (own - (inside * own).sum(dim=0) / inside.sum(dim=0))
    products = {name: x.T @ targets for name, x in zip(names, pooled, strict=True)}
    for number, found in parts.moments(pooled):
        moments = dict(zip(names, found, strict=True))
        for direction, sources in zip(directions[number], SOURCES.values(), strict=False):
            summed = functools.reduce(operator.add, (moments[source] for source in sources))
            xy = torch.stack([products[source][:, number] for source in sources]).sum(dim=0)
            direction[:] = summed.ridge(xy, ridge * summed.n, least)


def _evidence_directions(states: npt.NDArray[np.float32], rows: npt.NDArray[np.intp], y: Tensor) -> Tensor:
    """Directions (layers, d) of one regression on all layers."""
    n_layers, d = states.shape[2:]
    pooled = np.empty((len(rows), n_layers, d), dtype=np.float32)
    mean, last = POOLINGS.index("mean"), POOLINGS.index("last")
    for layer in range(n_layers):
        np.add(states[rows, mean, layer], states[rows, last, layer], out=pooled[:, layer])
        release(states)
    depth = torch.linspace(0, 1, n_layers)
    variance = torch.exp(-0.5 * ((depth - _DEPTH) / _WIDTH) ** 2)
    weight = variance.sqrt().repeat_interleave(d)
    x = torch.from_numpy(pooled.reshape(len(rows), -1))
    return _ridge_direction(x, y, float(variance.sum()) * d, weight).reshape(n_layers, d)


def _ridge_direction(x: Tensor, y: Tensor, penalty: float, weight: Tensor | None = None) -> Tensor:
    """Direction (d,) for states x (n, d), which are lost; their standardised coordinates may be weighted."""
    mean, deviation = x.mean(dim=0), x.std(dim=0)
    # a coordinate that is constant but for rounding has no say: in units of infinity it is zero
    unit = deviation.where(deviation > _CONSTANT * x.abs().mean(), torch.inf)
    if weight is not None:
        unit = unit / weight
    z = x.sub_(mean).div_(unit)
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

    product = LinearOperator(tuple(z.shape), matvec=times(z), rmatvec=times(z.T), dtype=np.float64)
    found = lsmr(product, target.double().numpy(), damp=penalty**0.5, atol=1e-6, btol=1e-6, maxiter=1000)
    return torch.from_numpy(found[0]).float()


def _solve_ridge(gram: Tensor, right: Tensor, penalty: float) -> Tensor:
    """(gram + penalty I)^-1 right, for a symmetric matrix; factorised in double precision."""
    matrix = gram.double()
    matrix.diagonal().add_(penalty)
    return torch.cholesky_solve(right.double()[:, None], torch.linalg.cholesky(matrix))[:, 0].float()
