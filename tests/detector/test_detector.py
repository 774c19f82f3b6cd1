import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.utils import get_tags

from halluscope.detector import Detector
from halluscope.errors import ActivationError, ContextWindowError, FingerprintError, InputError
from halluscope.lm.language_model import LanguageModel
from tests.samples import chance_records, labelled_records
from tests.tiny import tiny_model, tiny_tokenizer

NEW = labelled_records(12, seed=9)
LABELS = np.array([record["hallucinated"] for record in NEW])


def test_parameters_and_clones_share_the_language_model(lm):
    detector = Detector(lm, folds=3, threshold=0.4)
    twin = clone(detector)
    assert twin is not detector
    assert twin.lm is lm
    assert twin.get_params() == detector.get_params()
    assert twin.set_params(ridge=1.0).ridge == 1.0
    assert detector.ridge != 1.0


def test_repr_is_short(detector):
    assert "tiny" in repr(detector)
    assert len(repr(detector)) < 200


def test_tags_do_not_claim_a_table_of_numbers(lm):
    tags = get_tags(Detector(lm))
    assert tags.estimator_type == "classifier"
    assert not tags.input_tags.two_d_array
    assert not tags.classifier_tags.multi_class


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folds", 1),
        ("folds", 2.5),
        ("ridge", 0),
        ("ridge", float("nan")),
        ("strength", -1),
        ("threshold", 1.1),
        ("threshold", "high"),
        ("seed", -1),
        ("seed", None),
    ],
)
def test_impossible_parameters_are_refused_at_fit(lm, records, name, value):
    with pytest.raises(InputError, match=f"parameter '{name}' must be .* not {value!r}"):
        Detector(lm, **{name: value}).fit(records)


def test_fitted_attributes(detector, records):
    assert detector.classes_.tolist() == [False, True]
    assert detector.n_features_in_ == len(detector.feature_names_in_) > 100
    assert "reading.Sdq" in detector.feature_names_in_
    training = detector.training_
    assert (training["pairs"], training["groups"], training["hallucinated"]) == (80, 40, 0.5)
    assert len(training["questions"]) == 40


def test_learns_a_planted_difference(detector):
    assert detector.training_["out_of_fold"]["auroc"] > 0.9
    assert np.mean(detector.predict(NEW) == LABELS) > 0.9


def test_random_labels_give_chance(lm):
    found = [
        Detector(lm, folds=3).fit(chance_records(40, seed=seed)).training_["out_of_fold"]["auroc"]
        for seed in (1, 2)
    ]
    assert all(0.3 <= auroc <= 0.7 for auroc in found)


def test_grouped_cross_validation(lm, records):
    y = [record["hallucinated"] for record in records]
    groups = [record["prompt"] for record in records]
    scores = cross_val_score(
        Detector(lm, folds=2),
        records,
        y,
        groups=groups,
        cv=GroupKFold(2),
        scoring="roc_auc",
        error_score="raise",
    )
    assert scores.shape == (2,)
    assert scores.min() > 0.9


def test_score_is_accuracy_for_labels_of_any_form(detector):
    assert detector.score(NEW, LABELS) == detector.score(NEW, LABELS.astype(int)) > 0.9


def test_labels_that_come_with_the_pairs_score_too(lm, detector, records):
    labels = [record["hallucinated"] for record in records]
    assert detector.score(records) == detector.score(records, labels)
    scores = cross_val_score(Detector(lm, folds=2), records, cv=KFold(2, shuffle=True, random_state=0))
    assert np.isfinite(scores).all()
    with pytest.raises(InputError, match="pair 1: the label must be true"):
        detector.score([("a?", "b.")])


def test_pairs_in_any_form(detector):
    expected = detector.predict_proba(NEW)
    tuples = [(record["prompt"], record["answer"]) for record in NEW]
    for pairs in (tuples, pd.DataFrame(NEW), np.array(tuples), iter(tuples)):
        np.testing.assert_array_equal(detector.predict_proba(pairs), expected)


def test_data_frames_train_too(lm, detector, records):
    frame = pd.DataFrame(records)
    fitted = Detector(lm, folds=3).fit(frame.drop(columns="hallucinated"), frame["hallucinated"])
    np.testing.assert_array_equal(fitted.predict_proba(NEW), detector.predict_proba(NEW))


def test_same_seed_same_result(lm, records, detector):
    again = clone(detector).fit(records)
    np.testing.assert_array_equal(again.predict_proba(NEW), detector.predict_proba(NEW))
    assert again.identity == detector.identity
    other = clone(detector).set_params(seed=1).fit(records)
    assert other.identity != detector.identity


