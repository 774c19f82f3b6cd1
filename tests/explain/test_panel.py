import numpy as np
import pytest

from halluscope.errors import InputError
from halluscope.explain.panel import Verdict, arrange_scene
from halluscope.surfaces.surface import Surface
from tests.explain.samples import VERDICTS, make_pair, make_surface


def arrange(surfaces, titles=(), verdicts=None, prompt="", channel=None):
    return arrange_scene(surfaces, titles, verdicts, prompt, channel)


def with_values(values):
    values = np.asarray(values, dtype=np.float32)
    tokens = [f"t{i}" for i in range(values.shape[1])]
    return Surface(values[None], ["reading"], tokens, [(0, 1)] * len(tokens))


def test_scale_spans_all_surfaces():
    pair = make_pair()
    scene = arrange(pair)
    assert scene.low == min(surface.values.min() for surface in pair)
    assert scene.high == max(surface.values.max() for surface in pair)
    assert scene.clipped == "neither"


@pytest.mark.parametrize(("factor", "clipped"), [(1000.0, "max"), (-1000.0, "min")])
def test_outlying_row_does_not_flatten_the_rest(factor, clipped):
    values = np.random.default_rng(0).normal(size=(31, 20))
    values[0] = factor
    scene = arrange([with_values(values)])
    assert scene.clipped == clipped
    assert scene.high - scene.low < 20


def test_peak_is_not_an_outlier():
    values = np.random.default_rng(0).normal(size=(31, 20))
    values[12, 7] = 6.0
    assert arrange([with_values(values)]).clipped == "neither"


@pytest.mark.parametrize("level", [0.0, -3.0, 7.0])
def test_flat_surface_has_a_scale_around_it(level):
    scene = arrange([with_values(np.full((4, 5), level))])
    assert scene.low < level < scene.high


def test_mostly_flat_surface_is_shown_whole():
    values = np.zeros((10, 10))
    values[3, 3] = 1.0
    scene = arrange([with_values(values)])
    assert (scene.low, scene.high, scene.clipped) == (0.0, 1.0, "neither")


@pytest.mark.parametrize("shape", [(31, 1), (1, 5), (1, 1)])
def test_single_rows_and_columns_become_ribbons(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    tokens, layers, drawn = arrange([with_values(values)]).panels[0].grid
    assert drawn.shape == (len(layers), len(tokens)) == tuple(max(2, n) for n in shape)
    assert np.array_equal(np.unique(drawn), np.unique(values))


def test_channel_is_the_reading_else_the_first():
    assert arrange([make_surface(channels=("norm", "reading"))]).channel == "reading"
    assert arrange([make_surface(channels=("norm", "step"))]).channel == "norm"
    chosen = arrange([make_surface(channels=("norm", "reading"))], channel="norm")
    assert chosen.channel == "norm"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"surfaces": []}, "1 to 3 surfaces"),
        ({"surfaces": make_pair() * 2}, "not 4"),
        ({"surfaces": make_pair(), "titles": ["one"]}, "1 titles for 2 surfaces"),
        ({"surfaces": make_pair(), "verdicts": VERDICTS[:1]}, "1 verdicts for 2 surfaces"),
        ({"surfaces": make_pair(), "channel": "colour"}, "no channel 'colour' to draw; there are: reading"),
        ({"surfaces": [make_surface("")]}, "0 tokens cannot be drawn"),
        ({"surfaces": [with_values([[0.0, np.nan]])]}, "not finite"),
    ],
)
def test_input_that_makes_no_figure(arguments, message):
    with pytest.raises(InputError, match=message):
        arrange(**arguments)


def test_verdict_in_words():
    assert str(VERDICTS[0]) == "hallucinated: probability 0.93 (threshold 0.50)"
    assert str(Verdict(0.12, 0.5, False)) == "not hallucinated: probability 0.12 (threshold 0.50)"
    assert VERDICTS[0].color != VERDICTS[1].color
