import numpy as np
import pytest
import torch

from halluscope.detector.labelled import LabelledPairs, check_labelled
from halluscope.errors import InputError
from halluscope.evaluation.extras import EXTRAS
from halluscope.evaluation.recording import record_pairs
from halluscope.lm.stored import StoredStates
from halluscope.records import as_pairs
from halluscope.surfaces.measures import Entropy
from tests.samples import labelled_records


@pytest.fixture(scope="module")
def labelled():
    """Answers of different lengths, one of them a single token."""
    records = labelled_records(4, seed=3)
    records[2]["answer"] = "It"
    records[5]["answer"] = "It is a river, a lake and, to tell the truth, a rather large island. " * 2
    return check_labelled(as_pairs(records), None, None)


@pytest.fixture(scope="module")
def recorded(lm, labelled):
    return record_pairs(lm, labelled, extras=tuple(EXTRAS))


def test_nothing_is_recorded_that_is_not_asked_for(lm, labelled):
    assert dict(record_pairs(lm, labelled).extras) == {}
    assert list(record_pairs(lm, labelled, extras=["scatter"]).extras) == ["scatter"]


def test_unknown_extras_are_refused(lm, labelled):
    with pytest.raises(InputError, match="no extra is called 'colour': there are scatter, lens entropy, "):
        record_pairs(lm, labelled, extras=["scatter", "colour"])


def test_lens_entropies_are_those_of_the_surface(lm, labelled, recorded):
    for pair, entropies in zip(labelled.pairs, recorded.recorded("lens entropy"), strict=True):
        surface = lm.surface(pair.prompt, pair.answer, measures=[Entropy()])
        assert entropies == pytest.approx(surface["entropy"].mean(axis=1), rel=1e-4)


def test_the_opening_is_the_state_at_the_token_before_the_answer(lm, labelled, recorded):
    for row, pair in enumerate(labelled.pairs):
        tokenized = lm.tokenize(pair.prompt, pair.answer)
        with torch.inference_mode():
            output = lm.model(torch.tensor([tokenized.ids[: tokenized.start]]), output_hidden_states=True)
        stream = torch.stack(output.hidden_states[:-1])[:, 0, -1]  # the last one is behind the final norm
        assert recorded.recorded("opening")[row, :-1] == pytest.approx(stream.numpy(), abs=1e-4)


def test_scatter_is_the_log_determinant_of_the_answers_states(lm, labelled, recorded):
    tokenized = lm.tokenize_pairs(labelled.pairs)
    seen = {}

    def visitor(indices):
        def visit(layer):
            for index, states in zip(indices, layer.state.split(layer.lengths), strict=True):
                seen[index, layer.layer] = states.double().numpy()

        return visit

    lm.visit(tokenized, visitor)
    width = lm.hidden_size
    for (pair, layer), states in seen.items():
        centring = np.eye(width) - np.ones((width, width)) / width
        inner = states @ centring @ states.T + 1e-3 * np.eye(len(states))
        expected = np.log(np.linalg.eigvalsh(inner)).sum() / len(states)
        assert recorded.recorded("scatter")[pair, layer] == pytest.approx(expected, rel=1e-4)


def test_stored_states_give_the_same_extras(lm, labelled, recorded, tmp_path):
    tokenized = lm.tokenize_pairs(labelled.pairs)
    stored = record_pairs(
        lm, labelled, StoredStates.record(lm, tokenized, tmp_path / "s"), extras=tuple(EXTRAS)
    )
    for name in EXTRAS:
        assert stored.recorded(name) == pytest.approx(recorded.recorded(name), rel=1e-4, abs=1e-5)
    sparse = StoredStates.record(lm, tokenized, tmp_path / "sparse", lens_every=2)
    with pytest.raises(InputError, match="'lens_every'"):
        record_pairs(lm, labelled, sparse, extras=["lens entropy"])


def test_an_answer_is_recorded_alike_alone_and_among_others(lm, labelled, recorded):
    alone = LabelledPairs(labelled.pairs[2:3], labelled.hallucinated[2:3], labelled.groups[2:3])
    for name in EXTRAS:
        found = record_pairs(lm, alone, extras=[name]).recorded(name)
        # of what is stored in half precision, neighbours differ by up to a thousandth
        rounding = 1e-3 if found.dtype == np.float16 else 1e-4
        assert found == pytest.approx(recorded.recorded(name)[2:3], rel=rounding, abs=1e-5)
