"""Packing: pairs in one row behind a common beginning are read as they are one by one."""

import numpy as np
import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM

from halluscope import LanguageModel
from halluscope.detector.states import pool_states
from halluscope.lm import packer, packing_trial
from halluscope.lm.packing import FULL, SLIDING, Windows
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


def packs(lm):
    """Whether it was found to take packed rows."""
    return lm._packer._takes[lm.model.config._attn_implementation]


def one_by_one(lm, pairs):
    """The same states without packing."""
    lm._packer._takes[lm.model.config._attn_implementation] = False
    return pool_states(lm, pairs)


@pytest.fixture
def unknown(monkeypatch):
    """No type of model is known to take packed rows: each is tried."""
    monkeypatch.setattr(packing_trial, "KNOWN_TO_PACK", frozenset())


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_model_is_tried(family):
    lm = LanguageModel(tiny_model(family), tiny_tokenizer())
    pool_states(lm, lm.tokenize_pairs(PAIRS, primer=PRIMER))
    assert packs(lm) is (family not in FALLS_BACK)


def test_a_model_with_windows_of_its_own_kind_is_read_pair_by_pair():
    torch.manual_seed(0)
    config = GPTNeoConfig(
        vocab_size=400,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=8,
        max_position_embeddings=256,
        initializer_range=0.15,
    )
    lm = LanguageModel(GPTNeoForCausalLM(config).eval(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    together = pool_states(lm, pairs)
    assert packs(lm) is False
    np.testing.assert_allclose(together, one_by_one(lm, pairs), atol=1e-5)


def test_kernels_without_masks_are_not_tried():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    lm.model.config._attn_implementation = "flash_attention_2"
    assert lm._packer.takes(pairs[0].ids[: pairs[0].primed]) is False


def test_long_pairs_stand_alone(monkeypatch):
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    longest = max(len(pair.ids) - pair.primed for pair in pairs)
    whole = pool_states(lm, pairs)
    monkeypatch.setattr(packer, "PACKED_TOKENS", longest - 1)
    groups = dict(lm._packer.by_beginning(pairs))
    assert [len(pairs[i].ids) - pairs[i].primed for i in groups[()]] == [longest]
    np.testing.assert_allclose(pool_states(lm, pairs), whole, atol=1e-5)


def test_scaled_positions_are_not_packed():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    lengths = [len(pair.ids) for pair in pairs]
    lm.model.config.rope_parameters["original_max_position_embeddings"] = max(lengths) - 1
    assert dict(lm._packer.by_beginning(pairs))[()] == [lengths.index(max(lengths))]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_packed_states_are_those_of_each_pair_alone(family):
    lm = LanguageModel(tiny_model(family), tiny_tokenizer())
    primed = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    assert min(pair.primed for pair in primed) > 20
    packed = pool_states(lm, primed)
    assert packs(lm) is (family not in FALLS_BACK)
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
    assert lm._packer.takes((3, 4, 5)) is False


def test_a_model_travels_without_its_beginnings():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pool_states(lm, lm.tokenize_pairs(PAIRS, primer=PRIMER))
    assert "_packer" not in lm.__getstate__()
