"""Does a classifier that learned on one language model's surfaces read those of another?

Channels that need no learned direction (step, turn, norm, lens, entropy) have the same features on every
model, whatever its width and depth. The classifier learns from them on one model and is tested on another, on
questions that were held out; with it are tested the numbers that any model gives: length, log-probability and
entropy. `RESCALED` brings each feature of the tested model to the mean and deviation that it has on the model
learned from, by the training questions' answers and without their labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cache import METHODS, OURS, path_of, save
from benchmarks.corpus import Corpus, corpus_scores
from benchmarks.means import Results, compare, sets_of
from halluscope import Detector
from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.labelled import LabelledPairs
from halluscope.evaluation.recorded import RecordedPairs
from halluscope.features import measure_features
from halluscope.folds import Fold, grouped_folds
from halluscope.progress import progress_bar
from halluscope.surfaces import DEFAULT_MEASURES, record_surfaces

RESCALED = f"{OURS}, rescaled"
NUMBERS = ("length", "logprob", "entropy")
LEARNERS = (OURS, RESCALED, *NUMBERS)
FOLDS = 5
LEAST_DEVIATION = 1e-5
"""Of a feature on the tested model: what varies less is constant but for rounding."""

Array = npt.NDArray[np.float64]


def kept_at(method: str, trained: Corpus, tested: Corpus) -> Path:
    """Where the probabilities on one language model of what learned on another are kept."""
    name = f"learned-on-{trained.lm.name.replace('/', '-')}"
    return path_of(tested.cache, method, name, [trained.lm, tested.lm], [tested.labelled])


@dataclass(frozen=True, eq=False)
class View:
    """What one language model shows of a corpus.

    Parameters
    ----------
    features : ndarray of shape (pairs, features)
        Of the surfaces with `DEFAULT_MEASURES`.
    recorded : RecordedPairs
    """

    features: Array
    recorded: RecordedPairs


def measure_across(views: Sequence[Corpus], seed: int = 0) -> None:
    """Keep out-of-fold probabilities for every language model learned from and every one tested on.

    Parameters
    ----------
    views : sequence of Corpus
        One corpus as several language models record it: the same pairs in the same order.
    seed : int
        Of the folds and the classifier.
    """
    if all(
        kept_at(method, trained, tested).exists()
        for method in LEARNERS
        for trained in views
        for tested in views
    ):
        return
    labelled = views[0].labelled
    folds = grouped_folds(labelled.hallucinated, labelled.groups, FOLDS, seed)
    names, shown = view_all(views)
    detector = Detector(views[0].lm, prior=False, seed=seed)
    with progress_bar(f"Across models, {views[0].name}", len(views) * FOLDS) as advance:
        for trained, learned in zip(views, shown, strict=True):
            found = np.empty((len(views), len(LEARNERS), len(labelled.pairs)))
            for fold in folds:
                found[:, :, fold[1]] = learn_fold(learned, shown, labelled, fold, names, detector)
                advance(1)
            for tested, rows in zip(views, found, strict=True):
                for method, probability in zip(LEARNERS, rows, strict=True):
                    save(kept_at(method, trained, tested), probability)


def view_all(views: Sequence[Corpus]) -> tuple[tuple[str, ...], list[View]]:
    """Names of the features, and what each language model shows."""
    shown = []
    for view in views:
        names, features = measure_features(record_surfaces(view.states, view.tokenized, DEFAULT_MEASURES))
        shown.append(View(features, view.recorded(NUMBERS)))
    return names, shown


def learn_fold(
    learned: View,
    shown: Sequence[View],
    labelled: LabelledPairs,
    fold: Fold,
    names: Sequence[str],
    detector: Detector,
) -> Array:
    """What is said about the test part of a fold after learning from its training part.

    Parameters
    ----------
    learned : View
        Of the language model learned from.
    shown : sequence of View
        Of those tested on.
    labelled : LabelledPairs
    fold : (train, test)
    names : sequence of str
        Of the features.
    detector : Detector
        Whose settings the classifier has.

    Returns
    -------
    ndarray of shape (views, learners, test pairs)
        Probability of *hallucinated*, in the order of `LEARNERS`.
    """
    train, test = fold
    y, groups = labelled.hallucinated[train], labelled.groups[train].tolist()
    classifier = SurfaceClassifier(detector.strength, detector.seed)
    inner = grouped_folds(y, groups, detector.folds, detector.seed)
    classifier.fit(learned.features[train], y, inner, names)
    numbers = [METHODS[name]().fit(learned.recorded.take(train), y, groups) for name in NUMBERS]
    said = []
    for view in shown:
        rows = view.features[test]
        scaled = rescale(rows, view.features[train], learned.features[train])
        judges = [classifier.predict_proba(rows), classifier.predict_proba(scaled)]
        judges += [fitted.predict_proba(view.recorded.take(test)) for fitted in numbers]
        said.append([probability[:, 1] for probability in judges])
    return np.array(said)


def rescale(rows: Array, own: Array, other: Array) -> Array:
    """Rows of one language model's features on another's scale.

    Parameters
    ----------
    rows : ndarray of shape (n, features)
    own, other : ndarray of shape (pairs, features)
        Features of the same pairs on their own language model and on the other one.

    Returns
    -------
    ndarray of shape (n, features)
        Every feature shifted and stretched to the other model's mean and standard deviation; at that mean
        where it hardly varies on its own model.
    """
    deviation = own.std(axis=0)
    stretch = np.divide(
        other.std(axis=0), deviation, out=np.zeros_like(deviation), where=deviation > LEAST_DEVIATION
    )
    return np.asarray((rows - own.mean(axis=0)) * stretch + other.mean(axis=0))


def summarise_across(by_corpus: Sequence[Sequence[Corpus]]) -> dict[str, dict[str, Any]]:
    """What `measure_across` has kept: by the model learned from, then by the one tested on."""
    results: dict[str, dict[str, Any]] = {}
    n_models = len(by_corpus[0])
    for learned in range(n_models):
        for told in range(n_models):
            scores = {}
            for views in by_corpus:
                trained, tested = views[learned], views[told]
                kept = {method: np.load(kept_at(method, trained, tested))[None] for method in LEARNERS}
                scores[tested.name] = corpus_scores(tested.name, tested.labelled, kept)
            compared = compare(scores, sets_of(scores))
            results.setdefault(trained.lm.name, {})[tested.lm.name] = compared
    return results


def across_table(across: Results) -> str:
    """Means of every set of corpora as Markdown, one row for each pair of language models."""
    lines = [
        f"| trained on | tested on | mean of | {' | '.join(LEARNERS)} |",
        f"|---|---|---|{'---|' * len(LEARNERS)}",
    ]
    for trained, row in across.items():
        for tested, compared in row.items():
            for title, mean in compared["means"].items():
                values = " | ".join(f"{mean['auroc'][method]['value']:.3f}" for method in LEARNERS)
                lines.append(f"| {trained} | {tested} | {title} | {values} |")
    return "\n".join(lines)
