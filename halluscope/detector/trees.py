"""Whether the trees of a gradient boosting that came from a file can be walked safely."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_trees(boosting: Any, n_features: int) -> None:
    """Raise `ValueError` unless every walk down every tree ends at a leaf and reads features that exist.

    scikit-learn follows the nodes of a tree in compiled code without looking: a crafted file would make it
    read foreign memory, or walk for ever.

    Parameters
    ----------
    boosting : HistGradientBoostingClassifier
        As it was loaded.
    n_features : int
        Features that it is going to be given.
    """
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
