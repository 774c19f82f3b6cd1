"""Regional heights: how high a surface stands over parts of the layers and tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

THIRDS = ("early", "middle", "late")
WHOLE, OUTPUT = "whole", "output"
EIGHTHS = tuple(f"depth{i}" for i in range(1, 9))


def measure_heights(z: Array) -> dict[str, Array]:
    """Pool surfaces over bands of layers and regions of tokens.

    A band is a third (``early``, ``middle``, ``late``) or an eighth (``depth1`` to ``depth8``) of the
    layers, at least one layer, all of them (``whole``), or the last alone (``output``), where the model's own
    prediction is read; with fewer than eight layers, neighbouring bands share layers.

    Parameters
    ----------
    z : ndarray of shape (..., layers, tokens)
        Heights, finite; at least two layers and one token.

    Returns
    -------
    dict of str to ndarray of shape (...)
        In units of z. For each third, the whole and the output:

        ``{band}.all``, ``{band}.first``, ``{band}.half2``, ``{band}.last``
            Mean over the band's layers and over all tokens, the first, the second half of them (the middle
            one included), the last.

        For each third:

        ``{band}.spread``
            Standard deviation over the band's layers, mean over tokens.
        ``{band}.highest``
            Highest point over the band's layers, mean over tokens.

        For each eighth:

        ``{band}.mean``, ``{band}.last``
            Mean over the band's layers and over all tokens, and the last.

        Spread and highest point are per token because over the tokens both grow with their number.
    """
    tokens = z.shape[-1]
    measured: dict[str, Array] = {}
    thirds = _bands(z, THIRDS)
    for name, band in (thirds | {WHOLE: z, OUTPUT: z[..., -1:, :]}).items():
        height = band.mean(axis=-2)
        measured |= {
            f"{name}.all": height.mean(axis=-1),
            f"{name}.first": height[..., 0],
            f"{name}.half2": height[..., tokens // 2 :].mean(axis=-1),
            f"{name}.last": height[..., -1],
        }
    for name, band in thirds.items():
        measured |= {
            f"{name}.spread": band.std(axis=-2).mean(axis=-1),
            f"{name}.highest": band.max(axis=-2).mean(axis=-1),
        }
    for name, band in _bands(z, EIGHTHS).items():
        height = band.mean(axis=-2)
        measured |= {f"{name}.mean": height.mean(axis=-1), f"{name}.last": height[..., -1]}
    return measured


def _bands(z: Array, names: tuple[str, ...]) -> dict[str, Array]:
    """Cut the layers into as many bands as there are names."""
    layers, count = z.shape[-2], len(names)
    starts = [i * layers // count for i in range(count)]
    stops = [max((i + 1) * layers // count, starts[i] + 1) for i in range(count)]
    return {name: z[..., start:stop, :] for name, start, stop in zip(names, starts, stops, strict=True)}
