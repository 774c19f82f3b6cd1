import numpy as np
import pytest
import torch

from halluscope.detector.states import POOLINGS, pool_states, sampled_token
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
    for number, (states, pair) in enumerate(zip(pooled, tokenized, strict=True)):
        with torch.inference_mode():
            hidden = lm.model(torch.tensor([pair.ids]), output_hidden_states=True).hidden_states
        inside = torch.stack(hidden[:-1])[:, 0, pair.start :]  # the last one is after the final norm
        np.testing.assert_allclose(states[POOLINGS.index("mean"), :-1], inside.mean(1), atol=1e-5)
        np.testing.assert_allclose(states[POOLINGS.index("last"), :-1], inside[:, -1], atol=1e-5)
        token = sampled_token(number, inside.shape[1])
        np.testing.assert_allclose(states[POOLINGS.index("token"), :-1], inside[:, token], atol=1e-5)


def test_order_and_batches_do_not_matter(lm, pairs):
    tokenized = lm.tokenize_pairs(pairs)
    together = pool_states(lm, tokenized)
    backwards = pool_states(lm, tokenized[::-1])[::-1]
    alone = np.concatenate([pool_states(lm, [pair]) for pair in tokenized])
    pooled = [POOLINGS.index("mean"), POOLINGS.index("last")]  # the sampled token goes by the place
    np.testing.assert_allclose(together[:, pooled], backwards[:, pooled], atol=1e-5)
    np.testing.assert_allclose(together[:, pooled], alone[:, pooled], atol=1e-5)


def test_one_token_answer_has_one_state(lm):
    (pair,) = lm.tokenize_pairs(as_pairs([("Name a letter.", [70])]))
    mean, last, token = pool_states(lm, [pair])[0]
    np.testing.assert_array_equal(mean, last)
    np.testing.assert_array_equal(mean, token)


def test_sampled_tokens_come_from_everywhere_also_over_every_other_pair():
    for start in (0, 1):
        places = [sampled_token(number, 8) for number in range(start, 4000, 2)]
        assert set(places) == set(range(8))
        assert np.bincount(places).min() > 200  # of 250 each


def test_progress_counts_every_pair(lm, pairs):
    seen = []
    pool_states(lm, lm.tokenize_pairs(pairs), progress=seen.append)
    assert sum(seen) == len(pairs)
