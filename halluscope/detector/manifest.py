"""The manifest of a detector on disk: what it is, checked before anything else is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from halluscope.detector.settings import SETTINGS, check_settings
from halluscope.errors import DetectorError, InputError

FORMAT = 2  # since 2, what is predicted is read at the last layer alone
MANIFEST = "manifest.json"

_LARGEST_MANIFEST = 100_000_000  # bytes; 19 a question that was trained on, and some tens of kB


def read_manifest(folder: Path) -> dict[str, Any]:
    """The checked manifest of a detector folder.

    Raises
    ------
    DetectorError
        If there is no detector, or its manifest is damaged or of another format.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise DetectorError(f"no such detector: {folder} (a folder that 'halluscope train' wrote is wanted)")
    if not path.is_file():
        raise DetectorError(f"{folder} is not a detector: it has no {MANIFEST}")
    if path.stat().st_size > _LARGEST_MANIFEST:
        raise DetectorError(f"{path} is damaged: no manifest is that large")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise DetectorError(f"{path} is damaged: it is not valid JSON; restore it or train anew") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise DetectorError(
            f"{path}: format {found!r} is not one that this version reads ({FORMAT}): train it anew"
        )
    _check_fields(path, manifest)
    return manifest


def looks_like_detector(folder: Path) -> bool:
    """Whether the folder holds a detector, of whatever format, and not some other program's manifest."""
    path = folder / MANIFEST
    if not path.is_file():
        return False
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and "format" in manifest and "model" in manifest


_FIELDS: dict[str, Any] = {"model": dict, "settings": dict, "features": list, "training": dict, "files": dict}
_MODEL_FIELDS: dict[str, Any] = {"name": str, "fingerprint": str, "layers": int, "width": int}
_OPTIONAL: dict[str, dict[str, Any]] = {
    "prior": {"name": str, "questions": list},
    "own_answers": {"pairs": int, "questions": list},
}
"""Fields of what a detector may have or not; None where it has not."""


def _types(fields: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in fields.items()}


def _check_fields(path: Path, manifest: dict[str, Any]) -> None:
    for field, kind in _FIELDS.items():
        if not isinstance(manifest.get(field), kind):
            raise DetectorError(f"{path} is damaged: field '{field}' is missing or of the wrong type")
    for field, kind in _MODEL_FIELDS.items():
        if not isinstance(manifest["model"].get(field), kind):
            raise DetectorError(f"{path} is damaged: field 'model.{field}' is missing or of the wrong type")
    if not isinstance(manifest["training"].get("questions", []), list):
        raise DetectorError(f"{path} is damaged: field 'training.questions' is of the wrong type")
    manifest.setdefault("own_answers", None)  # detectors that were saved before there was any do not name it
    for field, fields in _OPTIONAL.items():
        value = manifest.get(field, "missing")
        if value is not None and not (isinstance(value, dict) and fields.items() <= _types(value).items()):
            raise DetectorError(f"{path} is damaged: field '{field}' is missing or of the wrong type")
    _check_settings(path, manifest["settings"])


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    if set(settings) != set(SETTINGS):
        raise DetectorError(f"{path}: settings {sorted(settings)} are not {sorted(SETTINGS)}: train it anew")
    try:
        settings["primer"] = tuple(map(tuple, settings["primer"]))  # JSON has lists only
    except TypeError:
        raise DetectorError(f"{path} is damaged: field 'settings.primer' is of the wrong type") from None
    try:
        check_settings(settings)
    except InputError as error:
        raise DetectorError(f"{path} is damaged: field 'settings': {error}") from None
