import json
import shutil

import numpy as np
import pytest
import torch

from halluscope.errors import ModelError
from halluscope.lm.language_model import LanguageModel
from tests.tiny import tiny_model, tiny_tokenizer

PROMPT, ANSWER = "Who invented the telephone?", "Alexander Graham Bell, in 1876."


@pytest.fixture(scope="module")
def values():
    return LanguageModel(tiny_model(), tiny_tokenizer()).surface(PROMPT, ANSWER).values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def test_loaded_from_a_folder_it_is_the_same(folder, values):
    for name in (folder, str(folder)):
        lm = LanguageModel.from_pretrained(name)
        np.testing.assert_allclose(lm.surface(PROMPT, ANSWER).values, values, atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"dtype": torch.bfloat16},
        {"device_map": "cpu"},
        {"device_map": "auto"},
        {"attn_implementation": "eager"},
        {"attn_implementation": "sdpa", "trust_remote_code": False},
    ],
)
def test_transformers_own_arguments_pass_through(folder, values, arguments):
    lm = LanguageModel.from_pretrained(folder, **arguments)
    assert lm.model.dtype == arguments.get("dtype", torch.float32)
    tolerance = 0.3 if "dtype" in arguments else 1e-4
    np.testing.assert_allclose(lm.surface(PROMPT, ANSWER).values, values, atol=tolerance)


@pytest.mark.parametrize(
    ("processor", "arguments", "dtype"),
    [
        ("AVX2", {}, torch.float32),
        ("AVX512", {}, torch.bfloat16),
        ("DEFAULT", {}, torch.bfloat16),
        ("AVX2", {"dtype": torch.float16}, torch.float16),
        ("AVX2", {"device_map": "cpu"}, torch.bfloat16),
    ],
)
def test_a_known_model_is_loaded_in_what_the_processor_computes_fast(
    folder, tmp_path, monkeypatch, processor, arguments, dtype
):
    known = tmp_path / "known"
    shutil.copytree(folder, known)
    tiny_model().to(torch.bfloat16).save_pretrained(known)
    monkeypatch.setattr("halluscope.lm.loading.pulled_folder", lambda name: known)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor)
    lm = LanguageModel.from_pretrained("smollm2-135m-instruct", **arguments)
    assert lm.model.dtype == dtype
    assert LanguageModel.from_pretrained(known).model.dtype == torch.bfloat16  # of no other model is it said


def test_models_that_are_not_there(tmp_path, folder, monkeypatch):
    with pytest.raises(ModelError, match=r"is not a folder .*smollm2-135m-instruct"):
        LanguageModel.from_pretrained(tmp_path / "nothing")
    with pytest.raises(ModelError, match="is not a folder"):
        LanguageModel.from_pretrained("./nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"cannot load language model '.*empty'.*known names") as error:
        LanguageModel.from_pretrained(tmp_path / "empty")
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="cannot load language model 'no/such'"):
        LanguageModel.from_pretrained("no/such", local_files_only=True)


def test_a_damaged_folder(folder, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in folder.iterdir():
        content = path.read_bytes()
        (damaged / path.name).write_bytes(content[:1000] if path.suffix == ".safetensors" else content)
    with pytest.raises(ModelError, match="cannot load language model"):
        LanguageModel.from_pretrained(damaged)


def test_code_that_comes_with_a_model_is_not_run_nor_asked_for(folder, tmp_path):
    strange = tmp_path / "strange"
    shutil.copytree(folder, strange)
    config = json.loads((strange / "config.json").read_text())
    config |= {
        "model_type": "strange",
        "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"},
    }
    (strange / "config.json").write_text(json.dumps(config))
    (strange / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match=r"contains custom code.*trust_remote_code=True"):
        LanguageModel.from_pretrained(strange)
    assert not (tmp_path / "ran").exists()


def test_a_relative_folder_is_known_by_its_whole_name(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert LanguageModel.from_pretrained(f"./{folder.name}").name == str(folder.resolve())
