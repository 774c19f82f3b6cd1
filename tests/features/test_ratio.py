import numpy as np
from numpy.testing import assert_array_equal

from halluscope.features.ratio import divide


def test_divides_where_there_is_something_to_divide_by():
    assert_array_equal(divide(np.array([[6.0], [1.0]]), np.array([3.0, 0.0])), [[2, 0], [1 / 3, 0]])
    assert divide(np.array(0.0), np.array(0.0), otherwise=0.5) == 0.5
