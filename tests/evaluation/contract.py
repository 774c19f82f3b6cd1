"""What must hold for every baseline, wherever it is registered."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from halluscope.errors import InputError
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.metrics import auroc, ece
from halluscope.folds import grouped_folds


def check_contract(baseline, pairs, y, groups):
    """Scikit-learn's contract over 160 pairs: the first 120 are learned from, the rest is new."""
    few, new = np.arange(120), np.arange(120, 160)
    with pytest.raises(NotFittedError):
        baseline.predict_proba(pairs)
    assert all(need in pairs.extras for need in baseline.needs)
    assert baseline.fit(pairs.take(few), y[few], groups=groups[few]) is baseline
    assert baseline.classes_.tolist() == [False, True]
    probability = baseline.predict_proba(pairs.take(new))
    assert probability.shape == (40, 2)
    assert probability.sum(axis=1) == pytest.approx(1)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert baseline.predict(pairs.take([0, 1])).dtype == bool
    again = clone(baseline).fit(pairs.take(few), y[few])  # the prompts are the same groups
    assert again.predict_proba(pairs.take(new)) == pytest.approx(probability)
    # one answer at a time gives what the batch gives
    assert baseline.predict_proba(pairs.take([125])) == pytest.approx(probability[5:6], abs=1e-5)
    for need in baseline.needs:
        others = {name: values for name, values in pairs.extras.items() if name != need}
        with pytest.raises(InputError, match=f"'{need}' was not recorded"):
            clone(baseline).fit(replace(pairs, extras=others), y, groups)


def check_chance(make, draw, seeds=3):
    """Labels without meaning: `draw` gives pairs, their planted labels and groups for a seed."""
    found = []
    for seed in range(seeds):
        pairs, planted, groups = draw(seed)
        n = len(planted)
        y = np.random.default_rng(100 + seed).permutation(n) < n // 2
        found.append(auroc(y, out_of_fold(make(), pairs, y, groups, grouped_folds(y, groups, 2))))
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def check_planted(make, pairs, y, groups, least, largest_ece=0.15):
    """A difference is found, and the probabilities mean what they say."""
    probability = out_of_fold(make(), pairs, y, groups, grouped_folds(y, groups, 3))
    assert auroc(y, probability) > least
    assert ece(y, probability) < largest_ece


def check_not_flipped(make, pairs, y, groups, most=0.3):
    """A test part whose labels are the other way round is scored below chance."""
    train, test = grouped_folds(y, groups, 3)[0]
    fitted = make().fit(pairs.take(train), y[train], groups[train])
    assert auroc(~y[test], fitted.predict_proba(pairs.take(test))[:, 1]) < most
