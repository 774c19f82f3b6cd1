import importlib.util

import pytest

from halluscope.distributed.requirement import MissingRayError, check_ray


def test_what_is_missing_is_named(monkeypatch):
    check_ray()
    monkeypatch.setattr("halluscope.distributed.requirement.find_spec", lambda name: None)
    assert importlib.util.find_spec("ray")
    with pytest.raises(MissingRayError, match=r"install halluscope\[ray\]"):
        check_ray()
    with pytest.raises(ImportError):
        check_ray()
