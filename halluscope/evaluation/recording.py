"""One pass that records what the baselines read, which is also what readings are learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halluscope.detector.detection import prompt_text
from halluscope.detector.labelled import LabelledPairs
from halluscope.detector.states import StatePooler
from halluscope.errors import InputError
from halluscope.evaluation.extras import EXTRAS
from halluscope.evaluation.recorded import RecordedPairs
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.primer import Primer
from halluscope.lm.recording import LayerState
from halluscope.lm.stored import StateSource
from halluscope.progress import progress_bar

Scores = NDArray[Any]


def record_pairs(
    lm: LanguageModel,
    labelled: LabelledPairs,
    source: StateSource | None = None,
    *,
    extras: Sequence[str] = (),
    primer: Primer = (),
    progress: bool | None = None,
) -> RecordedPairs:
    """Record labelled pairs.

    Parameters
    ----------
    lm : LanguageModel
        The model to look into.
    labelled : LabelledPairs
        Prompts and answers.
    source : StoredStates, optional
        Visited instead of the model.
    extras : sequence of str, default ()
        Names from `halluscope.evaluation.extras.EXTRAS`: what is recorded of each answer beside its pooled
        states, shape (pairs, ...). Baselines say in ``needs`` what they need.
    primer : sequence of (str, str), default ()
        What every pair is read behind, see `halluscope.lm.primer`; the detector's own for its evaluation.
    progress : bool, optional
        Show a progress bar; only on an interactive standard error if not given.

    Raises
    ------
    InputError
        For an extra that nobody has defined.
    """
    if unknown := set(extras) - set(EXTRAS):
        names = ", ".join(map(repr, sorted(unknown)))
        raise InputError(f"no extra is called {names}: there are {', '.join(EXTRAS)}")
    tokenized = lm.tokenize_pairs(labelled.pairs, primer=primer)
    source = source or lm
    pooler = StatePooler(source, tokenized)
    recorders = {name: EXTRAS[name](len(tokenized), source) for name in extras}
    logprobs: list[Scores] = [np.empty(0)] * len(tokenized)
    entropies: list[Scores] = [np.empty(0)] * len(tokenized)

    def visitor(indices: list[int]) -> Callable[[LayerState], None]:
        pool = pooler(indices)

        def visit(layer: LayerState) -> None:
            pool(layer)
            for recorder in recorders.values():
                recorder(indices, layer)
            if layer.layer == layer.n_layers - 1:
                for store, values in zip((logprobs, entropies), layer.prediction, strict=True):
                    for index, part in zip(indices, values.cpu().double().split(layer.lengths), strict=True):
                        store[index] = part.numpy()

        return visit

    with progress_bar("Reading answers", len(tokenized), show=progress) as advance:
        source.visit(tokenized, visitor, progress=advance)
    return RecordedPairs(
        answers=[pair.answer for pair in tokenized],
        prompts=[
            "\n".join(t for t in (pair.context, prompt_text(pair.prompt)) if t) for pair in labelled.pairs
        ],
        logprobs=logprobs,
        entropies=entropies,
        states=pooler.states,
        extras={name: recorder.values for name, recorder in recorders.items()},
    )
