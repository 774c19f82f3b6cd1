import pytest

from halluscope.evaluation.recorded import RecordedPairs
from halluscope.evaluation.transfer import evaluate_transfer
from halluscope.records import as_pairs
from tests.samples import labelled_records


@pytest.mark.parametrize("baselines", [("length",), ("best-layer probe", "stack")])
def test_what_the_baselines_need_is_recorded_on_both_sides(lm, detector, baselines, monkeypatch):
    asked = []
    replaced = RecordedPairs.__post_init__

    def noting(self):
        asked.append(set(self.extras))
        replaced(self)

    monkeypatch.setattr(RecordedPairs, "__post_init__", noting)
    unknown = {"new": as_pairs(labelled_records(6, seed=9))}
    results = evaluate_transfer(detector, labelled_records(12, seed=8), unknown, baselines=baselines)
    assert set(results["new"]["baselines"]) == set(results["new"]["gains"]) == set(baselines)
    assert results["new"]["n"] == 12
    assert all(extras == ({"opening"} if "stack" in baselines else set()) for extras in asked)
