"""The table of features: one row of named numbers for each surface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from halluscope.errors import InputError
from halluscope.features.heights import measure_heights
from halluscope.features.peaks import measure_peaks
from halluscope.features.roughness import measure_roughness
from halluscope.surfaces.surface import Surface

Array = npt.NDArray[np.float64]


class Family(Protocol):
    """A function `measure_...`: heights (..., layers, tokens) in, named measurements (...) out."""

    __name__: str

    def __call__(self, z: Array, /) -> dict[str, Array]:
        """Measure."""
        ...


FAMILIES: tuple[Family, ...] = (measure_roughness, measure_peaks, measure_heights)
"""All that is measured. A feature is added in its family, a family by adding it here."""

BATCH_VALUES = 2**16  # heights measured at a time: few enough to stay in a processor's cache


def measure_features(surfaces: Sequence[Surface]) -> tuple[tuple[str, ...], Array]:
    """Measure surfaces.

    A row depends on its own surface alone. All numbers are finite.

    Parameters
    ----------
    surfaces : sequence of Surface
        At least one, with the same channels and the same number of layers; token counts may differ. At
        least two layers and one token each, all heights finite.

    Returns
    -------
    names : tuple of str
        ``{channel}.{feature}``, as `feature_names` gives them.
    values : ndarray of shape (surfaces, names)
        The measurements, float64.

    Raises
    ------
    InputError
        If there are no surfaces, or they cannot be measured or not together; the message names what is wrong.
    """
    if not surfaces:
        raise InputError("no surfaces to measure: give at least one")
    channels = surfaces[0].channels
    for number, surface in enumerate(surfaces):
        _check(number, surface, surfaces[0])
    names = feature_names(channels)
    values = np.empty((len(surfaces), len(names)))
    for batch in _batches(surfaces):
        z = np.stack([surfaces[i].values for i in batch]).astype(np.float64)
        finite = np.isfinite(z).all(axis=(1, 2, 3))
        if not finite.all():
            raise InputError(f"surface {batch[int(np.argmin(finite))]} has heights that are not finite")
        columns = [column for family in FAMILIES for column in family(z).values()]
        values[batch] = np.stack(columns, axis=-1).reshape(len(batch), -1)
    return names, values


def feature_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Name the columns that `measure_features` returns.

    Parameters
    ----------
    channels : sequence of str
        The channels of the surfaces.

    Returns
    -------
    tuple of str
        ``{channel}.{feature}``: all features of the first channel, then those of the next.
    """
    return tuple(f"{channel}.{feature}" for channel in channels for feature in _features(FAMILIES))


def family_of(name: str) -> str:
    """The family that a column of `measure_features` belongs to: roughness, peaks or heights.

    Parameters
    ----------
    name : str
        ``{channel}.{feature}``.
    """
    return _features(FAMILIES)[name.split(".", 1)[1]]


@lru_cache(maxsize=1)
def _features(families: tuple[Family, ...]) -> dict[str, str]:
    """Features of one channel, as the families name them for the least surface, with their family."""
    least = np.zeros((2, 1))
    return {name: family.__name__.removeprefix("measure_") for family in families for name in family(least)}


def _check(number: int, surface: Surface, first: Surface) -> None:
    """Refuse a surface that cannot be measured or that has other columns than the first."""
    _, layers, tokens = surface.shape
    if surface.channels != first.channels:
        raise InputError(
            f"surface {number} has the channels {', '.join(surface.channels)}, but surface 0 has "
            f"{', '.join(first.channels)}: only surfaces with the same channels can be measured together"
        )
    if layers != first.shape[1]:
        raise InputError(
            f"surface {number} has {layers} layers, but surface 0 has {first.shape[1]}: only surfaces with "
            "the same number of layers can be measured together"
        )
    if layers < 2 or tokens < 1:
        raise InputError(
            f"surface {number} has {layers} layers and {tokens} tokens: a surface needs at least two layers "
            "and one token to be measured"
        )


def _batches(surfaces: Sequence[Surface]) -> Iterator[npt.NDArray[np.intp]]:
    """Indices of surfaces with the same number of tokens, few enough at a time."""
    tokens = np.array([surface.shape[2] for surface in surfaces])
    for count in np.unique(tokens):
        alike = np.flatnonzero(tokens == count)
        size = max(1, BATCH_VALUES // surfaces[alike[0]].values.size)
        for start in range(0, alike.size, size):
            yield alike[start : start + size]
