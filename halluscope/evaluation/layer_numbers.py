"""One number of each answer at each layer, for baselines that need more than pooled states.

They are read while the model runs, since the states of all tokens are not kept, and only when asked for: the
lens sends every token of every layer through the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from halluscope.lm.recording import LayerState

#: Added to the diagonal of the tokens' inner products, as LLM-Check does.
ALPHA = 1e-3


def scatter(layer: LayerState) -> Tensor:
    """LLM-Check's hidden score of each answer (Sriramanan et al., NeurIPS 2024), shape (pairs,).

    (1/m) log det(Z J Z^T + alpha I) of the states Z, (m, d), of an answer's m tokens, where J takes the mean
    over the features off every state. It is large where the tokens' states point in different directions.
    """
    return torch.stack([_mean_log_determinant(states) for states in layer.state.split(layer.lengths)])


def lens_entropy(layer: LayerState) -> Tensor:
    """Mean over each answer's tokens of the entropy of what the layer would predict, in nats, shape (pairs,).

    The prediction is that of the logit lens: see `LayerState.prediction`.
    """
    return torch.stack([entropies.mean() for entropies in layer.prediction[1].split(layer.lengths)])


#: From the name under which it is recorded.
LAYER_NUMBERS: dict[str, Callable[[LayerState], Tensor]] = {"scatter": scatter, "lens entropy": lens_entropy}


def _mean_log_determinant(states: Tensor) -> Tensor:
    # In double precision, which not every device has: the eigenvalues lie between alpha and the square of a
    # massive activation.
    centred = states.cpu().double()
    centred = centred - centred.mean(dim=1, keepdim=True)
    tokens = len(centred)
    inner = centred @ centred.T + ALPHA * torch.eye(tokens, dtype=torch.float64)
    return torch.linalg.slogdet(inner).logabsdet / tokens
