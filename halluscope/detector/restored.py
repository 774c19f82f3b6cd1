"""Whether a classifier that came from a file can be used safely.

The estimators are scikit-learn's own, but some of those do what a file tells them in compiled code, without
looking: only the kinds that are expected may be used, and trees are walked only once they are known to end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from halluscope.detector.classifier import SurfaceClassifier, new_members
from halluscope.detector.own_answers import new_gate


def check_kinds(classifier: SurfaceClassifier) -> None:
    """Raise `ValueError` unless members and blend are the estimators that a fit would have left.

    Parameters
    ----------
    classifier : SurfaceClassifier
        With the members and the blend that were loaded.
    """
    expected = {name: _kinds(member) for name, member in new_members(verdict=[0]).items()}
    found = {name: _kinds(member) for name, member in classifier.members_.items()}
    if found not in (expected, {name: expected[name] for name in expected if name != "verdict"}):
        raise ValueError("its members are not those of a classifier of surfaces")
    if _kinds(classifier.blend_) != expected["linear"][-1]:
        raise ValueError("its blend is of another kind")


def check_prior(member: Any) -> None:
    """Raise `ValueError` unless a prior's member is a linear one."""
    if _kinds(member) != _kinds(new_members([])["linear"]):
        raise ValueError("its prior is of another kind")


def check_gate(gate: Any) -> None:
    """Raise `ValueError` unless a gate between given and own answers is the estimator of a fit."""
    if _kinds(gate) != _kinds(new_gate(())):
        raise ValueError("its gate is of another kind")


def _kinds(estimator: Any) -> tuple[Any, ...]:
    """The class of an estimator and of all that are in it."""
    if type(estimator) is Pipeline:
        inside = [step for _, step in estimator.steps]
    elif type(estimator) is ColumnTransformer:
        fitted = getattr(estimator, "transformers_", estimator.transformers)
        inside = [part for _, part, _ in fitted if not isinstance(part, str)]
    else:
        inside = []
    return (type(estimator), *map(_kinds, inside))


def check_trees(boosting: Any, n_features: int) -> None:
    """Raise `ValueError` unless every walk down every tree ends at a leaf and reads features that exist.

    Nothing else may be asked on the way: a boosting that was fitted on numbers prepares them by nothing.

    scikit-learn follows the nodes of a tree in compiled code without looking: a crafted file would make it
    read foreign memory, or walk for ever.

    Parameters
    ----------
    boosting : HistGradientBoostingClassifier
        As it was loaded.
    n_features : int
        Features that it is going to be given.
    """
    if boosting.n_features_in_ != n_features or boosting._preprocessor is not None:
        raise ValueError("its boosting does not read these features as they are")
    if not type(boosting._loss).__module__.startswith("sklearn._loss"):
        raise ValueError("the loss of its boosting is another estimator")
    for trees in boosting._predictors:
        for tree in trees:
            nodes = tree.nodes
            inner = nodes[nodes["is_leaf"] == 0]
            places = np.flatnonzero(nodes["is_leaf"] == 0)
            children = np.stack([inner["left"], inner["right"]]).astype(np.int64)
            features = inner["feature_idx"]
            if (
                not len(nodes)
                or (children <= places).any()  # scikit-learn writes children behind their parents
                or (children >= len(nodes)).any()
                or (features < 0).any()
                or (features >= n_features).any()
                or nodes["is_categorical"].any()
            ):
                raise ValueError("a tree leads out of itself or reads what is not a feature")
