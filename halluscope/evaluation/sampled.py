"""EigenScore: do the answers that the model would also have given mean the same inside?

Ten answers are sampled for each prompt, which costs more than all other baselines together. They say
something about an answer only where the model gave it itself: `SAMPLED` is for benchmarks on its own answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from halluscope.errors import InputError
from halluscope.evaluation.baselines import NumbersBaseline
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs
from halluscope.lm.generation import MAX_NEW_TOKENS, Sampling, sample_answers
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.recording import LayerState
from halluscope.progress import progress_bar
from halluscope.records import Pair

Floats = NDArray[Any]

EIGENSCORE = "eigenscore"
SAMPLES = 10
#: Added to the diagonal of the covariance, as in the paper.
ALPHA = 1e-3


def record_eigenscore(
    lm: LanguageModel,
    pairs: Sequence[Pair],
    *,
    n_samples: int = SAMPLES,
    max_new_tokens: int = MAX_NEW_TOKENS,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, Floats]:
    """Sample answers to each prompt and record how far apart they lie in the middle of the model.

    The embedding of an answer is the state of the middle layer at its last token, and at the last token of
    the prompt where a sampled answer is empty. Pairs of the same prompt and context share their samples.

    Parameters
    ----------
    lm : LanguageModel
        The model to sample from.
    pairs : sequence of Pair
        Prompts; neither answers nor labels are read.
    n_samples : int, default 10
        Answers to each prompt, drawn as `halluscope.lm.generation.Sampling` says.
    max_new_tokens : int, default 64
        Longest sampled answer, in tokens.
    seed : int, default 0
        Of the sampling.
    progress : bool, optional
        Show progress bars; only on an interactive standard error if not given.

    Returns
    -------
    dict of str to ndarray
        "eigenscore": `eigenscore` of each pair's prompt, float64 of shape (pairs,).

    Raises
    ------
    InputError
        For fewer than two samples, and for a prompt that the context window does not hold with its answer.
    """
    if n_samples < 2:
        raise InputError(f"n_samples must be at least 2, not {n_samples}")
    prompts = [lm.tokenize_prompt(pair.prompt, pair.context) for pair in pairs]
    distinct = list(dict.fromkeys(prompts))
    with progress_bar("Sampling answers", len(distinct), show=progress) as advance:
        sampled = sample_answers(
            lm,
            [list(prompt) for prompt in distinct],
            n_samples,
            sampling=Sampling(seed=seed),
            max_new_tokens=max_new_tokens,
            progress=advance,
        )
    answers = [(prompt, one.ids) for prompt, each in zip(distinct, sampled, strict=True) for one in each]
    embeddings = _embeddings(lm, answers, progress)
    scores = {
        prompt: eigenscore(np.stack([embeddings[prompt, one.ids] for one in each]))
        for prompt, each in zip(distinct, sampled, strict=True)
    }
    return {EIGENSCORE: np.array([scores[prompt] for prompt in prompts])}


def eigenscore(embeddings: Floats) -> float:
    """Mean logarithm of the eigenvalues of the answers' covariance, (1/K) log det(C + alpha I).

    C is the K x K covariance over the features, divided by d - 1 (Chen et al., INSIDE, ICLR 2024, 2402.03744,
    in the scale of their code). It is large where the answers' embeddings point in different directions.

    Parameters
    ----------
    embeddings : ndarray, shape (K, d)
        One row for each sampled answer.
    """
    covariance = np.cov(np.asarray(embeddings, dtype=np.float64))
    regularised = covariance + ALPHA * np.eye(len(embeddings))
    return float(np.linalg.slogdet(regularised).logabsdet / len(embeddings))


def _embeddings(
    lm: LanguageModel,
    answers: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    progress: bool | None,
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], Floats]:
    """States of the middle layer at the last tokens of prompts and answers given as ids; each pair once."""
    distinct = list(dict.fromkeys(answers))
    # behind an empty answer stands any token, for the state before it
    tokenized = [lm.tokenize(list(prompt), list(ids or prompt[-1:])) for prompt, ids in distinct]
    empty = np.array([not ids for _, ids in distinct], dtype=bool)
    middle = lm.n_layers // 2
    found = np.empty((len(distinct), lm.hidden_size), dtype=np.float32)

    def visitor(indices: list[int]) -> Callable[[LayerState], None]:
        def visit(layer: LayerState) -> None:
            if layer.layer == middle:
                last, before = (states[layer.lasts].cpu().numpy() for states in (layer.state, layer.before))
                found[indices] = np.where(empty[indices, None], before, last)

        return visit

    with progress_bar("Reading sampled answers", len(tokenized), show=progress) as advance:
        lm.visit(tokenized, visitor, progress=advance)
    return dict(zip(distinct, found, strict=True))


def _scores(pairs: RecordedPairs) -> Floats:
    return pairs.recorded(EIGENSCORE)[:, None]


class EigenScore(NumbersBaseline):
    """EigenScore: logistic regression on how far apart further answers to the prompt lie.

    As in Chen et al. (2402.03744): ten answers, the middle layer's state at the last token of each, and the
    log-determinant of their covariance. The paper clips extreme features of the penultimate layer while it
    samples, which is left out, and reads the score as it stands; here scale and sign are learned on the
    training part. All answers to a prompt have the same score.
    """

    needs: ClassVar[tuple[str, ...]] = (EIGENSCORE,)

    def __init__(self) -> None:
        super().__init__(_scores)


#: Baselines that sample, under the names that reports use; each call makes a fresh, unfitted classifier.
SAMPLED: dict[str, Callable[[], PairClassifier]] = {"EigenScore": EigenScore}
