import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from halluscope.detector.moments import Moments, Nested

parts_of_ten = st.lists(
    st.sets(st.integers(0, 9), min_size=1).map(sorted).map(np.array), min_size=1, max_size=8
)


@settings(deadline=None)
@given(parts_of_ten, st.integers(0, 2**16))
def test_every_part_has_the_sums_of_its_own_rows(parts, seed):
    states = torch.from_numpy(np.random.default_rng(seed).normal(size=(10, 3)))
    nested = Nested(parts)
    found = dict(nested.moments([states[nested.rows], 2 * states[nested.rows]]))
    assert sorted(found) == list(range(len(parts)))
    for number, rows in enumerate(parts):
        assert (nested.rows[nested.inside[number]] == rows).all()
        for moments, x in zip(found[number], (states[rows], 2 * states[rows]), strict=True):
            assert moments.n == len(rows)
            torch.testing.assert_close(moments.x, x.sum(dim=0))
            torch.testing.assert_close(moments.xx, x.T @ x)


def test_a_part_is_summed_as_what_a_larger_one_holds_besides(monkeypatch):
    summed = []
    of = Moments.of
    monkeypatch.setattr(Moments, "of", classmethod(lambda cls, x: summed.append(len(x)) or of(x)))
    everything, fold, inner = np.arange(100), np.arange(80), np.arange(60)
    list(Nested([inner, everything, fold, np.arange(10)]).moments([torch.ones(100, 2).double()]))
    # all rows; the part that is all of them; 80 and 60 of them by 20 each; 10 by themselves
    assert sorted(summed) == [0, 10, 20, 20, 100]


def test_the_order_of_a_part_s_rows_does_not_matter():
    x = torch.arange(12.0).reshape(6, 2).double()
    (_, [one]), (_, [other]) = Nested([np.array([4, 1, 3]), np.array([1, 3, 4])]).moments([x[[1, 3, 4]]])
    assert torch.equal(one.xx, other.xx)
