import numpy as np
import pytest
import torch

from halluscope.detector.states import pool_states
from halluscope.errors import InputError
from halluscope.lm import stored
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.stored import StoredStates
from halluscope.records import as_pairs
from halluscope.surfaces import Entropy, Lens, Norm, Step, Turn, record_surfaces
from tests.tiny import tiny_model, tiny_tokenizer

MEASURES = (Norm(), Step(), Turn(), Lens(), Entropy())
PAIRS = [("Who?", "Nobody."), ("What is a lake?", "A lake is water, with land around."), ("", "Rivers flow.")]


@pytest.fixture(scope="module")
def tokenized(lm):
    return lm.tokenize_pairs(as_pairs(PAIRS))


@pytest.fixture
def states(lm, tokenized, tmp_path):
    return StoredStates.record(lm, tokenized, tmp_path / "states")


def test_surfaces_are_those_of_the_model(lm, tokenized, states):
    assert (states.n_layers, states.hidden_size, states.name) == (lm.n_layers, lm.hidden_size, lm.name)
    order = [2, 0, 1]
    pairs = [tokenized[i] for i in order]
    for found, expected in zip(
        record_surfaces(states, pairs, MEASURES), record_surfaces(lm, pairs, MEASURES), strict=True
    ):
        assert found.tokens == expected.tokens
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-4)


def test_the_token_before_the_answer_is_kept(lm, tokenized, states):
    def befores(source):
        seen = []
        source.visit(tokenized[1:2], lambda indices: lambda layer: seen.append(layer.before.clone()))
        return torch.stack(seen)

    torch.testing.assert_close(befores(states), befores(lm), rtol=1e-4, atol=1e-4)


def test_visited_in_pieces(tokenized, states, monkeypatch):
    whole = pool_states(states, tokenized)
    monkeypatch.setattr(stored, "_TOKENS", 3)
    done = []
    np.testing.assert_array_equal(pool_states(states, tokenized, progress=done.append), whole)
    assert done == [1, 1, 1]


def test_opened_again(tokenized, states):
    again = StoredStates(states.folder)
    np.testing.assert_array_equal(pool_states(again, tokenized), pool_states(states, tokenized))


def test_half_precision_is_kept_as_it_is(tokenized, tmp_path):
    half = LanguageModel(tiny_model().to(torch.bfloat16), tiny_tokenizer())
    last = pool_states(StoredStates.record(half, tokenized, tmp_path / "half"), tokenized)[0, 1]
    assert torch.equal(torch.from_numpy(last).bfloat16().float(), torch.from_numpy(last))
    np.testing.assert_allclose(last, pool_states(half, tokenized)[0, 1], rtol=0.05, atol=0.05)


def test_what_was_not_recorded_is_refused(lm, tokenized, states):
    (other,) = lm.tokenize_pairs(as_pairs([("Who?", "Somebody.")]))
    with pytest.raises(InputError, match="pair 2 is not among those stored"):
        record_surfaces(states, [tokenized[0], other], MEASURES)


def test_a_prediction_that_was_not_read_is_refused(lm, tokenized, tmp_path):
    states = StoredStates.record(lm, tokenized, tmp_path / "few", lens_every=2)
    assert record_surfaces(states, tokenized, [Lens(every=2)])[0].shape[1] == lm.n_layers
    with pytest.raises(InputError, match=r"the prediction of layer [0-9]+ was not stored"):
        record_surfaces(states, tokenized, [Lens()])


def test_a_recording_that_fails_leaves_the_old_one(lm, tokenized, states):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StoredStates.record(lm, tokenized[:1], states.folder, progress=stop)
    assert [path.name for path in states.folder.parent.iterdir()] == [states.folder.name]
    assert len(pool_states(StoredStates(states.folder), tokenized)) == len(tokenized)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no states are stored in"):
        StoredStates(tmp_path)
