"""Evaluation by grouped cross-validation, beside baselines on the same folds and the same recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from halluscope.detector import Detector
from halluscope.detector.classifier import PRIOR, SurfaceClassifier
from halluscope.detector.cross_fitting import Learner, TrainingPart, Transform, cross_fit
from halluscope.detector.labelled import LabelledPairs, check_labelled, count_marked
from halluscope.detector.readings import fit_readings
from halluscope.detector.settings import check_settings
from halluscope.errors import InputError
from halluscope.evaluation.baselines import BASELINES
from halluscope.evaluation.bootstrap import evaluate_scores, paired_gains
from halluscope.evaluation.folds import out_of_fold
from halluscope.evaluation.recorded import RecordedPairs, needed
from halluscope.evaluation.recording import record_pairs
from halluscope.features import family_of
from halluscope.folds import Fold, grouped_folds
from halluscope.lm.stored import StateSource
from halluscope.progress import progress_bar
from halluscope.records import as_pairs

Scores = npt.NDArray[np.float64]

Kept = Callable[[str], bool]
"""Whether a feature, by its name, is kept."""

ABLATIONS: dict[str, Kept] = {
    "roughness and peaks only": lambda name: family_of(name) != "heights",
    "regional heights only": lambda name: family_of(name) == "heights",
}
"""What `evaluate` measures beside the whole detector."""
WITHOUT_PRIOR = "without prior"
"""The detector as the pairs alone make it, measured wherever a prior has a say."""


def evaluate(
    detector: Detector,
    pairs: Any,
    *,
    n_folds: int = 5,
    seed: int = 0,
    baselines: Sequence[str] = tuple(BASELINES),
    ablations: Mapping[str, Kept] = ABLATIONS,
    fit: bool = False,
    recorded: RecordedPairs | None = None,
    source: StateSource | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measure a detector on labelled pairs.

    A detector that is not fitted is trained and tested by grouped cross-validation: readings, classifier and
    calibration are learned anew on each training part, with cross-fitting inside it. A fitted one is tested
    as it is. The baselines are always cross-validated on these pairs, with every choice made inside the
    training parts.

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
    ablations : mapping of str to callable
        As for `cross_validate`.
    fit : bool
        After cross-validation also fit the detector on all pairs, without further passes through the model.
    recorded : RecordedPairs, optional
        What `record_pairs` gave for these pairs, if it is at hand, with the extras that the baselines need.
    source : StoredStates, optional
        Of these pairs: the model is then not run, except for a detector that is fitted.

    Returns
    -------
    results : dict
        ``n``, ``n_groups``, ``metrics``, ``baselines``, ``gains`` and ``ablations``; each metric with
        ``value``, ``low`` and ``high``, a 95% interval from a bootstrap over groups. For a detector fitted
        before also ``seen``: how many of the pairs have a question that it was trained on; for one that a
        prior has a say in, ``prior``: its ``name``, and how many of the pairs its training had ``seen``.
    predictions : list of dict
        ``id``, ``probability`` and ``fold`` for each pair; the fold is None for a detector fitted before.
    """
    check_settings(detector.get_params(deep=False))
    _check_baselines(baselines)
    labelled = check_labelled(as_pairs(pairs), None, None)
    y, groups = labelled.hallucinated, labelled.groups.tolist()
    folds = grouped_folds(y, groups, n_folds, seed)
    fitted = hasattr(detector, "classifier_")
    if not fitted:  # refused now, not after a pass through the model
        _training_parts(detector, labelled, [train for train, _ in folds])
    if recorded is None:
        extras = needed(BASELINES[baseline]() for baseline in baselines)
        recorded = record_pairs(
            detector.lm,
            labelled,
            source,
            extras=extras,
            primer=getattr(detector, "primer_", detector.primer),
            progress=detector.progress,
        )
    fold_of: list[int | None] = [None] * len(y)
    ablated: dict[str, Scores] = {}
    if fitted:
        name = detector.name
        scores = detector.predict_proba(labelled.pairs)[:, 1]
    else:
        name = f"{n_folds}-fold cross-validation"
        scores, ablated = cross_validate(
            detector, labelled, recorded, folds, source, fit=fit, ablations=ablations
        )
        for number, (_, test) in enumerate(folds):
            for row in test:
                fold_of[row] = number
    others = {}
    with progress_bar("Baselines", len(baselines), show=detector.progress) as advance:
        for baseline in baselines:
            others[baseline] = out_of_fold(BASELINES[baseline](), recorded, y, groups, folds)
            advance(1)

    def measured(probability: Scores) -> dict[str, dict[str, float]]:
        return evaluate_scores(y, probability, groups, seed=seed)

    results = {
        "n": len(y),
        "n_groups": len(set(groups)),
        "model": detector.lm.name,
        "detector": name,
        "metrics": measured(scores),
        "baselines": {baseline: measured(p) for baseline, p in others.items()},
        "gains": paired_gains(y, scores, others, groups, seed=seed),
        "ablations": {ablation: measured(p) for ablation, p in ablated.items()},
    }
    if fitted:
        results["seen"] = detector.count_seen(labelled.pairs)
    elif (prior := detector.find_prior()) is not None:
        results["prior"] = {"name": prior.name, "seen": count_marked(labelled.pairs, prior.questions)}
    predictions = [
        {"id": pair.id if pair.id is not None else str(row), "probability": float(p), "fold": fold}
        for row, (pair, p, fold) in enumerate(zip(labelled.pairs, scores, fold_of, strict=True))
    ]
    return results, predictions


