import numpy as np
import pytest
import torch

from halluscope.fields import check_answer, check_prompt, is_token_ids

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}]


@pytest.mark.parametrize("ids", [[1], (1, 2), np.array([1, 2]), torch.tensor([1]), [np.int32(3)], range(3)])
def test_token_ids(ids):
    assert is_token_ids(ids)
    check_answer(ids)
    check_prompt(ids)


@pytest.mark.parametrize(
    "other", ["12", b"12", [], [True], [1.0], [[1]], {1: 2}, np.ones((1, 2), int), 3, None]
)
def test_what_token_ids_are_not(other):
    assert not is_token_ids(other)


@pytest.mark.parametrize("prompt", ["", "Who?", MESSAGES, PARTS, tuple(MESSAGES)])
def test_prompts(prompt):
    check_prompt(prompt)
