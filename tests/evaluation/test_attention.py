from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import zscore

from halluscope.errors import InputError
from halluscope.evaluation.attention import ATTENTION, record_attention
from halluscope.lm.language_model import LanguageModel
from halluscope.records import as_pairs
from tests.evaluation.contract import check_chance, check_contract, check_not_flipped, check_planted
from tests.evaluation.recordings import recorded
from tests.tiny import tiny_model, tiny_tokenizer

BLOCKS, PLANTED = 6, 4


def slowly(lm, pair, top_k):
    """Both scores of one pair by block, token by token, from what transformers returns."""
    tokenized = lm.tokenize(pair.prompt, pair.answer, pair.context)
    before = lm.model.config._attn_implementation
    lm.model.set_attn_implementation("eager")
    states = []
    hooks = [b.register_forward_hook(lambda m, a, out: states.append(out[0])) for b in lm.anatomy.blocks]
    with torch.inference_mode():
        out = lm.model(torch.tensor([tokenized.ids]), output_attentions=True, output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    lm.model.set_attn_implementation(before)
    stream = [out.hidden_states[0][0], *(s.reshape(len(tokenized.ids), -1) for s in states)]
    stream = [s.double().numpy() for s in stream]
    own, icr = [], []
    for block, attention in enumerate(a[0].double().numpy() for a in out.attentions):
        tokens = range(tokenized.start, len(tokenized.ids))
        own.append(np.mean([sum(np.log(head[t, t]) for head in attention) for t in tokens]))
        found = []
        for t in tokens:
            weights = attention.mean(axis=0)[t, : t + 1]
            top = np.argsort(-weights)[:top_k]
            step = stream[block + 1][t] - stream[block][t]
            projection = [step @ stream[block][i] / np.linalg.norm(stream[block][i]) for i in top]
            if np.std(projection) < 1e-6 * np.linalg.norm(step):
                projection = np.zeros(len(top))  # the same word at every attended place of block 0
            p, q = (softmax(np.nan_to_num(zscore(part))) for part in (projection, weights[top]))
            found.append(jensenshannon(p, q) ** 2)
        icr.append(np.mean(found))
    return own, icr


@pytest.mark.parametrize("top_k", [3, 20, 500])
def test_scores_follow_their_formulas(lm, records, top_k):
    pairs = as_pairs(records[:6])
    found = record_attention(lm, pairs, top_k=top_k)
    for row, pair in enumerate(pairs):
        own, icr = slowly(lm, pair, top_k)
        assert found["self_attention"][row] == pytest.approx(own, abs=1e-4)
        assert found["icr"][row] == pytest.approx(icr, abs=1e-4)


def test_tokens_outside_a_sliding_window_are_not_attended_to():
    lm = LanguageModel(tiny_model("mistral"), tiny_tokenizer())
    pairs = as_pairs([{"prompt": "Who invented the telephone?", "answer": "It was Alexander Graham Bell."}])
    windowed = record_attention(lm, pairs, top_k=500)["icr"]
    assert windowed == pytest.approx(record_attention(lm, pairs, top_k=8)["icr"], abs=1e-6)


def test_a_pair_has_the_same_scores_in_any_company(lm, records):
    pairs = as_pairs(records[:7])
    together = record_attention(lm, pairs)
    alone = record_attention(lm, pairs[3:4])
    for name, scores in together.items():
        assert scores.shape == (7, lm.n_layers - 1)
        assert alone[name][0] == pytest.approx(scores[3], abs=1e-4)


def test_a_model_that_gives_no_attention_is_refused():
    falcon = LanguageModel(tiny_model("falcon"), tiny_tokenizer())
    with pytest.raises(InputError, match="gives no attention weights"):
        record_attention(falcon, as_pairs([{"prompt": "Who?", "answer": "Bell."}]))


def planted(n, shift, seed=0):
    """Recorded pairs with both extras, whose scores at one block differ by ``shift`` deviations."""
    pairs, y, groups = recorded(n, seed=seed)
    rng = np.random.default_rng(seed + 50)
    extras = {name: rng.normal(size=(n, BLOCKS)) for name in ("self_attention", "icr")}
    for scores in extras.values():
        scores[:, PLANTED] += shift * y
    return replace(pairs, extras=extras), y, groups


@pytest.mark.parametrize("name", ATTENTION)
def test_contract(name):
    check_contract(ATTENTION[name](), *planted(160, shift=2.0))


@pytest.mark.parametrize("name", ATTENTION)
@pytest.mark.parametrize("shift", [2.0, -2.0])
def test_a_planted_difference_is_found_whatever_its_sign(name, shift):
    check_planted(ATTENTION[name], *planted(240, shift=shift), least=0.85)  # the best possible is 0.92


@pytest.mark.parametrize("name", ATTENTION)
def test_labels_without_meaning_give_chance(name):
    check_chance(ATTENTION[name], lambda seed: planted(240, shift=2.0, seed=seed), seeds=4)


@pytest.mark.parametrize("name", ATTENTION)
def test_a_reversed_test_part_is_not_flipped(name):
    check_not_flipped(ATTENTION[name], *planted(240, shift=2.0))


def test_the_chosen_block_is_the_planted_one():
    pairs, y, groups = planted(240, shift=2.0)
    assert ATTENTION["LLM-Check attention"]().fit(pairs, y, groups).choice_[0] == PLANTED
