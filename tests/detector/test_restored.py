import copy

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from halluscope.detector.restored import check_kinds, check_prior, check_trees


@pytest.fixture(scope="module")
def boosting():
    chooser = np.random.default_rng(0)
    x = chooser.normal(size=(200, 3))
    return HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] * x[:, 1] > 0)


def test_what_was_fitted_passes(boosting):
    check_trees(boosting, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [("left", 0), ("right", 10**6), ("feature_idx", 3), ("feature_idx", -1), ("is_categorical", 1)],
)
def test_what_was_tampered_with_does_not(boosting, field, value):
    crafted = copy.deepcopy(boosting)
    nodes = crafted._predictors[2][0].nodes
    nodes[field][0] = value
    with pytest.raises(ValueError, match="leads out of itself"):
        check_trees(crafted, 3)


def test_a_loop_below_the_root(boosting):
    crafted = copy.deepcopy(boosting)
    nodes = crafted._predictors[0][0].nodes
    (inner, *_) = [n for n in np.flatnonzero(nodes["is_leaf"] == 0) if n]
    nodes["right"][inner] = inner
    with pytest.raises(ValueError, match="leads out of itself"):
        check_trees(crafted, 3)


def test_kinds_are_those_of_a_fit(detector):
    classifier = copy.copy(detector.classifier_)
    check_kinds(classifier)
    check_prior(classifier.members_["linear"])
    with pytest.raises(ValueError, match="prior is of another kind"):
        check_prior(classifier.members_["boosting"])
    classifier.members_ = {**classifier.members_, "verdict": classifier.members_["linear"]}
    with pytest.raises(ValueError, match="members are not"):
        check_kinds(classifier)


@pytest.mark.parametrize("part", ["_preprocessor", "_loss"])
def test_what_a_boosting_would_ask_besides_its_trees_is_refused(boosting, part):
    crafted = copy.deepcopy(boosting)
    setattr(crafted, part, copy.deepcopy(boosting))
    with pytest.raises(ValueError, match="its boosting"):
        check_trees(crafted, 3)
    with pytest.raises(ValueError, match="does not read these features"):
        check_trees(boosting, 4)
