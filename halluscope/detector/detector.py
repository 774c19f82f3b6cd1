"""The detector: a scikit-learn classifier over pairs of prompt and answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.utils.validation import check_is_fitted

from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.detection import Detection
from halluscope.folds import grouped_folds
from halluscope.detector.readings import cross_fit_readings
from halluscope.detector.states import pool_states
from halluscope.detector.training import LabelledPairs, check_labelled, features_by_reading
from halluscope.errors import InputError
from halluscope.features import measure_features
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.tokens import TokenizedPair
from halluscope.progress import progress_bar
from halluscope.records import Answer, Pair, Prompt, as_pairs
from halluscope.surfaces import DEFAULT_MEASURES, Measure, Reading, Surface, record_surfaces


class Detector(ClassifierMixin, BaseEstimator):
    """Tells from the surface of an answer whether it is hallucinated.

    Learns readings (one direction a layer, cross-fitted by group), a classifier on the surface's features, and
    its calibration, all from labelled pairs.

    Parameters
    ----------
    lm : LanguageModel
        The model to look into. Clones of the detector share it.
    folds : int
        Grouped folds for cross-fitting and calibration.
    ridge : float
        Penalty of the readings, see `halluscope.detector.readings.fit_reading`.
    strength : float
        Inverse penalty of the linear member, see `SurfaceClassifier`.
    threshold : float
        From this probability on an answer counts as hallucinated.
    seed : int
        For folds and boosting.
    progress : bool, optional
        Show progress bars; only on an interactive standard error if not given.

    Attributes
    ----------
    classes_ : ndarray
        ``[False, True]``: not hallucinated, hallucinated.
    feature_names_in_ : ndarray of str
        The surface features that the classifier reads.
    n_features_in_ : int
        Their number.
    reading_ : Reading
        Directions learned from all training pairs.
    classifier_ : SurfaceClassifier
        The fitted classifier.
    training_ : dict
        What it was trained on: number of pairs and groups, share of hallucinated ones, a digest of the pairs,
        and out-of-fold metrics.

    Examples
    --------
    >>> detector = Detector(lm).fit(pairs, hallucinated, groups=groups)  # doctest: +SKIP
    >>> detector.detect("Who is Elon Musk?", "A pastry chef from rural France.").probability  # doctest: +SKIP
    """

    def __init__(
        self,
        lm: LanguageModel,
        *,
        folds: int = 4,
        ridge: float = 0.3,
        strength: float = 0.01,
        threshold: float = 0.5,
        seed: int = 0,
        progress: bool | None = None,
    ) -> None:
        self.lm = lm
        self.folds = folds
        self.ridge = ridge
        self.strength = strength
        self.threshold = threshold
        self.seed = seed
        self.progress = progress

    @staticmethod
    def check(pairs: Any, *, folds: int = 4, seed: int = 0) -> None:
        """Refuse pairs that `fit` would refuse, before any model is loaded.

        Raises
        ------
        InputError
            Missing labels, one class only, conflicting labels, or fewer groups than folds.
        """
        labelled = check_labelled(as_pairs(pairs), None, None)
        grouped_folds(labelled.hallucinated, labelled.groups, folds, seed)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Channels that need no learned direction."""
        return DEFAULT_MEASURES

    def fit(
        self,
        pairs: Any,
        hallucinated: Sequence[object] | npt.NDArray[np.generic] | None = None,
        *,
        groups: Sequence[object] | npt.NDArray[np.generic] | None = None,
    ) -> Detector:
        """Learn from labelled pairs.

        Parameters
        ----------
        pairs : list or data frame
            Records with ``prompt`` and ``answer``, or ``(prompt, answer)`` tuples.
        hallucinated : sequence of bool, optional
            True where the answer is false; the records' own field if not given.
        groups : sequence, optional
            The question or entity of each pair, never split between folds; the records' own field, else the
            prompt, if not given.

        Returns
        -------
        Detector
            Itself.

        Raises
        ------
        InputError
            For pairs that cannot be learned from; the message names the pair.
        """
        labelled = check_labelled(as_pairs(pairs), hallucinated, groups)
        folds = grouped_folds(labelled.hallucinated, labelled.groups, self.folds, self.seed)
        tokenized = self.lm.tokenize_pairs(labelled.pairs)
        n = len(tokenized)
        with progress_bar("Reading answers", n, show=self.progress) as advance:
            states = pool_states(self.lm, tokenized, progress=advance)
        readings = cross_fit_readings(states, labelled.hallucinated, folds, self.ridge)
        del states
        fold_of = np.empty(n, dtype=int)
        for number, (_, test) in enumerate(folds):
            fold_of[test] = number
        with progress_bar("Measuring surfaces", n, show=self.progress) as advance:
            names, features = features_by_reading(
                self.lm,
                tokenized,
                self.measures,
                readings.held_out,
                progress=advance,
                uses=[[fold] for fold in fold_of],
            )
        X = np.stack([rows[fold] for rows, fold in zip(features, fold_of, strict=True)])
        return self._fit_classifier(names, X, labelled, folds, readings.final)

    def _fit_classifier(
        self,
        names: tuple[str, ...],
        X: npt.NDArray[np.float64],
        labelled: LabelledPairs,
        folds: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]],
        reading: Reading,
    ) -> Detector:
        y = labelled.hallucinated
        self.classifier_ = SurfaceClassifier(self.strength, self.seed).fit(X, y, folds)
        self.reading_ = reading
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        self.classes_ = self.classifier_.classes_
        self.training_ = {
            "pairs": len(y),
            "groups": len(set(labelled.groups)),
            "hallucinated": float(y.mean()),
            "digest": _digest(labelled),
            "out_of_fold": {
                "auroc": float(roc_auc_score(y, self.classifier_.out_of_fold_)),
                "brier": float(brier_score_loss(y, self.classifier_.out_of_fold_)),
            },
        }
        return self

    def predict_proba(self, pairs: Any) -> npt.NDArray[np.float64]:
        """Calibrated probabilities (pairs, 2): not hallucinated, hallucinated."""
        check_is_fitted(self, "classifier_")
        surfaces = self._surfaces(self.lm.tokenize_pairs(self._unlabelled(pairs)))
        return np.asarray(self.classifier_.predict_proba(self._features(surfaces)))

    def predict(self, pairs: Any) -> npt.NDArray[np.bool_]:
        """True where the probability of being hallucinated reaches the threshold."""
        return self.predict_proba(pairs)[:, 1] >= self.threshold

    def detect(self, prompt: Prompt, answer: Answer, context: str | None = None) -> Detection:
        """Judge one answer.

        Parameters
        ----------
        prompt : str, chat messages or token ids
            What the model was asked; empty text for a bare statement.
        answer : str or token ids
            What it answered.
        context : str, optional
            Reference text that was in the prompt.

        Returns
        -------
        Detection
        """
        return self.detect_batch([{"prompt": prompt, "answer": answer, "context": context}])[0]

    def detect_batch(self, pairs: Any) -> list[Detection]:
        """Judge many answers at once; detections in the order of the pairs."""
        check_is_fitted(self, "classifier_")
        start = time.perf_counter()
        pairs = self._unlabelled(pairs)
        surfaces = self._surfaces(self.lm.tokenize_pairs(pairs))
        rows = self._features(surfaces)
        probabilities = self.classifier_.predict_proba(rows)[:, 1]
        seconds = (time.perf_counter() - start) / len(pairs)
        return [
            Detection(
                probability=float(probability),
                threshold=self.threshold,
                surface=surface,
                features=dict(zip(self.feature_names_in_, row.tolist(), strict=True)),
                prompt=pair.prompt,
                model=self.lm.name,
                detector=self.name,
                seconds=seconds,
                score_surfaces=self.score_surfaces,
            )
            for pair, surface, row, probability in zip(pairs, surfaces, rows, probabilities, strict=True)
        ]

    def score_surfaces(self, surfaces: Sequence[Surface]) -> npt.NDArray[np.float64]:
        """Probability of being hallucinated for each of some surfaces with this detector's channels."""
        check_is_fitted(self, "classifier_")
        return np.asarray(self.classifier_.predict_proba(self._features(surfaces))[:, 1])

    @property
    def name(self) -> str:
        """What results call it: the folder it was loaded from or saved to, else ``unsaved``."""
        return getattr(self, "name_", "unsaved")

    def save(self, folder: str | Path) -> Path:
        """Write the fitted detector to a folder; see `halluscope.detector.persistence.save_detector`."""
        from halluscope.detector.persistence import save_detector

        return save_detector(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, lm: LanguageModel | None = None) -> Detector:
        """Read a detector from a folder; see `halluscope.detector.persistence.load_detector`.

        Parameters
        ----------
        folder : path-like
            What `save` wrote.
        lm : LanguageModel, optional
            The model it was trained on; loaded by the name in the manifest if not given.

        Raises
        ------
        DetectorError
            If the folder is missing, damaged or unsafe.
        FingerprintError
            If it was trained on another language model.
        """
        from halluscope.detector.persistence import load_detector

        return load_detector(Path(folder), lm)

    def _surfaces(self, tokenized: Sequence[TokenizedPair]) -> list[Surface]:
        with progress_bar("Measuring surfaces", len(tokenized), show=self._show(len(tokenized))) as advance:
            return record_surfaces(self.lm, tokenized, [self.reading_, *self.measures], progress=advance)

    def _features(self, surfaces: Sequence[Surface]) -> npt.NDArray[np.float64]:
        return measure_features(surfaces)[1]

    def _show(self, n: int) -> bool | None:
        return self.progress if n > 1 else False

    @staticmethod
    def _unlabelled(pairs: Any) -> list[Pair]:
        pairs = as_pairs(pairs)
        if not pairs:
            raise InputError("there are no pairs to judge")
        return pairs


def _digest(labelled: LabelledPairs) -> str:
    """SHA-256 over the training pairs, labels and groups, in order."""
    digest = hashlib.sha256()
    for pair, label, group in zip(labelled.pairs, labelled.hallucinated, labelled.groups, strict=True):
        digest.update(json.dumps([*pair.key, bool(label), str(group)]).encode())
    return digest.hexdigest()
