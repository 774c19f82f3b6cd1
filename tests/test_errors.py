import pickle

import pytest

from halluscope.errors import ContextWindowError, InputError, RecordError


@pytest.mark.parametrize(
    "error", [InputError("what"), RecordError("pairs.jsonl", 3, "empty"), ContextWindowError(500, 256, 40)]
)
def test_errors_travel_between_processes(error):
    error.args = (f"before: {error}",)  # as where a pair is named
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))