def test_groups_are_never_split(lm, records):
    groups = [number // 40 for number in range(80)]  # two groups only
    with pytest.raises(InputError, match="2 groups cannot fill 3 folds"):
        Detector(lm, folds=3).fit(records, groups=groups)
    assert Detector(lm, folds=2).fit(records, groups=groups).training_["groups"] == 2


def test_check_refuses_what_fit_would(records):
    Detector.check(records)
    with pytest.raises(InputError, match="3 groups cannot fill 4 folds"):
        Detector.check(records[:6])


def test_probabilities(detector):
    probability = detector.predict_proba(NEW)
    assert probability.shape == (len(NEW), 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(detector.predict(NEW), probability[:, 1] >= detector.threshold)


def test_the_threshold_decides(lm, records):
    strict = Detector(lm, folds=3, threshold=1.0).fit(records)
    assert not strict.predict(NEW).any()
    assert strict.detect(NEW[1]["prompt"], NEW[1]["answer"]).hallucinated is False


def test_a_pair_s_probability_does_not_depend_on_its_company(detector, monkeypatch):
    together = detector.predict_proba(NEW)[:, 1]
    alone = np.array([detector.predict_proba([pair])[0, 1] for pair in NEW])
    with_a_long_one = detector.predict_proba([*NEW, ("?", "word " * 30)])[:-1, 1]
    monkeypatch.setattr("halluscope.detector.detector._CHUNK", 5)
    in_pieces = detector.predict_proba(NEW)[:, 1]
    for other in (alone, with_a_long_one, in_pieces):
        np.testing.assert_allclose(together, other, atol=1e-4)


def test_detect_and_detect_batch_agree(detector):
    batch = detector.detect_batch(NEW)
    np.testing.assert_allclose([d.probability for d in batch], detector.predict_proba(NEW)[:, 1], atol=1e-9)
    single = detector.detect(NEW[3]["prompt"], NEW[3]["answer"])
    assert single.probability == pytest.approx(batch[3].probability, abs=1e-4)
    assert single.tokens[0][:3] == batch[3].tokens[0][:3]
    assert (single.model, single.detector) == ("tiny", detector.name)
    assert single.seconds > 0


def test_context_is_read(detector):
    plain = detector.detect("Where?", "In Paris.")
    grounded = detector.detect("Where?", "In Paris.", context="The tower is in Paris.")
    assert not np.array_equal(plain.surface.values, grounded.surface.values)


@pytest.mark.parametrize("prompt", ["", [{"role": "user", "content": "Where?"}], [5, 6, 7]])
def test_any_kind_of_prompt(detector, prompt):
    assert 0 <= detector.detect(prompt, "In Paris.").probability <= 1


def test_token_ids_of_a_generation(detector):
    detection = detector.detect([5, 6, 7], [40, 41, 42])
    assert len(detection.tokens) == 3


@pytest.mark.parametrize(
    "call", ["predict", "predict_proba", "detect_batch", "score_surfaces", "save", "count_seen"]
)
def test_unfitted(lm, call, tmp_path):
    with pytest.raises(NotFittedError):
        getattr(Detector(lm), call)(tmp_path if call == "save" else NEW)


def test_nothing_to_judge(detector):
    for call in (detector.predict_proba, detector.detect_batch):
        with pytest.raises(InputError, match="no pairs to judge"):
            call([])


def test_bad_pairs_are_named(detector):
    with pytest.raises(InputError, match=r"pair 2: .*'answer' is empty"):
        detector.predict_proba([("a?", "b."), ("a?", "  ")])
    with pytest.raises(ContextWindowError, match=r"pair 2: .*reads at most 256"):
        detector.predict_proba([("a?", "b."), ("a?", "word " * 500)])


def test_damaged_weights_are_told_by_layer(records):
    model = tiny_model()
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0] = float("nan")
    with pytest.raises(ActivationError, match="layer 2 "):
        Detector(LanguageModel(model, tiny_tokenizer())).fit(records)


def test_seen_questions_are_counted(detector, records):
    assert detector.count_seen(records[:10]) == 10
    assert detector.count_seen([(records[0]["prompt"], "another answer")]) == 1
    assert detector.count_seen([("Something else?", "It is.")]) == 0


def test_another_model_under_a_fitted_detector_is_refused(detector):
    other = LanguageModel(tiny_model("llama", seed=7), tiny_tokenizer())
    changed = copy.copy(detector).set_params(lm=other)
    with pytest.raises(FingerprintError, match="another language model"):
        changed.predict_proba(NEW[:2])


def test_a_model_that_was_trained_on_under_a_fitted_detector_is_refused(records):
    model = tiny_model()
    detector = Detector(LanguageModel(model, tiny_tokenizer()), folds=3, prior=False).fit(records[:40])
    detector.predict_proba(NEW[:2])
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(0.5)
    with pytest.raises(FingerprintError, match="another language model"):
        detector.predict_proba(NEW[:2])


def test_a_bare_transformers_model_is_refused():
    with pytest.raises(InputError, match=r"LanguageModel\(model, tokenizer\)"):
        Detector(tiny_model("llama")).fit(NEW)


def test_a_detection_stays_what_it_was_and_carries_no_language_model(lm, records):
    detector = Detector(lm, folds=3, prior=False).fit(records[:40])
    pair = (NEW[0]["prompt"], NEW[0]["answer"])
    tokens = [token.probability for token in detector.detect(*pair).tokens]
    kept = detector.detect(*pair)
    assert b"LlamaForCausalLM" not in pickle.dumps(kept)
    detector.fit(records[40:])
    assert [token.probability for token in kept.tokens] == tokens
    assert [token.probability for token in detector.detect(*pair).tokens] != tokens
