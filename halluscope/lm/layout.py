"""Which pairs stand in which row, behind which beginning.

What pairs share is read once: in a row for those that stand in it, and by a pass of its own where more pairs
share it than one row holds (system text, a context, the prompt of many answers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from halluscope.lm.tokens import TokenizedPair

_CHUNK = 64  # tokens compared at a time


def count_shared(one: Sequence[int], other: Sequence[int], known: int = 0) -> int:
    """How many first tokens two tuples of ids share, of which some are known to be shared."""
    end = min(len(one), len(other))
    while known < end and one[known : known + _CHUNK] == other[known : known + _CHUNK]:
        known += _CHUNK
    while known < end and one[known] == other[known]:
        known += 1
    return min(known, end)


def by_beginning(
    pairs: Sequence[TokenizedPair], begun: int, row_tokens: int, worthwhile: int
) -> dict[tuple[int, ...], list[int]]:
    """Indices of pairs by the beginning that they are best laid out behind.

    Parameters
    ----------
    pairs : sequence of TokenizedPair
        Sorted by their ids.
    begun : int
        How many first tokens all of them share as it is.
    row_tokens : int
        Tokens of a row. What shares them is given up to twice as many.
    worthwhile : int
        How many tokens less must be read for a beginning to be given a pass of its own.
    """
    shared = [begun, *(count_shared(one.ids, other.ids, begun) for one, other in pairwise(pairs))]
    groups: dict[tuple[int, ...], list[int]] = {}
    todo = [(0, len(pairs), begun)]
    while todo:
        low, high, begun = todo.pop()
        tokens = len(pairs[low].ids) - begun
        tokens += sum(len(pairs[i].ids) - max(begun, shared[i]) for i in range(low + 1, high))
        if tokens <= 2 * row_tokens or high - low == 1:
            groups.setdefault(pairs[low].ids[:begun], []).extend(range(low, high))
            continue
        least = min(shared[low + 1 : high])
        # the model predicts an answer's first token from the one before, which must stand in the row
        common = min(least, *(pair.start - 1 for pair in pairs[low:high]))
        if (high - low - 1) * (common - begun) >= max(worthwhile, 1):
            todo.append((low, high, common))
        else:
            cuts = [low, *(i for i in range(low + 1, high) if shared[i] == least), high]
            todo.extend((*ends, begun) for ends in zip(cuts[-2::-1], cuts[:0:-1], strict=True))
    return groups


def rows_of(
    pairs: Sequence[TokenizedPair], members: Sequence[int], begun: int, row_tokens: int
) -> Iterator[tuple[list[int], int]]:
    """Some of the pairs, in their order, in rows, and the tokens of each row.

    A row holds `row_tokens`, or twice as many for pairs that share more than they bring, and so many answer
    tokens too: those that are shared are there for every pair.

    Parameters
    ----------
    pairs : sequence of TokenizedPair
    members : sequence of int
        Indices of pairs that share `begun` first tokens, sorted by their ids.
    begun, row_tokens : int
        As for `by_beginning`.
    """
    row: list[int] = []
    held = answered = 0
    for index in members:
        pair = pairs[index]
        shared = count_shared(pairs[row[-1]].ids, pair.ids, begun) if row else begun
        new = len(pair.ids) - shared
        most = 2 * row_tokens if shared - begun > new else row_tokens
        if row and (held + new > most or answered + len(pair.tokens) > 2 * row_tokens):
            yield row, held
            row, held, answered, new = [], 0, 0, len(pair.ids) - begun
        row.append(index)
        held += new
        answered += len(pair.tokens)
    if row:
        yield row, held
