import json

import numpy as np
import pytest
from scipy.special import expit, logit

from halluscope.detector import Detector
from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.labelled import question_marks
from halluscope.detector.manifest import MANIFEST
from halluscope.detector.own_answers import OwnAnswers, fit_own_answers
from halluscope.detector.readings import CHANNELS
from halluscope.errors import DetectorError
from halluscope.evaluation.metrics import auroc
from halluscope.features import feature_names
from halluscope.folds import grouped_folds
from halluscope.records import as_pairs
from tests.samples import labelled_records

NAMES = feature_names((*CHANNELS, "lens"))
N = 240
FIRST_SHARED = len(feature_names(CHANNELS))
NEW = labelled_records(6, seed=9)


def measured(seed, *, own):
    """Answers whose first feature tells the truth, one way round among own ones and the other among given."""
    chooser = np.random.default_rng(seed)
    features = chooser.normal(size=(N, len(NAMES)))
    hallucinated = np.arange(N) % 2 == 0
    features[:, 0] += np.where(hallucinated == own, 2, -2)
    features[:, FIRST_SHARED] += 4 * own
    return features, hallucinated


@pytest.fixture(scope="module")
def mixture():
    """A classifier of given answers, and what judges own ones."""
    (given, of_given), (own, of_own) = measured(0, own=False), measured(1, own=True)
    folds = [grouped_folds(y, np.arange(N), 3, 0) for y in (of_given, of_own)]
    classifier = SurfaceClassifier().fit(given, of_given, folds[0], NAMES)
    return classifier, fit_own_answers(NAMES, own, of_own, folds[1], given, questions=["mark"])


@pytest.mark.parametrize("own", [False, True])
def test_each_kind_of_answer_is_judged_by_who_learned_from_its_kind(mixture, own):
    classifier, part = mixture
    features, hallucinated = measured(2, own=own)
    alone = classifier.predict_proba(features)
    mixed = part.mix(alone, features)
    assert auroc(hallucinated, mixed[:, 1]) > 0.9
    assert (auroc(hallucinated, alone[:, 1]) < 0.1) == own
    np.testing.assert_allclose(mixed.sum(axis=1), 1)


def test_log_odds_between_two_by_the_gate(mixture):
    classifier, part = mixture
    features = measured(3, own=True)[0][:5]
    given, own = classifier.predict_proba(features), part.classifier.predict_proba(features)
    share = part.gate.predict_proba(features)[:, 1]
    expected = expit((1 - share) * logit(given[:, 1]) + share * logit(own[:, 1]))
    np.testing.assert_allclose(part.mix(given, features)[:, 1], expected)


def test_sure_classifiers_leave_finite_probabilities(mixture):
    part = mixture[1]
    features = measured(3, own=True)[0][:2]
    mixed = part.mix(np.array([[0.0, 1.0], [1.0, 0.0]]), features)
    assert np.isfinite(mixed).all()


def test_the_gate_sees_no_learned_direction(mixture):
    gate = mixture[1].gate
    features = measured(4, own=True)[0]
    changed = features.copy()
    changed[:, :FIRST_SHARED] += 100
    np.testing.assert_array_equal(gate.predict_proba(features), gate.predict_proba(changed))
    assert (gate.predict_proba(features)[:, 1] > 0.5).mean() > 0.9


def test_the_gate_does_not_depend_on_how_many_of_either_were_learned_from():
    chooser = np.random.default_rng(5)
    own, given = (chooser.normal(size=(n, len(NAMES))) for n in (N, 8 * N))
    y = np.arange(N) % 2 == 0
    part = fit_own_answers(NAMES, own, y, grouped_folds(y, np.arange(N), 3, 0), given)
    shares = part.gate.predict_proba(chooser.normal(size=(N, len(NAMES))))[:, 1]
    assert np.median(shares) == pytest.approx(0.5, abs=0.1)


@pytest.fixture(scope="module")
def both(detector):
    """A fitted detector with a part for own answers that was learned on its own features."""
    other = Detector(detector.lm)
    other.__dict__.update(detector.__dict__)
    chooser = np.random.default_rng(0)
    own = chooser.normal(size=(60, detector.n_features_in_))
    given = chooser.normal(size=(60, detector.n_features_in_))
    y = np.arange(60) % 2 == 0
    folds = grouped_folds(y, np.arange(60), 3, 0)
    names = tuple(detector.feature_names_in_)
    other.own_answers_ = fit_own_answers(names, own, y, folds, given, questions=["000000000000"])
    return other


def test_a_detector_asks_it_and_a_fit_forgets_it(detector, both):
    assert detector.own_answers_ is None
    alone, mixed = detector.predict_proba(NEW), both.predict_proba(NEW)
    assert (alone != mixed).any()
    found = [detection.probability for detection in both.detect_batch(NEW)]
    np.testing.assert_allclose(found, mixed[:, 1])
    assert both.identity != detector.identity


def test_it_comes_along_when_saved(lm, both, tmp_path):
    loaded = Detector.load(both.save(tmp_path / "d"), lm)
    np.testing.assert_array_equal(loaded.predict_proba(NEW), both.predict_proba(NEW))
    assert isinstance(loaded.own_answers_, OwnAnswers)
    assert (loaded.own_answers_.pairs, loaded.own_answers_.questions) == (60, ["000000000000"])
    again = Detector.load(loaded.save(tmp_path / "again"), lm)
    assert again.identity == Detector.load(tmp_path / "again", lm).identity


def test_questions_of_own_answers_count_as_seen(both, monkeypatch):
    unseen = [("Who is nobody?", "He.")]
    assert both.count_seen(unseen) == 0
    part = both.own_answers_
    marks = question_marks(as_pairs(unseen))
    monkeypatch.setattr(both, "own_answers_", OwnAnswers(part.gate, part.classifier, part.pairs, marks))
    assert both.count_seen(unseen) == 1


def test_detectors_that_do_not_name_it_are_read(lm, detector, tmp_path):
    folder = detector.save(tmp_path / "d")
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["own_answers"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert Detector.load(folder, lm).own_answers_ is None


@pytest.mark.parametrize("described", ["yes", {"pairs": 3}, {"pairs": "3", "questions": []}])
def test_a_damaged_description_is_refused(lm, both, tmp_path, described):
    folder = both.save(tmp_path / "d")
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"own_answers": described}))
    with pytest.raises(DetectorError, match="field 'own_answers'"):
        Detector.load(folder, lm)


def test_what_is_declared_but_not_there_is_refused(lm, detector, tmp_path):
    folder = detector.save(tmp_path / "d")
    manifest = json.loads((folder / MANIFEST).read_text())
    described = {"pairs": 1, "questions": []}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"own_answers": described}))
    with pytest.raises(DetectorError, match="own_answers"):
        Detector.load(folder, lm)


def test_a_gate_of_another_kind_is_refused(lm, both, tmp_path, monkeypatch):
    part = both.own_answers_
    crafted = OwnAnswers(part.classifier.members_["boosting"], part.classifier, part.pairs, [])
    monkeypatch.setattr(both, "own_answers_", crafted)
    folder = both.save(tmp_path / "d")
    with pytest.raises(DetectorError, match="gate is of another kind"):
        Detector.load(folder, lm)
