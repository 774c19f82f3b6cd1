"""ACT-ViT: a vision transformer on the states of an answer, seen as an image of tokens by layers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from halluscope.evaluation.activation_tensor import ACTIVATIONS
from halluscope.evaluation.folds import inner_folds
from halluscope.evaluation.linear import platt
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs

Floats = NDArray[Any]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]

_BATCH = 32
_RATE = 3e-3
_READ = 256  # answers read at once: a few megabytes of intermediate results


class ActVit(PairClassifier):
    """ACT-ViT: a transformer of two blocks over patches of an answer's states, tokens by layers.

    After Bar-Shalom et al. (NeurIPS 2025, 2510.00296): the states are pooled to a fixed grid (here 4 bins of
    tokens by 8 of layers: `halluscope.evaluation.activation_tensor`), a linear adapter brings each cell to a
    small width, neighbouring cells (two layers) form a patch, and patches with learned positions go through
    a vision transformer. The paper trains one network for several language models, each with an adapter of
    its own, and searches for its sizes; the repository that it names held no code when we looked. Here it
    learns from one model's few hundred answers: width 32, 4 heads, AdamW at a rate of 0.003 that rises and
    falls in one cycle, and 0.3 of the input dropped, all fixed beforehand. The pass over the training part
    after which training stops is chosen by grouped folds inside it. Features are standardised by layer,
    since the residual stream grows with depth.

    Parameters
    ----------
    epochs : int, default 20
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

    needs: ClassVar[tuple[str, ...]] = (ACTIVATIONS,)

    def __init__(self, epochs: int = 20, inner_folds: int = 3, random_state: int = 0) -> None:
        self.epochs = epochs
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        images = _images(pairs)
        self._mean = images.mean(dim=(0, 1))
        self._deviation = images.std(dim=(0, 1)).clamp_min(1e-6)
        images = (images - self._mean) / self._deviation
        targets = torch.from_numpy(labels.astype(np.float32))
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        scores = np.zeros(self.epochs)
        logits = np.zeros((self.epochs, len(labels)))
        for train, test in folds:
            for epoch, network in enumerate(self._training(images[train], targets[train])):
                logits[epoch, test] = _logits(network, images[test])
                scores[epoch] += auroc(labels[test], logits[epoch, test]) / len(folds)
        best = int(np.argmax(scores))
        self.epochs_ = best + 1
        self._platt = platt(logits[best], labels)
        self._network = next(islice(self._training(images, targets), best, None))

    def _probability(self, pairs: RecordedPairs) -> Floats:
        slope, intercept = self._platt
        images = (_images(pairs) - self._mean) / self._deviation
        return np.asarray(expit(slope * _logits(self._network, images) + intercept))

    def _training(self, images: Tensor, targets: Tensor) -> Iterator[nn.Module]:
        """The same network after one pass over the answers, after two, and so on up to `epochs`."""
        with torch.random.fork_rng(devices=()):  # torch draws initial weights and dropout from its own
            torch.manual_seed(self.random_state)
            network = ActivationTransformer(images.shape[1:])
            state = torch.random.get_rng_state()
        optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
        steps = -(-len(images) // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, _RATE, epochs=self.epochs, steps_per_epoch=steps, pct_start=0.1
        )
        for _ in range(self.epochs):
            with torch.random.fork_rng(devices=()):
                torch.random.set_rng_state(state)
                network.train()
                for rows in torch.randperm(len(images)).split(_BATCH):
                    optimizer.zero_grad()
                    loss = nn.functional.binary_cross_entropy_with_logits(
                        network(images[rows]), targets[rows]
                    )
                    loss.backward()
                    optimizer.step()
                    schedule.step()
                state = torch.random.get_rng_state()
            yield network.eval()


class ActivationTransformer(nn.Module):
    """Logits of images of states.

    Parameters
    ----------
    shape : tuple of int
        (tokens, layers, d) of an image; an even number of layers.
    width : int, default 32
        Of the adapted states and of the transformer.
    heads : int, default 4
        Of each block's attention.
    blocks : int, default 2
        Of the transformer.
    dropout : float, default 0.1
        In the blocks.
    input_dropout : float, default 0.3
        Of the states. Without it the adapter, which has more weights than there are answers, learns noise.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        width: int = 32,
        heads: int = 4,
        blocks: int = 2,
        dropout: float = 0.1,
        input_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        tokens, layers, d = shape
        self.adapter = nn.Sequential(nn.Dropout(input_dropout), nn.Linear(d, width))
        self.patch = nn.Linear(2 * width, width)
        self.positions = nn.Parameter(torch.randn(tokens * layers // 2, width) * 0.02)
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    width, heads, 2 * width, dropout, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(blocks)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """From images of shape (n, tokens, layers, d) to logits of shape (n,)."""
        adapted = self.adapter(images)
        pairs_of_layers = adapted.reshape(len(images), len(self.positions), -1)
        states = self.blocks(self.patch(pairs_of_layers) + self.positions)
        logits: Tensor = self.head(self.norm(states).mean(dim=1))[:, 0]
        return logits


def _images(pairs: RecordedPairs) -> Tensor:
    """Shape (n, tokens, layers, d)."""
    return torch.from_numpy(pairs.recorded(ACTIVATIONS).astype(np.float32))


def _logits(network: nn.Module, images: Tensor) -> Floats:
    with torch.inference_mode():
        return np.concatenate([network(part).double().numpy() for part in images.split(_READ)])
