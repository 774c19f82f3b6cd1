"""Which pairs stand in which row, behind which beginning.

What pairs share is read once: in a row for those that stand in it, and by a pass of its own where more pairs
share it than one row holds (system text, a context, the prompt of many answers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from halluscope.lm.packing import count_shared
from halluscope.lm.tokens import TokenizedPair

_WORTHWHILE = 16
"""Tokens of a beginning that is worth a pass of its own: fewer are read again in every row."""


def by_beginning(
    pairs: Sequence[TokenizedPair], begun: int, row_tokens: int
) -> dict[tuple[int, ...], list[int]]:
    """Indices of pairs by the beginning that they are best laid out behind.

    Parameters
    ----------
    pairs : sequence of TokenizedPair
        Sorted by their ids.
    begun : int
        How many first tokens all of them share as it is.
    row_tokens : int
        Tokens of a row.
    """
    shared = [begun, *(count_shared(one.ids, other.ids) for one, other in pairwise(pairs))]
    groups: dict[tuple[int, ...], list[int]] = {}
    todo = [(0, len(pairs), begun)]
    while todo:
        low, high, begun = todo.pop()
        tokens = len(pairs[low].ids) - begun
        tokens += sum(len(pairs[i].ids) - max(begun, shared[i]) for i in range(low + 1, high))
        if tokens <= row_tokens or high - low == 1:
            groups.setdefault(pairs[low].ids[:begun], []).extend(range(low, high))
            continue
        least = min(shared[low + 1 : high])
        # the model predicts an answer's first token from the one before, which must stand in the row
        common = min(least, *(pair.start - 1 for pair in pairs[low:high]))
        if common - begun >= _WORTHWHILE:
            todo.append((low, high, common))
        else:
            cuts = [low, *(i for i in range(low + 1, high) if shared[i] == least), high]
            todo.extend((*ends, begun) for ends in zip(cuts[-2::-1], cuts[:0:-1], strict=True))
    return groups


def rows_of(
    pairs: Sequence[TokenizedPair], members: Sequence[int], begun: int, row_tokens: int
) -> Iterator[list[int]]:
    """Some of the pairs, in their order, in rows of so many tokens or of a single pair.

    Parameters
    ----------
    pairs : sequence of TokenizedPair
    members : sequence of int
        Indices of pairs that share `begun` first tokens, sorted by their ids.
    begun, row_tokens : int
        As for `by_beginning`.
    """
    row: list[int] = []
    held = 0
    for index in members:
        ids = pairs[index].ids
        new = len(ids) - (max(begun, count_shared(pairs[row[-1]].ids, ids)) if row else begun)
        if row and held + new > row_tokens:
            yield row
            row, held, new = [], 0, len(ids) - begun
        row.append(index)
        held += new
    if row:
        yield row
