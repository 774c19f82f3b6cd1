import logging

import numpy as np
import pytest
import torch

from halluscope.errors import ActivationError, InputError
from halluscope.lm.attention import attention_hooks, eager_attention
from halluscope.lm.language_model import LanguageModel
from tests.tiny import FAMILIES, tiny_model, tiny_tokenizer

PAIRS = [
    ("Who invented the telephone?", "Alexander Graham Bell."),
    ("The capital of France?", "Paris, it is."),
]


def seen(lm):
    """What a visitor sees, by pair and block: weights, stream below, stream above, answer's positions."""
    tokenized = [lm.tokenize(*pair) for pair in PAIRS]
    found = {}

    def visitor(indices):
        def visit(block):
            for row, index in enumerate(indices):
                size = len(tokenized[index].ids)
                found[index, block.block] = (
                    block.weights[row, :, :size, :size].clone(),
                    block.below[row, :size].clone(),
                    block.above[row, :size].clone(),
                    block.positions[block.rows == row].tolist(),
                )

        return visit

    lm.visit_attention(tokenized, visitor)
    return tokenized, found


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_and_streams_are_those_the_model_returns_itself(family, caplog):
    lm = LanguageModel(tiny_model(family), tiny_tokenizer())
    if family == "falcon":  # cannot be switched
        lm.model.config._attn_implementation = "eager"
    before = lm.model.config._attn_implementation
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="transformers"):
        tokenized, found = seen(lm)
    assert not caplog.records
    assert lm.model.config._attn_implementation == before
    assert len(found) == 8
    if before != "eager":
        lm.model.set_attn_implementation("eager")
    for index, pair in enumerate(tokenized):
        with torch.inference_mode():
            out = lm.model(torch.tensor([pair.ids]), output_attentions=True, output_hidden_states=True)
        for block in range(4):
            weights, below, above, positions = found[index, block]
            torch.testing.assert_close(weights, out.attentions[block][0], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(below, out.hidden_states[block][0], atol=1e-4, rtol=1e-4)
            assert positions == list(range(pair.start, len(pair.ids)))
            if block < 3:  # transformers' last hidden state is behind the final norm
                torch.testing.assert_close(above, out.hidden_states[block + 1][0], atol=1e-4, rtol=1e-4)


def test_the_implementation_comes_back_whatever_happens(lm):
    assert lm.model.config._attn_implementation == "sdpa"
    hooks = [len(module._forward_hooks) for module in lm.model.modules()]

    def visit(block):
        assert lm.model.config._attn_implementation == "eager"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lm.visit_attention([lm.tokenize(*PAIRS[0])], lambda indices: visit)
    assert lm.model.config._attn_implementation == "sdpa"
    assert [len(module._forward_hooks) for module in lm.model.modules()] == hooks


def test_each_part_gets_its_own_implementation_back():
    class Part:
        def __init__(self, implementation, **parts):
            self._attn_implementation = implementation
            self.sub_configs = dict.fromkeys(parts)
            self.__dict__.update(parts)

    class Model:
        def __init__(self):
            self.asked = []

        config = Part("sdpa", text_config=Part("flash_attention_2"), vision_config=Part("eager"))

        def set_attn_implementation(self, implementation):
            self.asked.append(implementation)

    model = Model()
    with eager_attention(model) as options:
        assert options == {}
    back = {"": "sdpa", "text_config": "flash_attention_2", "vision_config": "eager"}
    assert model.asked == ["eager", back]


def test_a_model_that_cannot_be_switched_is_refused():
    falcon = LanguageModel(tiny_model("falcon"), tiny_tokenizer())
    with pytest.raises(InputError, match=r"FalconForCausalLM .* load it with attn_implementation='eager'"):
        seen(falcon)


def test_a_model_without_weights_is_refused():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    attention = lm.model.model.layers[1].self_attn
    forward = attention.forward
    attention.forward = lambda *args, **kwargs: (forward(*args, **kwargs)[0], None)
    with pytest.raises(InputError, match="block 1 of LlamaModel gives no attention weights"):
        seen(lm)
    assert lm.model.config._attn_implementation == "sdpa"


def test_weights_are_let_go(lm):
    taken = []
    ids = torch.tensor([lm.tokenize(*PAIRS[0]).ids])
    with eager_attention(lm.model), attention_hooks(lm.anatomy, lambda block, w: taken.append(block)):
        out = lm.model(ids, output_hidden_states=True)
    assert taken == [0, 1, 2, 3]
    assert np.isfinite(out.logits.detach().numpy()).all()


def test_states_that_are_not_finite_are_named():
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    with torch.no_grad():
        lm.model.model.layers[2].mlp.down_proj.weight.fill_(float("nan"))
    with pytest.raises(ActivationError, match="layer 3"):
        seen(lm)
