"""Batches by token budget: pairs of like length together, results in the order given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def token_budget_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group indices so that each padded batch holds at most `budget` tokens.

    Sorted by length, so that little is padded; a sequence longer than the budget is a batch of its own.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each sequence.
    budget : int
        Most tokens in a padded batch (rows times the longest row).

    Yields
    ------
    list of int
        Indices into `lengths`; every index exactly once.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[index] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
