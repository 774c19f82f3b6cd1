"""The prior: what another detector of the same language model makes of an answer, as one more feature.

A detector that ships with the library has learned from some ten thousand facts. What it holds of an answer
is worth something on other questions too, most of all where there are few labelled pairs to learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halluscope.detector.classifier import member_log_odds
from halluscope.surfaces import Reading

if TYPE_CHECKING:
    from halluscope.detector.detector import Detector

_PREFIX = "prior_"


@dataclass(frozen=True, eq=False)
class Prior:
    """The readings and the linear member of a fitted detector.

    Its boosted member and its blend are left behind: they carry over no better to other kinds of question,
    and are twenty times as large.

    Parameters
    ----------
    name : str
        Of the detector.
    reading : Reading
        Its directions, under channel names of their own.
    member : estimator
        Fitted on the features of these channels and of those that need no learned direction.
    questions : sequence of str
        Marks of the questions that it was trained on, see `halluscope.detector.labelled.question_marks`.
    """

    name: str
    reading: Reading
    member: Any
    questions: Sequence[str] = field(repr=False)

    def log_odds(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Log-odds (pairs,) of being hallucinated, from features (pairs, features) of its channels."""
        return member_log_odds(self.member, features)


def prior_from(detector: Detector) -> Prior:
    """The prior that a fitted detector is to others."""
    return Prior(
        detector.name,
        prior_reading(detector.reading_),
        detector.classifier_.members_["linear"],
        detector.training_.get("questions", []),
    )


def prior_reading(reading: Reading) -> Reading:
    """The same directions under the names that a prior's channels have on a surface."""
    return replace(reading, channels=tuple(_PREFIX + channel for channel in reading.channels))


def add_prior(
    prior: Prior, features: npt.NDArray[np.float64], n_own: int, n_prior: int
) -> npt.NDArray[np.float64]:
    """Put what the prior says in the place of its channels' features.

    Parameters
    ----------
    prior : Prior
    features : ndarray of shape (pairs, n_own + n_prior + n_shared)
        Of a detector's own readings, of the prior's, and of channels that need no learned direction.
    n_own, n_prior : int
        How many of the features belong to either.

    Returns
    -------
    ndarray of shape (pairs, n_own + n_shared + 1)
        The last column is the prior's log-odds.
    """
    own, shared = features[:, :n_own], features[:, n_own + n_prior :]
    return np.column_stack([own, shared, prior.log_odds(features[:, n_own:])])
