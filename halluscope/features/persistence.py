"""Summits of profiles and how pronounced they are: persistence of dimension 0.

Lower a level over a profile. Each local maximum gives birth to a piece of ground above the level; where two
pieces meet, the one with the lower summit dies. The drop from birth to death is the summit's persistence
(Edelsbrunner & Harer, *Computational Topology*, 2010, chapter VII). Of two equal summits the first counts
as the higher.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def measure_persistence(profiles: Array) -> Array:
    """Measure the persistence of the local maxima of profiles.

    The ends count as local maxima if they stand higher than their one neighbour, and of a plateau the first
    point. The highest summit never dies; its persistence is the drop to the lowest point of the profile.

    Parameters
    ----------
    profiles : ndarray of shape (profiles, points)
        Heights, finite; at least two points.

    Returns
    -------
    ndarray of shape (profiles, points)
        Persistence in units of height; 0 where there is no local maximum.
    """
    summits = np.ones(profiles.shape, dtype=np.bool_)
    summits[:, 1:] = profiles[:, 1:] > profiles[:, :-1]
    summits[:, :-1] &= profiles[:, :-1] >= profiles[:, 1:]
    # Infinite walls around the profiles stop every walk, so that all can be walked as one line of points.
    walled = np.pad(profiles, ((0, 0), (1, 1)), constant_values=np.inf).ravel()
    starts = np.flatnonzero(np.pad(summits, ((0, 0), (1, 1))))
    left, left_meets = _walk(walled, starts, -1)
    right, right_meets = _walk(walled, starts, 1)
    death = np.maximum(np.where(left_meets, left, -np.inf), np.where(right_meets, right, -np.inf))
    death = np.where(left_meets | right_meets, death, np.minimum(left, right))
    persistence = np.zeros(profiles.shape)
    persistence[summits] = walled[starts] - death
    return persistence


def _walk(walled: Array, starts: npt.NDArray[np.intp], step: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Walk from every start to higher ground: the lowest height passed; False where a wall came first."""
    lowest = walled[starts]
    meets = np.ones(starts.shape, dtype=np.bool_)
    walker, place, summit, low = np.arange(starts.size), starts, lowest, lowest
    while walker.size:
        place = place + step
        height = walled[place]
        walks_on = height < summit if step < 0 else height <= summit
        arrived = ~walks_on
        lowest[walker[arrived]] = low[arrived]
        meets[walker[arrived]] = np.isfinite(height[arrived])
        low = np.minimum(low[walks_on], height[walks_on])
        walker, place, summit = walker[walks_on], place[walks_on], summit[walks_on]
    return lowest, meets
