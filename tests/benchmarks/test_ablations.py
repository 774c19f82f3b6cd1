import numpy as np
import pytest

from benchmarks import ablating
from benchmarks.ablating import PERMUTED, measure, permuted
from benchmarks.ablations import ablations_table
from benchmarks.cache import OURS
from benchmarks.means import compare, sets_of
from halluscope.evaluation.comparison import CorpusScores
from halluscope.evaluation.metrics import auroc
from tests.benchmarks.named import named_corpus


@pytest.fixture(scope="module")
def few_folds():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablating, "FOLDS", 2)
        patch.setattr(
            ablating, "feature_ablations", lambda names: {"lens only": lambda n: n.startswith("lens")}
        )
        yield


@pytest.fixture(scope="module")
def measured(lm, tmp_path_factory, few_folds):
    corpus = named_corpus(lm, tmp_path_factory.mktemp("cache"), "planted")
    return corpus, measure(corpus)


def test_every_ablation_is_measured(measured):
    corpus, found = measured
    labels = corpus.labelled.hallucinated
    assert set(found) == {
        OURS,
        "roughness and peaks only",
        "regional heights only",
        "lens only",
        "tokens shuffled",
        "layers shuffled",
        "both shuffled",
        "cut to one length",
        "random directions",
        PERMUTED,
    }
    assert auroc(labels, found[OURS]) > 0.9
    assert all(probability.shape == labels.shape for probability in found.values())
    assert len({probability.tobytes() for probability in found.values()}) == len(found)
    assert auroc(permuted(corpus).hallucinated, found[PERMUTED]) < 0.85


def test_labels_are_permuted_and_nothing_else(measured):
    corpus, _ = measured
    other = permuted(corpus)
    assert other.pairs == corpus.labelled.pairs
    assert other.hallucinated.sum() == corpus.labelled.hallucinated.sum()
    assert (other.hallucinated != corpus.labelled.hallucinated).any()


def test_nothing_is_measured_twice(measured, monkeypatch):
    corpus, found = measured
    monkeypatch.setattr(ablating, "cross_validate", None)
    for name, probability in measure(corpus).items():
        np.testing.assert_array_equal(probability, found[name])


def test_table(measured):
    corpus, found = measured
    found = {name: probability[None] for name, probability in found.items() if name != PERMUTED}
    scores = {"planted": CorpusScores(corpus.labelled.hallucinated, corpus.labelled.groups.tolist(), found)}
    results = {**compare(scores, sets_of(scores)), PERMUTED: {"planted": 0.51}, "limit": 36}
    lines = ablations_table(results).splitlines()
    assert lines[2] == f"| **halluscope, whole** | **{scores['planted'].auroc(OURS):.3f}** | |"
    assert len([line for line in lines if line.startswith("| ")]) == 1 + len(found)
    assert "With permuted labels: 0.510" in lines[-1]
