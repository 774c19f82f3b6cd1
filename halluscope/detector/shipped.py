"""The detectors that come with the library, and `detect`, which uses them."""

from __future__ import annotations

import functools
import threading
from pathlib import Path

from halluscope.detector.detection import Detection
from halluscope.detector.detector import Detector
from halluscope.detector.manifest import MANIFEST, read_manifest
from halluscope.detector.prior import Prior, prior_from
from halluscope.errors import DetectorError
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS, absolute_name
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.primer import PRIMER, Primer
from halluscope.records import Answer, Prompt

_PACKAGE = Path(__file__).resolve().parents[1]

_lock = threading.Lock()


def shipped_detectors() -> dict[str, Path]:
    """Folders of the shipped detectors, by the name of their language model.

    They lie in ``halluscope/models`` once installed, and beside the package in a checkout.
    """
    for models in (_PACKAGE / "models", _PACKAGE.parent / "models"):
        found = {folder.name: folder for folder in sorted(models.glob("*")) if (folder / MANIFEST).is_file()}
        if found:
            return found
    return {}


def shipped_detector(model: str) -> Path:
    """Folder of the detector that ships for a known language model.

    Raises
    ------
    DetectorError
        If none ships for it; the message says how to train one.
    """
    detectors = shipped_detectors()
    if model not in detectors:
        raise DetectorError(
            f"no detector ships for the language model '{model}' (there is one "
            f"for: {', '.join(detectors) or 'none'}): train one on labelled pairs with 'halluscope train' "
            "and give it with --detector (Python: detector=)"
        )
    return detectors[model]


def shipped_prior(lm: LanguageModel, primer: Primer = PRIMER) -> Prior | None:
    """The prior that the detector shipped for exactly this language model and primer is; None if none is.

    Raises
    ------
    DetectorError
        If it cannot be loaded; the message says how to learn without it.
    """
    heedless = not lm.tokenizer.chat_template  # reads behind no primer, whatever it is called
    try:
        for folder in shipped_detectors().values():
            manifest = read_manifest(folder)
            same_model = manifest["model"]["fingerprint"] == lm.fingerprint
            if same_model and (heedless or manifest["settings"]["primer"] == primer):
                return prior_from(Detector.load(folder, lm))
    except DetectorError as error:
        raise DetectorError(
            f"{error}\nIt would be a prior to what is learned: to learn without it, give --no-prior "
            "(Python: prior=False)"
        ) from error
    return None


def locate(model: str | None = None, detector: str | Path | None = None) -> tuple[Path, str]:
    """Folder of a detector, and name of its language model as it is found from every folder.

    Parameters
    ----------
    model : str, optional
        Name, hub id or folder of the language model; the detector's own, else the default, if not given.
    detector : path-like, optional
        Folder of the detector; the one that ships for the model if not given.

    Raises
    ------
    DetectorError
        If there is no such detector.
    """
    if detector is None:
        name = model or DEFAULT_MODEL
        return shipped_detector(name), name
    folder = Path(detector).expanduser()
    return folder, absolute_name(model or str(read_manifest(folder)["model"]["name"]))


@functools.lru_cache(maxsize=2)
def _language_model(name: str, written: int) -> LanguageModel:
    """`written` tells apart what one folder holds at different times."""
    return LanguageModel.from_pretrained(name)


@functools.lru_cache(maxsize=4)
def _detector(folder: Path, written: int, model: str, model_written: int) -> Detector:
    return Detector.load(folder, _language_model(model, model_written))


def _last_written(folder: Path) -> int:
    """When a file of a folder was last written, in nanoseconds; 0 if there is none."""
    return max((file.stat().st_mtime_ns for file in folder.glob("*") if file.is_file()), default=0)


def load_detector_for(model: str | None = None, detector: str | Path | None = None) -> Detector:
    """A detector with its language model, loaded once in a process; arguments and errors as of `locate`."""
    folder, name = locate(model, detector)
    model_written = 0 if name in KNOWN_MODELS else _last_written(Path(name))
    with _lock:
        return _detector(folder.resolve(), _last_written(folder), name, model_written)


def detect(
    prompt: Prompt,
    answer: Answer,
    context: str | None = None,
    *,
    model: str | None = None,
    detector: str | Path | None = None,
) -> Detection:
    """Judge whether a language model's answer is hallucinated.

    Model and detector are loaded at the first call and kept. For many answers use `Detector.detect_batch`.

    Parameters
    ----------
    prompt : str, chat messages or token ids
        What the model was asked; empty text for a bare statement.
    answer : str or token ids
        What it answered.
    context : str, optional
        Reference text that was in the prompt.
    model : str, optional
        Name, hub id or folder of the language model; ``smollm2-135m-instruct`` by default.
    detector : path-like, optional
        Folder of the detector; the one that ships for the model by default.

    Returns
    -------
    Detection

    Raises
    ------
    HalluscopeError
        For input that cannot be judged, or a model or detector that cannot be loaded.

    Examples
    --------
    >>> import halluscope
    >>> d = halluscope.detect("What is the capital of France?", "Paris.")  # doctest: +SKIP
    >>> d.hallucinated, d.probability  # doctest: +SKIP
    """
    return load_detector_for(model, detector).detect(prompt, answer, context)
