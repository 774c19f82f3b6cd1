"""Ratios that stay defined on flat surfaces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def divide(
    numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64], otherwise: float = 0.0
) -> npt.NDArray[np.float64]:
    """Divide where the denominator is positive.

    Parameters
    ----------
    numerator, denominator : ndarray
        Arrays that broadcast against each other.
    otherwise : float
        The value where the denominator is not positive: a flat surface has no height to measure anything by.

    Returns
    -------
    ndarray
        The ratio, in the shape that both broadcast to.
    """
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.full(shape, otherwise), where=denominator > 0)
