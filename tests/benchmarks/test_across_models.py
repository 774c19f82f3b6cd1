import numpy as np
import pytest

from benchmarks import across_models
from benchmarks.across_models import (
    LEARNERS,
    RESCALED,
    View,
    across_table,
    kept_at,
    learn_fold,
    measure_across,
    rescale,
    summarise_across,
)
from benchmarks.cache import OURS
from benchmarks.corpus import Corpus
from benchmarks.means import FACTS
from halluscope import Detector
from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.labelled import check_labelled
from halluscope.evaluation.metrics import auroc
from halluscope.folds import grouped_folds
from halluscope.lm.language_model import LanguageModel
from halluscope.records import as_pairs
from tests.benchmarks.named import named_corpus
from tests.evaluation.recordings import recorded
from tests.samples import chance_records, labelled_records
from tests.tiny import tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def other():
    return LanguageModel(tiny_model("gpt2", seed=4), tiny_tokenizer(chat=False), name="other")


def both(lm, other, folder, name, **settings):
    return [named_corpus(model, folder, name, **settings) for model in (lm, other)]


@pytest.fixture
def planted():
    """Features with a signal on one model, the same ones on another scale, and a fold."""
    pairs, y, groups = recorded(80, seed=1)
    labelled = check_labelled(as_pairs(labelled_records(40)), y.tolist(), [str(group) for group in groups])
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 6))
    features[:, 2] += 4 * y
    features[:, 5] = 1.0
    units, origins = np.array([10.0, 0.1, 0.02, 3.0, 1.0, 2.0]), np.array([5.0, -3.0, 9.0, 0.0, 1.0, 7.0])
    fold = grouped_folds(y, groups.tolist(), 4)[0]
    return labelled, [View(features, pairs), View(features * units + origins, pairs)], fold


def said(lm, labelled, views, fold):
    names = [f"norm.{number}" for number in range(6)]
    return learn_fold(views[0], views, labelled, fold, names, Detector(lm))


def test_another_scale_is_no_obstacle_once_rescaled(lm, planted):
    labelled, views, fold = planted
    own, other = said(lm, labelled, views, fold)
    y = labelled.hallucinated[fold[1]]
    assert own.shape == (len(LEARNERS), len(fold[1]))
    np.testing.assert_allclose(own[1], own[0], atol=1e-6)
    np.testing.assert_allclose(other[1], own[0], atol=1e-6)
    assert auroc(y, other[LEARNERS.index(RESCALED)]) > 0.9
    assert not np.allclose(other[0], own[0], atol=0.05)


def test_no_test_row_is_learned_from(lm, planted, monkeypatch):
    labelled, views, fold = planted
    train, test = fold
    assert not set(labelled.groups[train]) & set(labelled.groups[test])
    given, fit = [], SurfaceClassifier.fit

    def fitting(self, X, y, folds, names=()):
        given.append((X, y))
        return fit(self, X, y, folds, names)

    monkeypatch.setattr(SurfaceClassifier, "fit", fitting)
    before = said(lm, labelled, views, fold)
    np.testing.assert_array_equal(given[0][0], views[0].features[train])
    np.testing.assert_array_equal(given[0][1], labelled.hallucinated[train])
    changed = [View(view.features.copy(), view.recorded) for view in views]
    for view in changed:
        view.features[test[1:]] = 1e3  # neither the classifier nor the scale may look at these
    np.testing.assert_allclose(said(lm, labelled, changed, fold)[:, :, 0], before[:, :, 0], atol=1e-9)


def test_rescaling():
    rng = np.random.default_rng(0)
    own, other = rng.normal(3, 2, size=(50, 2)), rng.normal(-1, 7, size=(50, 2))
    own[:, 1] = 4.0 + 1e-9 * rng.normal(size=50)
    found = rescale(own, own, other)
    np.testing.assert_allclose(found.mean(axis=0), other.mean(axis=0), atol=1e-6)
    assert found[:, 0].std() == pytest.approx(other[:, 0].std())
    assert found[:, 1].std() < 1e-12  # rounding is not stretched to a signal


@pytest.fixture(autouse=True)
def few_folds(monkeypatch):
    monkeypatch.setattr(across_models, "FOLDS", 3)


def test_measured_once(lm, other, tmp_path, monkeypatch):
    views = both(lm, other, tmp_path, "cities", n_questions=20, seed=5)
    chance = both(lm, other, tmp_path, "animals", n_questions=24, seed=6, make=chance_records)
    for each in (views, chance):
        measure_across(each)
    results = summarise_across([views, chance])
    for name in ("tiny", "other"):
        assert results[name][name]["corpora"]["cities"]["auroc"][OURS]["value"] > 0.85
        at_chance = results[name][name]["corpora"]["animals"]["auroc"][OURS]["value"]
        assert abs(at_chance - 0.5) < 0.25
    away = results["tiny"]["other"]
    assert set(away["corpora"]["cities"]["auroc"]) == set(LEARNERS)
    kept = np.load(kept_at(OURS, views[0], views[1]))
    expected = auroc(views[1].labelled.hallucinated, kept)
    assert away["corpora"]["cities"]["auroc"][OURS]["value"] == pytest.approx(expected)
    monkeypatch.setattr(Corpus, "recorded", None)
    monkeypatch.setattr(across_models, "record_surfaces", None)
    for each in (views, chance):
        measure_across(each)
    assert summarise_across([views, chance]) == results
    table = across_table(results)
    own = results["other"]["tiny"]["means"][FACTS]["auroc"]
    assert f"| other | tiny | {FACTS} | {own[OURS]['value']:.3f} |" in table
