import mmap

import numpy as np
import pytest
import torch

from halluscope.detector import states as states_module
from halluscope.detector.readings import fit_readings
from halluscope.detector.states import POOLINGS, pool_states, release, sampled_token
from halluscope.records import as_pairs


@pytest.fixture(scope="module")
def pairs():
    answers = ["Paris.", "The capital is the city of Paris, in France.", "No.", "A river in the north."]
    return as_pairs([("What is the capital of France?", answer) for answer in answers])


def test_equal_to_the_model_s_own_hidden_states(lm, pairs):
    tokenized = lm.tokenize_pairs(pairs)
    pooled = pool_states(lm, tokenized)
    assert pooled.shape == (len(pairs), len(POOLINGS), lm.n_layers, lm.hidden_size)
    assert pooled.dtype == np.float32
    for states, pair in zip(pooled, tokenized, strict=True):
        with torch.inference_mode():
            hidden = lm.model(torch.tensor([pair.ids]), output_hidden_states=True).hidden_states
        inside = torch.stack(hidden[:-1])[:, 0, pair.start :]  # the last one is after the final norm
        np.testing.assert_allclose(states[POOLINGS.index("mean"), :-1], inside.mean(1), atol=1e-5)
        np.testing.assert_allclose(states[POOLINGS.index("last"), :-1], inside[:, -1], atol=1e-5)
        token = inside[:, sampled_token(pair)]
        np.testing.assert_allclose(states[POOLINGS.index("token"), :-1], token, atol=1e-5)


def test_order_and_batches_do_not_matter(lm, pairs):
    tokenized = lm.tokenize_pairs(pairs)
    together = pool_states(lm, tokenized)
    backwards = pool_states(lm, tokenized[::-1])[::-1]
    alone = np.concatenate([pool_states(lm, [pair]) for pair in tokenized])
    np.testing.assert_allclose(together, backwards, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_many_states_are_kept_on_disk(lm, pairs, monkeypatch):
    tokenized = lm.tokenize_pairs(pairs * 3)
    expected = pool_states(lm, tokenized)
    monkeypatch.setattr(states_module, "_IN_MEMORY", 0)
    monkeypatch.setattr(states_module, "_WRITTEN", 1000)
    found = pool_states(lm, tokenized)
    assert isinstance(base_of(found), mmap.mmap)
    assert not isinstance(base_of(expected), mmap.mmap)
    np.testing.assert_array_equal(found, expected)
    release(found)
    np.testing.assert_array_equal(found, expected)
    y = np.arange(len(tokenized)) % 2 == 0
    (one,), (other,) = (fit_readings(each, y, 0.3, [np.arange(len(y))]) for each in (found, expected))
    torch.testing.assert_close(one.directions, other.directions, rtol=0, atol=0)


def base_of(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base


def test_one_token_answer_has_one_state(lm):
    (pair,) = lm.tokenize_pairs(as_pairs([("Name a letter.", [70])]))
    mean, last, token = pool_states(lm, [pair])[0]
    np.testing.assert_array_equal(mean, last)
    np.testing.assert_array_equal(mean, token)


def test_sampled_tokens_come_from_everywhere(lm):
    answers = [f"the {number} of many" for number in range(400)]
    tokenized = lm.tokenize_pairs(as_pairs([("Name a number.", answer) for answer in answers]))
    places = np.array([sampled_token(pair) / len(pair.tokens) for pair in tokenized])
    assert np.histogram(places, bins=4, range=(0, 1))[0].min() > 60  # of 100 each


def test_progress_counts_every_pair(lm, pairs):
    seen = []
    pool_states(lm, lm.tokenize_pairs(pairs), progress=seen.append)
    assert sum(seen) == len(pairs)
