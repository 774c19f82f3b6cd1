from dataclasses import replace

import numpy as np
import pytest

from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.networks import Mind, Saplma
from halluscope.folds import grouped_folds
from tests.evaluation.recordings import PLANTED, WIDTH, recorded


@pytest.mark.parametrize("part", ["the last token of all layers", "the last layer of all tokens"])
def test_mind_finds_what_lies_in_either_of_its_parts(part):
    pairs, y, groups = recorded(240)
    states = pairs.states.copy()
    if part == "the last token of all layers":
        states[:, 1] += 1.5 * (y - 0.5)[:, None, None]
    else:
        states[:, 0, -1] += 2.0 * (y - 0.5)[:, None]
    marked, folds = replace(pairs, states=states), grouped_folds(y, groups, 3)
    assert auroc(y, out_of_fold(Mind(), marked, y, groups, folds)) > 0.85
    train, test = folds[0]
    fitted = Mind().fit(marked.take(train), y[train], groups[train])
    assert auroc(~y[test], fitted.predict_proba(marked.take(test))[:, 1]) < 0.3


def test_mind_reads_the_mean_over_layers_and_the_mean_over_tokens():
    pairs, _, _ = recorded(4)
    columns = Mind()._columns(pairs, ())
    assert columns.shape == (4, 2 * WIDTH)
    for row in range(4):
        over_layers = sum(pairs.states[row, 1, layer] for layer in range(pairs.n_layers)) / pairs.n_layers
        np.testing.assert_allclose(columns[row, :WIDTH], over_layers, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(columns[row, WIDTH:], pairs.states[row, 0, -1])


def test_saplma_chooses_among_its_layers_and_epochs():
    pairs, y, groups = recorded(240, shift=3.0)
    fitted = Saplma(epochs=4).fit(pairs, y, groups)
    assert fitted.layer_ == PLANTED  # of 2 and 3, the upper half
    assert 1 <= fitted.epochs_ <= 4
    assert fitted.get_params()["epochs"] == 4


def test_one_epoch_is_enough_to_choose_from():
    pairs, y, groups = recorded(40, shift=3.0)
    assert Saplma(epochs=1).fit(pairs, y, groups).epochs_ == 1
