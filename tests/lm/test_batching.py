from hypothesis import given
from hypothesis import strategies as st

from halluscope.lm.batching import token_budget_batches


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 120))
def test_every_index_once_within_the_budget_and_like_lengths_together(lengths, budget):
    batches = list(token_budget_batches(lengths, budget))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(flat)


def test_batches_are_filled():
    assert list(token_budget_batches([5, 3, 4, 9], 10)) == [[1, 2], [0], [3]]
    assert list(token_budget_batches([], 10)) == []
