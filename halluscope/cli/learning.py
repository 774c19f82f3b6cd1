"""What the commands need that load torch: detectors, training and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from halluscope.cli.pulling import pull_with_bars
from halluscope.detector.detector import Detector
from halluscope.detector.persistence import MANIFEST, read_manifest
from halluscope.detector.shipped import load_detector_for, shipped_detector
from halluscope.errors import DetectorError, InputError
from halluscope.evaluation.evaluate import evaluate
from halluscope.evaluation.report import write_results
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.lm.language_model import LanguageModel
from halluscope.records import Pair, read_records


def load_quietly(model: str | None, detector: Path | None) -> Detector:
    """A detector and its model, without transformers' own bars; a known model is pulled first, with ours."""
    folder = shipped_detector(model or DEFAULT_MODEL) if detector is None else detector
    name = model or str(read_manifest(folder)["model"]["name"])
    _prepare(name)
    return load_detector_for(name, folder)


def load_language_model(name: str) -> LanguageModel:
    """A language model, without transformers' own bars."""
    _prepare(name)
    return LanguageModel.from_pretrained(name)


def _prepare(name: str) -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if name in KNOWN_MODELS:
        pull_with_bars(name)


def train_detector(path: Path, out: Path, model: str, seed: int, folds: int) -> dict[str, Any]:
    """Train on a file and save; returns what `Detector.training_` says."""
    pairs = _read_labelled(path)
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise DetectorError(f"--out {out} exists and is not a detector: choose another place, or remove it")
    Detector.check(pairs, folds=folds, seed=seed)
    detector = Detector(load_language_model(model), folds=folds, seed=seed).fit(pairs)
    detector.save(out)
    return detector.training_


def evaluate_file(path: Path, out: Path, folder: Path | None, folds: int, model: str | None, seed: int) -> None:
    """Evaluate on a file and write ``results.json`` and ``predictions.jsonl``; prints the table."""
    pairs = _read_labelled(path)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file: give the name of a folder")
    Detector.check(pairs, folds=folds, seed=seed)
    if folder is None:
        detector = Detector(load_language_model(model or DEFAULT_MODEL), seed=seed)
    else:
        detector = load_quietly(model, folder)
    results, predictions = evaluate(detector, pairs, n_folds=folds, seed=seed)
    write_results(out, results, predictions)


def _read_labelled(path: Path) -> list[Pair]:
    pairs = list(read_records(path, labelled=True))
    if not pairs:
        raise InputError(f"{path} holds no records")
    return pairs
