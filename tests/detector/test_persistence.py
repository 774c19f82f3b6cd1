import hashlib
import json
import pathlib
import shutil

import numpy as np
import pytest
import skops.io
import torch
from safetensors.torch import load, save
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from halluscope.detector import Detector, persistence
from halluscope.detector.manifest import MANIFEST, read_manifest
from halluscope.detector.persistence import CLASSIFIER, READINGS, check_target
from halluscope.errors import DetectorError, FingerprintError, InputError
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.primer import PRIMER
from tests.samples import labelled_records
from tests.tiny import tiny_model, tiny_tokenizer

NEW = labelled_records(6, seed=9)


class Bomb:
    """What a pickle would run while it is read."""

    def __reduce__(self):
        return (pathlib.Path.touch, (pathlib.Path("exploded"),))


@pytest.fixture
def folder(detector_folder, tmp_path):
    """A copy to damage."""
    return shutil.copytree(detector_folder, tmp_path / "copy")


def write(folder, name, data):
    """Put a file in place, with its right digest in the manifest."""
    (folder / name).write_bytes(data)
    change(folder, "files", name, hashlib.sha256(data).hexdigest())


def change(folder, *path_and_value):
    *path, last, value = path_and_value
    manifest = json.loads((folder / MANIFEST).read_text())
    place = manifest
    for key in path:
        place = place[key]
    place[last] = value
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_loaded_is_what_was_saved(lm, detector, detector_folder):
    loaded = Detector.load(detector_folder, lm)
    np.testing.assert_array_equal(loaded.predict_proba(NEW), detector.predict_proba(NEW))
    assert loaded.get_params() == detector.get_params()
    assert loaded.training_ == detector.training_
    assert loaded.classes_.tolist() == [False, True]
    assert list(loaded.feature_names_in_) == list(detector.feature_names_in_)
    assert loaded.n_features_in_ == detector.n_features_in_
    assert loaded.name == detector_folder.name
    assert loaded.identity == Detector.load(detector_folder, lm).identity


def test_saved_again_it_is_the_same(lm, detector_folder, tmp_path):
    again = Detector.load(Detector.load(detector_folder, lm).save(tmp_path / "again"), lm)
    first = Detector.load(detector_folder, lm)
    np.testing.assert_array_equal(again.predict_proba(NEW), first.predict_proba(NEW))
    assert again.identity == first.identity


def test_the_model_is_loaded_by_name_if_not_given(detector, model_folder, tmp_path):
    named = LanguageModel.from_pretrained(model_folder, dtype=torch.float32)
    detector = Detector(named, folds=3).fit(labelled_records(30))
    folder = detector.save(tmp_path / "d")
    np.testing.assert_allclose(
        Detector.load(folder).predict_proba(NEW), detector.predict_proba(NEW), atol=1e-4
    )


def test_numpy_settings_are_saved(lm, records, tmp_path):
    folder = Detector(lm, folds=np.int64(3), threshold=np.float64(0.4)).fit(records).save(tmp_path / "d")
    assert Detector.load(folder, lm).threshold == 0.4


def test_the_manifest_is_json_of_known_fields(detector_folder):
    manifest = read_manifest(detector_folder)
    assert manifest["model"]["name"] == "tiny"
    assert manifest["settings"] == {
        "folds": 3,
        "ridge": 0.3,
        "strength": 0.01,
        "threshold": 0.5,
        "prior": True,
        "primer": PRIMER,
        "seed": 0,
    }
    assert set(manifest["files"]) == {READINGS, CLASSIFIER}
    assert 0 <= manifest["training"]["out_of_fold"]["brier"] <= 1


def test_missing(lm, tmp_path):
    with pytest.raises(DetectorError, match="no such detector"):
        Detector.load(tmp_path / "missing", lm)
    with pytest.raises(DetectorError, match=f"has no {MANIFEST}"):
        Detector.load(tmp_path, lm)


