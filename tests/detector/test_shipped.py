import json
import shutil

import pytest

import halluscope
from halluscope.detector import Detector, shipped
from halluscope.errors import DetectorError
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.primer import PRIMER
from tests.samples import labelled_records
from tests.tiny import tiny_model, tiny_tokenizer


@pytest.fixture
def loads(lm, monkeypatch):
    """The names under which a language model was loaded; all of them are the tiny one."""
    names = []

    def load(name):
        names.append(name)
        return lm

    monkeypatch.setattr(shipped.LanguageModel, "from_pretrained", load)
    shipped._language_model.cache_clear()
    shipped._detector.cache_clear()
    yield names
    shipped._language_model.cache_clear()
    shipped._detector.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package without detectors."""
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "halluscope")
    return tmp_path


def test_detectors_are_found_in_the_package_or_beside_it(package, detector_folder):
    assert shipped.shipped_detectors() == {}
    (package / "models" / "empty").mkdir(parents=True)
    shutil.copytree(detector_folder, package / "models" / "tiny")
    assert shipped.shipped_detectors() == {"tiny": package / "models" / "tiny"}
    shutil.copytree(detector_folder, package / "halluscope" / "models" / "wheel")
    assert list(shipped.shipped_detectors()) == ["wheel"]


def test_a_model_without_detector_is_told_how_to_get_one(package, detector_folder):
    with pytest.raises(DetectorError, match=r"'gpt-9' \(there is one for: none\).*halluscope train"):
        halluscope.detect("a?", "b.", model="gpt-9")
    shutil.copytree(detector_folder, package / "models" / "tiny")
    with pytest.raises(DetectorError, match=r"\(there is one for: tiny\)"):
        halluscope.detect("a?", "b.", model="gpt-9")


def test_the_model_s_detector_is_used_and_loaded_once(package, detector_folder, loads, detector):
    shutil.copytree(detector_folder, package / "models" / "tiny")
    pair = labelled_records(1)[0]
    first = halluscope.detect(pair["prompt"], pair["answer"], model="tiny")
    assert first.probability == detector.detect(pair["prompt"], pair["answer"]).probability
    assert first.detector == "tiny"
    halluscope.detect(pair["prompt"], pair["answer"], model="tiny")
    halluscope.detect(pair["prompt"], pair["answer"], model="tiny", detector=package / "models" / "tiny")
    assert loads == ["tiny"]


def test_a_detector_names_its_model(detector_folder, loads):
    assert halluscope.detect("a?", "b.", detector=detector_folder).detector == detector_folder.name
    halluscope.detect("a?", "b.", detector=str(detector_folder), model="tiny-folder")
    assert loads == ["tiny", "tiny-folder"]


def test_a_detector_written_anew_is_loaded_anew(detector_folder, loads, tmp_path):
    folder = shutil.copytree(detector_folder, tmp_path / "d")
    assert halluscope.detect("a?", "b.", detector=folder).threshold == 0.5
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["settings"]["threshold"] = 0.75
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert halluscope.detect("a?", "b.", detector=folder).threshold == 0.75


def test_a_damaged_shipped_detector_says_how_to_learn_without_it(lm, package, detector_folder):
    folder = shutil.copytree(detector_folder, package / "models" / "tiny")
    (folder / "manifest.json").write_text("{")
    with pytest.raises(DetectorError, match=r"(?s)is damaged.*prior=False"):
        shipped.shipped_prior(lm)


def test_a_model_without_a_template_has_its_prior_whatever_the_primer(package, tmp_path):
    lm = LanguageModel(tiny_model(), tiny_tokenizer(chat=False))
    Detector(lm, folds=3).fit(labelled_records(30)).save(package / "models" / "tiny")
    for primer in (PRIMER, ()):
        assert shipped.shipped_prior(lm, primer).name == "tiny"


def test_a_model_s_folder_written_anew_is_loaded_anew(detector_folder, loads, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    config = tmp_path / "mine" / "config.json"
    config.write_text("{}")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        halluscope.detect("a?", "b.", detector=detector_folder, model="mine")
    config.write_text("{ }")
    halluscope.detect("a?", "b.", detector=detector_folder, model="mine")
    assert loads == [str(tmp_path.resolve() / "mine")] * 2


def test_a_detector_in_the_home_folder(detector_folder, loads, tmp_path, monkeypatch):
    shutil.copytree(detector_folder, tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert halluscope.detect("a?", "b.", detector="~/mine").detector == "mine"


def test_missing_detector(tmp_path):
    with pytest.raises(DetectorError, match="no such detector"):
        halluscope.detect("a?", "b.", detector=tmp_path / "missing")
