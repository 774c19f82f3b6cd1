"""Peaks and pits of a surface: how high, how many, how sharp, how pronounced, and where.

The highest of many points is higher than the highest of few, so extremes of the whole surface would tell
the number of tokens. They are taken as profile metrology takes them (ISO 21920-2), over one sampling length
at a time and then averaged; the sampling length is the layer profile of one token. A *significant* peak is
a local maximum of a layer profile whose persistence exceeds 5 % of the profile's height, the threshold of
Wolf pruning in ISO 25178-3. The first and the last layer can be peaks: nothing lies beyond them, unlike
beyond the border of a measured field, where ISO leaves peaks out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from halluscope.features.persistence import measure_persistence
from halluscope.features.ratio import divide

Array = npt.NDArray[np.float64]

SIGNIFICANT = 0.05  # of the profile's height
FIVE = 5  # peaks and as many pits make a ten-point height


def measure_peaks(z: Array) -> dict[str, Array]:
    """Measure the peaks of surfaces.

    Parameters
    ----------
    z : ndarray of shape (..., layers, tokens)
        Heights, finite; at least two layers and one token.

    Returns
    -------
    dict of str to ndarray of shape (...)
        ``Sp``, ``Sv``
            Maximum peak height and pit depth: highest point of each layer profile less the profile's mean,
            and mean less lowest point; mean over tokens (Rp and Rv of ISO 21920-2; ISO 25178-2 takes them
            over the whole surface). Sp + Sv = Sz. In units of z.
        ``S10z``
            Ten-point height: mean of the five highest significant peaks of each layer profile less the mean
            of its five deepest pits, or of as many as there are; mean over tokens (ISO 25178-2 takes them
            over the whole surface). In units of z.
        ``Spd``
            Density of peaks: significant peaks per unit area, one layer of one token (ISO 25178-2; there
            peaks of the surface, here of its layer profiles).
        ``Spc``
            Arithmetic mean peak curvature: mean of -d²z/dy² over the significant peaks between first and
            last layer (ISO 25178-2 averages it over both axes). 0 if there are none. In units of z per
            layer².
        ``peaks.height``
            Highest point of each layer profile, median over tokens. In units of z, from z = 0.
        ``peaks.prominence``
            Drop from that point to the higher of the lowest points on its two sides, median over tokens; 0
            for a profile that is highest at an end. In units of z.
        ``peaks.persistence``
            Total persistence of degree 2 per unit area, sqrt(sum of persistence² / layers) of each layer
            profile, mean over tokens (Edelsbrunner & Harer 2010; Cohen-Steiner et al. 2010 for the degree).
            Degree 1 would nearly repeat the mean gradient along layers, half of which it is up to the ends.
            In units of z.
        ``peaks.layer``, ``peaks.token``
            Place of the highest point of the whole surface, as a fraction of each axis: (index + 1/2) /
            length.
    """
    layers, tokens = z.shape[-2:]
    profiles = np.ascontiguousarray(np.moveaxis(z, -1, -2))
    per_token = profiles.shape[:-1]
    rows = profiles.reshape(-1, layers)
    top, bottom, mean = rows.max(axis=-1), rows.min(axis=-1), rows.mean(axis=-1)
    least = SIGNIFICANT * (top - bottom)[:, None]
    persistence = measure_persistence(rows)
    peaks, pits = persistence > least, measure_persistence(-rows) > least
    ten_point = _mean_of_highest(rows - mean[:, None], peaks) + _mean_of_highest(mean[:, None] - rows, pits)
    per_profile = {
        "Sp": top - mean,
        "Sv": mean - bottom,
        "S10z": ten_point,
        "Spd": peaks.mean(axis=-1),
        "peaks.persistence": np.sqrt((persistence * persistence).mean(axis=-1)),
    }
    layer, token = np.divmod(z.reshape(*z.shape[:-2], -1).argmax(axis=-1), tokens)
    return {name: value.reshape(per_token).mean(axis=-1) for name, value in per_profile.items()} | {
        "Spc": _mean_curvature(profiles, peaks.reshape(profiles.shape)),
        "peaks.height": np.median(top.reshape(per_token), axis=-1),
        "peaks.prominence": np.median(_prominence_of_highest(rows).reshape(per_token), axis=-1),
        "peaks.layer": (layer + 0.5) / layers,
        "peaks.token": (token + 0.5) / tokens,
    }


def _mean_of_highest(height: Array, chosen: npt.NDArray[np.bool_]) -> Array:
    """Mean of the five highest among the chosen points of each profile; 0 where none is chosen."""
    highest = np.sort(np.where(chosen, height, -np.inf), axis=-1)[:, -FIVE:]
    found = np.isfinite(highest)
    return divide(np.where(found, highest, 0.0).sum(axis=-1), found.sum(axis=-1, dtype=np.float64))


def _mean_curvature(profiles: Array, peaks: npt.NDArray[np.bool_]) -> Array:
    """Mean of the negative second difference at the peaks of each surface, ends left out."""
    curvature = -np.diff(profiles, n=2, axis=-1)
    inner = peaks[..., 1:-1]
    total = np.where(inner, curvature, 0.0).sum(axis=(-2, -1))
    return divide(total, inner.sum(axis=(-2, -1), dtype=np.float64))


def _prominence_of_highest(rows: Array) -> Array:
    """Topographic prominence of each profile's highest point, bounded by the profile's ends."""
    highest = rows.argmax(axis=-1)[:, None]
    layer = np.arange(rows.shape[-1])
    left = np.where(layer <= highest, rows, np.inf).min(axis=-1)
    right = np.where(layer >= highest, rows, np.inf).min(axis=-1)
    return rows.max(axis=-1) - np.maximum(left, right)
