"""A fit that is stopped, or killed, goes on where it was and ends with the same detector."""

import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from halluscope.detector import Detector, cross_fitting, states
from halluscope.lm.language_model import LanguageModel
from tests.samples import labelled_records
from tests.tiny import tiny_model, tiny_tokenizer

RECORDS = labelled_records(20)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(states, "_SHARD", 8)
    monkeypatch.setattr(cross_fitting, "_VALUES", 2**15)


@pytest.fixture
def whole(lm):
    return Detector(lm, folds=3, progress=False).fit(RECORDS)


def same(one, other):
    assert one.learned.digest() == other.learned.digest()
    assert one.training_ == other.training_
    return True


@pytest.mark.parametrize("stop", [0, 1, 3, 5, 7])
def test_stopped_after_any_pass_it_goes_on(lm, whole, tmp_path, monkeypatch, stop):
    visit, visits = LanguageModel.visit, []

    def stopping(self, pairs, visitor, **options):
        visits.append(len(pairs))
        if len(visits) == stop + 1:
            raise KeyboardInterrupt
        return visit(self, pairs, visitor, **options)

    detector = Detector(lm, folds=3, progress=False)
    monkeypatch.setattr(LanguageModel, "visit", stopping)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(RECORDS, checkpoint=tmp_path / "run")
    first = sum(visits[:stop])
    visits[:] = [0] * 100  # never stopped again
    detector.fit(RECORDS, checkpoint=tmp_path / "run")
    assert same(detector, whole)
    assert sum(visits) == 2 * len(RECORDS) - first


def test_another_fit_s_parts_are_not_taken(lm, tmp_path):
    Detector(lm, folds=3, progress=False).fit(RECORDS, checkpoint=tmp_path)
    changed = [{**record, "hallucinated": not record["hallucinated"]} for record in RECORDS]
    others = LanguageModel(tiny_model(seed=1), tiny_tokenizer(), name="other")
    for detector, records in (
        (Detector(lm, folds=3, seed=1), RECORDS),
        (Detector(lm, folds=3, ridge=0.5), RECORDS),
        (Detector(lm, folds=3, primer=()), RECORDS),
        (Detector(lm, folds=3), changed),
        (Detector(others, folds=3), RECORDS),
    ):
        before = {path.name for path in tmp_path.iterdir()}
        detector.set_params(progress=False).fit(records, checkpoint=tmp_path)
        assert len({path.name for path in tmp_path.iterdir()} - before) == 1
        assert same(detector, Detector(**detector.get_params()).fit(records))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="killed as POSIX kills")
def test_killed_it_ends_with_the_same_detector(lm, whole, tmp_path):
    code = """
        import os, signal, sys
        from halluscope.detector import Detector, cross_fitting, states
        from halluscope.lm.language_model import LanguageModel
        from tests.samples import labelled_records
        from tests.tiny import tiny_model, tiny_tokenizer

        states._SHARD, cross_fitting._VALUES = 8, 2**15
        visit, visits = LanguageModel.visit, []

        def killing(self, pairs, visitor, **options):
            visits.append(pairs)
            if len(visits) == 7:
                os.kill(os.getpid(), signal.SIGKILL)
            return visit(self, pairs, visitor, **options)

        LanguageModel.visit = killing
        lm = LanguageModel(tiny_model(), tiny_tokenizer(), name="tiny")
        Detector(lm, folds=3, progress=False).fit(labelled_records(20), checkpoint=sys.argv[1])
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "run")])
    assert run.returncode == -signal.SIGKILL
    kept = {path.name for path in tmp_path.glob("run/*/*.npy")}
    assert len(kept) == 6
    detector = Detector(lm, folds=3, progress=False).fit(RECORDS, checkpoint=tmp_path / "run")
    assert same(detector, whole)
    assert np.isfinite(detector.predict_proba(RECORDS[:2])).all()
