"""Beginnings: computed once, and anew when the weights change."""

import torch

from halluscope.lm.beginning import Beginning, Beginnings
from tests.tiny import tiny_model


def test_a_beginning_is_computed_once_and_anew_when_weights_change():
    model = tiny_model()
    beginnings = Beginnings(model.get_decoder())
    first = beginnings.of((3, 4, 5))
    assert beginnings.of((3, 4, 5)) is first
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(2)
    changed = beginnings.of((3, 4, 5))
    assert changed is not first
    next(model.get_decoder().parameters()).data.mul_(2)  # leaves no version behind
    assert beginnings.of((3, 4, 5)) is not changed
    assert not torch.equal(changed.layers[1].keys, first.layers[1].keys)


def test_few_beginnings_are_held():
    beginnings = Beginnings(tiny_model().get_decoder())
    first = beginnings.of((3, 4))
    for ids in ((5, 6), (7, 8)):
        beginnings.of(ids)
    assert beginnings.of((3, 4)) is not first


def test_a_beginning_is_never_added_to():
    model = tiny_model()
    beginning = Beginning(model.get_decoder(), (3, 4, 5))
    model.get_decoder()(torch.tensor([[6, 7]]), past_key_values=beginning)
    assert beginning.get_seq_length() == 3
