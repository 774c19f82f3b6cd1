from dataclasses import replace

import numpy as np
import pytest
import torch

from halluscope.errors import InputError
from halluscope.evaluation import sampled
from halluscope.evaluation.sampled import EIGENSCORE, SAMPLED, eigenscore, record_eigenscore
from halluscope.lm.generation import Generated
from halluscope.records import as_pairs
from tests.evaluation.contract import check_chance, check_contract, check_not_flipped, check_planted
from tests.evaluation.recordings import recorded

QUESTIONS = [
    {"prompt": "Who invented the telephone?", "answer": "Bell."},
    {"prompt": "Who?", "answer": "It was he."},
    {"prompt": "Who invented the telephone?", "answer": "Edison."},
    {"prompt": "Who?", "answer": "It was he.", "context": "Phones are old."},
]


def test_the_score_is_the_mean_logarithm_of_the_eigenvalues():
    rows = np.random.default_rng(0).normal(size=(5, 40))
    covariance = np.array([[np.cov(a, b)[0, 1] for b in rows] for a in rows])
    expected = np.log(np.linalg.eigvalsh(covariance + 1e-3 * np.eye(5))).mean()
    assert eigenscore(rows) == pytest.approx(expected)


def test_answers_that_agree_score_lower():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10, 64))
    scores = [eigenscore(rows[0] + spread * rows) for spread in (0.0, 0.1, 1.0, 10.0)]
    assert scores == sorted(scores)
    assert eigenscore(np.tile(rows[0], (10, 1))) == pytest.approx(  # nine eigenvalues are alpha
        (9 * np.log(1e-3) + np.log(10 * rows[0].var(ddof=1) + 1e-3)) / 10
    )


def test_the_states_are_those_of_the_middle_layer_at_the_last_token(lm, monkeypatch):
    answers = [lm.tokenizer(text)["input_ids"] for text in ("Bell.", "Edison, I think.", "Bell.", "")]
    asked = []

    def scripted(lm, prompts, n_samples, **options):
        asked.extend(prompts)
        assert n_samples == 4
        return [[Generated(tuple(ids), "", True) for ids in answers] for _ in prompts]

    monkeypatch.setattr(sampled, "sample_answers", scripted)
    pairs = as_pairs(QUESTIONS)
    found = record_eigenscore(lm, pairs, n_samples=4)[EIGENSCORE]
    assert found.shape == (4,)
    assert len(asked) == 3  # each distinct prompt once
    for pair, score in zip(pairs, found, strict=True):
        prompt = lm.tokenize_prompt(pair.prompt, pair.context)
        rows = []
        for ids in answers:
            with torch.inference_mode():
                output = lm.model(torch.tensor([[*prompt, *ids]]), output_hidden_states=True)
            rows.append(output.hidden_states[lm.n_layers // 2][0, -1].double().numpy())
        assert score == pytest.approx(eigenscore(np.stack(rows)), abs=1e-3)


def test_pairs_of_a_prompt_share_their_score_and_the_seed_decides(lm):
    pairs = as_pairs(QUESTIONS)
    options = {"n_samples": 3, "max_new_tokens": 6}
    first = record_eigenscore(lm, pairs, **options)[EIGENSCORE]
    assert first[0] == first[2]
    assert len(set(first)) == 3
    assert (record_eigenscore(lm, pairs, **options)[EIGENSCORE] == first).all()
    assert record_eigenscore(lm, pairs, **options, seed=1)[EIGENSCORE].tolist() != first.tolist()
    assert record_eigenscore(lm, [])[EIGENSCORE].shape == (0,)


def test_one_sample_has_no_spread(lm):
    with pytest.raises(InputError, match="n_samples"):
        record_eigenscore(lm, as_pairs(QUESTIONS), n_samples=1)


def planted(n, shift, seed=0):
    """Recorded pairs whose score differs by ``shift`` deviations."""
    pairs, y, groups = recorded(n, seed=seed)
    score = np.random.default_rng(seed + 50).normal(size=n) + shift * y
    return replace(pairs, extras={EIGENSCORE: score}), y, groups


@pytest.mark.parametrize("name", SAMPLED)
def test_baseline(name):
    check_contract(SAMPLED[name](), *planted(160, shift=2.0))
    check_chance(SAMPLED[name], lambda seed: planted(240, shift=2.0, seed=seed), seeds=4)
    for shift in (2.0, -2.0):
        check_planted(SAMPLED[name], *planted(240, shift=shift), least=0.85)  # the best possible is 0.92
    check_not_flipped(SAMPLED[name], *planted(240, shift=2.0))
