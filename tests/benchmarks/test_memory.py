"""Every contestant is run, and what it takes is told by name."""

import pytest

from benchmarks import memory
from benchmarks.speed_table import memory_table


def test_as_many_pairs_as_wanted(tmp_path, monkeypatch):
    from tests.samples import labelled_records

    monkeypatch.setattr(memory, "two_answers", lambda data, n: memory.as_pairs(labelled_records(3)))
    pairs = memory.many_pairs(tmp_path, 14)
    assert len({pair.key for pair in pairs}) == 14
    assert len({pair.prompt for pair in pairs}) == 7


@pytest.mark.parametrize("contestant", [memory.DECODER, memory.STATES, memory.OURS])
def test_a_batch_is_run(detector, monkeypatch, contestant):
    monkeypatch.setattr(memory, "BATCH", (2, 5, 3))
    monkeypatch.setattr(detector.lm, "token_budget", detector.lm.token_budget)
    found = memory.one_batch(contestant, detector)
    if contestant == memory.OURS:
        assert found.shape == (2, 2)
    else:
        assert found.last_hidden_state.shape[:2] == (2, 8)
        assert (found.hidden_states is not None) == (contestant == memory.STATES)


def test_the_table():
    row = {"megabytes": 10.0, "seconds": 1.0}
    batch = {
        memory.DECODER: row,
        memory.STATES: {**row, "megabytes": 30},
        memory.OURS: {**row, "megabytes": 12},
    }
    results = {"command": "c", "threads": 2, "batch": batch, "score": {"1000": row}, "train": {}}
    table = memory_table(results)
    assert "halluscope takes 0.10 of what all hidden states take" in table
    assert len(table.splitlines()) == 10
    assert memory_table(None) == "Not measured yet for this version."
    results["batch"] = {**batch, memory.OURS: {**row, "megabytes": 9}}
    assert "halluscope takes no more than the bare pass." in memory_table(results)
