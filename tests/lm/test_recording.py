"""Recorded states against transformers' own `output_hidden_states`, over many families."""

import dataclasses
from itertools import pairwise

import pytest
import torch

from halluscope.errors import ActivationError, ModelError
from halluscope.lm.anatomy import find_anatomy
from halluscope.lm.recording import LayerState, collate, residual_hooks, visit_layers
from halluscope.lm.tokens import PairTokenizer, TokenizedPair
from tests.tiny import FAMILIES, tiny_model, tiny_tokenizer

PAIRS = [
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Who?", "Bell."),
    ("Who invented the telephone in 1876?", "Alexander Graham Bell, I think."),
]


def tokenized():
    tokenize = PairTokenizer(tiny_tokenizer())
    return [tokenize(prompt, answer) for prompt, answer in PAIRS]


def record(model, pairs):
    layers: list[LayerState] = []

    def keep(layer: LayerState) -> None:
        # computed here, in the recorder's inference mode
        assert layer.prediction[0].shape == layer.emitted.shape
        layers.append(layer)

    visit_layers(find_anatomy(model), collate(pairs), keep)
    return layers


@pytest.mark.parametrize("family", FAMILIES)
def test_states_equal_output_hidden_states(family):
    model = tiny_model(family)
    pairs = tokenized()
    layers = record(model, pairs)
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


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_hooks_are_removed_whatever_happens():
    model = tiny_model()
    own = model.model.layers[2].register_forward_hook(lambda *args: None)
    anatomy = find_anatomy(model)
    batch = collate(tokenized())

    def fail(layer):
        assert hooks(model) == 6
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        visit_layers(anatomy, batch, fail)
    assert hooks(model) == 1
    visit_layers(anatomy, batch, lambda layer: None)
    assert hooks(model) == 1
    with pytest.raises(RuntimeError, match="inside"), residual_hooks(anatomy, lambda row, hidden: None):
        raise RuntimeError("inside")
    assert hooks(model) == 1
    own.remove()


def test_hooks_are_removed_when_they_cannot_all_be_set():
    model = tiny_model()
    anatomy = find_anatomy(model)
    broken = dataclasses.replace(anatomy, blocks=[*anatomy.blocks[:2], None])
    with pytest.raises(AttributeError), residual_hooks(broken, lambda row, hidden: None):
        pass
    assert hooks(model) == 0


@pytest.mark.parametrize("broken", [0, 1, 3, 4])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_first_layer_that_is_not_finite_is_named(broken, value):
    model = tiny_model()
    with torch.no_grad():
        if broken:
            model.model.layers[broken - 1].mlp.down_proj.weight[3] = value
        else:
            model.model.embed_tokens.weight.fill_(value)
    with pytest.raises(ActivationError, match=f"of layer {broken} are NaN or infinite"):
        visit_layers(find_anatomy(model), collate(tokenized()), lambda layer: None)
    assert hooks(model) == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_has_the_same_states_in_any_company(family):
    model = tiny_model(family)
    pairs = [*tokenized(), TokenizedPair((5, 6), 1, ("a",), ((0, 1),), "a")]
    alone = [torch.stack([layer.state for layer in record(model, [pair])]) for pair in pairs]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        layers = record(model, [pairs[i] for i in order])
        assert layers[0].lengths == tuple(len(pairs[i].tokens) for i in order)
        parts = torch.stack([layer.state for layer in layers]).split(layers[0].lengths, dim=1)
        for i, part in zip(order, parts, strict=True):
            torch.testing.assert_close(part, alone[i], atol=1e-4, rtol=1e-4)


def test_what_a_visitor_sees():
    pairs = tokenized()
    layers = record(tiny_model(), pairs)
    assert layers[0].previous is None
    for below, layer in pairwise(layers):
        assert layer.previous is below.state
    for layer in layers:
        assert layer.n_layers == 5
        assert layer.state.dtype == torch.float32
        assert not layer.state.requires_grad
        assert layer.emitted.tolist() == [i for pair in pairs for i in pair.ids[pair.start :]]


def test_states_are_handed_on_in_float32_whatever_the_model_s_dtype():
    exact, rough = (record(tiny_model().to(dtype), tokenized()) for dtype in (torch.float32, torch.bfloat16))
    for one, other in zip(exact, rough, strict=True):
        assert other.state.dtype == torch.float32
        torch.testing.assert_close(one.state, other.state, atol=0.3, rtol=0.1)


def test_a_model_whose_blocks_are_not_run_in_order_is_refused():
    for order in ([1, 0, 2, 3], [0, 1, 2, 2], [0, 1]):
        model = tiny_model()
        anatomy = find_anatomy(model)
        model.model.layers = torch.nn.ModuleList(anatomy.blocks[i] for i in order)
        with pytest.raises(ModelError, match="LlamaModel does not pass one residual stream"):
            visit_layers(anatomy, collate(tokenized()), lambda layer: None)
        assert hooks(model) == 0


def test_padding():
    pairs = [
        TokenizedPair((5, 6, 7), 1, ("a", "b"), ((0, 1), (1, 2)), "ab"),
        TokenizedPair((8, 9), 1, ("c",), ((0, 1),), "c"),
    ]
    padded = collate(pairs)
    assert padded.ids.tolist() == [[5, 6, 7], [8, 9, 0]]
    assert padded.mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert (padded.rows.tolist(), padded.positions.tolist()) == ([0, 0, 1], [1, 2, 1])
    assert padded.lengths == (2, 1)
