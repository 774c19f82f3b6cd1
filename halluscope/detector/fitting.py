"""From labelled pairs to what a classifier learns from: two passes through the language model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np

from halluscope import __version__
from halluscope.detector.cross_fitting import CrossFitted, TrainingPart, cross_fit
from halluscope.detector.labelled import LabelledPairs, training_digest
from halluscope.detector.prior import Prior
from halluscope.detector.shards import Shards
from halluscope.detector.states import pool_states
from halluscope.folds import Fold
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.primer import Primer
from halluscope.progress import progress_bar
from halluscope.surfaces import DEFAULT_MEASURES


@dataclass(frozen=True, eq=False)
class Fitting:
    """What two passes depend on.

    Parameters
    ----------
    lm : LanguageModel
    labelled : LabelledPairs
    folds : list of (train, test)
    ridge : float
        Penalty of the readings.
    primer : tuple of (str, str)
        What pairs are read behind.
    prior : Prior or None
        What has a say beside the pairs.
    """

    lm: LanguageModel
    labelled: LabelledPairs
    folds: list[Fold]
    ridge: float
    primer: Primer
    prior: Prior | None

    def run(self, shards: Shards, progress: bool | None) -> tuple[tuple[str, ...], CrossFitted]:
        """Names of the features, and the features with the readings that they were measured with.

        Parameters
        ----------
        shards : Shards
            Where finished parts are kept.
        progress : bool or None
            As for `Detector`.
        """
        tokenized = self.lm.tokenize_pairs(self.labelled.pairs, primer=self.primer)
        n = len(tokenized)
        with progress_bar("Reading answers", n, show=progress) as advance:
            states = pool_states(self.lm, tokenized, shards=shards, progress=advance)
        with progress_bar("Measuring surfaces", n, show=progress) as advance:
            names, (crossed,) = cross_fit(
                self.lm,
                tokenized,
                states,
                self.labelled.hallucinated,
                [TrainingPart(np.arange(n), self.folds)],
                DEFAULT_MEASURES,
                self.ridge,
                prior=self.prior,
                shards=shards,
                progress=advance,
            )
        return names, crossed

    def shards(self, checkpoint: str | Path | None) -> Shards:
        """Where a fit keeps its parts under a folder: apart from those of any other fit."""
        if checkpoint is None:
            return Shards()
        directions = None if self.prior is None else self.prior.reading.directions.numpy()
        parts = (
            __version__,
            training_digest(self.labelled),
            joblib.hash([self.folds, self.ridge, self.primer, directions]),
            self.lm.fingerprint,
            str(self.lm.model.dtype),
        )
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return Shards(Path(checkpoint).expanduser() / digest[:16])
