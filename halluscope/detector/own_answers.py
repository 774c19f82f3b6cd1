"""The language model's own answers, judged by a classifier of their own.

Whoever has learned from answers of other people's making takes fluent ones for true, and a language model's
own mistakes are as fluent as the rest of what it says. So a detector may hold two classifiers on the same
features, and a gate that tells by them whose words it reads: a mixture of experts (Jacobs, Jordan, Nowlan and
Hinton 1991) whose gate learns from answers of either origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from halluscope.detector.classifier import SurfaceClassifier, log_odds, new_members
from halluscope.detector.readings import CHANNELS
from halluscope.features import feature_names
from halluscope.folds import Fold

_GATE_STRENGTH = 1.0  # inverse penalty: whose an answer is shows far more clearly than whether it is true


@dataclass(frozen=True, eq=False)
class OwnAnswers:
    """What judges an answer the more, the more it reads like the language model's own.

    Parameters
    ----------
    gate : estimator
        Probability that an answer is the language model's own, from its features.
    classifier : SurfaceClassifier
        Fitted on such answers.
    pairs : int
        Their number.
    questions : sequence of str
        Marks of the questions that they answer, see `halluscope.detector.labelled.question_marks`.
    """

    gate: Any
    classifier: SurfaceClassifier
    pairs: int
    questions: Sequence[str] = field(repr=False)

    def mix(
        self, given: npt.NDArray[np.float64], features: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Probabilities between those of two classifiers.

        Parameters
        ----------
        given : ndarray of shape (pairs, 2)
            What the classifier that learned from given answers holds.
        features : ndarray of shape (pairs, features)
            What it read.

        Returns
        -------
        ndarray of shape (pairs, 2)
            Of the mean of both log-odds, weighted by what the gate says: not hallucinated, hallucinated.
        """
        share = self.gate.predict_proba(features)[:, 1]
        own = log_odds(self.classifier.predict_proba(features)[:, 1])
        probability = expit((1 - share) * log_odds(given[:, 1]) + share * own)
        return np.column_stack([1 - probability, probability])


def fit_own_answers(
    names: Sequence[str],
    features: npt.NDArray[np.float64],
    hallucinated: npt.NDArray[np.bool_],
    folds: Sequence[Fold],
    given: npt.NDArray[np.float64],
    *,
    questions: Sequence[str] = (),
    strength: float = 0.01,
    seed: int = 0,
) -> OwnAnswers:
    """Learn from a language model's own answers, and to tell them from given ones.

    Parameters
    ----------
    names : sequence of str
        Of the features.
    features : ndarray of shape (pairs, features)
        Of the own answers, measured with readings that did not see them.
    hallucinated : ndarray of shape (pairs,)
        Their labels.
    folds : sequence of (train, test)
        Grouped.
    given : ndarray of shape (others, features)
        Of answers that are not the model's own. The readings may have been learned from these: the gate does
        not see what they show.
    questions : sequence of str
        Marks of the questions.
    strength, seed
        As for `SurfaceClassifier`.
    """
    classifier = SurfaceClassifier(strength, seed).fit(features, hallucinated, folds, names)
    gate = new_gate(names)
    whose = np.arange(len(features) + len(given)) < len(features)
    gate.fit(np.concatenate([features, given]), whose)
    # of an answer that is to be judged nobody knows whose it is, however many of either were learned from
    gate[-1].intercept_ += np.log(len(given) / len(features))
    return OwnAnswers(gate, classifier, len(features), questions)


def new_gate(names: Sequence[str]) -> Any:
    """The gate before it is fitted: a linear classifier of what the channels without learned directions show.

    Parameters
    ----------
    names : sequence of str
        Of the features.
    """
    learned = set(feature_names(CHANNELS))
    shared = [column for column, name in enumerate(names) if name not in learned]
    linear = new_members([], _GATE_STRENGTH)["linear"]
    return make_pipeline(ColumnTransformer([("shared", linear[:-1], shared)]), linear[-1])
