"""Packing: pairs in one row behind a common beginning are read as they are one by one."""

import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPTNeoConfig, GPTNeoForCausalLM

from halluscope import LanguageModel
from halluscope.detector.states import pool_states
from halluscope.lm import packer, packing_trial
from halluscope.lm.beginning import Beginning, Passing
from halluscope.lm.layout import by_beginning, count_shared, rows_of
from halluscope.lm.packing import FULL, SLIDING, Row, Windows, packed_options
from halluscope.lm.tokens import TokenizedPair
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
    """The same states, from a pass for each pair."""
    lm._packer._takes[lm.model.config._attn_implementation] = False
    return np.concatenate([pool_states(lm, [pair]) for pair in pairs])


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
    lm.model.config._attn_implementation = "flash_attention_2"
    assert lm._packer.takes_packed_rows() is False


def padded(lm, pairs):
    """Indices of the pairs that are not packed."""
    plan = lm._packer.plan(pairs, lm.token_budget)
    return [index for batch in plan if batch.beginning is None for index in batch.indices]


def test_long_pairs_stand_alone(monkeypatch):
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER[:1])
    rest = [len(pair.ids) - pair.primed for pair in pairs]
    whole = pool_states(lm, pairs)
    monkeypatch.setattr(packer, "PACKED_TOKENS", max(rest) - 1)
    monkeypatch.setattr(packer, "_WORTH_A_MASK", (max(rest) ** 2 - 1) // pairs[0].primed)
    assert padded(lm, pairs) == [rest.index(max(rest))]
    np.testing.assert_allclose(pool_states(lm, pairs), whole, atol=1e-5)
    monkeypatch.setattr(packer, "_WORTH_A_MASK", max(rest) ** 2)  # the primer is worth a mask of any length
    assert padded(lm, pairs) == []
    np.testing.assert_allclose(pool_states(lm, pairs), whole, atol=1e-5)


def test_scaled_positions_are_not_packed():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    lengths = [len(pair.ids) for pair in pairs]
    rope = {"rope_type": "longrope", "original_max_position_embeddings": max(lengths) - 1}
    lm.model.config.rope_parameters |= rope
    assert padded(lm, pairs) == [lengths.index(max(lengths))]


@pytest.mark.parametrize("primer", [(), PRIMER], ids=["bare", "primed"])
@pytest.mark.parametrize("row_tokens", [24, 256])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_packed_states_are_those_of_each_pair_alone(family, row_tokens, primer, monkeypatch):
    monkeypatch.setattr(packer, "ROW_TOKENS", row_tokens)
    lm = LanguageModel(tiny_model(family), tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=primer)
    assert (min(pair.primed for pair in pairs) > 20) == bool(primer)
    packed = pool_states(lm, pairs)
    assert packs(lm) is (family not in FALLS_BACK)
    np.testing.assert_allclose(packed, one_by_one(lm, pairs), atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_what_many_pairs_begin_with_is_read_once(family, monkeypatch):
    monkeypatch.setattr(packer, "ROW_TOKENS", 48)
    lm = LanguageModel(tiny_model(family), tiny_tokenizer())
    context = "The tower of Paris was built by an engineer whose name it bears, in the year 1889. " * 2
    asked = [(f"{context}Who built it?", f"{n} men built it.") for n in range(12)]
    asked += [(f"{context}When was it built {n}?", "In 1889.") for n in range(12)]
    pairs = lm.tokenize_pairs(as_pairs(asked))
    read = []
    hook = lm.anatomy.blocks[0].register_forward_hook(lambda m, args, output: read.append(args[0].shape[1]))
    shared = pool_states(lm, pairs)
    hook.remove()
    assert sum(read) < 0.5 * sum(len(pair.ids) for pair in pairs)
    np.testing.assert_allclose(shared, one_by_one(lm, pairs), atol=1e-5)


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
    rows = [Row.of([(7, 7, 1, 2), (7, 7, 3)], 2), Row.of([(7, 7, 4)], 2)]
    beginning = Beginning(tiny_model().get_decoder(), (7, 7))
    options = packed_options(rows, beginning, windows, torch.float32, torch.device("cpu"))
    masks = options["attention_mask"]
    assert options["position_ids"].tolist() == [[2, 3, 2], [2, 0, 0]]
    seen = {kind: (mask[:, 0] == 0).int().tolist() for kind, mask in masks.items()}
    fill = [[1, 1, 0, 1, 0], [1, 1, 0, 0, 1]]  # attends to itself, and nothing attends to it
    assert seen[FULL] == [
        [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]],
        [[1, 1, 1, 0, 0], *fill],
    ]
    assert seen[SLIDING][0] == [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 1, 0, 0, 1]]
    assert all(row[2 + place] for place, row in enumerate(seen[SLIDING][1]))


