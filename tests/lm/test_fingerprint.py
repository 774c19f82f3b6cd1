import copy

import accelerate
import pytest
import torch

from halluscope.lm.fingerprint import fingerprint
from halluscope.lm.language_model import LanguageModel
from tests.tiny import tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def own():
    return fingerprint(tiny_model(), tiny_tokenizer())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_same_weights_in_another_dtype_are_the_same_model(own, dtype):
    assert len(own) == 64
    assert fingerprint(tiny_model().to(dtype), tiny_tokenizer()) == own


def test_saved_and_loaded_it_is_the_same_model(own, tmp_path):
    tiny_model().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert LanguageModel.from_pretrained(tmp_path).fingerprint == own
    assert LanguageModel.from_pretrained(tmp_path, dtype=torch.bfloat16).fingerprint == own


def test_settings_that_change_no_answer_change_nothing(own):
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    tokenizer.truncation_side = "left"
    model = tiny_model().train().requires_grad_(False)
    model.config.use_cache = False
    assert fingerprint(model, tokenizer) == own


def test_weights_that_wait_on_disk_are_looked_at(own, tmp_path):
    model = accelerate.disk_offload(tiny_model(), tmp_path, execution_device=torch.device("cpu"))
    assert fingerprint(model, tiny_tokenizer()) == own
    other = accelerate.cpu_offload(tiny_model(seed=1), execution_device=torch.device("cpu"))
    assert fingerprint(other, tiny_tokenizer()) != own


def test_another_model_another_digest(own):
    others = [
        fingerprint(tiny_model(seed=1), tiny_tokenizer()),
        fingerprint(tiny_model("mistral"), tiny_tokenizer()),
    ]
    assert len({own, *others}) == 3


def test_a_little_training_is_seen(own):
    model = copy.deepcopy(tiny_model())
    ids = torch.tensor([tiny_tokenizer()("The capital of France is Paris.")["input_ids"]])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    model(ids, labels=ids).loss.backward()
    optimizer.step()
    assert fingerprint(model, tiny_tokenizer()) != own


def test_every_weight_is_looked_at(own):
    for name, _ in tiny_model().named_parameters():
        model = tiny_model()
        with torch.no_grad():
            model.get_parameter(name).mul_(-1)
        assert fingerprint(model, tiny_tokenizer()) != own, name


def test_another_tokenizer_is_another_model(own):
    plain = tiny_tokenizer(chat=False)
    other_template = tiny_tokenizer()
    other_template.chat_template += " "
    templates = tiny_tokenizer()
    templates.chat_template = {"default": templates.chat_template, "tool_use": "x"}
    more = tiny_tokenizer()
    more.add_tokens(["<more>"])
    digests = [
        fingerprint(tiny_model(), t)
        for t in (plain, other_template, templates, more, tiny_tokenizer(bos=True))
    ]
    assert len({own, *digests}) == 6


def test_training_after_the_first_look_is_seen_and_so_is_its_undoing(own):
    lm = LanguageModel(tiny_model(), tiny_tokenizer())
    weight = lm.model.get_output_embeddings().weight
    assert lm.fingerprint == own
    for expected in (False, True):
        with torch.no_grad():
            weight.mul_(-1)
        assert (lm.fingerprint == own) is expected
    assert copy.deepcopy(lm).fingerprint == own
