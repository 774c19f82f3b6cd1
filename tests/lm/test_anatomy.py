from types import SimpleNamespace

import pytest
import torch
import transformers
from torch import nn

from halluscope.errors import ModelError
from halluscope.lm.anatomy import all_modules, find_anatomy, running_device
from tests.tiny import _SIZES, FAMILIES, tiny_model


@pytest.mark.parametrize("family", [*FAMILIES, "lfm2"])
def test_unembedding_the_last_state_gives_the_model_s_own_logits(family, monkeypatch):
    monkeypatch.setitem(FAMILIES, "lfm2", ("Lfm2Config", _SIZES | {"full_attn_idxs": [0, 2]}))
    model = tiny_model(family)
    anatomy = find_anatomy(model)
    assert len(anatomy.blocks) == 4
    states = []
    handle = anatomy.blocks[-1].register_forward_hook(lambda module, args, output: states.append(output))
    with torch.inference_mode():
        logits = model(torch.arange(5, 15)[None]).logits[0]
    handle.remove()
    state = states[0][0] if isinstance(states[0], tuple) else states[0]
    with torch.inference_mode():
        torch.testing.assert_close(anatomy.unembed(state.reshape(10, -1)), logits, atol=2e-5, rtol=1e-4)


def vision(**sizes):
    return {
        "hidden_size": 32,
        "num_hidden_layers": 4,  # as many as the language model has: blocks must not be taken from here
        "intermediate_size": 32,
        "num_attention_heads": 4,
        "image_size": 28,
        "patch_size": 14,
        **sizes,
    }


def multimodal(family):
    if family == "gemma3":
        text = _SIZES | {"sliding_window": 8, "query_pre_attn_scalar": 8}
        config = transformers.Gemma3Config(text_config=text, vision_config=vision(), mm_tokens_per_image=4)
        return transformers.Gemma3ForConditionalGeneration(config)
    config = transformers.LlavaConfig(
        text_config=transformers.LlamaConfig(**_SIZES),
        vision_config=transformers.CLIPVisionConfig(**vision()),
    )
    return transformers.LlavaForConditionalGeneration(config)


@pytest.mark.parametrize("family", ["gemma3", "llava"])
def test_of_a_multimodal_model_the_language_model_is_read(family):
    model = multimodal(family)
    language_model = model.get_decoder()
    anatomy = find_anatomy(model)
    assert anatomy.decoder is language_model
    assert list(anatomy.blocks) == list(language_model.layers)
    assert anatomy.unembed.norm is language_model.norm


def test_blocks_are_not_confused_with_a_lesser_list_of_the_same_length():
    model = tiny_model()
    blocks = list(model.model.layers)
    layers = model.model._modules.pop("layers")
    model.model.scales = nn.ModuleList(nn.Linear(1, 1) for _ in blocks)
    model.model.layers = layers
    assert list(find_anatomy(model).blocks) == blocks


def test_a_norm_in_float32_over_an_unembedding_in_bfloat16():
    model = tiny_model().to(torch.bfloat16)
    model.model.norm.float()
    logits = find_anatomy(model).unembed(torch.randn(3, 32))
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def test_models_that_cannot_be_read_say_so():
    tiny = {"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    bert = transformers.BertLMHeadModel(transformers.BertConfig(**tiny, intermediate_size=8, is_decoder=True))
    t5 = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=50, d_model=8, num_layers=2, num_heads=2, d_kv=4, d_ff=8)
    )
    cases = {
        "BertLMHeadModel: its layout": bert,
        "T5ForConditionalGeneration has an encoder": t5,
        "LlamaModel has no unembedding": tiny_model().model,
        "Linear is not a transformers language model": nn.Linear(2, 2),
        "str is not": "smollm2-135m-instruct",
    }
    for problem, model in cases.items():
        with pytest.raises(ModelError, match=problem):
            find_anatomy(model)
    model = tiny_model()
    model.config.num_hidden_layers = 7
    with pytest.raises(ModelError, match="no list of 7 decoder blocks found in LlamaForCausalLM"):
        find_anatomy(model)


def test_where_a_module_runs():
    linear = nn.Linear(2, 2)
    assert running_device(linear) == torch.device("cpu")
    assert running_device(nn.Identity(), "meta") == torch.device("meta")
    waiting = nn.Linear(2, 2, device="meta")
    waiting._hf_hook = SimpleNamespace(execution_device="cpu")
    assert running_device(waiting) == torch.device("cpu")
    waiting._hf_hook = SimpleNamespace(hooks=[SimpleNamespace(), SimpleNamespace(execution_device="cpu")])
    assert running_device(waiting) == torch.device("cpu")


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_modules_are_walked_as_torch_walks_them(family):
    model = tiny_model(family)
    model.again = model.get_input_embeddings()  # a module that is there twice
    assert [id(m) for m in all_modules(model)] == [id(m) for m in model.modules()]
