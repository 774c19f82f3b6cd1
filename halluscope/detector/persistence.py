"""Detectors on disk: a manifest, the readings, the classifier. Loading executes nothing.

A folder holds ``manifest.json`` (format, language model, features, threshold, training, digests of the other
files), ``readings.safetensors`` and ``classifier.skops``. All of it is checked before anything is built.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
import skops.io
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from halluscope.detector.classifier import PRIOR, SurfaceClassifier
from halluscope.detector.learned import Learned
from halluscope.detector.manifest import FORMAT, MANIFEST, looks_like_detector, read_manifest
from halluscope.detector.own_answers import OwnAnswers
from halluscope.detector.prior import Prior, prior_reading
from halluscope.detector.readings import CHANNELS
from halluscope.detector.restored import check_gate, check_kinds, check_prior, check_trees
from halluscope.detector.settings import SETTINGS, check_settings
from halluscope.errors import DetectorError, FingerprintError
from halluscope.features import feature_names
from halluscope.files import behind_links, folder_written_whole, written_whole
from halluscope.lm.language_model import LanguageModel, check_language_model
from halluscope.surfaces import Reading

if TYPE_CHECKING:
    from halluscope.detector.detector import Detector

READINGS = "readings.safetensors"
CLASSIFIER = "classifier.skops"

_TENSORS = ("directions", "centres", "scales")  # of a reading
_OF_PRIOR = "prior."  # before their names

# scikit-learn's own containers of a gradient boosting, which skops does not list: arrays and a dictionary
_TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn.utils._bunch.Bunch"]


def save_detector(detector: Detector, folder: Path) -> Path:
    """Write a fitted detector; the folder appears whole or not at all.

    Parameters
    ----------
    detector : Detector
        Fitted.
    folder : Path
        To be made, or an earlier detector to be replaced.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DetectorError
        If the folder exists and holds something else than a detector.
    InputError
        If a parameter was set to what cannot be.
    """
    check_is_fitted(detector, "classifier_")
    check_settings(detector.get_params(deep=False))  # changed since the fit, they could not be loaded again
    check_target(folder)
    files = {
        READINGS: _readings_bytes(detector.reading_, detector.prior_),
        CLASSIFIER: _classifier_bytes(detector.learned),
    }
    manifest = {
        "format": FORMAT,
        "model": {
            "name": detector.lm.name,
            "fingerprint": detector.lm.fingerprint,
            "layers": detector.lm.n_layers,
            "width": detector.lm.hidden_size,
        },
        "settings": {
            name: np.asarray(getattr(detector, name)).item() for name in SETTINGS if name != "primer"
        }
        | {"primer": detector.primer_},
        "features": list(detector.feature_names_in_),
        "training": detector.training_,
        "prior": _describe_prior(detector.prior_),
        "own_answers": _describe_own_answers(detector.own_answers_),
        "scikit-learn": sklearn.__version__,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    files[MANIFEST] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    name, folder = folder.absolute().name, behind_links(folder)
    with folder_written_whole(folder) as fresh:
        if folder.is_dir():  # what stands beside a replaced detector (a model card, say) stays
            shutil.copytree(folder, fresh, dirs_exist_ok=True, symlinks=True)
        for file, data in files.items():
            (fresh / file).unlink(missing_ok=True)  # a link is not written through: what it leads to stays
            with written_whole(fresh / file) as unfinished:
                unfinished.write_bytes(data)
    detector.name_ = name
    return folder


def check_target(folder: Path) -> None:
    """Raise `DetectorError` unless a detector can be written here.

    The folder is new, empty but for hidden files, or an earlier detector of any format, and can be replaced.
    """
    folder = behind_links(folder)
    if not folder.exists():
        return
    hindrances = {
        "it is a mount point": folder.is_mount(),
        f"{folder.parent} is not writable": not os.access(folder.parent, os.W_OK | os.X_OK),
    }
    for hindrance in filter(hindrances.get, hindrances):
        raise DetectorError(
            f"{folder} cannot be replaced as a whole ({hindrance}): give a new folder inside it"
        )
    if folder.is_dir() and looks_like_detector(folder):
        return
    if not folder.is_dir() or any(not path.name.startswith(".") for path in folder.iterdir()):
        raise DetectorError(f"{folder} exists and is not a detector: choose another place, or remove it")


def _readings_bytes(reading: Reading, prior: Prior | None) -> bytes:
    tensors = {name: getattr(reading, name) for name in _TENSORS}
    if prior is not None:
        tensors |= {_OF_PRIOR + name: getattr(prior.reading, name) for name in _TENSORS}
    return bytes(save_tensors({name: tensor.contiguous().float() for name, tensor in tensors.items()}))


def _classifier_bytes(learned: Learned) -> bytes:
    # only scikit-learn's own estimators go into the file: ours are rebuilt from code
    parts: dict[str, Any] = _estimators(learned.classifier)
    if learned.prior is not None:
        parts["prior"] = learned.prior.member
    if learned.own_answers is not None:
        parts["own_answers"] = {
            "gate": learned.own_answers.gate,
            **_estimators(learned.own_answers.classifier),
        }
    # most of it is the same few words, many times
    return bytes(skops.io.dumps(parts, compression=zipfile.ZIP_DEFLATED))


def _estimators(classifier: SurfaceClassifier) -> dict[str, Any]:
    return {"members": classifier.members_, "blend": classifier.blend_}


def _describe_prior(prior: Prior | None) -> dict[str, Any] | None:
    return None if prior is None else {"name": prior.name, "questions": list(prior.questions)}


def _describe_own_answers(own: OwnAnswers | None) -> dict[str, Any] | None:
    return None if own is None else {"pairs": own.pairs, "questions": list(own.questions)}


def load_detector(folder: Path, lm: LanguageModel | None) -> Detector:
    """Read a detector; see `halluscope.Detector.load`."""
    from halluscope.detector.detector import Detector

    manifest = read_manifest(folder)
    files = {name: _checked_bytes(folder, name, manifest) for name in (READINGS, CLASSIFIER)}
    model = manifest["model"]
    lm = LanguageModel.from_pretrained(model["name"]) if lm is None else check_language_model(lm)
    if lm.fingerprint != model["fingerprint"]:
        raise FingerprintError(
            f"the detector {folder} was trained on '{model['name']}', and '{lm.name}' is another language "
            "model (or has another tokenizer or chat template): train a detector on it ('halluscope train')"
        )
    described = manifest["prior"]
    reading, *of_prior = _build_readings(folder, files[READINGS], lm, described is not None)
    detector = Detector(lm, **manifest["settings"])
    shared = [channel for measure in detector.measures for channel in measure.channels]
    names = (*feature_names([*reading.channels, *shared]), *([PRIOR] if described else []))
    if list(names) != manifest["features"]:
        raise DetectorError(
            f"{folder} reads {len(manifest['features'])} surface features that this version of halluscope "
            "names otherwise: train it anew, or install the version it was made with"
        )
    restored = _restore(detector, folder, files[CLASSIFIER], manifest)
    detector.classifier_, member, detector.own_answers_ = restored
    detector.reading_ = reading
    detector.primer_ = detector.primer
    detector.prior_ = None
    if described:
        detector.prior_ = Prior(described["name"], prior_reading(of_prior[0]), member, described["questions"])
    detector.fingerprint_ = lm.fingerprint
    detector.feature_names_in_ = np.array(names, dtype=object)
    detector.n_features_in_ = len(names)
    detector.classes_ = detector.classifier_.classes_
    detector.training_ = manifest["training"]
    detector.name_ = folder.absolute().name
    return detector


def _checked_bytes(folder: Path, name: str, manifest: dict[str, Any]) -> bytes:
    path = folder / name
    if not path.is_file():
        raise DetectorError(f"{folder} is incomplete: {name} is missing")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest["files"].get(name):
        raise DetectorError(f"{path} is damaged: its digest is not the one in {MANIFEST}")
    return data


def _build_readings(folder: Path, data: bytes, lm: LanguageModel, with_prior: bool) -> list[Reading]:
    """The detector's own reading, and behind it the prior's."""
    prefixes = ["", *([_OF_PRIOR] if with_prior else [])]
    directions = (len(CHANNELS), lm.n_layers, lm.hidden_size)
    shapes = {
        prefix + name: directions if name == "directions" else directions[:2]
        for prefix in prefixes
        for name in _TENSORS
    }
    try:
        tensors = load_tensors(data)
    except Exception as error:  # safetensors raises its own, undocumented types for damaged files
        raise DetectorError(f"{folder / READINGS} is damaged: {error}") from error
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != shapes or not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise DetectorError(f"{folder / READINGS} does not hold finite readings of shapes {shapes}")
    return [Reading(CHANNELS, *(tensors[prefix + name] for name in _TENSORS)) for prefix in prefixes]


def _restore(
    detector: Detector, folder: Path, data: bytes, manifest: dict[str, Any]
) -> tuple[SurfaceClassifier, Any, OwnAnswers | None]:
    """The classifier, the prior's member and what judges own answers.

    They are built once their parts are known to be harmless, and seen to work. What there is none of is None.
    """
    path = folder / CLASSIFIER
    try:
        unknown = [t for t in skops.io.get_untrusted_types(data=data) if t not in _TRUSTED]
    except Exception as error:  # a damaged archive: zipfile, json and skops each raise their own
        raise DetectorError(f"{path} is damaged: {error}") from error
    if unknown:
        raise DetectorError(
            f"{path} holds types that are not scikit-learn's ({', '.join(unknown)}): not loaded"
        )
    n_features = len(manifest["features"])
    row = np.zeros((1, n_features))
    member, own = None, None
    try:
        with warnings.catch_warnings():
            # scikit-learn warns of every other version; that the classifier works is seen below
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            parts = skops.io.loads(data, trusted=_TRUSTED)
        classifier = _restore_classifier(detector, parts, manifest)
        works = np.isfinite(classifier.predict_proba(row)).all()
        if manifest["prior"]:  # it reads as many features as the detector's own members
            check_prior(member := parts["prior"])
            works &= np.isfinite(member.predict_proba(row[:, :-1])).all()
        if described := manifest["own_answers"]:
            of_own = parts["own_answers"]
            check_gate(gate := of_own["gate"])
            restored = _restore_classifier(detector, of_own, manifest)
            own = OwnAnswers(gate, restored, described["pairs"], described["questions"])
            works &= np.isfinite(own.mix(np.full((1, 2), 0.5), row)).all()
    except (
        Exception
    ) as error:  # another scikit-learn may lack what these estimators had, and say so in many ways
        raise DetectorError(
            f"{path} does not hold a classifier of {n_features} features that scikit-learn "
            f"{sklearn.__version__} can use (it was saved with {manifest.get('scikit-learn')}): {error}"
        ) from error
    if not works:
        raise DetectorError(f"{path} is damaged: its classifier gives no probabilities")
    return classifier, member, own


def _restore_classifier(
    detector: Detector, parts: dict[str, Any], manifest: dict[str, Any]
) -> SurfaceClassifier:
    classifier = SurfaceClassifier(detector.strength, detector.seed)
    classifier.members_, classifier.blend_ = parts["members"], parts["blend"]
    n_features = len(manifest["features"])
    check_kinds(classifier)
    check_trees(classifier.members_["boosting"], n_features - bool(manifest["prior"]))
    classifier.classes_, classifier.n_features_in_ = np.array([False, True]), n_features
    return classifier
