"""How much of the label the wording alone gives away: it should be nothing."""

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline, make_union


def length_auroc(texts: Sequence[str], hallucinated: Sequence[bool]) -> float:
    """Return the AUROC of the number of characters.

    Parameters
    ----------
    texts : sequence of str
        Answers.
    hallucinated : sequence of bool
        Labels.

    Returns
    -------
    float
        0.5 where length says nothing.
    """
    return float(roc_auc_score(hallucinated, [len(text) for text in texts]))


def is_spelled_in(value: str, subject: str) -> bool:
    """Tell whether a value begins like its subject and its letters occur there in order: He in helium.

    A classifier on n-grams cannot compare the two; a language model can, without knowing the fact.
    """
    name = subject.lower().removeprefix("the ")
    wanted = [letter for letter in value.lower().removeprefix("the ") if letter.isalnum()]
    letters = iter(name)
    return bool(wanted) and name.startswith(wanted[0]) and all(letter in letters for letter in wanted)


def wording_scores(
    texts: Sequence[str],
    hallucinated: Sequence[bool],
    groups: Sequence[str],
    features: int | None = None,
    seed: int = 0,
    iterations: int = 150,
) -> np.ndarray:
    """Score texts by a classifier on their words and letters that was trained on other groups.

    Parameters
    ----------
    texts : sequence of str
        What the classifier sees.
    hallucinated : sequence of bool
        Labels.
    groups : sequence of str
        Groups that stay together in the five folds.
    features : int, optional
        Most features of each sort; all by default.
    seed : int, default 0
        Seed of the folds.
    iterations : int, default 150
        Most steps of the fit.

    Returns
    -------
    numpy.ndarray
        One held-out score for each text.
    """
    labels, scores = np.asarray(hallucinated, dtype=int), np.zeros(len(texts))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(texts, labels, groups):
        model = make_pipeline(
            make_union(
                TfidfVectorizer(ngram_range=(1, 2), max_features=features),
                TfidfVectorizer(analyzer="char", ngram_range=(2, 5), max_features=features),
            ),
            # Balanced data start at a flat place, which the usual tolerance takes for the end.
            LogisticRegression(C=10.0, tol=1e-8, max_iter=iterations),
        )
        with warnings.catch_warnings():
            # Where the labels cannot be learned, the fit goes on for ever at no gain.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit([texts[i] for i in train], labels[train])
        scores[test] = model.decision_function([texts[i] for i in test])
    return scores
