"""A tiny language model, labelled pairs whose two kinds differ, and a detector fitted on them."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts a pool: tiny models lose by more threads

import pytest

from halluscope.detector import Detector
from halluscope.lm.language_model import LanguageModel
from tests.samples import labelled_records
from tests.tiny import tiny_model, tiny_tokenizer

LONGEST = (
    "distributed/test_file.py",
    "test_readme.py",
    "benchmarks/test_accuracy.py",
    "evaluation/test_act_vit.py",
)
"""Files that take longest, and are begun first: none is left to one process while the other waits."""


def pytest_collection_modifyitems(items):
    paths = [str(Path(__file__).parent / name) for name in LONGEST]
    items.sort(key=lambda item: paths.index(str(item.path)) if str(item.path) in paths else len(paths))


@pytest.fixture(scope="session")
def lm():
    return LanguageModel(tiny_model(), tiny_tokenizer(), name="tiny")


@pytest.fixture(scope="session")
def records():
    return labelled_records(40)


@pytest.fixture(scope="session")
def detector(lm, records):
    """Fitted; tests must not change it."""
    return Detector(lm, folds=3).fit(records)


@pytest.fixture(scope="session")
def model_folder(lm, tmp_path_factory):
    """The tiny language model as transformers saves it."""
    folder = tmp_path_factory.mktemp("tiny-model")
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def detector_folder(detector, tmp_path_factory):
    return detector.save(tmp_path_factory.mktemp("detectors") / "tiny-detector")
