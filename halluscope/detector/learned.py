"""What a detector has learned, and how it judges surfaces with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import numpy.typing as npt

from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.own_answers import OwnAnswers
from halluscope.detector.prior import Prior, add_prior
from halluscope.features import feature_names, measure_features
from halluscope.lm.stored import StateSource
from halluscope.lm.tokens import TokenizedPair
from halluscope.surfaces import Measure, Reading, Surface, record_surfaces


@dataclass(frozen=True, eq=False)
class Learned:
    """From surfaces to probabilities.

    Parameters
    ----------
    reading : Reading
        Directions learned from all training pairs.
    prior : Prior or None
        What has a say beside them.
    classifier : SurfaceClassifier
        On the features of surfaces with the channels of both and of the measures.
    own_answers : OwnAnswers or None
        What judges the language model's own answers.
    """

    reading: Reading
    prior: Prior | None
    classifier: SurfaceClassifier
    own_answers: OwnAnswers | None

    @property
    def readings(self) -> list[Reading]:
        """All directions that a surface is read with."""
        return [self.reading, *([self.prior.reading] if self.prior else [])]

    def record(
        self,
        source: StateSource,
        tokenized: Sequence[TokenizedPair],
        measures: Sequence[Measure],
        progress: Callable[[int], None] | None = None,
    ) -> list[Surface]:
        """Surfaces with all channels that `measure` wants, from one pass through the language model."""
        return record_surfaces(source, tokenized, [*self.readings, *measures], progress=progress)

    def measure(self, surfaces: Sequence[Surface]) -> npt.NDArray[np.float64]:
        """Features (surfaces, features) that the classifier reads."""
        features = measure_features(surfaces)[1]
        if self.prior is None:
            return features
        own, theirs = (len(feature_names(reading.channels)) for reading in self.readings)
        return add_prior(self.prior, features, own, theirs)

    def judge(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities (surfaces, 2): not hallucinated, hallucinated."""
        given = self.classifier.predict_proba(features)
        return given if self.own_answers is None else self.own_answers.mix(given, features)

    def score_surfaces(self, surfaces: Sequence[Surface]) -> npt.NDArray[np.float64]:
        """Probability of being hallucinated (surfaces,) for surfaces with all channels."""
        return self.judge(self.measure(surfaces))[:, 1]

    def digest(self) -> str:
        """Of every number that a probability depends on."""
        tensors = [t.numpy() for r in self.readings for t in (r.directions, r.centres, r.scales)]
        prior = self.prior.member if self.prior else None
        parts = [tensors, self.classifier.members_, self.classifier.blend_, prior]
        if (own := self.own_answers) is not None:
            parts += [own.gate, own.classifier.members_, own.classifier.blend_]
        return str(joblib.hash(parts))
