"""Evaluation by grouped cross-validation, beside baselines on the same folds and the same recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from halluscope.detector import Detector
from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.detection import prompt_text
from halluscope.detector.readings import cross_fit_readings
from halluscope.detector.states import POOLINGS, StatePooler
from halluscope.detector.training import LabelledPairs, check_labelled, features_by_reading
from halluscope.evaluation.baselines import BASELINES
from halluscope.evaluation.bootstrap import evaluate_scores, paired_gains
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.recorded import RecordedPairs
from halluscope.features import family_of
from halluscope.folds import Fold, grouped_folds
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.recording import LayerState
from halluscope.lm.tokens import TokenizedPair
from halluscope.progress import progress_bar
from halluscope.records import as_pairs
from halluscope.surfaces import Reading

Scores = npt.NDArray[np.float64]

ABLATIONS: dict[str, tuple[str, ...]] = {
    "roughness and peaks only": ("roughness", "peaks"),
    "regional heights only": ("heights",),
}
"""Feature families that each ablation keeps."""


def evaluate(
    detector: Detector,
    pairs: Any,
    *,
    n_folds: int = 5,
    seed: int = 0,
    baselines: Sequence[str] = tuple(BASELINES),
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measure a detector on labelled pairs.

    A detector that is not fitted is trained and tested by grouped cross-validation: readings, classifier and
    calibration are learned anew on each training part, with cross-fitting inside it. A fitted one is tested as
    it is. The baselines are always cross-validated on these pairs, with every choice made inside the training
    parts.

    Parameters
    ----------
    detector : Detector
        Fitted or not.
    pairs : list or data frame
        Labelled records.
    n_folds : int
        Grouped folds.
    seed : int
        For folds and bootstrap.
    baselines : sequence of str
        Names from `BASELINES`.

    Returns
    -------
    results : dict
        ``n``, ``n_groups``, ``metrics``, ``baselines``, ``gains`` and ``ablations``; each metric with
        ``value``, ``low`` and ``high``, a 95% interval from a bootstrap over groups.
    predictions : list of dict
        ``id``, ``probability`` and ``fold`` for each pair; the fold is None for a detector fitted before.
    """
    labelled = check_labelled(as_pairs(pairs), None, None)
    y, groups = labelled.hallucinated, labelled.groups
    folds = grouped_folds(y, groups, n_folds, seed)
    tokenized = detector.lm.tokenize_pairs(labelled.pairs)
    with progress_bar("Reading answers", len(y), show=detector.progress) as advance:
        recorded, states = record_pairs(detector.lm, labelled, tokenized, progress=advance)
    if hasattr(detector, "classifier_"):
        scores, ablations = detector.predict_proba(labelled.pairs)[:, 1], {}
        fold_of: list[int | None] = [None] * len(y)
    else:
        scores, ablations = cross_validate(detector, labelled, tokenized, states, folds)
        fold_of = _fold_numbers(folds, len(y))
    others = {}
    with progress_bar("Baselines", len(baselines), show=detector.progress) as advance:
        for name in baselines:
            others[name] = out_of_fold(BASELINES[name](), recorded, y, groups.tolist(), folds)
            advance(1)

    def measured(p: Scores) -> dict[str, dict[str, float]]:
        return evaluate_scores(y, p, groups.tolist(), seed=seed)

    results = {
        "n": len(y),
        "n_groups": len(set(groups)),
        "model": detector.lm.name,
        "detector": detector.name if hasattr(detector, "classifier_") else f"{n_folds}-fold cross-validation",
        "metrics": measured(scores),
        "baselines": {name: measured(p) for name, p in others.items()},
        "gains": paired_gains(y, scores, others, groups.tolist(), seed=seed),
        "ablations": {name: measured(p) for name, p in ablations.items()},
    }
    predictions = [
        {"id": pair.id if pair.id is not None else str(row), "probability": float(p), "fold": fold}
        for row, (pair, p, fold) in enumerate(zip(labelled.pairs, scores, fold_of, strict=True))
    ]
    return results, predictions


