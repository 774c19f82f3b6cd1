"""Beginnings: computed once, and anew when the weights change."""

import torch

from halluscope.lm import beginning as beginning_module
from halluscope.lm.beginning import Beginning, Beginnings, Passing
from tests.tiny import tiny_model


def test_a_beginning_is_computed_once_and_anew_when_weights_change():
    visit = Passing()
    model = tiny_model()
    beginnings = Beginnings(model.get_decoder())
    first = beginnings.of((3, 4, 5), visit)
    assert beginnings.of((3, 4, 5), visit) is first
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(2)
    changed = beginnings.of((3, 4, 5), visit)
    assert changed is not first
    next(model.get_decoder().parameters()).data.mul_(2)  # leaves no version behind
    assert beginnings.of((3, 4, 5), visit) is not changed
    assert not torch.equal(changed.layers[1].keys, first.layers[1].keys)


def test_what_is_held_is_bounded(monkeypatch):
    visit = Passing()
    beginnings = Beginnings(tiny_model().get_decoder())
    first, second = beginnings.of((3, 4), visit), beginnings.of((5, 6), visit)
    monkeypatch.setattr(beginning_module, "_PASSING", 2 * first.size)
    third = beginnings.of((7, 8), visit)
    assert beginnings.of((5, 6), visit) is second
    assert beginnings.of((7, 8), visit) is third
    assert beginnings.of((3, 4), visit) is not first


def test_primers_last():
    visit = Passing()
    beginnings = Beginnings(tiny_model().get_decoder())
    primer, passing = beginnings.of((3, 4), visit, (3, 4)), beginnings.of((5, 6), visit)
    visit = Passing()
    assert beginnings.of((3, 4), visit, (3, 4)) is primer
    assert beginnings.of((5, 6), visit) is not passing
    for ids in ((5, 6), (7, 8)):
        beginnings.of(ids, visit, ids)
    assert beginnings.of((3, 4), visit, (3, 4)) is not primer


def test_other_visits_leave_no_trace():
    model = tiny_model()
    read = []
    model.get_input_embeddings().register_forward_hook(lambda m, args, output: read.append(args[0].numel()))
    fresh, used = Beginnings(model.get_decoder()), Beginnings(model.get_decoder())
    at_the_same_time = Passing()
    used.of((3, 4), at_the_same_time, (3, 4))
    used.of((3, 4, 5), at_the_same_time, (3, 4))
    del read[:]
    one = fresh.of((3, 4, 5, 6), Passing(), (3, 4))
    assert read == [2, 2]  # the primer is read by itself whoever asks first
    other = used.of((3, 4, 5, 6), Passing(), (3, 4))
    assert read == [2, 2, 2]
    for mine, theirs in zip(one.tensors, other.tensors, strict=True):
        assert torch.equal(torch.stack(mine), torch.stack(theirs))


def test_a_longer_beginning_goes_on_from_a_known_one():
    visit = Passing()
    model = tiny_model()
    read = []
    model.get_input_embeddings().register_forward_hook(lambda m, args, output: read.append(args[0].numel()))
    beginnings = Beginnings(model.get_decoder())
    short, long = beginnings.of((3, 4, 5), visit), beginnings.of((3, 4, 5, 6, 7), visit)
    assert read == [3, 2]
    assert (short.length, long.length) == (3, 5)
    alone = Beginning(model.get_decoder(), (3, 4, 5, 6, 7))
    for one, other in zip(long.tensors, alone.tensors, strict=True):
        torch.testing.assert_close(one, other)


def test_a_beginning_is_never_added_to():
    model = tiny_model()
    beginning = Beginning(model.get_decoder(), (3, 4, 5))
    model.get_decoder()(torch.tensor([[6, 7]]), past_key_values=beginning)
    assert beginning.get_seq_length() == 3


def test_a_user_s_hook_is_seen_when_it_is_set_and_when_it_is_removed():
    visit = Passing()
    model = tiny_model()
    beginnings = Beginnings(model.get_decoder())
    plain = beginnings.of((3, 4), visit, (3, 4))
    hook = model.get_decoder().layers[0].register_forward_hook(lambda module, args, output: output + 0.3)
    steered = beginnings.of((3, 4), visit, (3, 4))
    assert not torch.equal(steered.tensors[1][0], plain.tensors[1][0])
    hook.remove()
    assert torch.equal(beginnings.of((3, 4), visit, (3, 4)).tensors[1][0], plain.tensors[1][0])
