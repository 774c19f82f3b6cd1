"""Each measure against its formula on transformers' own `output_hidden_states`."""

import numpy as np
import pytest
import torch

from halluscope.lm.language_model import LanguageModel
from halluscope.surfaces import DEFAULT_MEASURES, Entropy, Lens, Norm, Reading, Step, Turn, record_surfaces
from tests.tiny import tiny_model, tiny_tokenizer

FAMILIES = ["llama", "gemma2", "opt", "falcon"]
PROMPT, ANSWER = "Who invented the telephone?", "Alexander Graham Bell, in 1876."


class Direct:
    """The answer's states, the last one before the final norm, and the output distribution of every layer."""

    def __init__(self, family):
        model = tiny_model(family)
        self.lm = LanguageModel(model, tiny_tokenizer())
        self.pair = self.lm.tokenize(PROMPT, ANSWER)
        last = []
        handle = self.lm.anatomy.blocks[-1].register_forward_hook(lambda module, args, out: last.append(out))
        with torch.no_grad():
            out = model(torch.tensor([self.pair.ids]), output_hidden_states=True)
            handle.remove()
            last = last[0][0] if isinstance(last[0], tuple) else last[0]
            hidden = torch.cat([*out.hidden_states[:-1], last.reshape(1, *out.hidden_states[0].shape[1:])])
            logits = torch.stack(
                [self.lm.anatomy.unembed(state) for state in hidden[:, self.pair.start - 1 : -1]]
            )
        self.h = hidden[:, self.pair.start :].double().numpy()
        self.log_p = logits.double().log_softmax(-1).numpy()
        self.own_log_p = out.logits[0, self.pair.start - 1 : -1].double().log_softmax(-1).numpy()
        self.emitted = np.array(self.pair.ids[self.pair.start :])

    def record(self, *measures):
        return record_surfaces(self.lm, [self.pair], measures)[0]

    def chosen(self, log_p):
        return np.take_along_axis(log_p, np.broadcast_to(self.emitted[:, None], (*log_p.shape[:-1], 1)), -1)[
            ..., 0
        ]


@pytest.fixture(scope="module", params=FAMILIES)
def direct(request):
    return Direct(request.param)


def test_norm(direct):
    np.testing.assert_allclose(
        direct.record(Norm())["norm"], np.log(np.linalg.norm(direct.h, axis=-1)), atol=1e-5
    )


def test_step(direct):
    size = np.linalg.norm(np.diff(direct.h, axis=0), axis=-1) / np.linalg.norm(direct.h[:-1], axis=-1)
    step = direct.record(Step())["step"]
    np.testing.assert_allclose(step[1:], np.log(size), atol=1e-4)
    np.testing.assert_array_equal(step[0], step[1])  # no cliff where no block has moved anything


def test_turn(direct):
    unit = direct.h / np.linalg.norm(direct.h, axis=-1, keepdims=True)
    turn = direct.record(Turn())["turn"]
    np.testing.assert_allclose(turn[1:], np.arccos((unit[1:] * unit[:-1]).sum(-1)), atol=1e-4)
    np.testing.assert_array_equal(turn[0], turn[1])


def test_lens(direct):
    lens = direct.record(Lens())["lens"]
    np.testing.assert_allclose(lens, direct.chosen(direct.log_p), atol=5e-5)
    np.testing.assert_allclose(lens[-1], direct.chosen(direct.own_log_p), atol=5e-5)


def test_entropy(direct):
    entropy = direct.record(Entropy())["entropy"]
    np.testing.assert_allclose(entropy, -(np.exp(direct.log_p) * direct.log_p).sum(-1), atol=5e-5)
    own = -(np.exp(direct.own_log_p) * direct.own_log_p).sum(-1)
    np.testing.assert_allclose(entropy[-1], own, atol=5e-5)


def test_reading(direct):
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(2, 5, 32, generator=generator)
    centres, scales = torch.randn(2, 5, generator=generator), torch.rand(2, 5, generator=generator) + 0.5
    surface = direct.record(Reading(("mean", "last"), directions, centres, scales))
    assert surface.channels == ("mean", "last")
    expected = np.einsum("rld,ltd->rlt", directions.double().numpy(), direct.h)
    expected = (expected - centres.numpy()[..., None]) / scales.numpy()[..., None]
    np.testing.assert_allclose(surface.values, expected, atol=1e-4)


@pytest.mark.parametrize("every", [2, 3, 4, 5, 99, None])
def test_layers_left_out_are_interpolated(every):
    direct = Direct("llama")
    full, sparse = (direct.record(Lens(n), Entropy(n)) for n in (1, every))
    grid = sorted(range(4, -1, -(every or 5)))
    layers = np.arange(5)
    for channel in full.channels:
        for token in range(len(direct.pair.tokens)):
            expected = np.interp(layers, grid, full[channel][grid, token])
            np.testing.assert_allclose(sparse[channel][:, token], expected, atol=1e-5)


def test_degenerate_states_give_finite_numbers():
    model = tiny_model()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.zero_()
    surface = LanguageModel(model, tiny_tokenizer()).surface(PROMPT, ANSWER)
    assert np.isfinite(surface.values).all()


def test_the_default_measures_and_what_they_cost(monkeypatch):
    direct = Direct("llama")
    calls = []
    unembed = type(direct.lm.anatomy.unembed).raw
    monkeypatch.setattr(
        type(direct.lm.anatomy.unembed), "raw", lambda *args: calls.append(1) or unembed(*args)
    )
    surface = direct.record(*DEFAULT_MEASURES)
    assert surface.channels == ("norm", "step", "turn", "lens", "entropy")
    assert len(calls) == 1  # of 5 layers the last, once for both measures
