"""The detector: a scikit-learn classifier over pairs of prompt and answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.cross_fitting import CrossFitted
from halluscope.detector.detection import Detection
from halluscope.detector.fitting import Fitting
from halluscope.detector.labelled import (
    LabelledPairs,
    check_labelled,
    check_labels,
    count_marked,
    describe_training,
)
from halluscope.detector.learned import Learned
from halluscope.detector.own_answers import OwnAnswers
from halluscope.detector.prior import Prior
from halluscope.detector.settings import check_settings
from halluscope.errors import FingerprintError, InputError
from halluscope.folds import grouped_folds
from halluscope.lm.language_model import LanguageModel, check_language_model
from halluscope.lm.primer import PRIMER, Primer
from halluscope.lm.tokens import TokenizedPair
from halluscope.progress import progress_bar
from halluscope.records import Answer, Pair, Prompt, as_pairs
from halluscope.surfaces import DEFAULT_MEASURES, Measure, Surface

_CHUNK = 1000  # pairs whose surfaces and features `predict_proba` holds at once


class Detector(ClassifierMixin, BaseEstimator):
    """Tells from the surface of an answer whether it is hallucinated.

    Learns readings (one direction a layer, cross-fitted by group), a classifier on the surface's features,
    and its calibration, all from labelled pairs.

    Parameters
    ----------
    lm : LanguageModel
        The model to look into. Clones of the detector share it.
    folds : int, default 4
        Grouped folds for cross-fitting and calibration.
    ridge : float, default 0.3
        Penalty of the readings, see `halluscope.detector.readings.fit_readings`.
    strength : float, default 0.01
        Inverse penalty of the linear member, see `SurfaceClassifier`.
    threshold : float, default 0.5
        From this probability on an answer counts as hallucinated.
    prior : bool, default True
        Let the detector that ships for exactly this language model have a say, where one does; what it counts
        is learned from the training pairs. False to learn from these alone.
    primer : tuple of (str, str), default `halluscope.lm.primer.PRIMER`
        Well-known questions with true answers, put before every prompt as an earlier part of the
        conversation: see `halluscope.lm.primer`. As many of them as fit into a quarter of the context window.
        Empty to read answers behind their own prompts alone.
    seed : int, default 0
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
    prior_ : Prior or None
        What has a say beside them.
    primer_ : tuple of (str, str)
        What answers are read behind, whatever `primer` is set to afterwards.
    classifier_ : SurfaceClassifier
        The fitted classifier.
    own_answers_ : OwnAnswers or None
        What judges the language model's own answers instead; those that ship may have it, `fit` learns from
        all pairs alike.
    fingerprint_ : str
        Of the language model that it was fitted on.
    training_ : dict
        What it was trained on: number of pairs and groups, share of hallucinated ones, a digest of the pairs,
        out-of-fold metrics (slightly too good, see `SurfaceClassifier`), and a mark of each question, by
        which `count_seen` finds it again.

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
        prior: bool = True,
        primer: Primer = PRIMER,
        seed: int = 0,
        progress: bool | None = None,
    ) -> None:
        self.lm = lm
        self.folds = folds
        self.ridge = ridge
        self.strength = strength
        self.threshold = threshold
        self.prior = prior
        self.primer = primer
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
        checkpoint: str | Path | None = None,
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
        checkpoint : path-like, optional
            Folder where finished parts are kept: if the fit is stopped, even killed, a later one of the same
            pairs, settings and language model goes on from there, to the same result. Twelve bytes for each
            coordinate of each layer's state and pair: 0.2 MB a pair at 30 layers of 576. Yours to delete
            once the detector is saved.

        Returns
        -------
        Detector
            Itself.

        Raises
        ------
        InputError
            For pairs that cannot be learned from, naming the pair, or a parameter that cannot be.
        """
        check_settings(self.get_params(deep=False))
        check_language_model(self.lm)
        labelled = check_labelled(as_pairs(pairs), hallucinated, groups)
        folds = grouped_folds(labelled.hallucinated, labelled.groups, self.folds, self.seed)
        prior = self.find_prior()
        fitting = Fitting(self.lm, labelled, folds, self.ridge, self.primer, prior)
        names, crossed = fitting.run(fitting.shards(checkpoint), self.progress)
        return self.fit_features(names, crossed, labelled, prior)

    def find_prior(self) -> Prior | None:
        """What `fit` lets have a say beside the pairs: None if nothing ships for model and primer."""
        from halluscope.detector.shipped import shipped_prior

        return shipped_prior(self.lm, self.primer) if self.prior else None

    def tokenize(self, pairs: Sequence[Pair]) -> list[TokenizedPair]:
        """Tokens of pairs as this detector reads them: behind its primer, or that of its fit."""
        return self.lm.tokenize_pairs(pairs, primer=getattr(self, "primer_", self.primer))

    def fit_features(
        self,
        names: tuple[str, ...],
        crossed: CrossFitted,
        labelled: LabelledPairs,
        prior: Prior | None = None,
    ) -> Detector:
        """Learn classifier and calibration from features that are measured already.

        Parameters
        ----------
        names : tuple of str
            Of the features.
        crossed : CrossFitted
            What `cross_fit` gives for the pairs, all of them in the training part.
        labelled : LabelledPairs
            Labels and groups.
        prior : Prior, optional
            The one that `crossed` was made with.
        """
        self.__dict__.pop("name_", None)  # it is no more what lies in a folder
        self.classifier_ = SurfaceClassifier(self.strength, self.seed)
        self.classifier_.fit(crossed.features, labelled.hallucinated, crossed.part.folds, names)
        self.reading_ = crossed.reading
        self.prior_ = prior
        self.own_answers_: OwnAnswers | None = None
        self.primer_ = self.primer
        self.fingerprint_ = self.lm.fingerprint
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        self.classes_ = self.classifier_.classes_
        self.training_ = describe_training(labelled, self.classifier_.out_of_fold_)
        return self

    def predict_proba(self, pairs: Any) -> npt.NDArray[np.float64]:
        """Calibrated probabilities.

        Parameters
        ----------
        pairs : list or data frame
            As for `fit`; labels are not needed, and not looked at.

        Returns
        -------
        ndarray of shape (pairs, 2)
            Float64: not hallucinated, hallucinated. A pair's do not depend on the others (but for rounding in
            bfloat16).

        Raises
        ------
        InputError
            For pairs that cannot be judged, naming the pair; `ContextWindowError` for one that is too long.
        FingerprintError
            If the language model is another one than at the fit, or was trained on since.
        ActivationError
            If the model's states are not finite.
        NotFittedError
            Before `fit`.
        """
        learned = self.learned
        tokenized = self.tokenize(self._unlabelled(pairs))
        with self._progress(len(tokenized)) as advance:
            chunks = (tokenized[start : start + _CHUNK] for start in range(0, len(tokenized), _CHUNK))
            judged = [learned.judge(learned.measure(self._record(chunk, advance))) for chunk in chunks]
        return np.concatenate(judged)

    def predict(self, pairs: Any) -> npt.NDArray[np.bool_]:
        """Verdicts (pairs,): True where the probability of being hallucinated reaches the threshold.

        Parameters and errors as of `predict_proba`.
        """
        return self.predict_proba(pairs)[:, 1] >= self.threshold

    def score(
        self,
        pairs: Any,
        hallucinated: Sequence[object] | npt.NDArray[np.generic] | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Share of right verdicts.

        Parameters
        ----------
        pairs : list or data frame
            As for `fit`.
        hallucinated : sequence of bool, optional
            Labels; the records' own field if not given.
        sample_weight : array-like of shape (pairs,), optional
            What each verdict counts.

        Raises
        ------
        InputError
            For missing labels, and as for `predict_proba`.
        """
        pairs = self._unlabelled(pairs)
        labels = check_labels(pairs, hallucinated)
        return float(super().score(pairs, labels, sample_weight))

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

        Raises
        ------
        HalluscopeError
            As for `predict_proba`.
        """
        return self.detect_batch([{"prompt": prompt, "answer": answer, "context": context}])[0]

    def detect_batch(self, pairs: Any) -> list[Detection]:
        """Judge many answers at once; parameters and errors as of `predict_proba`.

        Returns
        -------
        list of Detection
            In the order of the pairs.
        """
        learned = self.learned
        start = time.perf_counter()
        pairs = self._unlabelled(pairs)
        with self._progress(len(pairs)) as advance:
            surfaces = self._record(self.tokenize(pairs), advance)
        rows = learned.measure(surfaces)
        probabilities = learned.judge(rows)[:, 1]
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
                score_surfaces=learned.score_surfaces,
            )
            for pair, surface, row, probability in zip(pairs, surfaces, rows, probabilities, strict=True)
        ]

    def score_surfaces(self, surfaces: Sequence[Surface]) -> npt.NDArray[np.float64]:
        """Probability of being hallucinated for each of some surfaces with this detector's channels."""
        return self.learned.score_surfaces(surfaces)

    def count_seen(self, pairs: Any) -> int | None:
        """How many pairs have a question that this detector or its prior was trained on.

        None if it does not remember.
        """
        check_is_fitted(self, "classifier_")
        if "questions" not in self.training_:
            return None
        others = [part.questions for part in (self.prior_, self.own_answers_) if part is not None]
        return count_marked(as_pairs(pairs), chain(self.training_["questions"], *others))

    @property
    def learned(self) -> Learned:
        """All that the fit has learned, from surfaces to probabilities."""
        check_is_fitted(self, "classifier_")
        return Learned(self.reading_, self.prior_, self.classifier_, self.own_answers_)

    @property
    def identity(self) -> str:
        """Digest of all that its scores depend on: what it has learned, threshold, primer, model and dtype.

        Equal for every load of one saved detector. Saving and loading may change it once, since
        scikit-learn's estimators come back with other internals than they were fitted with.
        """
        learned, threshold = self.learned.digest(), repr(float(self.threshold))
        parts = [learned, threshold, repr(self.primer_), self.lm.fingerprint, str(self.lm.model.dtype)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What results call it: the folder it was loaded from or saved to, else ``unsaved``."""
        return getattr(self, "name_", "unsaved")

    def save(self, folder: str | Path) -> Path:
        """Write the fitted detector to a folder; see `halluscope.detector.persistence.save_detector`."""
        from halluscope.detector.persistence import save_detector

        return save_detector(self, Path(folder).expanduser())

    @classmethod
    def load(cls, folder: str | Path, lm: LanguageModel | None = None) -> Detector:
        """Read a detector from a folder.

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

        return load_detector(Path(folder).expanduser(), lm)

    def _record(self, tokenized: Sequence[TokenizedPair], advance: Callable[[int], None]) -> list[Surface]:
        if self.lm.fingerprint != self.fingerprint_:
            raise FingerprintError(
                f"this detector was fitted on another language model than '{self.lm.name}': fit it anew"
            )
        return self.learned.record(self.lm, tokenized, self.measures, advance)

    def _progress(self, n: int) -> AbstractContextManager[Callable[[int], None]]:
        return progress_bar("Measuring surfaces", n, show=self.progress if n > 1 else False)

    @staticmethod
    def _unlabelled(pairs: Any) -> list[Pair]:
        pairs = as_pairs(pairs)
        if not pairs:
            raise InputError("there are no pairs to judge")
        return pairs

    def __sklearn_tags__(self) -> Tags:
        """Pairs of texts, not numbers in two dimensions; labels may come with the pairs."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        tags.input_tags.string = True
        tags.target_tags.required = False
        tags.classifier_tags.multi_class = False
        return tags