@pytest.mark.parametrize("name", [READINGS, CLASSIFIER])
def test_a_missing_file_is_named(lm, folder, name):
    (folder / name).unlink()
    with pytest.raises(DetectorError, match=f"{name} is missing"):
        Detector.load(folder, lm)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "\x00\xff",
        '{"format": 1',
        "[" * 100_000,
        "[1]",
        "null",
        "{}",
        '{"format": 99}',
        '{"format": 1}',
    ],
)
def test_damaged_manifests(lm, folder, text):
    (folder / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(DetectorError, match=MANIFEST):
        Detector.load(folder, lm)


@pytest.mark.parametrize(
    "path_and_value",
    [
        ("features", "reading.Sa"),
        ("features", ["reading.Sa"]),
        ("features", []),
        ("model", "name", 3),
        ("model", "layers", None),
        ("settings", {}),
        ("settings", "threshold", "0.5"),
        ("settings", "threshold", float("nan")),
        ("settings", "threshold", 2),
        ("settings", "folds", -1),
        ("settings", "lm", "another"),
        ("files", {}),
        ("training", None),
    ],
    ids=str,
)
def test_wrong_fields(lm, folder, path_and_value):
    change(folder, *path_and_value)
    with pytest.raises(DetectorError, match=str(folder)):
        Detector.load(folder, lm)


@pytest.mark.parametrize("name", [READINGS, CLASSIFIER])
@pytest.mark.parametrize("damage", [lambda data: data[:-10], lambda data: data[:50] + b"!" + data[51:]])
def test_altered_bytes(lm, folder, name, damage):
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(DetectorError, match=f"{name} is damaged: its digest"):
        Detector.load(folder, lm)


@pytest.mark.parametrize("name", [READINGS, CLASSIFIER])
@pytest.mark.parametrize("data", [b"", b"not what it should be", b"\xff" * 1000])
def test_garbage_with_the_right_digest(lm, folder, name, data):
    write(folder, name, data)
    with pytest.raises(DetectorError, match=f"{name} is damaged"):
        Detector.load(folder, lm)


@pytest.mark.parametrize(
    "alter",
    [
        lambda t: t | {"directions": t["directions"][:, :-1].contiguous()},
        lambda t: t | {"centres": t["centres"] * float("nan")},
        lambda t: t | {"scales": t["scales"] / 0},
        lambda t: {"directions": t["directions"]},
        lambda t: t | {"more": t["centres"].clone()},
    ],
    ids=["shape", "nan", "infinite", "missing", "too many"],
)
def test_readings_of_wrong_shapes_or_values(lm, folder, alter):
    write(folder, READINGS, save(alter(load((folder / READINGS).read_bytes()))))
    with pytest.raises(DetectorError, match="does not hold finite readings"):
        Detector.load(folder, lm)


def test_unknown_types_are_refused_and_nothing_is_executed(lm, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(folder, CLASSIFIER, skops.io.dumps({"members": Bomb(), "calibrator": LogisticRegression()}))
    with pytest.raises(DetectorError, match=r"types that are not scikit-learn's \(.*Bomb"):
        Detector.load(folder, lm)
    write(folder, CLASSIFIER, skops.io.dumps({"members": np.vectorize(Bomb), "calibrator": 1}))
    with pytest.raises(DetectorError, match=CLASSIFIER):
        Detector.load(folder, lm)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "content",
    [
        {"members": LogisticRegression(), "calibrator": LogisticRegression()},
        {"members": DummyClassifier(), "calibrator": 3},
        {"members": 1},
        [1, 2],
        {
            "members": LogisticRegression().fit(np.eye(4), [0, 1, 0, 1]),
            "calibrator": LogisticRegression().fit([[0], [1]], [0, 1]),
        },
    ],
    ids=["unfitted", "other", "missing", "list", "too few features"],
)
def test_harmless_but_useless_classifiers(lm, folder, content):
    write(folder, CLASSIFIER, skops.io.dumps(content))
    with pytest.raises(DetectorError, match="does not hold a classifier of"):
        Detector.load(folder, lm)


def test_another_model_is_refused(detector_folder):
    for other in (
        LanguageModel(tiny_model(seed=1), tiny_tokenizer(), name="seed 1"),
        LanguageModel(tiny_model(), tiny_tokenizer(chat=False), name="no template"),
        LanguageModel(tiny_model("qwen2"), tiny_tokenizer(), name="qwen2"),
    ):
        with pytest.raises(FingerprintError, match=f"trained on 'tiny', and '{other.name}' is another"):
            Detector.load(detector_folder, other)


def test_another_dtype_is_the_same_model(lm, detector_folder):
    narrow = LanguageModel(tiny_model().to(torch.bfloat16), tiny_tokenizer(), name="tiny")
    loaded = Detector.load(detector_folder, narrow)
    assert np.isfinite(loaded.predict_proba(NEW)).all()
    assert loaded.identity != Detector.load(detector_folder, lm).identity


def test_unfitted_detectors_are_not_saved(lm, tmp_path):
    with pytest.raises(NotFittedError):
        Detector(lm).save(tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_other_things_are_not_overwritten(detector, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DetectorError, match="is not a detector"):
        detector.save(tmp_path)
    with pytest.raises(DetectorError, match="is not a detector"):
        detector.save(tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_manifest_has_room_for_a_million_questions(lm, detector, tmp_path, monkeypatch):
    questions = [f"{number:012x}" for number in range(1_000_000)]
    monkeypatch.setattr(detector, "training_", detector.training_ | {"questions": questions})
    assert Detector.load(detector.save(tmp_path / "large"), lm).training_["questions"] == questions


def test_another_program_s_manifest_is_not_overwritten(detector, tmp_path):
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(DetectorError, match="is not a detector"):
        detector.save(tmp_path)
    assert "web page" in (tmp_path / "manifest.json").read_text()


def test_a_folder_that_cannot_be_replaced_is_refused_before_the_fit(detector, tmp_path, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "is_mount", lambda self: self == tmp_path)
    with pytest.raises(DetectorError, match="mount point"):
        check_target(tmp_path)
    check_target(tmp_path / "new")


def test_an_empty_folder_and_an_old_detector_are_overwritten(lm, detector, tmp_path):
    target = tmp_path / "d"
    target.mkdir()
    (target / ".gitkeep").touch()
    detector.save(target)
    (target / "README.md").write_text("the card")
    Detector(lm, folds=3, threshold=0.9).fit(labelled_records(30)).save(target)
    assert Detector.load(target, lm).threshold == 0.9
    assert (target / "README.md").read_text() == "the card"
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("stop", range(1, 9))
def test_an_interrupted_save_leaves_what_was_there(lm, detector, tmp_path, monkeypatch, existing, stop):
    target = tmp_path / "d"
    if existing:
        detector.save(target)
        old = read_manifest(target)
    other = Detector(lm, folds=3)
    other.__dict__.update({key: value for key, value in vars(detector).items() if key.endswith("_")})
    other.threshold = 0.9
    steps = 0

    def stopping(method):
        def step(*arguments, **keywords):
            nonlocal steps
            steps += 1
            if steps == stop:
                raise KeyboardInterrupt
            return method(*arguments, **keywords)

        return step

    monkeypatch.setattr(pathlib.Path, "write_bytes", stopping(pathlib.Path.write_bytes))
    monkeypatch.setattr(pathlib.Path, "replace", stopping(pathlib.Path.replace))
    finished = False
    try:
        other.save(target)
        finished = True
    except KeyboardInterrupt:
        pass
    monkeypatch.undo()
    assert finished is (stop > 2 * 3 + (2 if existing else 1))
    if finished:
        assert read_manifest(target)["settings"]["threshold"] == 0.9
    elif existing:
        assert read_manifest(target) == old
        Detector.load(target, lm)
    assert [path.name for path in tmp_path.iterdir()] == (["d"] if existing or finished else [])


def test_versions_of_sklearn_are_named_when_a_classifier_cannot_be_used(lm, folder, monkeypatch):
    change(folder, "scikit-learn", "0.1")
    monkeypatch.setattr(persistence.skops.io, "loads", lambda *a, **k: {}["members"])
    with pytest.raises(DetectorError, match=r"it was saved with 0\.1"):
        Detector.load(folder, lm)


def test_fitted_anew_it_is_no_more_what_was_saved(lm, tmp_path):
    detector = Detector(lm, folds=3, progress=False).fit(labelled_records(20))
    detector.save(tmp_path / "mine")
    assert detector.name == "mine"
    assert detector.fit(labelled_records(21)).name == "unsaved"


def test_a_link_leads_to_what_is_replaced(lm, detector, tmp_path):
    first = Detector(lm, folds=3, prior=False).fit(labelled_records(12)).save(tmp_path / "store" / "v1")
    before = (first / MANIFEST).read_text()
    link = tmp_path / "current"
    link.symlink_to(first)
    assert detector.save(link) == first.resolve()
    assert link.is_symlink()
    assert (first / MANIFEST).read_text() != before
    assert Detector.load(link, lm).name == "current"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    check_target(dangling)
    detector.save(dangling)
    assert (tmp_path / "nowhere" / MANIFEST).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "dangling", "nowhere", "store"]
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(InputError, match="circle"):
        check_target(tmp_path / "circle")


def test_the_folder_one_is_in_is_replaced_or_the_reason_told(monkeypatch, tmp_path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    check_target(pathlib.Path())
    monkeypatch.setattr("os.access", lambda *args: False)
    with pytest.raises(DetectorError, match=r"\(.* is not writable\)"):
        check_target(pathlib.Path())


def test_members_of_other_kinds_are_not_even_asked(lm, folder):
    parts = skops.io.loads((folder / CLASSIFIER).read_bytes(), trusted=persistence._TRUSTED)
    endless = parts["members"]["boosting"]
    nodes = endless._predictors[0][0].nodes
    inner = nodes["is_leaf"] == 0
    nodes["left"][inner] = nodes["right"][inner] = 0  # a walk that never ends, in compiled code
    parts["members"]["linear"] = endless
    write(folder, CLASSIFIER, skops.io.dumps(parts))
    with pytest.raises(DetectorError, match="members are not those of"):
        Detector.load(folder, lm)


@pytest.mark.parametrize("given", ["tiny", tiny_model()])
def test_a_language_model_must_be_wrapped(detector_folder, given):
    with pytest.raises(InputError, match="parameter 'lm' must be a LanguageModel"):
        Detector.load(detector_folder, given)


def test_questions_that_are_no_list(lm, folder):
    change(folder, "training", "questions", 5)
    with pytest.raises(DetectorError, match=r"damaged: field 'training.questions'"):
        Detector.load(folder, lm)


def test_links_beside_a_detector_stay_links(lm, detector, tmp_path):
    folder = detector.save(tmp_path / "d")
    (folder / "notes").symlink_to("nowhere")
    detector.save(folder)
    assert (folder / "notes").is_symlink()


def test_what_cannot_be_put_back_is_not_removed(detector, tmp_path, monkeypatch):
    detector.save(tmp_path / "d")
    replace = pathlib.Path.replace

    def fail(path, target):
        if pathlib.Path(target).name == "d":  # neither the new one nor the old one can be put there
            raise PermissionError
        return replace(path, target)

    monkeypatch.setattr(pathlib.Path, "replace", fail)
    with pytest.raises(PermissionError):
        detector.save(tmp_path / "d")
    (left,) = tmp_path.iterdir()
    assert (left / MANIFEST).is_file()
