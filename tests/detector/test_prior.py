import json
import shutil

import numpy as np
import pytest
from scipy.special import logit

from halluscope.detector import Detector, shipped
from halluscope.detector.classifier import PRIOR, SurfaceClassifier
from halluscope.detector.manifest import MANIFEST
from halluscope.detector.prior import prior_from
from halluscope.errors import DetectorError, InputError
from halluscope.evaluation.evaluate import WITHOUT_PRIOR, evaluate
from halluscope.evaluation.metrics import auroc
from halluscope.features import measure_features
from halluscope.folds import grouped_folds
from halluscope.lm.language_model import LanguageModel
from halluscope.surfaces import record_surfaces
from tests.samples import labelled_records
from tests.tiny import tiny_model, tiny_tokenizer

OTHERS = labelled_records(24, seed=5)
NEW = labelled_records(6, seed=9)


@pytest.fixture(scope="module")
def ships(detector_folder, tmp_path_factory):
    """A package with a detector for the tiny language model."""
    package = tmp_path_factory.mktemp("package")
    shutil.copytree(detector_folder, package / "models" / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipped, "_PACKAGE", package / "halluscope")
        yield package / "models" / "tiny"


@pytest.fixture(scope="module")
def taught(lm, ships):
    return Detector(lm, folds=3).fit(OTHERS)


def test_the_last_feature_is_what_the_shipped_detector_s_linear_member_says(lm, ships, detector, taught):
    assert taught.prior_.name == "tiny"
    assert taught.feature_names_in_[-1] == PRIOR
    tokenized = taught.tokenize(taught._unlabelled(NEW))
    measured = measure_features(record_surfaces(lm, tokenized, [detector.reading_, *detector.measures]))[1]
    expected = logit(detector.classifier_.members_["linear"].predict_proba(measured)[:, 1])
    found = [detection.features[PRIOR] for detection in taught.detect_batch(NEW)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_without_prior_it_is_not_asked(lm, ships):
    alone = Detector(lm, folds=3, prior=False).fit(OTHERS)
    assert alone.prior_ is None
    assert PRIOR not in alone.feature_names_in_
    assert "prior_reading" not in alone.detect("Who?", "He.").surface.channels


def test_behind_another_primer_it_is_not_asked(lm, ships):
    assert Detector(lm, primer=()).find_prior() is None


def test_another_model_s_detector_is_no_prior(ships):
    other = LanguageModel(tiny_model(seed=1), tiny_tokenizer(), name="tiny")
    assert Detector(other).find_prior() is None


def test_it_comes_along_when_saved(lm, ships, taught, tmp_path):
    loaded = Detector.load(taught.save(tmp_path / "d"), lm)
    np.testing.assert_array_equal(loaded.predict_proba(NEW), taught.predict_proba(NEW))
    assert loaded.prior_.name == "tiny"
    assert loaded.identity == Detector.load(tmp_path / "d", lm).identity
    other = Detector.load(tmp_path / "d", lm)
    other.prior_.reading.directions[0, 0, 0] += 1
    assert other.identity != loaded.identity


@pytest.mark.parametrize("prior", ["tiny", {"name": "tiny"}, {"name": 1, "questions": []}])
def test_a_damaged_description_is_refused(lm, ships, taught, tmp_path, prior):
    folder = taught.save(tmp_path / "d")
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"prior": prior}))
    with pytest.raises(DetectorError, match="field 'prior'"):
        Detector.load(folder, lm)


def test_a_prior_that_is_declared_but_not_there_is_refused(lm, detector, tmp_path):
    folder = detector.save(tmp_path / "d")
    manifest = json.loads((folder / MANIFEST).read_text())
    described = {"name": "tiny", "questions": []}
    (folder / MANIFEST).write_text(json.dumps(manifest | {"prior": described}))
    with pytest.raises(DetectorError, match=r"readings\.safetensors"):
        Detector.load(folder, lm)


def test_its_questions_count_as_seen(ships, detector, taught, records):
    assert taught.count_seen(records[:8]) == detector.count_seen(records[:8]) == 8


def test_evaluation_shows_what_it_adds(lm, ships):
    results, _ = evaluate(Detector(lm, folds=3), OTHERS, n_folds=3, baselines=())
    alone, _ = evaluate(Detector(lm, folds=3, prior=False), OTHERS, n_folds=3, baselines=())
    assert results["prior"] == {"name": "tiny", "seen": prior_seen(ships)}
    assert results["ablations"][WITHOUT_PRIOR] == alone["metrics"]
    assert results["ablations"]["regional heights only"] == alone["ablations"]["regional heights only"]
    assert "prior" not in alone
    assert WITHOUT_PRIOR not in alone["ablations"]


def prior_seen(folder):
    return Detector.load(folder, LanguageModel(tiny_model(), tiny_tokenizer(), name="tiny")).count_seen(
        OTHERS
    )


def test_the_setting_is_yes_or_no(lm):
    with pytest.raises(InputError, match="'prior' must be True or False, not 'tiny'"):
        Detector(lm, prior="tiny").fit(OTHERS)


def columns(n, sign, seed=0):
    """Features without meaning, and a prior that knows; labels and folds."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 == 0
    prior = sign * 2.0 * np.where(y, 1, -1) + rng.normal(size=n)
    X = np.column_stack([rng.normal(size=(n, 5)), prior])
    return X, y, grouped_folds(y, np.arange(n).astype(str), 4)


NAMES = (*(f"reading.f{i}" for i in range(5)), PRIOR)


def test_a_prior_that_knows_is_heard_and_the_members_do_not_see_it():
    X, y, folds = columns(120, sign=1)
    classifier = SurfaceClassifier().fit(X, y, folds, NAMES)
    assert auroc(y, classifier.out_of_fold_) > 0.97
    assert all(member.n_features_in_ == 5 for member in classifier.members_.values())
    alone = classifier.without_prior()
    assert not hasattr(alone, "out_of_fold_")
    assert auroc(y, classifier.predict_proba(X)[:, 1]) > auroc(y, alone.predict_proba(X)[:, 1]) - 0.05
    expected = SurfaceClassifier().fit(X[:, :5], y, folds, NAMES[:5])
    np.testing.assert_array_equal(alone.predict_proba(X), expected.predict_proba(X[:, :5]))


def test_a_prior_that_ranks_the_wrong_way_is_not_turned_around():
    X, y, folds = columns(120, sign=-1)
    assert auroc(y, SurfaceClassifier().fit(X, y, folds, NAMES).out_of_fold_) < 0.7


def test_a_prior_is_the_detector_s_name_directions_and_linear_member(detector):
    prior = prior_from(detector)
    assert prior.reading.channels == tuple(f"prior_{channel}" for channel in detector.reading_.channels)
    assert prior.member is detector.classifier_.members_["linear"]
    assert prior.questions == detector.training_["questions"]
