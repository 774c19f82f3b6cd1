"""Heights and surfaces that the tests of the features share."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from halluscope.surfaces.surface import Surface

LAYERS = 31


def as_surface(z, channels=("a",)):
    """A surface of given heights: (layers, tokens) for one channel, or (channels, layers, tokens)."""
    values = np.asarray(z).reshape(len(channels), *np.shape(z)[-2:])
    tokens = values.shape[2]
    return Surface(values, channels, ("x",) * tokens, tuple((i, i + 1) for i in range(tokens)))


def white_noise(rng, count, tokens):
    return rng.standard_normal((count, LAYERS, tokens))


def smooth_noise(rng, count, tokens):
    """Noise that a Gaussian kernel smooths along both axes, cut from a larger field to have no borders."""
    border = 5
    field = rng.standard_normal((count, LAYERS + 2 * border, tokens + 2 * border))
    return gaussian_filter(field, sigma=(0, 1, 1))[:, border:-border, border:-border]


def profile_noise(rng, count, tokens):
    """White noise along the tokens, the same in every layer, as what the output predicts is."""
    return np.repeat(rng.standard_normal((count, 1, tokens)), LAYERS, axis=1)


def any_heights():
    """Float32 heights of any size up to 1e30, flat ones and fine ones included."""
    shapes = st.tuples(st.integers(2, 8), st.integers(1, 7))
    elements = st.floats(-(2.0**100), 2.0**100, width=32)
    return st.one_of(
        arrays(np.float32, shapes, elements=elements),
        arrays(np.float32, shapes, elements=elements, fill=st.sampled_from([0.5, 2.0**100])),
        arrays(np.float32, shapes, elements=st.sampled_from([0.0, 1.0, -2.0])),
    )


@st.composite
def exact_heights(draw):
    """Random heights on a grid: float32 holds them exactly when shifted or scaled by an integer."""
    layers, tokens = draw(st.integers(2, 33)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return np.round(rng.standard_normal((layers, tokens)) * 256) / 256