def cross_validate(
    detector: Detector,
    labelled: LabelledPairs,
    tokenized: Sequence[TokenizedPair],
    states: npt.NDArray[np.float32],
    folds: Sequence[Fold],
) -> tuple[Scores, dict[str, Scores]]:
    """Out-of-fold probabilities of the detector and of its ablations.

    The same as fitting a clone of the detector on every training part, but all readings of all folds are
    taken in one pass through the language model.

    Parameters
    ----------
    detector : Detector
        Its settings and its language model are used.
    labelled : LabelledPairs
    tokenized : sequence of TokenizedPair
    states : ndarray of shape (pairs, 2, layers, d)
        What `pool_states` gives.
    folds : sequence of (train, test)

    Returns
    -------
    scores : ndarray of shape (pairs,)
    ablations : dict of ndarray
        By the names of `ABLATIONS`.
    """
    y, groups = labelled.hallucinated, labelled.groups
    readings: list[Reading] = []
    uses: list[list[int]] = [[] for _ in y]
    inner_folds = []
    rows_of: list[npt.NDArray[np.intp]] = []  # for each outer fold, the reading that each pair's features use
    for train, test in folds:
        inner = grouped_folds(y[train], groups[train].tolist(), detector.folds, detector.seed)
        crossed = cross_fit_readings(states[train], y[train], inner, detector.ridge)
        used = np.full(len(y), len(readings) + len(inner))  # test pairs: the final reading
        for number, (_, held_out) in enumerate(inner):
            used[train[held_out]] = len(readings) + number
        for row, index in enumerate(used):
            uses[row].append(int(index))
        readings += [*crossed.held_out, crossed.final]
        inner_folds.append(inner)
        rows_of.append(used)
    with progress_bar("Measuring surfaces", len(y), show=detector.progress) as advance:
        names, features = features_by_reading(
            detector.lm, tokenized, detector.measures, readings, progress=advance, uses=uses
        )
    scores = np.empty(len(y))
    ablations = {name: np.empty(len(y)) for name in ABLATIONS}
    families = np.array([family_of(name) for name in names])
    for (train, test), inner, used in zip(folds, inner_folds, rows_of, strict=True):
        X = np.stack([features[row][index] for row, index in enumerate(used)])

        def predict(columns: npt.NDArray[np.bool_], X=X, train=train, test=test, inner=inner) -> Scores:  # type: ignore[no-untyped-def]  # noqa: ANN001
            classifier = SurfaceClassifier(detector.strength, detector.seed)
            return classifier.fit(X[train][:, columns], y[train], inner).predict_proba(X[test][:, columns])[
                :, 1
            ]

        scores[test] = predict(np.ones(len(names), dtype=bool))
        for name, kept in ABLATIONS.items():
            ablations[name][test] = predict(np.isin(families, kept))
    return scores, ablations


def record_pairs(
    lm: LanguageModel,
    labelled: LabelledPairs,
    tokenized: Sequence[TokenizedPair],
    *,
    progress: Callable[[int], None] | None = None,
) -> tuple[RecordedPairs, npt.NDArray[np.float32]]:
    """One pass that records what the baselines read and what readings are learned from.

    Returns
    -------
    recorded : RecordedPairs
    states : ndarray of shape (pairs, 2, layers, d)
        As `pool_states` gives them; `recorded` holds views of it.
    """
    pooler = StatePooler(lm, len(tokenized))
    logprobs: list[Scores] = [np.empty(0)] * len(tokenized)
    entropies: list[Scores] = [np.empty(0)] * len(tokenized)

    def visitor(indices: list[int]) -> Callable[[LayerState], None]:
        pool = pooler(indices)

        def visit(layer: LayerState) -> None:
            pool(layer)
            if layer.layer == layer.n_layers - 1:
                for store, values in zip((logprobs, entropies), layer.prediction, strict=True):
                    for index, part in zip(indices, values.cpu().double().split(layer.lengths), strict=True):
                        store[index] = part.numpy()

        return visit

    lm.visit(tokenized, visitor, progress=progress)
    recorded = RecordedPairs(
        answers=[pair.answer for pair in tokenized],
        prompts=[
            "\n".join(t for t in (pair.context, prompt_text(pair.prompt)) if t) for pair in labelled.pairs
        ],
        logprobs=logprobs,
        entropies=entropies,
        last=pooler.states[:, POOLINGS.index("last")],
        mean=pooler.states[:, POOLINGS.index("mean")],
    )
    return recorded, pooler.states


def _fold_numbers(folds: Sequence[Fold], n: int) -> list[int | None]:
    numbers: list[int | None] = [None] * n
    for number, (_, test) in enumerate(folds):
        for row in test:
            numbers[row] = number
    return numbers
