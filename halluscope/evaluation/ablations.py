"""What is left of a detector when something of the surface is destroyed.

Shuffled along an axis, a surface keeps its heights and loses their order; with random directions it keeps
its shape and loses what was learned; cut short, its answer keeps nothing of its length.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from halluscope.detector.moments import Rows
from halluscope.detector.readings import fit_readings
from halluscope.features import family_of
from halluscope.surfaces import Reading, Surface


def feature_ablations(names: Sequence[str]) -> dict[str, Callable[[str], bool]]:
    """Every family of features and every channel alone, and left out.

    Parameters
    ----------
    names : sequence of str
        Of the features.

    Returns
    -------
    dict of str to callable
        For `cross_validate`: ``roughness only``, ``without roughness``, ``lens only``, ``without lens`` ...
    """
    parts: dict[str, Callable[[str], str]] = {}
    for name in names:
        parts |= {family_of(name): family_of, channel_of(name): channel_of}
    return {
        f"{wanted} {part}" if wanted == "without" else f"{part} {wanted}": _keep(part_of, part, wanted)
        for part, part_of in parts.items()
        for wanted in ("only", "without")
    }


def _keep(part_of: Callable[[str], str], part: str, wanted: str) -> Callable[[str], bool]:
    return lambda name: (part_of(name) == part) == (wanted == "only")


def channel_of(name: str) -> str:
    """The channel that a feature is measured on."""
    return name.split(".", 1)[0]


def shuffle_tokens(surface: Surface) -> Surface:
    """The surface with its tokens in random order, the same for all channels and layers."""
    return _reordered(surface, tokens=_generator(surface).permutation(surface.shape[2]))


def shuffle_layers(surface: Surface) -> Surface:
    """The surface with its layers in random order, the same for all channels and tokens of this answer."""
    return _reordered(surface, layers=_generator(surface).permutation(surface.shape[1]))


def shuffle_both(surface: Surface) -> Surface:
    """The surface with layers and tokens in random order."""
    return shuffle_layers(shuffle_tokens(surface))


def cut_to(tokens: int) -> Callable[[Surface], Surface]:
    """A transform that keeps the first tokens of an answer, or all of a shorter one.

    Parameters
    ----------
    tokens : int
        How many, at least one.
    """

    def cut(surface: Surface) -> Surface:
        return surface.select(0, min(tokens, surface.shape[2]))

    return cut


def random_readings(
    states: npt.NDArray[np.float32],
    hallucinated: npt.NDArray[np.bool_],
    ridge: float,
    parts: Sequence[Rows],
) -> list[Reading]:
    """Readings whose directions are random, with centres and scales as `fit_readings` finds them.

    Each direction is learned from labels that are shuffled among all rows, the same way for all parts: as
    long, as bent by the states' own variance and as alike from part to part as a learned one, but telling
    nothing.
    """
    return fit_readings(states, np.random.default_rng(0).permutation(hallucinated), ridge, parts)


def _generator(surface: Surface) -> np.random.Generator:
    """Of its own for each surface, whatever its batch: seeded by its answer and by its heights."""
    return np.random.default_rng(zlib.crc32(surface.answer.encode() + surface.values[0].tobytes()))


def _reordered(
    surface: Surface,
    *,
    layers: npt.NDArray[np.intp] | slice = slice(None),
    tokens: npt.NDArray[np.intp] | slice = slice(None),
) -> Surface:
    values = surface.values[:, layers][:, :, tokens]
    return Surface(values, surface.channels, surface.tokens, surface.offsets, surface.answer)
