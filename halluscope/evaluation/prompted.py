"""Baselines that put a further question to the language model: is this answer true?

P(True) reads what the model says to that, PRISM and CCS (`halluscope.evaluation.contrast`) what it thinks
before and after it says so. Each needs passes of its own, in which question and answer stand in a new prompt:
the text of the last message where the prompt is a chat, the context before it as ever, and no question where
the prompt is empty or given as token ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from halluscope.detector.detection import prompt_text
from halluscope.errors import InputError
from halluscope.evaluation.choosing import Candidate
from halluscope.evaluation.contrast import CONTRAST, Ccs
from halluscope.evaluation.probes import LinearProbe
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.recording import LayerState
from halluscope.progress import progress_bar
from halluscope.records import Pair

Floats = NDArray[Any]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]

P_TRUE = "p_true"
PRISM = "prism"

_OPTIONS = ":\n (A) True\n (B) False\nThe "
#: Kadavath and others' wording, and the same for an answer without a question.
PROPOSED = (
    "Question: {question}\nProposed answer: {answer}\nIs the proposed answer"
    + _OPTIONS
    + "proposed answer is:"
)
STATED = "Statement: {answer}\nIs the statement" + _OPTIONS + "statement is:"
#: PRISM's wording.
REFLECTS = "Does the statement '{statement}' accurately reflect the truth?"
#: How a model may begin to say so.
TRUE, FALSE = ("True", "true", "A"), ("False", "false", "B")
#: CCS's two sides, in the order in which they are recorded.
SIDES = ("Yes", "No")
#: Candidate layers of CCS as fractions of the depth, as SAPLMA's.
DEPTHS = (0.5, 0.625, 0.75, 0.875, 1.0)
_LOGIT_ROWS = 64  # rows of logits held at once: 64 MB for a vocabulary of 256k


def record_p_true(
    lm: LanguageModel, pairs: Sequence[Pair], *, progress: bool | None = None
) -> dict[str, Floats]:
    """Ask whether each answer is true, and record the log-odds of yes.

    The log-odds are ``log sum_s P(s) - log sum_s' P(s')`` over spellings s of true (`TRUE`) and s' of false
    (`FALSE`), where P is the probability of a spelling's first token as the first token of the reply. One
    pass for each pair reads them all. Where a token begins spellings of both, such as a space of its own, the
    token behind it is read instead. Logits come in the model's dtype: those of bfloat16 between 16 and 32 are
    rounded to eighths, as wherever predictions are read; load the model in float32 for finer ones.

    Parameters
    ----------
    lm : LanguageModel
        The model to ask.
    pairs : sequence of Pair
        Prompts and answers; labels are not read.
    progress : bool, optional
        Show a progress bar; only on an interactive standard error if not given.

    Returns
    -------
    dict of str to ndarray
        "p_true": log-odds, float64 of shape (pairs, 1).

    Raises
    ------
    InputError
        If the tokenizer does not tell the spellings of true from those of false.
    """
    log_odds = np.empty((len(pairs), 1))
    if not pairs:
        return {P_TRUE: log_odds}
    prompts = [_is_it_true(lm, pair) for pair in pairs]
    # the same for every pair, as the prompts end alike
    reply, place, options = _options(lm, replace(pairs[0], prompt=prompts[0]))
    questions = [
        replace(pair, prompt=prompt, answer=reply) for pair, prompt in zip(pairs, prompts, strict=True)
    ]

    def visitor(indices: list[int]) -> Callable[[LayerState], None]:
        def visit(layer: LayerState) -> None:
            if layer.layer == layer.n_layers - 1:
                found = []
                for states in layer.before[layer.firsts + place].split(_LOGIT_ROWS):
                    true, false = (layer.unembed(states)[:, ids].double().logsumexp(1) for ids in options)
                    found.append(true - false)
                log_odds[indices, 0] = torch.cat(found).cpu().numpy()

        return visit

    _visit(lm, questions, visitor, "Asking whether it is true", progress)
    return {P_TRUE: log_odds}


def record_statements(
    lm: LanguageModel, pairs: Sequence[Pair], *, progress: bool | None = None
) -> dict[str, Floats]:
    """Ask whether each statement reflects the truth, and record the states before and at both replies.

    Parameters
    ----------
    lm, pairs, progress
        As for `record_p_true`.

    Returns
    -------
    dict of str to ndarray of float32
        "prism", shape (pairs, d): the last layer, before the final norm, at the last token before the reply.
        "contrast", shape (pairs, 2, layers, d): at the last token of the reply "Yes" and of "No", in the
        layers at `DEPTHS`.
    """
    kept = contrast_layers(lm.n_layers)
    prism = np.empty((len(pairs), lm.hidden_size), dtype=np.float32)
    contrast = np.empty((len(pairs), len(SIDES), len(kept), lm.hidden_size), dtype=np.float32)
    prompts = [
        REFLECTS.format(statement=" ".join(part for part in _question_and_answer(lm, pair) if part))
        for pair in pairs
    ]
    for side, reply in enumerate(SIDES):
        questions = [
            replace(pair, prompt=prompt, answer=reply) for pair, prompt in zip(pairs, prompts, strict=True)
        ]

        def visitor(indices: list[int], side: int = side) -> Callable[[LayerState], None]:
            def visit(layer: LayerState) -> None:
                if layer.layer in kept:
                    place = kept.index(layer.layer)
                    contrast[indices, side, place] = layer.state[layer.lasts].cpu().numpy()
                if side == 0 and layer.layer == layer.n_layers - 1:
                    prism[indices] = layer.before[layer.firsts].cpu().numpy()

            return visit

        _visit(lm, questions, visitor, f"Reading '{reply}'", progress)
    return {PRISM: prism, CONTRAST: contrast}


def contrast_layers(n_layers: int) -> list[int]:
    """The layers that `record_statements` keeps for CCS, of a model with so many (the embedding included)."""
    return sorted({round(depth * (n_layers - 1)) for depth in DEPTHS})


def _is_it_true(lm: LanguageModel, pair: Pair) -> str:
    question, answer = _question_and_answer(lm, pair)
    return (PROPOSED if question else STATED).format(question=question, answer=answer)


def _question_and_answer(lm: LanguageModel, pair: Pair) -> tuple[str, str]:
    answer = pair.answer if isinstance(pair.answer, str) else lm.tokenize_pairs([pair])[0].answer
    return prompt_text(pair.prompt).strip(), answer.strip()


def _options(lm: LanguageModel, question: Pair) -> tuple[str, int, list[list[int]]]:
    """A reply, the place in it whose token decides, and the ids there that mean true and that mean false."""
    replies = {
        word: lm.tokenize_pairs([replace(question, answer=word)])[0] for word in dict.fromkeys(TRUE + FALSE)
    }
    ids = {word: reply.ids[reply.start :] for word, reply in replies.items()}
    place = 0
    while True:
        true, false = ({ids[word][place] for word in words if word in ids} for words in (TRUE, FALSE))
        if true.isdisjoint(false) and true and false:
            return next(iter(ids)), place, [sorted(true), sorted(false)]
        shared = min(true & false, default=None)
        place += 1
        ids = {word: own for word, own in ids.items() if own[place - 1] == shared and len(own) > place}
        if not ids:
            raise InputError(
                f"the tokenizer of {lm.name} spells {TRUE} and {FALSE} alike: P(True) cannot be read"
            )


def _visit(
    lm: LanguageModel,
    questions: list[Pair],
    visitor: Callable[[list[int]], Callable[[LayerState], None]],
    description: str,
    progress: bool | None,
) -> None:
    tokenized = lm.tokenize_pairs(questions)
    with progress_bar(description, len(tokenized), show=progress) as advance:
        lm.visit(tokenized, visitor, progress=advance)


class PTrue(PairClassifier):
    """P(True): logistic regression on the log-odds that the model gives to "true" when asked.

    As in Kadavath et al. (2207.05221), without examples and without further sampled answers in the prompt.
    The paper takes the probability of the option "(A)"; here several spellings count, since small models do
    not keep to the letters, and the regression learns scale, offset and sign on the training part.
    """

    needs: ClassVar[tuple[str, ...]] = (P_TRUE,)

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        self._model = make_pipeline(StandardScaler(), LogisticRegression()).fit(
            pairs.recorded(P_TRUE), labels
        )

    def _probability(self, pairs: RecordedPairs) -> Floats:
        return np.asarray(self._model.predict_proba(pairs.recorded(P_TRUE))[:, 1])


class Prism(LinearProbe):
    """PRISM: a linear probe on the state from which the model would reply to "does it reflect the truth?".

    As in Zhang et al. (2411.04847), with the prompt that their paper settles on. The paper reads the state
    with SAPLMA's network or with the difference of means; here it is a logistic regression whose penalty is
    chosen by grouped folds inside the training part, the same as in the other linear probes, so that the
    prompt is the only difference from these. Their statements are whole sentences; here question and answer
    stand one after the other.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    strength_ : float
        What was chosen.
    """

    needs: ClassVar[tuple[str, ...]] = (PRISM,)

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.recorded(PRISM)


#: Baselines that ask, under the names that reports use; each call makes a fresh, unfitted classifier.
PROMPTED: dict[str, Callable[[], PairClassifier]] = {"P(True)": PTrue, "PRISM": Prism, "CCS": Ccs}
