"""Sums over pairs from which ridge regressions on many overlapping parts of them are solved.

Cross-fitting learns from dozens of parts, each nearly all of the pairs. Their sums are those of a larger part
less those of the few pairs that it holds besides, so every pair is summed a few times and not dozens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the states of some pairs, in double precision: differences of large ones keep their digits.

    Parameters
    ----------
    n : int
        Number of states.
    x : Tensor of shape (d,)
        Their sum.
    xx : Tensor of shape (d, d)
        Sum of their outer products.
    """

    n: int
    x: Tensor
    xx: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Moments:
        """Of states (n, d) in double precision."""
        return cls(len(x), x.sum(dim=0), x.T @ x)

    def __add__(self, other: Moments) -> Moments:
        """Of the states of both."""
        return Moments(self.n + other.n, self.x + other.x, self.xx + other.xx)

    def __sub__(self, other: Moments) -> Moments:
        """Of these states without some of them."""
        return Moments(self.n - other.n, self.x - other.x, self.xx - other.xx)

    def ridge(self, xy: Tensor, penalty: float, least: float) -> Tensor:
        """Direction (d,) of the ridge regression of targets on standardised states.

        Parameters
        ----------
        xy : Tensor of shape (d,)
            Sum of states times targets, the targets' mean being zero.
        penalty : float
            On the squared length of the weights of standardised coordinates.
        least : float
            Coordinates whose deviation is below count as constant: what varies is rounding.
        """
        scatter = torch.addr(self.xx, self.x, self.x, alpha=-1 / self.n)
        variance = scatter.diagonal() / max(self.n - 1, 1)
        varies = variance > least**2
        # (Z'Z + penalty I)^-1 Z'y over the deviations, both sides times these
        scatter.diagonal().add_(torch.where(varies, penalty * variance, 1.0))
        xy = torch.where(varies, xy, 0.0)
        weights = torch.cholesky_solve(xy[:, None], torch.linalg.cholesky(scatter))[:, 0]
        return torch.where(varies, weights, 0.0).float()


class Nested:
    """Parts of some rows, each inside the smallest other one that holds it, or inside all of them together.

    Parameters
    ----------
    parts : sequence of ndarray of int
        Rows of each, without repetition.
    """

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.rows: Rows = np.unique(np.concatenate(parts))
        """All rows that are in any part."""
        self.inside = np.stack([np.isin(self.rows, part) for part in parts])
        """Which of `rows` are in each part, shape (parts, rows)."""
        inside = np.vstack([np.ones(len(self.rows), dtype=bool), self.inside])  # the first node: all rows
        sizes = inside.sum(axis=1)
        order = np.argsort(-sizes, kind="stable")
        self._children: list[list[tuple[int, Rows]]] = [[] for _ in inside]
        for place, node in enumerate(order[1:], start=1):
            holding = [other for other in order[:place] if inside[other][inside[node]].all()]
            parent = min(holding, key=lambda other: int(sizes[other]))
            self._children[parent].append((int(node), np.flatnonzero(inside[parent] & ~inside[node])))

    def moments(self, xs: Sequence[Tensor]) -> Iterator[tuple[int, list[Moments]]]:
        """Every part's number and moments.

        Parameters
        ----------
        xs : sequence of Tensor of shape (rows, d)
            Kinds of states of `rows`, in double precision, each summed by itself.
        """

        def below(node: int, held: list[Moments]) -> Iterator[tuple[int, list[Moments]]]:
            if node:
                yield node - 1, held
            for child, besides in self._children[node]:
                own = self.inside[child - 1]
                if len(besides) <= own.sum():
                    rest = [Moments.of(x[besides]) for x in xs]
                    found = [all_ - some for all_, some in zip(held, rest, strict=True)]
                else:
                    found = [Moments.of(x[own]) for x in xs]
                yield from below(child, found)

        yield from below(0, [Moments.of(x) for x in xs])