def cross_validate(
    detector: Detector,
    labelled: LabelledPairs,
    recorded: RecordedPairs,
    folds: Sequence[Fold],
    source: StateSource | None = None,
    *,
    fit: bool = False,
    ablations: Mapping[str, Kept] = ABLATIONS,
    learn: Learner = fit_readings,
    transform: Transform | None = None,
) -> tuple[Scores, dict[str, Scores]]:
    """Out-of-fold probabilities of the detector and of its ablations.

    The same as fitting a clone of the detector on every training part, but all readings of all folds are
    taken in one pass through the language model.

    Parameters
    ----------
    detector : Detector
        Its settings and its language model are used.
    labelled : LabelledPairs
    recorded : RecordedPairs
        What `record_pairs` gives for them.
    folds : sequence of (train, test)
    source : StoredStates, optional
        Visited instead of the language model.
    fit : bool
        Also fit the detector on all pairs.
    ablations : mapping of str to callable
        Classifiers to be trained on some of the features only, by name.
    learn, transform : callable, optional
        As for `cross_fit`.

    Returns
    -------
    scores : ndarray of shape (pairs,)
    ablations : dict of ndarray
        By their names; none of them hears the prior. Where there is one, also `WITHOUT_PRIOR`.
    """
    y = labelled.hallucinated
    parts = _training_parts(detector, labelled, [train for train, _ in folds])
    if fit:
        parts += _training_parts(detector, labelled, [np.arange(len(y))])
    tokenized = detector.tokenize(labelled.pairs)
    prior = detector.find_prior()
    with progress_bar("Measuring surfaces", len(y), show=detector.progress) as advance:
        names, fitted = cross_fit(
            source or detector.lm,
            tokenized,
            recorded.states,
            y,
            parts,
            detector.measures,
            detector.ridge,
            learn=learn,
            transform=transform,
            prior=prior,
            progress=advance,
        )
    kept = {"": np.ones(len(names), dtype=bool)}
    kept |= {
        ablation: np.array([name != PRIOR and keep(name) for name in names])
        for ablation, keep in ablations.items()
    }
    scores = {ablation: np.empty(len(y)) for ablation in kept}
    if prior is not None:
        scores[WITHOUT_PRIOR] = np.empty(len(y))
    with progress_bar("Training", len(folds) * len(kept), show=detector.progress) as advance:
        # what is fitted on everything has no fold to be tested on
        for crossed, (train, test) in zip(fitted, folds, strict=False):
            X, inner = crossed.features, crossed.part.folds
            for ablation, columns in kept.items():
                classifier = SurfaceClassifier(detector.strength, detector.seed)
                kept_names = [name for name, taken in zip(names, columns, strict=True) if taken]
                classifier.fit(X[train][:, columns], y[train], inner, kept_names)
                scores[ablation][test] = classifier.predict_proba(X[test][:, columns])[:, 1]
                if prior is not None and not ablation:
                    alone = classifier.without_prior()
                    scores[WITHOUT_PRIOR][test] = alone.predict_proba(X[test])[:, 1]
                advance(1)
    if fit:
        detector.fit_features(names, fitted[-1], labelled, prior)
    return scores.pop(""), scores


def _check_baselines(names: Iterable[str]) -> None:
    for name in names:
        if name not in BASELINES:
            raise InputError(f"no such baseline: {name!r} (known: {', '.join(BASELINES)})")


def _training_parts(
    detector: Detector, labelled: LabelledPairs, parts: Sequence[npt.NDArray[np.intp]]
) -> list[TrainingPart]:
    """Each training part with the folds that `Detector.fit` would make of it."""
    y, groups = labelled.hallucinated, labelled.groups
    try:
        return [
            TrainingPart(part, grouped_folds(y[part], groups[part], detector.folds, detector.seed))
            for part in parts
        ]
    except InputError as error:
        raise InputError(f"a training part is too small for the detector's own folds: {error}") from None
