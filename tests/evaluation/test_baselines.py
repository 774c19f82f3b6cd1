from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from halluscope.errors import InputError
from halluscope.evaluation.baselines import BASELINES, PUBLISHED
from halluscope.evaluation.extras import EXTRAS
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.linear import LEAST_SLOPE, logistic, platt, span
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.recorded import OPENING
from halluscope.folds import grouped_folds
from tests.evaluation.contract import check_chance, check_contract, check_not_flipped, check_planted
from tests.evaluation.recordings import LAYERS, PLANTED, recorded

ALL = {**BASELINES, **PUBLISHED}
PROBES = ("best-layer probe", "all-layer probe", "SAPLMA", "stack")


@pytest.fixture(scope="module")
def planted():
    return recorded(240, shift=2.0)


@pytest.mark.parametrize("name", ALL)
def test_contract(name, planted):
    check_contract(ALL[name](), *planted)


@pytest.mark.parametrize("name", ALL)
def test_labels_without_meaning_give_chance(name):
    check_chance(ALL[name], lambda seed: recorded(240, seed=seed, shift=2.0))


@pytest.mark.parametrize("name", PROBES)
def test_a_planted_direction_is_found(name, planted):
    # the best possible from the planted layer of one pooling is 0.92
    check_planted(BASELINES[name], *planted, least=0.84)


def test_the_probe_names_the_planted_layer(planted):
    pairs, y, groups = planted
    assert BASELINES["best-layer probe"]().fit(pairs, y, groups).layer_ == PLANTED


@pytest.mark.parametrize("name", PROBES)
def test_a_reversed_test_part_is_not_flipped(name, planted):
    check_not_flipped(BASELINES[name], *planted)


def test_the_registries_do_not_overlap_and_need_only_what_can_be_recorded():
    assert list(BASELINES) == [
        *("length", "text", "logprob", "logprob-min", "entropy"),
        *("best-layer probe", "all-layer probe", "SAPLMA", "stack"),
    ]
    assert not set(BASELINES) & set(PUBLISHED)
    assert {need for make in ALL.values() for need in make().needs} == set(EXTRAS)
    assert {name: make().needs for name, make in BASELINES.items() if make().needs} == {"stack": (OPENING,)}


def test_the_question_alone_tells_hard_questions_from_easy_ones(planted):
    pairs, _, groups = planted
    y = pairs.extras[OPENING][:, PLANTED, 0] > 0  # the same for both answers to a question
    folds = grouped_folds(y, groups, 3)
    assert auroc(y, out_of_fold(PUBLISHED["question-only probe"](), pairs, y, groups, folds)) > 0.9


def test_the_stack_hears_what_the_question_alone_tells(planted):
    pairs, _, groups = planted
    y = pairs.extras[OPENING][:, PLANTED, 0] > 0
    noise = np.random.default_rng(7).normal(size=pairs.states.shape).astype(np.float32)
    deaf = replace(pairs, states=noise)
    check_planted(BASELINES["stack"], deaf, y, groups, least=0.85)


@pytest.mark.parametrize("name", ["best-layer probe", "all-layer probe", "question-only probe"])
def test_held_out_probabilities_come_from_models_that_did_not_see_the_group(name):
    pairs, y, groups = recorded(120, shift=1.0)
    fitted = ALL[name]().fit(pairs, y, groups)
    if name == "all-layer probe":
        columns = np.hstack([pairs.all_layers(pooling).reshape(120, -1) for pooling in fitted.poolings_])
    else:
        columns = pairs.layer(*fitted.choice_)
    rows = StandardScaler().fit_transform(columns) / np.sqrt(columns.shape[1])
    logits = np.empty(120)
    for train, test in grouped_folds(y, groups, 3):
        regression = logistic(fitted.strength_).fit(rows[train], y[train])
        logits[test] = regression.decision_function(rows[test])
    slope, intercept = platt(logits, y)
    assert fitted.held_out_ == pytest.approx(expit(slope * logits + intercept), abs=0.03)


def test_the_summed_logprob_sees_the_length_where_the_mean_does_not(planted):
    pairs, y, groups = planted
    tokens = [np.full(8 if label else 4, -1.0) for label in y]
    even = replace(pairs, logprobs=tokens, entropies=tokens)
    folds = grouped_folds(y, groups, 3)
    assert auroc(y, out_of_fold(PUBLISHED["summed logprob"](), even, y, groups, folds)) == 1
    assert auroc(y, out_of_fold(BASELINES["logprob"](), even, y, groups, folds)) == pytest.approx(
        0.5, abs=0.1
    )


