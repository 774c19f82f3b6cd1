import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halluscope.errors import InputError
from halluscope.lm.language_model import LanguageModel
from halluscope.surfaces import DEFAULT_MEASURES, Norm, record_surfaces
from tests.tiny import tiny_model, tiny_tokenizer

LM = LanguageModel(tiny_model(), tiny_tokenizer(), token_budget=120)
PAIRS = [
    LM.tokenize(prompt, answer)
    for prompt, answer in [
        ("Who?", "I"),
        ("Who invented the telephone?", "Alexander Graham Bell, in 1876."),
        ("", "Paris is the capital of France. " * 3),
        ("What is it?", "🙂"),
        ([1, 5, 6], [7]),
    ]
]
ALONE = [record_surfaces(LM, [pair])[0] for pair in PAIRS]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, len(PAIRS) - 1), min_size=1, max_size=8))
def test_a_surface_is_the_same_in_any_company_and_order(order):
    surfaces = record_surfaces(LM, [PAIRS[i] for i in order])
    assert len(surfaces) == len(order)
    for i, surface in zip(order, surfaces, strict=True):
        assert surface.tokens == PAIRS[i].tokens
        assert surface.offsets == PAIRS[i].offsets
        assert surface.answer == PAIRS[i].answer
        np.testing.assert_allclose(surface.values, ALONE[i].values, atol=1e-4)


def test_one_token_answers_have_one_column():
    assert ALONE[4].shape == (5, 5, 1)
    assert np.isfinite(ALONE[4].values).all()


def test_no_pairs_no_surfaces():
    assert record_surfaces(LM, []) == []


class Largest:
    """A user's own measure, with two channels and every other layer."""

    channels = ("largest", "place")

    def __call__(self, layer):
        if layer.layer % 2:
            return None
        values, places = layer.state.abs().max(dim=-1)
        return torch.stack([values, places.float()])


def test_a_measure_of_one_s_own_needs_nothing_else():
    surface = LM.surface("Who?", "Alexander Graham Bell.", measures=[Norm(), Largest()])
    assert surface.channels == ("norm", "largest", "place")
    largest = surface["largest"]
    np.testing.assert_allclose(largest[1], (largest[0] + largest[2]) / 2, rtol=1e-6)
    assert (largest <= np.exp(surface["norm"]) + 1e-5)[::2].all()


def test_measures_are_taken_in_the_order_given():
    reverse = record_surfaces(LM, PAIRS[:1], DEFAULT_MEASURES[::-1])[0]
    assert reverse.channels == ALONE[0].channels[::-1]
    np.testing.assert_allclose(reverse.values[::-1], ALONE[0].values, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (lambda layer: layer.state[:, 0], "it must give .1, 1., channels x tokens"),
        (lambda layer: layer.state.T, "gave values of shape .32, 1. at layer 0"),
        (lambda layer: None, "was taken at no layer"),
    ],
)
def test_a_measure_that_gives_something_else_is_named(values, problem):
    class Bad:
        channels = ("bad",)

        def __call__(self, layer):
            return values(layer)

        def __repr__(self):
            return "Bad()"

    with pytest.raises(InputError, match=rf"measure Bad\(\) .*{problem}"):
        record_surfaces(LM, PAIRS[:1], [Bad()])


def test_without_a_measure_there_is_no_surface():
    with pytest.raises(InputError, match="no measures given"):
        record_surfaces(LM, PAIRS[:1], [])
    with pytest.raises(InputError, match="every channel needs a name of its own"):
        record_surfaces(LM, PAIRS[:1], [Norm(), Norm()])
