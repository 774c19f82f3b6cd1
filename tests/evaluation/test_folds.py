import numpy as np
import pytest

from halluscope.errors import InputError
from halluscope.evaluation.folds import inner_folds


def test_inner_folds_make_do_with_few_groups():
    y = np.array([True, False, True, False, False])
    assert len(inner_folds(y, range(5), 3)) == 2
    assert len(inner_folds(np.tile([True, False, False], 12), np.repeat(range(12), 3), 3)) == 3
    with pytest.raises(InputError, match="1 groups"):
        inner_folds(y[1:], range(4), 3)