@pytest.mark.parametrize(("name", "field"), [("logprob", "logprobs"), ("entropy", "entropies")])
def test_numbers_learn_their_sign_from_the_training_part(name, field, planted):
    pairs, y, groups = planted
    for sign in (1, -1):
        values = [value + sign * label for value, label in zip(getattr(pairs, field), y, strict=True)]
        signed = replace(pairs, **{field: values})
        probability = out_of_fold(BASELINES[name](), signed, y, groups, grouped_folds(y, groups, 3))
        assert auroc(y, probability) > 0.85


def test_length_and_text_see_what_the_answers_betray(planted):
    pairs, y, groups = planted
    marked = [answer + " surely" * int(label) for answer, label in zip(pairs.answers, y, strict=True)]
    betrayed = replace(pairs, answers=marked)
    folds = grouped_folds(y, groups, 3)
    assert auroc(y, out_of_fold(BASELINES["text"](), betrayed, y, groups, folds)) > 0.95
    assert auroc(y, out_of_fold(BASELINES["length"](), betrayed, y, groups, folds)) > 0.65


def test_regression_in_the_span_is_the_regression_on_the_columns():
    rng = np.random.default_rng(0)
    rows, new, y = rng.normal(size=(40, 300)), rng.normal(size=(9, 300)), rng.random(40) < 0.5
    basis = span(rows @ rows.T)
    options = {"C": 0.02, "tol": 1e-8, "max_iter": 5000}
    short = LogisticRegression(**options).fit(basis.coordinates, y)
    weights = rows.T @ (basis.dual @ short.coef_[0])
    direct = LogisticRegression(**options).fit(rows, y)
    assert new @ weights + short.intercept_ == pytest.approx(direct.decision_function(new), abs=1e-4)


def test_calibration_never_turns_a_ranking_around():
    y = np.arange(100) % 2 == 0
    slope, intercept = platt(np.where(y, -1.0, 1.0), y)
    assert slope == LEAST_SLOPE
    assert intercept == pytest.approx(0)


def test_held_out_rows_are_scored_by_a_model_that_never_saw_their_group(planted):
    pairs, y, groups = planted

    class Witness:
        def get_params(self, deep=True):
            return {}

        def fit(self, pairs, y, groups):
            self.seen = set(pairs.prompts)
            return self

        def predict_proba(self, pairs):
            assert not self.seen & set(pairs.prompts)
            return np.full((len(pairs), 2), 0.5)

    assert (out_of_fold(Witness(), pairs, y, groups, grouped_folds(y, groups, 4)) == 0.5).all()


def test_ten_pairs_are_enough_for_five_folds_of_nested_choices():
    pairs, y, groups = recorded(10)
    probability = out_of_fold(BASELINES["stack"](), pairs, y, groups, grouped_folds(y, groups, 5))
    assert np.isfinite(probability).all()


def test_unusable_training_labels_are_refused(planted):
    pairs, y, _ = planted
    with pytest.raises(InputError, match="all 240 training answers are hallucinated"):
        BASELINES["length"]().fit(pairs, np.ones(240, bool))
    with pytest.raises(InputError, match="240 pairs, 3 labels"):
        BASELINES["length"]().fit(pairs, y[:3])


def test_recordings_must_agree(planted):
    pairs, _, _ = planted
    with pytest.raises(InputError, match="differ in length"):
        replace(pairs, answers=pairs.answers[:-1])
    with pytest.raises(InputError, match=r"must be \(pairs, 3, layers, d\)"):
        replace(pairs, states=pairs.states[:, :2])
    with pytest.raises(InputError, match=r"differ in length: .*'scatter': 3"):
        replace(pairs, extras={"scatter": np.zeros((3, LAYERS))})
    with pytest.raises(InputError, match="pair 0 needs one log-probability"):
        replace(pairs, logprobs=[np.array([]), *pairs.logprobs[1:]])


def test_parts_of_parts(planted):
    pairs, _, _ = planted
    pairs = replace(pairs, extras={"number": np.arange(len(pairs)), OPENING: pairs.extras[OPENING]})
    part = pairs.take(range(10, 30)).take([3, 1])
    assert part.answers == [pairs.answers[13], pairs.answers[11]]
    assert part.recorded("number").tolist() == [13, 11]
    np.testing.assert_array_equal(part.layer("last", -1), pairs.states[[13, 11], 1, -1])
    np.testing.assert_array_equal(part.all_layers("opening"), pairs.extras[OPENING][[13, 11]])
    np.testing.assert_array_equal(part.layer("opening", -1), pairs.extras[OPENING][[13, 11], -1])
    with pytest.raises(InputError, match="'scatter' was not recorded; recorded extras: number, opening"):
        part.recorded("scatter")
