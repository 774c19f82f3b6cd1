"""What the commands need that loads torch: detectors, scoring, training and evaluation."""

from __future__ import annotations

import shutil
from pathlib import Path

from halluscope.cli.pulling import pull_with_bars
from halluscope.cli.targets import check_out_folder
from halluscope.detector.detector import Detector
from halluscope.detector.persistence import check_target
from halluscope.detector.shipped import load_detector_for, locate
from halluscope.errors import InputError
from halluscope.evaluation.evaluate import evaluate
from halluscope.evaluation.report import print_results, write_results
from halluscope.files import behind_links
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS, absolute_name
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.primer import PRIMER
from halluscope.progress import progress_bar
from halluscope.records import Pair, read_records
from halluscope.scoring import check_records, score_file


def load_quietly(model: str | None, detector: Path | None) -> Detector:
    """A detector and its model, without transformers' own bars; a known model is pulled first, with ours."""
    folder, name = locate(model, detector)
    prepare(name)
    return load_detector_for(name, folder)


def load_language_model(name: str) -> LanguageModel:
    """A language model, without transformers' own bars."""
    name = absolute_name(name)  # a detector that remembers it is used from other folders, too
    prepare(name)
    return LanguageModel.from_pretrained(name)


def prepare(name: str) -> None:
    """Bring a known model; let transformers and its hub client raise what is wrong, not log it."""
    import huggingface_hub
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    huggingface_hub.logging.set_verbosity_error()
    if name in KNOWN_MODELS:
        pull_with_bars(name)


def score_pairs(path: Path, out: Path, model: str | None, folder: Path | None) -> None:
    """Score a file, with a progress bar."""
    detector = load_quietly(model, folder)
    detector.progress = False  # one bar for the file, none for its parts
    total = check_records(path, detector)
    with progress_bar("Scoring", total) as advance:
        score_file(path, out, detector, progress=advance)


def train_detector(
    path: Path, out: Path, model: str, seed: int, folds: int, prior: bool, primer: bool
) -> Detector:
    """Train on a file and save; what is read is kept in a hidden folder beside it until then."""
    out = behind_links(out.expanduser())  # what is kept until then lies beside the folder itself
    pairs = _read_labelled(path)
    check_out_folder(out)
    check_target(out)
    Detector.check(pairs, folds=folds, seed=seed)
    checkpoint = out.absolute().parent / f".{out.name}.partial"
    detector = _new_detector(model, prior, primer, seed, folds)
    detector.fit(pairs, checkpoint=checkpoint)
    detector.save(out)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return detector


def evaluate_file(
    path: Path,
    out: Path,
    folder: Path | None,
    folds: int,
    model: str | None,
    seed: int,
    prior: bool,
    primer: bool,
) -> None:
    """Evaluate on a file, write ``results.json`` and ``predictions.jsonl``, and print the table."""
    if folder is not None and not (prior and primer):
        raise InputError(
            "--no-prior and --no-primer are for a detector that is trained here: the one given by --detector "
            "is tested as it was trained"
        )
    pairs = _read_labelled(path)
    check_out_folder(out)
    Detector.check(pairs, folds=folds, seed=seed)
    if folder is None:
        detector = _new_detector(model or DEFAULT_MODEL, prior, primer, seed)
    else:
        detector = load_quietly(model, folder)
    results, predictions = evaluate(detector, pairs, n_folds=folds, seed=seed)
    write_results(out, results, predictions)
    print_results(results)


def _new_detector(model: str, prior: bool, primer: bool, seed: int, folds: int = 4) -> Detector:
    lm = load_language_model(model)
    return Detector(lm, folds=folds, prior=prior, primer=PRIMER if primer else (), seed=seed)


def _read_labelled(path: Path) -> list[Pair]:
    pairs = list(read_records(path, labelled=True))
    if not pairs:
        raise InputError(f"{path} holds no records")
    return pairs