@given(st.lists(st.integers(0, 1), max_size=200), st.lists(st.integers(0, 1), max_size=200), st.data())
def test_shared_first_tokens(one, other, data):
    common = data.draw(st.lists(st.integers(0, 1), max_size=200))
    one, other = (*common, *one), (*common, *other)
    expected = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    known = data.draw(st.integers(0, expected))
    assert count_shared(one, other, known) == expected


SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=8)


@given(SEQUENCES, st.integers(0, 3))
def test_a_row_holds_every_way_once(endings, begun):
    sequences = sorted((*[9] * begun, *ending) for ending in endings)
    row = Row.of(sequences, begun)
    for sequence, way in zip(sequences, row.ways, strict=True):
        assert tuple(row.ids[place] for place in way) == sequence[begun:]
        assert row.positions[way].tolist() == list(range(begun, len(sequence)))
        for steps, place in enumerate(way, start=1):
            assert np.flatnonzero(row.seen[place]).tolist() == sorted(way[:steps])
    prefixes = {sequence[:end] for sequence in sequences for end in range(begun + 1, len(sequence) + 1)}
    assert len(row.ids) == len(prefixes)


@given(SEQUENCES, st.integers(1, 12), st.integers(0, 60))
def test_rows_hold_all_pairs_in_so_many_tokens(endings, row_tokens, worthwhile):
    ids = sorted((*[9] * 20, *ending) for ending in endings)
    pairs = [TokenizedPair(each, len(each) - 1, ("x",), ((0, 1),), "x") for each in ids]
    placed = []
    for beginning, members in by_beginning(pairs, 0, row_tokens, worthwhile).items():
        assert all(pairs[i].ids[: len(beginning)] == beginning for i in members)
        assert all(len(beginning) < pairs[i].start for i in members)
        for row, tokens in rows_of(pairs, members, len(beginning), row_tokens):
            laid = Row.of([pairs[i].ids for i in row], len(beginning))
            assert len(laid.ids) == tokens
            assert len(row) == 1 or tokens <= 2 * row_tokens
            assert len(row) <= 2 * row_tokens  # answer tokens, of which each has one
            placed += row
    assert sorted(placed) == list(range(len(pairs)))


def test_batches_keep_to_the_token_budget():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pairs = lm.tokenize_pairs(
        as_pairs([(f"{n} " * (1 + n % 40), "Paris.") for n in range(150)]), primer=PRIMER
    )
    for batch in lm._packer.plan(pairs, 512):
        tokens, options = lm._packer(pairs, batch, Passing())
        assert tokens.ids.numel() + len(tokens.ids) * len(batch.beginning) <= 512 or len(batch.indices) == 1
        assert options["position_ids"].shape == tokens.ids.shape


def test_pairs_behind_primers_of_equal_length():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    primers = (("Who?", "x."),), (("Who?", "y."),)
    one, other = (lm.tokenize_pairs(PAIRS[:2], primer=primer) for primer in primers)
    assert one[0].primed == other[0].primed
    assert one[0].primer != other[0].primer
    together = pool_states(lm, [*one, *other])
    np.testing.assert_allclose(together, one_by_one(lm, [*one, *other]), atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"sliding_window": 8},  # which Llama does not heed
        {"sliding_window": 8, "layer_types": ["full_attention", "sliding_attention"] * 2},
        {"is_causal": False},
    ],
)
def test_settings_that_a_known_type_does_not_heed(settings):
    model = tiny_model()
    for name, value in settings.items():
        setattr(model.config, name, value)
    lm = LanguageModel(model, tiny_tokenizer())
    pairs = lm.tokenize_pairs(PAIRS, primer=PRIMER)
    np.testing.assert_allclose(pool_states(lm, pairs), one_by_one(lm, pairs), atol=1e-5)


def test_beginnings_are_forgotten_but_the_primer(monkeypatch):
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    lm.token_budget = 64
    asked = as_pairs([(f"What is the capital of France? {'Well? ' * 9}", f"Paris {n}.") for n in range(60)])
    pairs = lm.tokenize_pairs(asked, primer=PRIMER)
    pool_states(lm, pairs[:1])
    made = []

    class Watched(Beginning):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr("halluscope.lm.beginning.Beginning", Watched)
    lm.visit(pairs, lambda indices: lambda layer: None)
    gc.collect()
    assert made
    assert not any(reference() for reference in made)
    assert list(lm._packer._beginnings._lasting) == [pairs[0].primer]


def test_other_kinds_of_attention_are_not_packed():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    lm.model.config.layer_types = ["linear_attention"] * 4
    assert lm._packer.takes_packed_rows() is False


def test_a_model_travels_without_its_beginnings():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    pool_states(lm, lm.tokenize_pairs(PAIRS, primer=PRIMER))
    assert "_packer" not in lm.__getstate__()
