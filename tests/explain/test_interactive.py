import builtins

import numpy as np
import pytest

from halluscope.errors import HalluscopeError
from halluscope.explain.interactive import interactive_landscapes, interactive_page
from tests.explain.samples import INVENTED, PROMPT, TRUE, VERDICTS, make_pair, make_surface

pytest.importorskip("plotly")
HOSTILE = "The $x^2$ of <b>bold</b> </script><script>alert(1)</script> &lt; is"
ESCAPED = "The &#36;x^2&#36; of &lt;b&gt;bold&lt;/b&gt; &lt;/script&gt;"


def text_of(figure):
    return " ".join(annotation.text for annotation in figure.layout.annotations)


def test_scenes_share_the_scale():
    figure = interactive_landscapes(make_pair(), verdicts=VERDICTS, prompt=PROMPT)
    assert [trace.scene for trace in figure.data] == ["scene", "scene2"]
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}
    layout = figure.layout
    assert (
        layout.scene.zaxis.range
        == layout.scene2.zaxis.range
        == (layout.coloraxis.cmin, layout.coloraxis.cmax)
    )
    assert layout.scene.domain.x[1] <= layout.scene2.domain.x[0]
    assert layout.scene.xaxis.range != layout.scene2.xaxis.range


def test_annotations_say_what_is_shown():
    figure = interactive_landscapes(make_pair(), titles=["First", "Second"], verdicts=VERDICTS, prompt=PROMPT)
    text = text_of(figure)
    assert text.count(PROMPT) == 2
    assert f"“{INVENTED}”" in text
    assert f"“{TRUE}”" in text
    assert "First" in text
    assert all(str(verdict) in text for verdict in VERDICTS)


def test_pointing_shows_layer_token_and_activity():
    surface = make_surface()
    notes = interactive_landscapes([surface]).data[0].text
    assert notes[3][1] == f"layer 3<br>token Musk<br>activity {surface['reading'][3, 1]:.3f}"


def test_markup_in_texts_is_escaped():
    surface = make_surface(HOSTILE)
    figure = interactive_landscapes([surface], titles=["<i>"], prompt=HOSTILE)
    text = text_of(figure)
    assert text.count(ESCAPED) == 2
    assert "&amp;lt;" in text
    assert "<" not in text
    assert "token &lt;b&gt;bold&lt;/b&gt;<br>" in figure.data[0].text[0][3]
    assert not any("<b>" in label for label in figure.layout.scene.xaxis.ticktext)
    page = interactive_page(figure)
    assert "<script>alert" not in page
    assert HOSTILE not in page


def test_one_token():
    figure = interactive_landscapes([make_surface("Yes")])
    trace = figure.data[0]
    assert np.shape(trace.z) == np.shape(trace.text) == (31, 2)
    assert np.array_equal(trace.z[:, 0], trace.z[:, 1])


def test_missing_plotly(monkeypatch):
    real = builtins.__import__

    def without_plotly(name, *arguments, **options):
        if name.startswith("plotly"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_plotly)
    with pytest.raises(HalluscopeError, match=r"install halluscope\[html\]"):
        interactive_landscapes(make_pair())
