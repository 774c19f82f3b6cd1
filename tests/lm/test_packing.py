"""Packing: pairs in one row behind a common beginning are read as they are one by one."""

import numpy as np
import pytest
import torch

from halluscope import LanguageModel
from halluscope.detector.states import pool_states
from halluscope.lm.packing import FULL, SLIDING, Beginning, Beginnings, Windows
from halluscope.records import as_pairs
from halluscope.surfaces import record_surfaces
from tests.tiny import FAMILIES, tiny_model, tiny_tokenizer

PRIMER = (("Who?", "Bell."), ("Where is Paris?", "In France."))
PAIRS = as_pairs(
    [
        ("What is the capital of France?", "Paris."),
        ("Who?", "Graham Bell invented it in 1876."),
        ([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}], "x"),
        ("", "A fact."),
    ]
)
FALLS_BACK = {"bloom"}
"""Reckons positions from a mask of real tokens."""


def one_by_one(lm, pairs):
    """The same states without packing."""
    lm.__dict__["_packs"] = False
    return pool_states(lm, pairs)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_packed_states_are_those_of_each_pair_alone(family):
    lm = LanguageModel(tiny_model(family), tiny_tokenizer())
    primed = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    assert min(pair.primed for pair in primed) > 20
    packed = pool_states(lm, primed)
    assert lm._packs is (family not in FALLS_BACK)
    np.testing.assert_allclose(packed, one_by_one(lm, primed), atol=1e-5)


def test_a_surface_does_not_depend_on_its_row(monkeypatch):
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    together = record_surfaces(lm, pairs)
    for pair, surface in zip(pairs, together, strict=True):
        (alone,) = record_surfaces(lm, [pair])
        np.testing.assert_allclose(alone.values, surface.values, atol=1e-4)


def test_rows_hold_so_many_tokens(monkeypatch):
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    whole = pool_states(lm, pairs)
    lm.token_budget = 1  # every pair by itself
    seen = []
    np.testing.assert_allclose(pool_states(lm, pairs, progress=seen.append), whole, atol=1e-5)
    assert seen == [1] * len(pairs)


def test_a_beginning_is_computed_once_and_anew_when_weights_change():
    model = tiny_model()
    beginnings = Beginnings(model.get_decoder())
    first = beginnings.of((3, 4, 5))
    assert beginnings.of((3, 4, 5)) is first
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(2)
    changed = beginnings.of((3, 4, 5))
    assert changed is not first
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


def test_masks():
    windows = Windows(frozenset({FULL, SLIDING}), 2)
    masks = windows.masks(2, [2, 1], torch.float32)
    seen = {kind: (mask[0, 0] == 0).int().tolist() for kind, mask in masks.items()}
    assert seen == {
        FULL: [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]],
        SLIDING: [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 1, 0, 0, 1]],
    }


def test_other_kinds_of_attention_are_not_packed():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    lm.model.config.layer_types = ["linear_attention"] * 4
    assert lm._packs is False


def test_a_model_travels_without_its_beginnings():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pool_states(lm, lm.tokenize_pairs(PAIRS, primer=PRIMER))
    assert "_beginnings" not in lm.__getstate__()
