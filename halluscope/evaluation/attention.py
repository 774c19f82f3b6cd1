"""Baselines that read where the model looks: LLM-Check's attention score and the ICR Probe.

Both need attention weights, hence a pass of their own (`record_attention`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from halluscope.evaluation.choosing import Candidate
from halluscope.evaluation.networks import NetworkClassifier
from halluscope.evaluation.probes import LinearProbe
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs
from halluscope.lm.attention import BlockAttention
from halluscope.lm.language_model import LanguageModel
from halluscope.progress import progress_bar
from halluscope.records import Pair

Floats = NDArray[Any]

SELF_ATTENTION = "self_attention"
ICR = "icr"
#: Tokens that the ICR score compares, as in the paper's own settings.
TOP_K = 20
_LEAST_WEIGHT = 1e-12  # below it a weight is rounding, and its logarithm would outweigh all others
_TOKENS_AT_ONCE = 128  # top-k states of so many answer tokens are held at once: 42 MB for a width of 4096


def record_attention(
    lm: LanguageModel, pairs: Sequence[Pair], *, top_k: int = TOP_K, progress: bool | None = None
) -> dict[str, Floats]:
    """Record what the baselines of this module read, in one pass.

    Parameters
    ----------
    lm : LanguageModel
        The model to look into; switched to transformers' plain attention for the time of each batch.
    pairs : sequence of Pair
        Prompts and answers; labels are not read.
    top_k : int, default 20
        Attended tokens that the ICR score compares.
    progress : bool, optional
        Show a progress bar; only on an interactive standard error if not given.

    Returns
    -------
    dict of str to ndarray of float32, shape (pairs, blocks)
        "self_attention": `self_attention`, and "icr": `icr_scores`, both averaged over the answer's tokens.

    Raises
    ------
    InputError
        If the model gives no attention weights.
    """
    tokenized = lm.tokenize_pairs(list(pairs))
    shape = (len(tokenized), lm.n_layers - 1)
    recorded = {name: np.empty(shape, dtype=np.float32) for name in (SELF_ATTENTION, ICR)}

    def visitor(indices: list[int]) -> Callable[[BlockAttention], None]:
        def visit(block: BlockAttention) -> None:
            scores = {SELF_ATTENTION: self_attention(block), ICR: icr_scores(block, top_k)}
            for name, tokens in scores.items():
                means = [float(part.mean()) for part in tokens.cpu().split(block.lengths)]
                recorded[name][indices, block.block] = means

        return visit

    with progress_bar("Reading attention", len(tokenized), show=progress) as advance:
        lm.visit_attention(tokenized, visitor, progress=advance)
    return recorded


def self_attention(block: BlockAttention) -> Tensor:
    """LLM-Check's attention score of each answer token: the sum over heads of log A_tt, shape (n,).

    The log-determinant of a head's triangular attention matrix is the sum of the logarithms of its diagonal,
    how much each token attends to itself (Sriramanan et al., NeurIPS 2024).
    """
    diagonal = block.weights.diagonal(dim1=2, dim2=3)[block.rows, :, block.positions]
    return diagonal.float().clamp_min(_LEAST_WEIGHT).log().sum(dim=1)


def icr_scores(block: BlockAttention, top_k: int) -> Tensor:
    """ICR score of each answer token, shape (n,): does the residual stream move where attention points?

    With delta the step of token t through the block and i among the k tokens that t attends to most, heads
    averaged, w_i = delta . h_i / ||h_i||. Projections and attention are standardised over these k tokens and
    softmaxed; the score is their Jensen-Shannon divergence in nats (Zhang et al., 2507.16488).
    """
    scores = []
    places = zip(block.rows.split(_TOKENS_AT_ONCE), block.positions.split(_TOKENS_AT_ONCE), strict=True)
    for rows, positions in places:
        attention = block.weights[rows, :, positions].float().mean(dim=1)
        weights, attended = attention.topk(min(top_k, attention.shape[1]), dim=1)
        # later tokens, padding, and what lies outside a sliding window have no weight
        valid = weights > 0
        states = block.below[rows[:, None], attended].float()
        steps = block.above[rows, positions].float() - block.below[rows, positions].float()
        projections = torch.einsum("nd,nkd->nk", steps, states) / states.norm(dim=2).clamp_min(_LEAST_WEIGHT)
        along = _standard_softmax(projections, valid, steps.norm(dim=1, keepdim=True))
        scores.append(_divergence(along, _standard_softmax(weights, valid, weights[:, :1])))
    return torch.cat(scores)


def _standard_softmax(values: Tensor, valid: Tensor, largest: Tensor) -> Tensor:
    """Softmax of standardised values, over the valid ones of each row; uniform where they do not differ."""
    count = valid.sum(dim=1, keepdim=True)
    centred = torch.where(valid, values - torch.where(valid, values, 0).sum(1, keepdim=True) / count, 0)
    deviation = (centred.square().sum(dim=1, keepdim=True) / count).sqrt()
    # the same word twice has the same embedding: a spread that is only rounding would be blown up to one
    standard = torch.where(deviation > largest * 1e-6, centred / deviation.clamp_min(_LEAST_WEIGHT), 0)
    return standard.masked_fill(~valid, -torch.inf).softmax(dim=1)


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of each row, in nats."""
    middle = (p + q) / 2
    return (torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(middle, middle)).sum(dim=1) / 2


class SelfAttentionProbe(LinearProbe):
    """LLM-Check's attention score: logistic regression on how much an answer attends to itself at one block.

    The paper reports the best layer over all layers on the test data and reads the score as it stands; here
    block and sign are learned inside the training part.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    choice_ : tuple of int
        The block that was chosen.
    """

    needs: ClassVar[tuple[str, ...]] = (SELF_ATTENTION,)

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        return [(block,) for block in range(pairs.recorded(SELF_ATTENTION).shape[1])]

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.recorded(SELF_ATTENTION)[:, list(candidate)]


class IcrProbe(NetworkClassifier):
    """ICR Probe: a network of 128, 64 and 32 units on the ICR scores of all blocks.

    As in Zhang et al. (2507.16488) in scores and widths. The inputs are standardised, scikit-learn's plain
    network of ReLU layers is trained by Adam as for SAPLMA, without any of the paper's own regularisation,
    and the number of epochs is chosen by grouped folds inside the training part, whereas the published
    trainer selects on the data that it reports.

    Parameters
    ----------
    epochs : int, default 30
        Largest number of passes over the training part.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds and of the network.

    Attributes
    ----------
    epochs_ : int
        What was chosen.
    """

    needs: ClassVar[tuple[str, ...]] = (ICR,)
    units: ClassVar[tuple[int, ...]] = (128, 64, 32)

    def __init__(self, epochs: int = 30, inner_folds: int = 3, random_state: int = 0) -> None:
        super().__init__(epochs, inner_folds, random_state)

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.recorded(ICR)


#: Under the names that reports use; each call makes a fresh, unfitted classifier.
ATTENTION: dict[str, Callable[[], PairClassifier]] = {
    "LLM-Check attention": SelfAttentionProbe,
    "ICR Probe": IcrProbe,
}
