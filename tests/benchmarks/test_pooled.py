import numpy as np
import pytest

from benchmarks.corpus import subset
from benchmarks.pooled import ChainedStates, Pool, fit_detector, judge, make_pool, some_groups
from halluscope import Detector
from halluscope.surfaces import record_surfaces
from tests.benchmarks.named import named_corpus, questions

SHARED = [
    {"prompt": "Who was first?", "answer": answer, "hallucinated": label, "group": f"first {label}"}
    for answer, label in (("A king.", False), ("QXQ 77.", True))
]


@pytest.fixture
def corpora(lm, tmp_path):
    return [
        named_corpus(lm, tmp_path, name, seed=seed, extra=SHARED if name != "lake" else ())
        for seed, name in enumerate(("river", "lake", "town"))
    ]


@pytest.fixture
def pool(corpora):
    return make_pool("both", corpora[:2], corpora[2:])


def test_no_question_of_a_tested_corpus_is_learned_from(corpora):
    pool = make_pool("both", corpora[:2], corpora[2:])
    assert questions(pool.labelled) == (
        questions(corpora[0].labelled) | questions(corpora[1].labelled)
    ) - questions(corpora[2].labelled)
    assert "Who was first?" in questions(make_pool("both", corpora[:2], corpora[1:2]).labelled)


def test_a_part_of_each_corpus_in_whole_groups(corpora):
    pool = make_pool("part", corpora[:2], corpora[2:], most=11)
    assert [len(rows) for rows in pool.rows] == [10, 10]
    for corpus, rows in zip(corpora, pool.rows, strict=False):
        groups = corpus.labelled.groups
        assert set(np.flatnonzero(np.isin(groups, groups[rows]))) == set(rows)
    again = make_pool("part", corpora[:2], corpora[2:], most=11)
    assert all(np.array_equal(a, b) for a, b in zip(pool.rows, again.rows, strict=True))
    other = make_pool("part", corpora[:2], corpora[2:], most=11, seed=1)
    assert not all(np.array_equal(a, b) for a, b in zip(pool.rows, other.rows, strict=True))


def test_groups_too_large_are_passed_over():
    rows = np.array([2, 3, 5, 7, 8])
    assert some_groups(rows, ["a", "a", "a", "b", "b"], 2, seed=0).tolist() in ([7, 8], [])
    assert some_groups(rows, ["a", "a", "a", "b", "b"], None, seed=0).tolist() == rows.tolist()


def test_pairs_labels_and_states_belong_together(lm, corpora, pool):
    first = corpora[0].labelled
    assert pool.labelled.pairs[: len(pool.rows[0])] == [first.pairs[row] for row in pool.rows[0]]
    labels = [pair.hallucinated for pair in pool.labelled.pairs]
    np.testing.assert_array_equal(pool.labelled.hallucinated, labels)
    recorded = pool.recorded([])
    for corpus, rows, start in zip(corpora, pool.rows, (0, len(pool.rows[0])), strict=False):
        there = corpus.recorded([]).take(rows)
        here = recorded.take(range(start, start + len(rows)))
        np.testing.assert_array_equal(here.all_layers("last"), there.all_layers("last"))
        assert here.answers == there.answers


def test_chained_states_show_every_pair_its_own(lm, corpora):
    parts = [corpus.tokenized for corpus in corpora]
    chained = ChainedStates([(corpus.states, part) for corpus, part in zip(corpora, parts, strict=True)])
    mixed = [parts[number][row] for row in (3, 0, 9) for number in (2, 0, 1)]
    expected = record_surfaces(lm, mixed)
    done = []
    for found, surface in zip(record_surfaces(chained, mixed, progress=done.append), expected, strict=True):
        assert found.tokens == surface.tokens
        np.testing.assert_allclose(found.values, surface.values, atol=1e-4)
    assert sum(done) == len(mixed)
    assert (chained.n_layers, chained.hidden_size) == (lm.n_layers, lm.hidden_size)


def test_the_detector_is_the_one_that_fit_gives(lm, corpora, pool):
    detector = fit_detector(pool, pool.recorded([]), seed=3)
    expected = Detector(lm, seed=3).fit(pool.labelled.pairs)
    (judged,) = judge([detector], corpora[2])
    np.testing.assert_allclose(judged, expected.predict_proba(corpora[2].labelled.pairs)[:, 1], atol=0.02)
    assert detector.training_["digest"] == expected.training_["digest"]


def test_detectors_are_heard_together_as_they_are_alone(lm, corpora):
    detectors = []
    for corpus in corpora[:2]:
        rows = np.arange(20)
        pool = Pool(corpus.name, [corpus], [rows])
        assert pool.labelled.pairs == subset(corpus.labelled, rows).pairs
        detectors.append(fit_detector(pool, pool.recorded([])))
    together = judge(detectors, corpora[2])
    for detector, probability in zip(detectors, together, strict=True):
        np.testing.assert_allclose(judge([detector], corpora[2])[0], probability, atol=1e-6)
    assert not np.allclose(*together, atol=1e-3)
