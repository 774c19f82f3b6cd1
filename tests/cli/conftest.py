import json
import sys
from typing import NamedTuple

import pytest

from halluscope.cli.app import main
from halluscope.detector import Detector, shipped
from halluscope.lm.language_model import LanguageModel
from tests.samples import labelled_records


class Result(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def run(capfd, monkeypatch):
    """Run the command line in this process: status, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["halluscope", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Result(stopped.value.code, *capfd.readouterr())

    return call


@pytest.fixture(autouse=True)
def nothing_cached():
    yield
    shipped._language_model.cache_clear()
    shipped._detector.cache_clear()


@pytest.fixture(scope="session")
def trained(model_folder, tmp_path_factory):
    """A detector that names the folder of its language model."""
    lm = LanguageModel.from_pretrained(model_folder)
    folder = tmp_path_factory.mktemp("cli") / "trained"
    return Detector(lm, folds=3).fit(labelled_records(30)).save(folder)


@pytest.fixture
def write(tmp_path):
    """Write records to a file in the test's folder."""

    def write(records, name="pairs.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write
