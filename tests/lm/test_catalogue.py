import re

import pytest

from halluscope.errors import ModelError
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS, known_model


def test_the_default_model_is_known():
    assert known_model(DEFAULT_MODEL) is KNOWN_MODELS[DEFAULT_MODEL]


@pytest.mark.parametrize("model", KNOWN_MODELS.values(), ids=str)
def test_every_entry_is_complete(model):
    assert KNOWN_MODELS[model.name] is model
    assert re.fullmatch("[0-9a-f]{64}", model.gguf_sha256)
    assert model.gguf_name.endswith(".gguf")
    assert model.licence
    assert model.description
    assert model.probe
    for wheel in model.wheels:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", wheel.requirement)
        assert re.fullmatch("[0-9a-f]{64}", wheel.sha256)


def test_pieces_are_in_order():
    members = [wheel.member for wheel in known_model("gemma-3-270m").wheels]
    assert len(members) == 4
    assert members == sorted(members)
    assert len({wheel.sha256 for wheel in known_model("gemma-3-270m").wheels}) == 4


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match=r"'gpt-9'.*smollm2-135m-instruct, gemma-3-270m"):
        known_model("gpt-9")
