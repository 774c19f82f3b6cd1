"""Predictions against torch's own log-softmax, however they are cut and whenever they are read."""

import pytest
import torch

from halluscope.lm import prediction
from halluscope.lm.anatomy import find_anatomy
from halluscope.lm.prediction import Predictions, read_predictions
from tests.tiny import tiny_model


class Fixed:
    """An unembedding that knows its logits: states are rows of them."""

    def __init__(self, logits):
        self.logits = logits
        self.calls = self.states = 0

    def raw(self, states):
        self.calls += 1
        self.states += len(states)
        return self.logits[states[:, 0].long()]

    def treated(self, logits):
        return logits.float() * 2.0


def expected(logits, ids):
    log_p = (logits.double() * 2).log_softmax(-1)
    return log_p.gather(1, ids[:, None])[:, 0].float(), -(log_p.exp() * log_p).sum(-1).float()


@pytest.mark.parametrize("held", [1, 150, 10**9])
@pytest.mark.parametrize("near", [1, 120, 10**9])
def test_predictions_are_those_of_log_softmax_however_they_are_cut(monkeypatch, held, near):
    monkeypatch.setattr(prediction, "_LOGITS", held)
    monkeypatch.setattr(prediction, "_NEAR", near)
    logits = torch.randn(7, 50, generator=torch.Generator().manual_seed(0)) * 4
    ids = torch.arange(7) * 7
    found = read_predictions(Fixed(logits), torch.arange(7.0)[:, None], torch.arange(7), ids)
    torch.testing.assert_close(found, expected(logits, ids), atol=1e-5, rtol=1e-5)


def test_tokens_that_one_state_predicts(monkeypatch):
    monkeypatch.setattr(prediction, "_NEAR", 100)
    logits = torch.randn(5, 50, generator=torch.Generator().manual_seed(0)) * 4
    state_of, ids = torch.tensor([3, 0, 3, 1, 2, 0, 4, 3]), torch.arange(8)
    found = read_predictions(Fixed(logits), torch.arange(5.0)[:, None], state_of, ids)
    torch.testing.assert_close(found, expected(logits[state_of], ids), atol=1e-5, rtol=1e-5)


def test_a_prediction_that_is_certain_has_no_entropy():
    logits = torch.tensor([[20.0, -5e3, 0.0], [20.0, -5e3, -torch.inf]])
    log_p, entropy = read_predictions(
        Fixed(logits), torch.arange(2.0)[:, None], torch.arange(2), torch.tensor([0, 1])
    )
    torch.testing.assert_close(log_p, torch.tensor([0.0, -10040.0]))
    torch.testing.assert_close(entropy, torch.zeros(2))


def test_layers_that_wait_are_read_together_and_once():
    logits = torch.randn(7, 50, generator=torch.Generator().manual_seed(0))
    unembed, emitted = Fixed(logits), torch.tensor([9, 8, 7])
    predictions = Predictions(unembed, emitted, torch.tensor([4, 6, 4]))
    layers = [torch.tensor([0, 1, 0]), torch.tensor([2, 3, 2]), torch.tensor([4, 5, 4])]
    later = [predictions.ask(layer, rows[:, None].float) for layer, rows in enumerate(layers[:2])]
    assert unembed.calls == 0
    for give, rows in zip(later, layers, strict=False):
        torch.testing.assert_close(give(), expected(logits[rows], emitted), atol=1e-5, rtol=1e-5)
    assert (unembed.calls, unembed.states) == (1, 4)
    give = predictions.ask(1, lambda: torch.zeros(3, 1))
    torch.testing.assert_close(give(), expected(logits[layers[1]], emitted), atol=1e-5, rtol=1e-5)
    assert unembed.calls == 1
    predictions.ask(2, layers[2][:, None].float)()
    assert (unembed.calls, unembed.states) == (2, 6)


def test_few_states_wait(monkeypatch):
    monkeypatch.setattr(prediction, "_WAITING", 8)  # bytes: two states of one number
    unembed = Fixed(torch.randn(7, 50))
    predictions = Predictions(unembed, torch.tensor([9, 8]), torch.tensor([0, 1]))
    for layer in range(3):
        predictions.ask(layer, torch.tensor([[1.0], [2.0]]).float)
    assert (unembed.calls, unembed.states) == (1, 4)


def test_what_is_read_leaves_the_logits_of_the_model_alone():
    anatomy = find_anatomy(tiny_model())
    states = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        raw = anatomy.unembed.raw(states)
        kept = raw.clone()
        anatomy.unembed.treated(raw).zero_()
    torch.testing.assert_close(raw, kept)
