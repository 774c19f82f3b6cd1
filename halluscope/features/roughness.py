"""Roughness: how far and how steeply a surface departs from its mean plane.

Every function takes heights ``z`` of shape (..., layers, tokens) with unit spacing on both axes and returns
one number for each surface. An ISO 25178-2 definition is kept wherever noise measures the same with it in
answers of any length. Extremes, kurtosis and correlation lengths do not: they are taken as in profile
metrology (ISO 21920-2), over one sampling length at a time and then averaged. The sampling length is the
layer profile of one token, which has the same number of points in every answer.

A one-token surface has no slopes along tokens. Its slopes along layers stand in for them, which is what
noise without a preferred direction would have there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

from halluscope.features.ratio import divide

Array = npt.NDArray[np.float64]

DECORRELATED = 0.2  # the autocorrelation at which ISO 25178-3 calls heights unrelated


def measure_roughness(z: Array) -> dict[str, Array]:
    """Measure amplitude, slopes and correlation.

    Parameters
    ----------
    z : ndarray of shape (..., layers, tokens)
        Heights, finite; at least two layers and one token.

    Returns
    -------
    dict of str to ndarray of shape (...)
        What `measure_amplitude`, `measure_gradients` and `measure_correlation` return.
    """
    return measure_amplitude(z) | measure_gradients(z) | measure_correlation(z)


def measure_amplitude(z: Array) -> dict[str, Array]:
    """Measure how heights are distributed about the mean.

    Parameters
    ----------
    z : ndarray of shape (..., layers, tokens)
        Heights.

    Returns
    -------
    dict of str to ndarray of shape (...)
        ``Sa``
            Arithmetical mean height, mean |z - mean| (ISO 25178-2). In units of z.
        ``Sq``
            Root mean square height, sqrt(mean (z - mean)²) (ISO 25178-2). In units of z. Where neighbouring
            tokens are alike, the mean of very few of them follows their heights and leaves a little less of
            Sa and Sq.
        ``Ssk``
            Skewness, mean (z - mean)³ / Sq³ (ISO 25178-2). 0 for a flat surface.
        ``Sku``
            Kurtosis, mean (z - mean)⁴ / mean² (z - mean)² of each token's layer profile (Rku of ISO
            21920-2), then the median over tokens. ISO 25178-2 takes it over the whole surface, where it
            grows with the number of tokens; being skewed, so does its mean over tokens. 0 for a flat
            profile.
        ``Sz``
            Maximum height, highest less lowest point of each token's layer profile, then the mean over
            tokens (Rz of ISO 21920-2). ISO 25178-2 takes it over the whole surface. In units of z.
    """
    height = z - z.mean(axis=(-2, -1), keepdims=True)
    square = height * height
    rms = np.sqrt(square.mean(axis=(-2, -1)))
    profile = z - z.mean(axis=-2, keepdims=True)
    profile_square = profile * profile
    kurtosis = divide((profile_square * profile_square).mean(axis=-2), profile_square.mean(axis=-2) ** 2)
    return {
        "Sa": np.abs(height).mean(axis=(-2, -1)),
        "Sq": rms,
        "Ssk": divide((square * height).mean(axis=(-2, -1)), rms**3),
        "Sku": np.median(kurtosis, axis=-1),
        "Sz": (z.max(axis=-2) - z.min(axis=-2)).mean(axis=-1),
    }


def measure_gradients(z: Array) -> dict[str, Array]:
    """Measure slopes along both axes and the area that they develop.

    Parameters
    ----------
    z : ndarray of shape (..., layers, tokens)
        Heights.

    Returns
    -------
    dict of str to ndarray of shape (...)
        ``Sdq``
            Root mean square gradient, sqrt(mean dx² + mean dy²) over the differences dx of neighbouring
            tokens and dy of neighbouring layers (ISO 25178-2).
        ``Sdr``
            Developed interfacial area ratio, (area - projected area) / projected area, as a fraction where
            ISO 25178-2 writes per cent. The area of a cell is the mean over its two triangulations (ISO
            25178-2:2021, D.3).
        ``Str``
            Texture aspect ratio, 2 g_layers / (g_layers + g_tokens) with the rms gradients g of both axes:
            a gradient is the reciprocal of a correlation length, so this is the length along tokens over
            the mean length of both axes. 1 for the same texture along both axes and for a flat surface,
            towards 0 if it is smoother along layers, towards 2 if it is smoother along tokens. ISO 25178-2
            divides the shortest correlation length of all directions by the longest, which chance takes
            further below 1 the fewer tokens there are.
        ``gradient.layers.rms``, ``gradient.layers.mean``
            Root mean square and mean absolute difference of neighbouring layers.
        ``gradient.layers.slope``
            Slope of the least-squares line of height against layer, sign included.
        ``gradient.tokens.rms``, ``gradient.tokens.mean``
            Root mean square and mean absolute difference of neighbouring tokens.
        ``curvature.layers.rms``
            Root mean square second difference along layers. 0 for two layers.
    """
    layers, tokens = z.shape[-2:]
    dy = np.diff(z, axis=-2)
    dx = np.diff(z, axis=-1) if tokens > 1 else dy
    bend = np.diff(dy, axis=-2) if layers > 2 else np.zeros_like(dy)
    dy2, dx2 = dy * dy, dx * dx
    mean_dy2, mean_dx2 = dy2.mean(axis=(-2, -1)), dx2.mean(axis=(-2, -1))
    rms_dy, rms_dx = np.sqrt(mean_dy2), np.sqrt(mean_dx2)
    lever = np.arange(layers) - (layers - 1) / 2
    return {
        "Sdq": np.sqrt(mean_dx2 + mean_dy2),
        "Sdr": _surplus_area(dx2, dy2).mean(axis=(-2, -1)),
        "Str": 2 * divide(rms_dy, rms_dy + rms_dx, otherwise=0.5),
        "gradient.layers.rms": rms_dy,
        "gradient.layers.mean": np.abs(dy).mean(axis=(-2, -1)),
        "gradient.layers.slope": z.mean(axis=-1) @ lever / (lever @ lever),
        "gradient.tokens.rms": rms_dx,
        "gradient.tokens.mean": np.abs(dx).mean(axis=(-2, -1)),
        "curvature.layers.rms": np.sqrt((bend * bend).mean(axis=(-2, -1))),
    }


def measure_correlation(z: Array) -> dict[str, Array]:
    """Measure how far along the layers heights stay related.

    Parameters
    ----------
    z : ndarray of shape (..., layers, tokens)
        Heights.

    Returns
    -------
    dict of str to ndarray of shape (...)
        ``Sal``
            Autocorrelation length: the lag, in layers, at which the autocorrelation first falls to 0.2,
            interpolated linearly between lags. The autocovariance is that of each token's layer profile
            about its own mean, pooled over tokens. ISO 25178-2 takes the direction of fastest decay, which
            in a short answer cannot be followed along tokens. 0 for a flat surface.
    """
    layers = z.shape[-2]
    profile = z - z.mean(axis=-2, keepdims=True)
    # Padding to twice the length keeps one end of a profile from being related to the other.
    spectrum = fft.rfft(profile, n=2 * layers, axis=-2)
    power = (spectrum.real**2 + spectrum.imag**2).sum(axis=-1)
    covariance = fft.irfft(power, n=2 * layers, axis=-1)[..., :layers]
    correlation = divide(covariance, covariance[..., :1])
    # About their own mean the lags of both signs sum to zero, so some lag lies below the threshold.
    below = 1 + np.argmax(correlation[..., 1:] <= DECORRELATED, axis=-1)[..., None]
    left = np.take_along_axis(correlation, below - 1, axis=-1)
    right = np.take_along_axis(correlation, below, axis=-1)
    crossing = (below - 1 + divide(left - DECORRELATED, left - right))[..., 0]
    return {"Sal": np.where(covariance[..., 0] > 0, crossing, 0.0)}


def _surplus_area(dx2: Array, dy2: Array) -> Array:
    """Developed less projected area of unit cells, from the squared slopes of their edges."""
    if dx2.shape == dy2.shape:
        # One token: slopes of successive layers share a point, as the edges that meet in a cell's corner do.
        if dy2.shape[-2] == 1:
            return _surplus(dy2, dy2)
        return _surplus(dy2[..., :-1, :], dy2[..., 1:, :])
    bottom, top = dx2[..., :-1, :], dx2[..., 1:, :]
    left, right = dy2[..., :-1], dy2[..., 1:]
    return (_surplus(bottom, left) + _surplus(bottom, right) + _surplus(top, left) + _surplus(top, right)) / 4


def _surplus(dx2: Array, dy2: Array) -> Array:
    """Area over a unit square of a plane with the squared slopes `dx2` and `dy2`, less that square's area."""
    steepness = dx2 + dy2
    return steepness / (np.sqrt(1 + steepness) + 1)  # sqrt(1 + s) - 1 without the loss of small s to rounding
