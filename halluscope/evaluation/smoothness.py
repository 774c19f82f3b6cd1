"""The claim that the library starts from: an invented answer has a smoother surface than a true one.

True answers are said to give an irregular surface with pronounced peaks and valleys, invented ones a smooth,
even one. Which value of a measure is the smoother one is laid down here, with the reason, for every measure
of roughness and peaks, so that data cannot choose it; one that does not tell smooth from rough takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Orientation(NamedTuple):
    """What a higher value of a measure says.

    Parameters
    ----------
    sign : int
        +1 if the surface is rougher, -1 if it is smoother, 0 if neither.
    title : str
        The measure in a few words.
    reason : str
        Why.
    """

    sign: int
    title: str
    reason: str


ORIENTATIONS = {
    "Sa": Orientation(1, "mean height", "an even surface stays near its mean"),
    "Sq": Orientation(1, "rms height", "an even surface stays near its mean"),
    "Ssk": Orientation(0, "skewness", "whether peaks outweigh pits, not how large both are"),
    "Sku": Orientation(1, "kurtosis", "few heights far from the others are pronounced peaks and valleys"),
    "Sz": Orientation(1, "maximum height", "pronounced peaks and valleys lie far apart"),
    "Sdq": Orientation(1, "rms gradient", "a smooth surface has gentle slopes"),
    "Sdr": Orientation(1, "developed area", "slopes add to the area, a flat surface adds none"),
    "Str": Orientation(0, "texture aspect", "along which axis it is smoother, not how smooth it is"),
    "gradient.layers.rms": Orientation(1, "rms step over layers", "neighbouring layers differ"),
    "gradient.layers.mean": Orientation(1, "mean step over layers", "neighbouring layers differ"),
    "gradient.layers.slope": Orientation(
        0, "trend over layers", "an inclined plane is smooth, whatever its sign"
    ),
    "gradient.tokens.rms": Orientation(1, "rms step over tokens", "neighbouring tokens differ"),
    "gradient.tokens.mean": Orientation(1, "mean step over tokens", "neighbouring tokens differ"),
    "curvature.layers.rms": Orientation(1, "rms bend over layers", "a smooth profile hardly bends"),
    "Sal": Orientation(-1, "correlation length", "a smooth profile stays like itself over more layers"),
    "Sp": Orientation(1, "peak height", "pronounced peaks rise far above the mean"),
    "Sv": Orientation(1, "pit depth", "pronounced valleys fall far below the mean"),
    "S10z": Orientation(1, "ten-point height", "pronounced peaks and valleys lie far apart"),
    "Spd": Orientation(1, "peak density", "an irregular profile goes up and down more often"),
    "Spc": Orientation(1, "peak curvature", "pronounced peaks are sharp"),
    "peaks.height": Orientation(
        0, "top of profile", "counted from zero, it is the level of the whole surface"
    ),
    "peaks.prominence": Orientation(
        1, "prominence", "a pronounced peak stands high above the ground around it"
    ),
    "peaks.persistence": Orientation(1, "total persistence", "large ups and downs persist, ripples do not"),
    "peaks.layer": Orientation(0, "layer of the top", "where the highest point is, not how pronounced"),
    "peaks.token": Orientation(0, "token of the top", "where the highest point is, not how pronounced"),
}
"""Every measure of roughness, then of peaks, by its name in `halluscope.features`."""

CLAIMED = tuple(measure for measure, orientation in ORIENTATIONS.items() if orientation.sign)
"""Measures that the claim says something about."""

ALL = "all"
"""The mean over all measures of the claim, or over all families of channels."""


def claim_weights(
    names: Sequence[str], families: Mapping[str, Sequence[str]]
) -> tuple[list[tuple[str, str]], npt.NDArray[np.float64]]:
    """Weights that turn differences of features, true less invented, into evidence for the claim.

    Positive evidence is an invented answer that is smoother. The channels of a family count alike, and so do
    measures, and families.

    Parameters
    ----------
    names : sequence of str
        Of the features, ``{channel}.{measure}``.
    families : mapping of str to sequence of str
        Channels that are looked at together, by the name of their family.

    Returns
    -------
    combinations : list of (str, str)
        Family and measure; `ALL` families and `ALL` measures among them.
    weights : ndarray of shape (features, combinations)
        For `halluscope.evaluation.matched.MatchedDifferences.combined`.
    """
    place = {name: row for row, name in enumerate(names)}
    columns = {}
    for family, channels in families.items():
        for measure in CLAIMED:
            weights = np.zeros(len(names))
            rows = [place[f"{channel}.{measure}"] for channel in channels]
            weights[rows] = ORIENTATIONS[measure].sign / len(rows)
            columns[family, measure] = weights
        columns[family, ALL] = np.mean([columns[family, measure] for measure in CLAIMED], axis=0)
    for measure in (*CLAIMED, ALL):
        columns[ALL, measure] = np.mean([columns[family, measure] for family in families], axis=0)
    return list(columns), np.stack(list(columns.values()), axis=1)
