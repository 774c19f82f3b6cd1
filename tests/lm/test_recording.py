"""Recorded states against transformers' own `output_hidden_states`, over many families."""

import pytest
import torch

from halluscope.errors import ActivationError
from halluscope.lm.anatomy import find_anatomy
from halluscope.lm.recording import LayerState, collate, residual_hooks, visit_layers
from halluscope.lm.tokens import PairTokenizer
from tests.tiny import FAMILIES, tiny_model, tiny_tokenizer

PAIRS = [
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Who?", "Bell."),
    ("Who invented the telephone in 1876?", "Alexander Graham Bell, I think."),
]


def tokenized():
    tokenize = PairTokenizer(tiny_tokenizer())
    return [tokenize(prompt, answer) for prompt, answer in PAIRS]


def record(model, pairs, padding_side="right"):
    layers: list[LayerState] = []

    def keep(layer: LayerState) -> None:
        assert (
            layer.prediction[0].shape == layer.emitted.shape
        )  # computed here, in the recorder's inference mode
        layers.append(layer)

    visit_layers(find_anatomy(model), collate(pairs, padding_side=padding_side), keep)
    return layers


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_states_equal_output_hidden_states(family, padding_side):
    model = tiny_model(family)
    pairs = tokenized()
    layers = record(model, pairs, padding_side)
    assert [s.layer for s in layers] == list(range(5))
    state = torch.stack([s.state for s in layers]).split([len(p.tokens) for p in pairs], dim=1)
    before = torch.stack([s.before for s in layers]).split([len(p.tokens) for p in pairs], dim=1)
    lens = layers[-1].prediction[0].split([len(p.tokens) for p in pairs])
    for i, pair in enumerate(pairs):
        with torch.inference_mode():
            own = model(torch.tensor([pair.ids]), output_hidden_states=True)
        # transformers puts the final norm into its last entry: only the rows below are residual states
        expected = torch.stack(own.hidden_states[:-1])[:, 0]
        torch.testing.assert_close(state[i][:-1], expected[:, pair.start :], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(before[i][:-1], expected[:, pair.start - 1 : -1], atol=1e-5, rtol=1e-5)
        log_p = own.logits[0].float().log_softmax(-1)[pair.start - 1 : -1]
        wanted = log_p.gather(1, torch.tensor(pair.ids[pair.start :])[:, None])[:, 0]
        torch.testing.assert_close(lens[i], wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_last_row_is_taken_before_the_final_norm(family):
    model = tiny_model(family)
    (pair,) = tokenized()[:1]
    anatomy = find_anatomy(model)
    layers = record(model, [pair])
    with torch.inference_mode():
        own = model(torch.tensor([pair.ids]), output_hidden_states=True)
        logits = anatomy.unembed(layers[-1].state)
    torch.testing.assert_close(logits, own.logits[0, pair.start :].float(), atol=2e-5, rtol=1e-4)
