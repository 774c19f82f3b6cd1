import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from mpl_toolkits.mplot3d import Axes3D

from halluscope.explain.landscape import draw_landscapes
from tests.explain.samples import INVENTED, PROMPT, TRUE, VERDICTS, make_pair, make_surface

HOSTILE = "The $x^2$ of $\\frac{ & <b>bold</b> </script>\nis 埃隆 مرحبا 🚀 50% of_all {braces} \x00"


def panels_of(figure):
    return [axes for axes in figure.axes if isinstance(axes, Axes3D)]


def text_of(figure):
    return " ".join(text.get_text() for text in figure.texts)


def boxes_of(figure):
    """What must stay apart, in pixels: captions and verdicts, axes with their labels, the colour bar."""
    renderer = figure.canvas.get_renderer()
    bar = next(axes for axes in figure.axes if not isinstance(axes, Axes3D))
    axis_boxes = [
        axis.get_tightbbox(renderer)
        for axes in panels_of(figure)
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis)
    ]
    return (
        [text.get_window_extent(renderer) for text in figure.texts],
        axis_boxes,
        bar.get_tightbbox(renderer),
    )


def overlap(a, b):
    """Whether two boxes share more than a pixel's edge."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


@pytest.fixture
def figure():
    return draw_landscapes(make_pair(), verdicts=VERDICTS, prompt=PROMPT)


def test_panels_share_the_scale_but_not_the_tokens(figure):
    left, right = panels_of(figure)
    assert left.get_zlim() == right.get_zlim()
    assert left.collections[0].get_clim() == right.collections[0].get_clim() == left.get_zlim()
    assert left.get_xlim() == (0, len(INVENTED.split()) - 1)
    assert right.get_xlim() == (0, len(TRUE.split()) - 1)
    assert left.get_ylim() == (0, 30)
    assert len(figure.axes) == 3  # one colour bar


def test_panels_say_what_they_show(figure):
    text = text_of(figure)
    assert text.count(PROMPT) == 2
    assert f"“{INVENTED}”" in text
    assert f"“{TRUE}”" in text
    assert all(str(verdict) in text for verdict in VERDICTS)
    labels = [label.get_text() for label in panels_of(figure)[1].get_xticklabels()]
    assert (
        labels == TRUE.replace("entrepreneur,", "entreprene…").replace("African-born", "African-bo…").split()
    )
    assert [text.get_weight() for text in figure.texts if text.get_text() == PROMPT] == ["bold", "bold"]


def test_size_on_screen(figure, tmp_path):
    figure.savefig(tmp_path / "figure.png")
    assert np.asarray(figure.canvas.buffer_rgba()).shape == (700, 1600, 4)


@pytest.mark.parametrize(
    "answers",
    [
        [["Yes"]],
        [TRUE.split(), INVENTED.split()],
        [["entrepreneurship"] * 200, ["Yes"]],
        [[f"<b>{i}</b>longtoken" for i in range(110)], ["No"], list(HOSTILE)],
    ],
)
@pytest.mark.parametrize("prompt", [PROMPT, "What is $x^2$ & <b>bold</b>? " * 20])
def test_nothing_overlaps_or_is_cut(answers, prompt):
    surfaces = [make_surface(" ".join(tokens), tokens) for tokens in answers]
    figure = draw_landscapes(
        surfaces, titles=["A title"] * len(answers), verdicts=[VERDICTS[0]] * len(answers), prompt=prompt
    )
    figure.canvas.draw()
    texts, axes, bar = boxes_of(figure)
    page = figure.bbox
    for box in [*texts, *axes, bar]:
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
    for text in texts:
        assert not overlap(text, bar)
        assert not any(overlap(text, box) for box in axes)
    assert not any(overlap(box, bar) for box in axes)


def test_long_answer_is_visibly_shortened():
    figure = draw_landscapes([make_surface("word " * 120)])
    assert "word…" in text_of(figure)


def test_text_is_data():
    figure = draw_landscapes([make_surface(HOSTILE, list(HOSTILE))], titles=["$y$"], prompt=HOSTILE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    assert "The $x^2$ of $\\frac{ & <b>bold</b> </script>" in text_of(figure)
    labels = panels_of(figure)[0].get_xticklabels()
    assert not any(text.get_parse_math() for text in [*figure.texts, *labels])


def test_one_token_is_a_ribbon():
    figure = draw_landscapes([make_surface("Yes")])
    panel = panels_of(figure)[0]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["Yes"]
    assert len(panel.collections[0].get_array()) == 30  # one column of facets between 31 layers


def test_drawing_takes_the_values_as_they_are():
    surface = make_surface()
    panel = panels_of(draw_landscapes([surface]))[0]
    values = surface["reading"]
    facets = (values[:-1, :-1] + values[1:, :-1] + values[:-1, 1:] + values[1:, 1:]) / 4
    assert np.allclose(panel.collections[0].get_array(), facets.ravel(), atol=1e-5)


def test_clipping_shows_at_the_colour_bar():
    surface = make_surface(channels=("norm",))
    values = surface.values.copy()
    values[:, 0] = 1e4
    figure = draw_landscapes([type(surface)(values, ("norm",), surface.tokens, surface.offsets, TRUE)])
    assert panels_of(figure)[0].get_zlim()[1] < 1e3
    assert figure.axes[-1]._colorbar.extend == "max"


def test_pyplot_is_left_alone():
    before = "matplotlib.pyplot" in sys.modules and sys.modules["matplotlib.pyplot"].get_fignums()
    draw_landscapes([make_surface()])
    assert before == ("matplotlib.pyplot" in sys.modules and sys.modules["matplotlib.pyplot"].get_fignums())


def test_threads_draw_the_same():
    def pixels(_):
        figure = draw_landscapes([make_surface(layers=6)], prompt=PROMPT)
        figure.canvas.draw()
        return np.asarray(figure.canvas.buffer_rgba()).copy()

    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(pixels, range(3))
    assert all(np.array_equal(first, other) for other in others)


def test_surface_plots_itself():
    figure = make_surface().plot(title="A title")
    assert "A title" in text_of(figure)
